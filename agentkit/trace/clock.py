"""When something in a run was, by the clock on the wall."""

from __future__ import annotations

from datetime import datetime

from agentkit.events import Event, RunResumed, RunStarted

__all__ = ["Clock"]


class Clock:
    """Turns seconds since the start of a run into the time of day, also when hours lie between two processes."""

    def __init__(self) -> None:
        self._anchors: list[tuple[float, int]] = []

    def take(self, event: Event) -> None:
        """Learns from an event when a process began."""
        if isinstance(event, RunStarted | RunResumed):
            try:
                began = datetime.fromisoformat(event.started)
            except ValueError:  # a file from anywhere
                return
            self._anchors.append((event.at, round(began.timestamp() * 1000) * 1_000_000))

    def nanoseconds(self, at: float) -> int:
        """Returns the nanoseconds from 1970 to a moment of the run; from the run's start if that is not recorded."""
        since, base = next((a for a in reversed(self._anchors) if a[0] <= at), (0.0, 0))
        return base + round((at - since) * 1e9)
