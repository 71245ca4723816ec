"""Runs a function of any kind without blocking the event loop, and without leaving things running.

A call has two halves: one that may block (sync functions and generators; in a thread of its own) and one
on the event loop (coroutines and async generators). The thread is a daemon: a tool that hangs keeps
neither the loop nor the end of the process waiting.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import aclosing, closing, suppress
from dataclasses import dataclass
from typing import Any, cast

from agentkit.errors import RunError, ToolTimeout
from agentkit.messages import JsonValue

__all__ = ["Call", "call_blocking", "call_here", "finish", "within"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A function with all it needs to run once."""

    tool: str
    """Name of the tool, for messages."""
    function: Callable[[], Any]
    """Takes nothing: the arguments are bound."""
    is_async: bool
    """Whether calling it gives a coroutine or async generator at once, so that it needs no thread."""
    result_is_returned: bool
    progress: Callable[[JsonValue], None]
    """Takes what a generator yields; called from any thread."""
    stopped: Callable[[], bool]
    """Whether the result is no longer wanted."""


async def call_here(call: Call) -> Any:
    """Runs a call in this process and returns the function's result.

    Raises:
        agentkit.errors.RunError: The function tried to end the process (`SystemExit` and its like).
        Exception: Whatever the function raised.
    """
    value = _guarded(call.tool, call.function) if call.is_async else await _in_thread(call)
    return await finish(call, value)


async def within(seconds: float | None, tool: str, work: Awaitable[Any], *, consequence: str) -> Any:
    """Returns what `work` gives, if it does within a time.

    Args:
        seconds: The limit; ``None`` for none.
        tool: Name of the tool, for the message.
        work: What is awaited; cancelled at the limit.
        consequence: What happens to the tool at the limit, for the message.

    Raises:
        agentkit.errors.ToolTimeout: The time was over.
    """
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            return await work
    except TimeoutError:
        if limit.expired():
            raise ToolTimeout(f"{tool!r} did not finish within its limit of {seconds:g} s; {consequence}") from None
        raise  # the tool's own


def call_blocking(call: Call) -> Any:
    """Runs the half of a call that may block; returns the result, or an awaitable that leads to it."""
    value = _guarded(call.tool, call.function)
    return _drive(call, cast("Generator[Any, Any, Any]", value)) if inspect.isgenerator(value) else value


async def finish(call: Call, value: Any) -> Any:
    """Runs the half of a call that awaits; returns the result."""
    try:
        if inspect.isasyncgen(value):
            return await _drive_async(call, cast("AsyncGenerator[Any, Any]", value))
        return await value if inspect.isawaitable(value) else value
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise RunError(f"{call.tool!r} cancelled itself") from None
    except Exception:
        raise
    except BaseException as error:  # would end the event loop
        raise _tamed(call.tool, error) from error


def _guarded(tool: str, function: Callable[[], Any]) -> Any:
    try:
        return function()
    except Exception:
        raise
    except BaseException as error:
        raise _tamed(tool, error) from error


def _tamed(tool: str, error: BaseException) -> RunError:
    return RunError(f"{tool!r} raised {type(error).__name__}({', '.join(map(repr, error.args))}); a tool may not do so")


def _drive(call: Call, generator: Generator[Any, Any, Any]) -> Any:
    last: Any = None
    with closing(generator):
        while not call.stopped():
            try:
                last = _guarded(call.tool, generator.__next__)
            except StopIteration as stop:
                return last if stop.value is None and not call.result_is_returned else stop.value
            call.progress(last)
    return None  # nobody waits for it


async def _drive_async(call: Call, generator: AsyncGenerator[Any, Any]) -> Any:
    last: Any = None
    async with aclosing(generator):
        async for last in generator:
            call.progress(last)
    return last


async def _in_thread(call: Call) -> Any:
    loop = asyncio.get_running_loop()
    done: asyncio.Future[tuple[Any, Exception | None]] = loop.create_future()

    def settle(outcome: tuple[Any, Exception | None]) -> None:
        if not done.done():
            done.set_result(outcome)

    def work() -> None:
        outcome: tuple[Any, Exception | None]
        try:
            outcome = (call_blocking(call), None)
        except Exception as error:
            outcome = (None, error)
        with suppress(RuntimeError):  # the loop was closed: nobody waits
            loop.call_soon_threadsafe(settle, outcome)

    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(work,), name=f"tool-{call.tool}", daemon=True).start()
    value, error = await done
    if isinstance(error, StopIteration):  # may not leave a coroutine
        raise RunError(f"{call.tool!r} raised StopIteration") from error
    if error is not None:
        raise error
    return cast("object", value)
