"""Tools in this process: the loop keeps running, and progress, timeouts and cancellation work for every kind."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from typing import Any

import pytest

from agentkit import Retry, ToolContext, tool
from agentkit.errors import RunError, ToolFailed, ToolTimeout
from agentkit.tools.invoke import call_blocking
from agentkit.tools.tool import FunctionTool
from tests.tools.kinds import Colour, Point


def run(
    made: FunctionTool[..., Any], arguments: dict[str, Any] | None = None, context: ToolContext | None = None
) -> Any:
    return asyncio.run(made.invoke(arguments or {}, context))


def test_sync_tools_run_beside_the_loop_and_beside_each_other() -> None:
    meeting = threading.Barrier(3, timeout=10)

    @tool
    def meet() -> str:
        meeting.wait()
        return threading.current_thread().name

    async def main() -> list[Any]:
        both = asyncio.gather(meet.invoke({}), meet.invoke({}))
        await asyncio.to_thread(meeting.wait)
        return list(await both)

    assert asyncio.run(main()) == ["tool-meet", "tool-meet"]


def test_a_hanging_sync_tool_does_not_keep_the_process() -> None:
    code = """
import asyncio, time
from agentkit import tool

@tool
def hang() -> None:
    time.sleep(600)

async def main():
    try:
        await asyncio.wait_for(hang.invoke({}), 0.05)
    except TimeoutError:
        print("gave up")

asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("gave up\n", "", 0)


def sync_yields(count: int) -> Iterator[str]:
    for i in range(count):
        yield f"step {i}"


async def async_yields(count: int) -> AsyncIterator[str]:
    for i in range(count):
        yield f"step {i}"


def yields_and_returns(count: int) -> Generator[str, None, int]:
    yield from sync_yields(count)
    return count


def yields_and_returns_nothing(count: int) -> Generator[str, None, int | None]:
    yield from sync_yields(count)
    return None


@pytest.mark.parametrize(
    ("function", "result"),
    [(sync_yields, "step 2"), (async_yields, "step 2"), (yields_and_returns, 3), (yields_and_returns_nothing, None)],
)
def test_yields_are_progress_and_the_result_is_what_is_returned_or_yielded_last(
    function: Callable[..., Any], result: Any
) -> None:
    seen: list[Any] = []
    assert run(FunctionTool(function), {"count": 3}, ToolContext(on_progress=seen.append)) == result
    assert seen == ["step 0", "step 1", "step 2"]


def test_a_generator_is_closed_when_its_progress_can_not_be_told() -> None:
    closed: list[bool] = []

    @tool
    def work() -> Iterator[int]:
        try:
            yield 1
        finally:
            closed.append(True)

    def broken(message: object) -> None:
        raise RuntimeError("the event loop is closed")

    generator = work.function()
    call = work.call({}, progress=broken)
    with pytest.raises(RuntimeError, match="closed"):
        call_blocking(dataclasses.replace(call, function=lambda: generator))
    assert closed == [True]


def test_a_generator_that_yields_nothing_and_promises_text_fails_clearly() -> None:
    with pytest.raises(ToolFailed, match="all: got null; expected a string"):
        run(FunctionTool(sync_yields), {"count": 0})


def test_context_progress_arrives_in_order_on_the_loops_thread() -> None:
    seen: list[tuple[Any, str]] = []

    @tool
    def work(context: ToolContext) -> None:
        context.progress({"done": 1})
        context.progress(dt.date(2026, 5, 31))
        context.progress(object)

    run(work, context=ToolContext(on_progress=lambda m: seen.append((m, threading.current_thread().name))))
    assert [m for m, _ in seen] == [{"done": 1}, "2026-05-31", "<class 'object'>"]
    assert {name for _, name in seen} == {"MainThread"}


def test_the_context_is_filled_in() -> None:
    given = ToolContext(run_id="r", step_id="s", idempotency_key="k", state={"a": 1})

    @tool
    def sees(context: ToolContext) -> list[Any]:
        context.state["b"] = 2
        return [context.run_id, context.step_id, context.idempotency_key, context.cancelled]

    assert run(sees, context=given) == ["r", "s", "k", False]
    assert given.state == {"a": 1, "b": 2}
    assert run(sees) == ["", "", "", False]


def test_an_async_tool_is_cancelled_at_its_timeout() -> None:
    ended: list[str] = []

    @tool(timeout=0.05)
    async def hang() -> None:
        try:
            await asyncio.sleep(600)
        finally:
            ended.append("cleaned up")

    with pytest.raises(ToolTimeout, match=r"'hang' did not finish within its limit of 0.05 s; it was cancelled"):
        run(hang)
    assert ended == ["cleaned up"]


def test_a_thread_left_behind_at_a_timeout_is_told_so_and_can_stop() -> None:
    ended = threading.Event()

    @tool(timeout=0.05, isolation="thread")
    def hang(context: ToolContext) -> None:
        while not context.cancelled:
            time.sleep(0.001)
        ended.set()

    with pytest.raises(ToolTimeout, match="its thread was left behind and may still be running"):
        run(hang)
    assert ended.wait(10)


def test_a_tools_own_timeout_error_is_its_own() -> None:
    @tool(timeout=60)
    async def slow_service() -> None:
        raise TimeoutError("the service is slow")

    with pytest.raises(TimeoutError, match="the service is slow"):
        run(slow_service)


@pytest.mark.parametrize("kind", ["async", "async_generator", "generator", "thread"])
def test_cancelling_stops_the_tool(kind: str) -> None:
    started, ended = threading.Event(), threading.Event()

    async def coroutine() -> None:
        started.set()
        try:
            await asyncio.sleep(600)
        finally:
            ended.set()

    async def async_generator() -> AsyncIterator[int]:
        started.set()
        try:
            while True:
                yield 1
                await asyncio.sleep(0.001)
        finally:
            ended.set()

    def generator() -> Iterator[int]:
        started.set()
        try:
            while True:
                yield 1
                time.sleep(0.001)
        finally:
            ended.set()

    def thread(context: ToolContext) -> None:
        started.set()
        try:
            while True:
                context.check_cancelled()
                time.sleep(0.001)
        finally:
            ended.set()

    functions: dict[str, Callable[..., Any]] = {
        "async": coroutine, "async_generator": async_generator, "generator": generator, "thread": thread,
    }  # fmt: skip

    async def main() -> None:
        task = asyncio.create_task(FunctionTool(functions[kind]).invoke({}))
        await asyncio.to_thread(started.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert ended.wait(10)


def raises(error: BaseException) -> Callable[[], None]:
    def sync() -> None:
        raise error

    return sync


def raises_async(error: BaseException) -> Callable[[], Awaitable[None]]:
    async def coroutine() -> None:
        raise error

    return coroutine


@pytest.mark.parametrize("make", [raises, raises_async])
@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), asyncio.CancelledError()])
def test_a_tool_cant_end_the_loop(make: Any, error: BaseException) -> None:
    async def main() -> str:
        with pytest.raises(RunError, match=f"raised {type(error).__name__}|cancelled itself"):
            await FunctionTool(make(error), name="bad").invoke({})
        return "the loop goes on"

    assert asyncio.run(main()) == "the loop goes on"


@pytest.mark.parametrize("make", [raises, raises_async])
@pytest.mark.parametrize("error", [Retry("again"), ToolFailed("no"), ValueError("bad"), OSError(2, "gone")])
def test_what_a_tool_raises_comes_through(make: Any, error: Exception) -> None:
    with pytest.raises(type(error)) as caught:
        run(FunctionTool(make(error), name="bad"))
    assert caught.value is error


def test_stop_iteration_does_not_get_lost() -> None:
    with pytest.raises(RunError, match="'bad' raised StopIteration"):
        run(FunctionTool(raises(StopIteration()), name="bad"))


def test_a_sync_function_that_gives_an_awaitable_is_awaited() -> None:
    async def inner() -> int:
        return 5

    def outer() -> Awaitable[int]:
        return inner()

    assert FunctionTool(outer).returns == {"type": "integer"}
    assert run(FunctionTool(outer)) == 5


class Numeric:
    """Stands for a numpy scalar or array."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def tolist(self) -> Any:
        return self.value


@dataclasses.dataclass
class Report:
    at: dt.date
    points: list[Point]


@pytest.mark.parametrize(
    ("annotation", "value", "expected"),
    [
        (None, None, None),
        (int, 5, 5),
        (float, 5, 5),
        (float, Numeric(1.5), 1.5),
        (list[float], Numeric([1.5, 2.5]), [1.5, 2.5]),
        (Any, {"a": Numeric([1])}, {"a": [1]}),
        (Point, {"x": "1"}, {"x": 1, "y": 0}),
        (dt.date, "2026-05-31", "2026-05-31"),
        (Report, Report(dt.date(2026, 5, 31), [Point(1)]), {"at": "2026-05-31", "points": [{"x": 1, "y": 0}]}),
        (dict[str, Colour], {"a": Colour.RED}, {"a": "red"}),
        (list[int], (1, 2), [1, 2]),
    ],
)
def test_a_result_becomes_json_by_its_annotation(annotation: Any, value: Any, expected: Any) -> None:
    def f() -> Any:
        return value

    f.__annotations__ = {"return": annotation}
    assert run(FunctionTool(f)) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"a": {1}, "b": (1, 2), "c": b"hi"}, {"a": [1], "b": [1, 2], "c": "aGk="}),
        (Report(dt.date(2026, 5, 31), [Point(1)]), {"at": "2026-05-31", "points": [{"x": 1, "y": 0}]}),
        ({dt.date(2026, 5, 31): Numeric([1])}, {"2026-05-31": [1]}),
        (Colour.RED, "red"),
    ],
)
def test_a_result_without_annotation_becomes_json_as_far_as_it_goes(value: Any, expected: Any) -> None:
    def f():  # type: ignore[no-untyped-def]
        return value

    assert run(FunctionTool(f)) == expected


LOOP: list[Any] = []
LOOP.append(LOOP)


@pytest.mark.parametrize(
    ("annotation", "value", "message"),
    [
        (
            int,
            "abc",
            "'f' gave a result that is not what its annotation says:\n- all: got \"abc\"; expected an integer",
        ),
        (Point, {"y": 1}, "- x: missing; expected an integer"),
        (list[int], [1, "a"], '- [1]: got "a"; expected an integer'),
        (Any, object(), "'f' gave a result that can't be JSON: a value of type 'object' has no JSON form; return JSON"),
        (Any, LOOP, "'f' gave a result that can't be JSON: Circular reference"),
        (float, float("nan"), "'f' gave a result with NaN or Infinity, which JSON has not; give None instead"),
        (Any, {"rows": [{"x": 1.0}, {"x": float("inf")}]}, "with NaN or Infinity at 'rows[1].x', which JSON has not"),
    ],
)
def test_a_result_that_cant_be_json_is_said_clearly(annotation: Any, value: Any, message: str) -> None:
    def f() -> Any:
        return value

    f.__annotations__ = {"return": annotation}
    with pytest.raises(ToolFailed) as caught:
        run(FunctionTool(f))
    assert message in str(caught.value)
