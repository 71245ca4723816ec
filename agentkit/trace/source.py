"""A run's file as the viewer reads it: as it grows, and large values only when they are opened."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from pathlib import Path

from agentkit.errors import JournalError, UsageError
from agentkit.events import Event, StepFinished, TurnFinished
from agentkit.journal import read_blob, read_events
from agentkit.messages import JsonValue, is_object
from agentkit.trace.facts import size_of

__all__ = ["RunFile", "follow"]

_POLL = 0.3
"""Seconds between two looks at the file of a run that goes on."""

_PIECES = 1_000_000
"""Pieces of a turn with more characters than this are left in the file, too: no model writes that much in a turn."""


class RunFile:
    """A run's file.

    Attributes:
        path: The file.
        problems: What could not be read from it, in words.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problems: list[str] = []
        self._taken = 0
        self._stamp: object = None

    def read(self) -> list[Event]:
        """Returns the events that have come since the last time.

        Raises:
            agentkit.errors.JournalError: There is no such file, or nothing in it can be read.
        """
        stamp = self._now()
        if stamp == self._stamp:
            return []
        events, problems = read_events(self.path, whole=False, after=self._taken)
        self._taken += len(events) + sum(p.startswith("event ") for p in problems)
        self.problems += [p for p in problems if p not in self.problems]
        self._stamp = stamp
        return [self._with_pieces(e) if isinstance(e, TurnFinished) else e for e in events]

    def _now(self) -> object:
        """Returns what changes when something is written, for the price of two calls of the system."""
        found: list[object] = []
        for path in (self.path, self.path.with_name(self.path.name + "-wal")):
            try:
                stat = path.stat()
                found.append((stat.st_size, stat.st_mtime_ns))
            except OSError:
                found.append(None)
        return found

    def _with_pieces(self, event: TurnFinished) -> TurnFinished:
        if not 0 < size_of(event.pieces) <= _PIECES:
            return event
        pieces = self.value(event.pieces)
        return replace(event, pieces=pieces) if isinstance(pieces, list) else event

    @property
    def going(self) -> bool:
        """Whether a process holds the run."""
        try:
            pid = int(self.path.with_suffix(".lock").read_text())
            os.kill(pid, 0)
        except PermissionError:  # it is there, and somebody else's
            return True
        except (OSError, ValueError, OverflowError):
            return False
        return True

    def value(self, value: JsonValue) -> JsonValue:
        """Returns a value, read from the file when it was left there; words that say so when it can't be read."""
        left = value[0] if isinstance(value, list) and len(value) == 1 else value
        if not (is_object(left) and "$blob" in left):
            return value
        try:
            return read_blob(self.path, str(left["$blob"]))
        except JournalError as error:
            return f"(this value is missing: {error})"

    def find(self, text: str) -> Collection[str]:
        """Returns the digests of the large values in which a text stands, in whatever case."""
        written = json.dumps(text, ensure_ascii=False)[1:-1]
        try:
            db = sqlite3.connect(f"{self.path.resolve().as_uri()}?mode=ro", uri=True)
            try:
                rows = db.execute("SELECT digest FROM blobs WHERE instr(lower(data), lower(?))", (written,)).fetchall()
            finally:
                db.close()
        except sqlite3.Error:
            return ()
        return {str(digest) for (digest,) in rows}


def follow(path: Path, *, wait: Callable[[float], None] = time.sleep) -> Iterator[Event]:
    """Yields a run's events, and waits for more until it has ended, paused, or nobody goes on with it.

    Args:
        path: The run's file.
        wait: Waits for so many seconds.

    Raises:
        agentkit.errors.UsageError: There is no such file, or nothing in it can be read.
    """
    source = RunFile(path)
    while True:
        going = source.going  # asked first: what was written before its process ended is read after
        try:
            events = source.read()
        except JournalError as error:
            raise UsageError(str(error)) from None
        yield from map(_shortened, events)
        if not going:
            return
        wait(_POLL)


def _shortened(event: Event) -> Event:
    """Returns an event in which words stand for what was left in the file."""
    if isinstance(event, StepFinished) and (size := size_of(event.value)):
        return replace(event, value=f"{size:,} characters")
    return event
