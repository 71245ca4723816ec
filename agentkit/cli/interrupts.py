"""Ctrl-C and SIGTERM: the first one stops a run in order, the second one ends the process at once."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from types import FrameType
from typing import Any, Self

from agentkit.trace.text import visible

__all__ = ["Interrupts"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_PATIENCE = 1.0
"""Seconds after which somebody who waits for a run to stop is told how it ends at once."""


class Interrupts:
    """While it is entered, signals stop what `run` awaits.

    Args:
        last_words: What is said when the process ends at once; everything that was written to the run's file is kept.
    """

    def __init__(self, last_words: Callable[[], str]) -> None:
        self.signal: int | None = None
        """The signal that came; ``None`` while none did."""
        self._last_words = last_words
        self._stop: Callable[[], object] = lambda: None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._take) for number in _SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    async def run(self, work: Coroutine[Any, Any, object]) -> None:
        """Awaits something, and cancels it when a signal comes; then it returns too."""
        loop = asyncio.get_running_loop()
        task = asyncio.ensure_future(work)

        def stop() -> None:
            task.cancel()
            hints.append(loop.call_later(_PATIENCE, _say_how_it_ends_at_once))

        hints: list[asyncio.TimerHandle] = []
        self._stop = lambda: loop.call_soon_threadsafe(stop)
        if self.signal is not None:
            stop()
        await asyncio.wait([task])
        for hint in hints:
            hint.cancel()
        if not task.cancelled():
            task.result()

    def _take(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None:
            # Not by print, which may be what was interrupted. A cursor that progress has hidden is shown again.
            cursor = "\x1b[?25h" if sys.stderr.isatty() else ""
            os.write(2, f"{cursor}{visible(self._last_words())}\n".encode())
            os._exit(128 + number)
        self.signal = number
        self._stop()


def _say_how_it_ends_at_once() -> None:
    print("stopping; a second Ctrl-C ends it at once", file=sys.stderr, flush=True)
