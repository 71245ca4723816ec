"""Recorded runs, read so that they can be gone on with or repeated."""

from __future__ import annotations

from pathlib import Path

from agentkit.errors import JournalError, UsageError
from agentkit.events import Event
from agentkit.journal import read_events
from agentkit.record import Record

__all__ = ["check_resumable", "whole_events"]


def whole_events(path: Path) -> list[Event]:
    """Returns the events of a run that is to be gone on with or repeated.

    Raises:
        agentkit.errors.JournalError: Something in the file can't be read.
    """
    events, problems = read_events(path)
    if problems or not events or events[0].kind != "run_started":
        why = problems[0] if problems else "its beginning is missing"
        raise JournalError(f"the run in {str(path)!r} can't be gone on with: {why}")
    return events


def check_resumable(record: Record) -> None:
    """Refuses a run that has its answer.

    Raises:
        agentkit.errors.UsageError: It has.
    """
    if record.end is not None and record.end.stop_reason == "answer" and record.start is not None:
        run_id = record.start.run_id
        raise UsageError(f"run {run_id!r} has its answer; see it with: agentkit trace {run_id}")
