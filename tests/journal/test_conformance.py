"""The journal on SQLite holds to what a journal must."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings

from agentkit.events import Event
from agentkit.journal import Journal, SqliteJournal, read_events
from tests.journal.conformance import JournalMachine, Store


class SqliteStore(Store):
    """A run's file in a folder of its own; after each crash a copy of what the dead process left."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp())
        self._path = self._folder / "0" / "run.sqlite"
        self._journals: list[Journal] = []

    def open(self, *, resume: bool) -> Journal:
        journal = SqliteJournal(self._path, resume=resume, durability="normal")
        self._journals.append(journal)
        return journal

    def read(self) -> list[Event]:
        events, problems = read_events(self._path)
        assert not problems
        return events

    def crash(self) -> None:
        to = self._folder / f"{int(self._path.parent.name) + 1}" / "run.sqlite"
        to.parent.mkdir()
        for end in ("", "-wal"):  # the file first: the log is emptied only after all of it is in the file
            if (left := Path(f"{self._path}{end}")).exists():
                shutil.copyfile(left, f"{to}{end}")
        self._path = to

    def remove(self) -> None:
        for journal in self._journals:
            journal.close()
        shutil.rmtree(self._folder)


class SqliteMachine(JournalMachine):
    """The machine, for SQLite."""

    new_store = SqliteStore


TestSqlite = SqliteMachine.TestCase
TestSqlite.settings = settings(
    max_examples=int(os.environ.get("AGENTKIT_TORTURE", "15")),
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
