"""Reads a run's file, also while the run goes on, and whatever has become of the file."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from agentkit.errors import JournalError
from agentkit.event_json import event_from_json
from agentkit.events import Event
from agentkit.journal.tables import BLOB, FORMAT, filled
from agentkit.messages import JsonValue

__all__ = ["opened", "read_blob", "read_events"]

_BLOB = json.dumps(BLOB).encode()


def read_events(path: Path, *, whole: bool = True, after: int = 0) -> tuple[list[Event], list[str]]:
    """Returns the events of a run's file, and what could not be read.

    The second list says in words what had to be left out: damaged rows, events of another version.

    Args:
        path: The file.
        whole: Whether large values are read too; otherwise ``{"$blob": digest, "size": characters}`` stands for each,
            in a list where a list is expected, and `read_blob` reads it.
        after: How many events to leave out at the beginning, for who has read these already.

    Raises:
        agentkit.errors.JournalError: There is no such file, or nothing in it can be read.
    """
    events: list[Event] = []
    problems: list[str] = []
    try:
        with opened(path) as db:
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version > FORMAT:
                problems.append(f"the file's format is {version}, this version of agentkit knows {FORMAT}")
            find = _finder(db)
            for seq, data in db.execute("SELECT seq, data FROM events WHERE seq > ? ORDER BY seq", (after,)):
                try:
                    event = json.loads(data)
                    events.append(event_from_json(filled(event, find, whole=whole) if _BLOB in data else event))
                except (AttributeError, KeyError, TypeError, ValueError) as e:
                    problems.append(f"event {seq} can't be read: {type(e).__name__}: {e}")
    except (sqlite3.Error, UnicodeDecodeError) as e:  # the second: a damaged schema, quoted in an error
        if not events and not after:
            raise JournalError(f"{str(path)!r} can't be read as a run file: {e}") from e
        problems.append(f"the file ends early: {e}")
    return events, problems


def read_blob(path: Path, digest: str) -> JsonValue:
    """Returns a large value of a run.

    Args:
        path: The run's file.
        digest: What stands for the value in an event.

    Raises:
        agentkit.errors.JournalError: It is not there.
    """
    try:
        with opened(path) as db:
            value: JsonValue = json.loads(_finder(db)(digest))
    except (sqlite3.Error, KeyError, ValueError) as e:
        raise JournalError(f"{str(path)!r} has no value {digest!r}: {e}") from e
    return value


@contextmanager
def opened(path: Path) -> Generator[sqlite3.Connection]:
    """Opens a run's file to be read; text comes as bytes, because damaged text must not end the reading.

    Raises:
        agentkit.errors.JournalError: There is no such file.
    """
    if not path.is_file():
        raise JournalError(f"there is no run file {str(path)!r}; 'agentkit runs' lists the runs")
    # A run that nobody writes is one file and stays one: SQLite would put its own beside it, and could not remove them
    how = "mode=ro" if Path(f"{path}-wal").exists() else "immutable=1"
    db = sqlite3.connect(f"{path.resolve().as_uri()}?{how}", uri=True)
    db.text_factory = bytes
    try:
        yield db
    finally:
        db.close()


def _finder(db: sqlite3.Connection) -> Callable[[str], str]:
    def find(digest: str) -> str:
        found = db.execute("SELECT data FROM blobs WHERE digest = ?", (digest,)).fetchone()
        if found is None:
            raise KeyError(f"the value {digest} is missing")
        text: str = found[0].decode()
        return text

    return find
