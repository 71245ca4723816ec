"""A run's file: what happened, in order, so that it can be shown, and gone on from after a crash."""

from agentkit.journal.base import Journal
from agentkit.journal.lock import RunLock
from agentkit.journal.reading import read_blob, read_events
from agentkit.journal.sqlite import SqliteJournal

__all__ = ["Journal", "RunLock", "SqliteJournal", "read_blob", "read_events"]
