"""Waits for what is asynchronous where nothing else is."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from agentkit.errors import UsageError

__all__ = ["wait_for"]

T = TypeVar("T")


def wait_for(run: Coroutine[Any, Any, T], name: str) -> T:
    """Runs to the end what a method of the agent returned.

    Args:
        run: What it returned.
        name: The method's name.

    Raises:
        agentkit.errors.UsageError: An event loop is running already.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(run)
    run.close()
    raise UsageError(f"{name}_sync can't be used where an event loop is running; use 'await agent.{name}(...)' there")
