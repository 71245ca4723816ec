"""How long a run may take; the time in which a person thinks does not count."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager

from agentkit.errors import LimitReached

__all__ = ["TimeLimit"]


class TimeLimit:
    """The limit on the time of one run.

    Args:
        seconds: How long it may take; ``None`` for as long as it takes.
        used: Seconds that were used before this process.
    """

    def __init__(self, seconds: float | None, *, used: float) -> None:
        self._seconds = seconds
        self._end = None if seconds is None else _now() + seconds - used
        self._timeout: asyncio.Timeout | None = None
        self._paused = 0
        """How many wait for a person."""
        self._since = 0.0

    @asynccontextmanager
    async def held(self) -> AsyncGenerator[None]:
        """Keeps what is done inside to what is left of the time.

        Raises:
            agentkit.errors.LimitReached: The time is over.
        """
        timeout = asyncio.timeout_at(self._end)
        try:
            async with timeout:
                self._timeout = timeout
                try:
                    yield
                finally:
                    self._timeout = None
        except TimeoutError:
            if not timeout.expired():
                raise
            message = f"the run reached its limit of {self._seconds:g} seconds"
            raise LimitReached(message, reason="time_limit") from None

    @contextmanager
    def paused(self) -> Generator[None]:
        """Lets the time stand still."""
        self._paused += 1
        if self._paused == 1:
            self._since = _now()
            self._set(None)
        try:
            yield
        finally:
            self._paused -= 1
            if not self._paused and self._end is not None:
                self._end += _now() - self._since
                self._set(self._end)

    def _set(self, end: float | None) -> None:
        if self._timeout is not None and self._end is not None and not self._timeout.expired():
            self._timeout.reschedule(end)


def _now() -> float:
    return asyncio.get_running_loop().time()
