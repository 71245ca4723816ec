"""A run, one round at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

from agentkit.errors import JournalError, UsageError
from agentkit.journal import Journal
from agentkit.kill_points import kill_point
from agentkit.planners.base import StepResult
from agentkit.result import Result
from agentkit.run import Run

__all__ = ["Rounds"]


class Rounds:
    """A run, one round at a time; see `Agent.iter`."""

    def __init__(self, run: Run, journal: Journal | None, durable: Callable[[], Awaitable[None]]) -> None:
        self.run = run
        """The run: its plan and the results so far."""
        self._journal = journal
        self._durable = durable

    @property
    def result(self) -> Result:
        """How the run ended.

        Raises:
            agentkit.errors.UsageError: It has not ended yet.
        """
        if self.run.result is None:
            raise UsageError("the run has not ended yet; take more rounds first")
        return self.run.result

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> list[StepResult]:
        if self.run.result is not None:
            raise StopAsyncIteration
        return await self.run.round()

    async def __aenter__(self) -> Self:
        try:
            self.run.start()
            await self._durable()
            kill_point("run-started")
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends the run, if it still goes on, and closes its file. Closing twice is allowed."""
        try:
            if self.run.result is None:
                await self.run.cancel()
        finally:
            if self._journal is not None:
                try:
                    await asyncio.to_thread(self._journal.close)
                except JournalError as e:
                    await self.run.unrecorded(e)
