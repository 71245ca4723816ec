"""A run's file: its events, in order, in one SQLite database that one thread writes.

The file is ``<run id>.sqlite`` in the folder for runs. Table ``events`` has one row per event: its
number, kind, time and JSON. Nothing else is needed to show a run.
"""

from __future__ import annotations

import json
import queue
import sqlite3
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import TypeAlias

from agentkit.errors import JournalError
from agentkit.events import Event, event_from_json, event_to_json

__all__ = ["Journal", "read_events"]

FORMAT = 1
"""Version of the file's tables, kept in ``PRAGMA user_version``."""

_SCHEMA = """
CREATE TABLE events (
    seq  INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    at   REAL NOT NULL,
    data TEXT NOT NULL
) STRICT;
"""

_Item: TypeAlias = "Event | Future[None] | None"


class Journal:
    """Appends events to a run's file.

    `append` never blocks: a thread of its own writes, and commits whatever has come up in one
    transaction. `flush` waits until all of it is on disk.
    """

    def __init__(self, path: Path) -> None:
        """Creates the file.

        Raises:
            agentkit.errors.JournalError: It can't be created, or is there already.
        """
        self.path = path
        self._items: queue.SimpleQueue[_Item] = queue.SimpleQueue()
        self._error: Exception | None = None
        opened: Future[None] = Future()
        self._thread = threading.Thread(target=self._write, args=(opened,), name=f"journal {path.stem}", daemon=True)
        self._thread.start()
        try:
            opened.result()
        except (OSError, sqlite3.Error) as e:
            raise JournalError(f"can't create the run file {str(path)!r}: {e}") from e

    def append(self, event: Event) -> None:
        """Hands an event to the writer."""
        self._items.put(event)

    def flush(self) -> Future[None]:
        """Returns a future that is done when everything appended so far is on disk.

        It fails with `agentkit.errors.JournalError` when it can't be written.
        """
        done: Future[None] = Future()
        self._items.put(done)
        return done

    def close(self) -> None:
        """Writes what is left and closes the file. Closing twice is allowed.

        Raises:
            agentkit.errors.JournalError: Something could not be written.
        """
        if self._thread.is_alive():
            self._items.put(None)
            self._thread.join()
        if self._error is not None:
            raise JournalError(f"can't write the run file {str(self.path)!r}: {self._error}") from self._error

    def _write(self, opened: Future[None]) -> None:
        try:
            db = self._create()
        except (OSError, sqlite3.Error) as e:
            opened.set_exception(e)
            return
        opened.set_result(None)
        going = True
        while going:
            going = self._commit(db, self._batch())
        db.close()

    def _create(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.touch(exist_ok=False)
        db = sqlite3.connect(self.path, isolation_level=None)
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        db.executescript(_SCHEMA)
        db.execute(f"PRAGMA user_version={FORMAT}")
        return db

    def _batch(self) -> list[_Item]:
        """Waits for an item, and takes what else is there."""
        items = [self._items.get()]
        while not self._items.empty():
            items.append(self._items.get())
        return items

    def _commit(self, db: sqlite3.Connection, items: list[_Item]) -> bool:
        """Writes a batch in one transaction; returns whether more may come."""
        rows = [
            (type(e).kind, e.at, json.dumps(event_to_json(e), ensure_ascii=False))
            for e in items
            if isinstance(e, Event)
        ]
        if rows and self._error is None:
            try:
                db.execute("BEGIN IMMEDIATE")
                db.executemany("INSERT INTO events (kind, at, data) VALUES (?, ?, ?)", rows)
                db.execute("COMMIT")
            except sqlite3.Error as e:
                self._error = e
                if db.in_transaction:
                    db.execute("ROLLBACK")
        for item in items:
            if isinstance(item, Future):
                _settle(item, self._error, self.path)
        return None not in items


def _settle(done: Future[None], error: Exception | None, path: Path) -> None:
    if not done.set_running_or_notify_cancel():
        return  # nobody waits any more
    if error is None:
        done.set_result(None)
    else:
        done.set_exception(JournalError(f"can't write the run file {str(path)!r}: {error}"))


def read_events(path: Path) -> tuple[list[Event], list[str]]:
    """Returns the events of a run's file, also while the run goes on, and what could not be read.

    The second list says in words what had to be left out: damaged rows, events of another version.

    Raises:
        agentkit.errors.JournalError: There is no such file, or nothing in it can be read.
    """
    if not path.is_file():
        raise JournalError(f"there is no run file {str(path)!r}; 'agentkit runs' lists the runs")
    events: list[Event] = []
    problems: list[str] = []
    try:
        db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
        db.text_factory = bytes  # damaged text must not end the reading
        try:
            for seq, data in db.execute("SELECT seq, data FROM events ORDER BY seq"):
                try:
                    events.append(event_from_json(json.loads(data)))
                except (KeyError, TypeError, ValueError) as e:
                    problems.append(f"event {seq} can't be read: {type(e).__name__}: {e}")
        finally:
            db.close()
    except (sqlite3.Error, UnicodeDecodeError) as e:  # the second: a damaged schema, quoted in an error
        if not events:
            raise JournalError(f"{str(path)!r} can't be read as a run file: {e}") from e
        problems.append(f"the file ends early: {e}")
    return events, problems
