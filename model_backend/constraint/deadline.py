"""A time limit for work in native code, which can't be interrupted from Python."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

__all__ = ["TooSlow", "within"]

T = TypeVar("T")


class TooSlow(Exception):
    """The work did not end within its time."""


def within(seconds: float, work: Callable[[], T]) -> T:
    """Returns what the work returns.

    The work runs in a thread of its own. When it is late the thread is left behind: it is a daemon, and
    the grammar library's own limits (fuel, grammar size) end it some time later.

    Raises:
        TooSlow: The work took longer than ``seconds``.
    """
    results: list[T] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as e:
            failures.append(e)

    thread = threading.Thread(target=run, name="agentkit-compile", daemon=True)
    thread.start()
    thread.join(seconds)
    if failures:
        raise failures[0]
    if not results:
        raise TooSlow
    return results[0]
