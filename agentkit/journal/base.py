"""What a run needs of the place where its events are kept."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Protocol

from agentkit.events import Event

__all__ = ["Journal"]


class Journal(Protocol):
    """Keeps the events of one run, in order. ``tests/journal/conformance.py`` says what a journal must hold to.

    What is appended becomes durable in the order of appending: when an event survives a crash, so do all before it.
    """

    def append(self, event: Event) -> None:
        """Takes an event; never waits, and may be called from the event loop's thread only."""
        ...

    def flush(self) -> Future[None]:
        """Returns a future that is done when everything appended so far survives a crash.

        It fails with `agentkit.errors.JournalError` when it can't be written.
        """
        ...

    def close(self) -> None:
        """Writes what is left, and gives up the run. Closing twice is allowed.

        Raises:
            agentkit.errors.JournalError: Something could not be written.
        """
        ...
