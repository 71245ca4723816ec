"""However and whenever a run is stopped, it leaves no task, no thread and no process behind."""

from __future__ import annotations

import asyncio
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agentkit import Agent, Limits, ToolContext, tool
from agentkit.events import Event, RunFinished
from agentkit.planners.plan import OnError, Step, StepId, parse_refs
from tests.conftest import run_simulated
from tests.tools import process_tools


def step(name: str, tool_name: str, for_each: str = "", on_error: OnError = "fail", **args: Any) -> Step:
    over = parse_refs(for_each) if for_each else None
    return Step(id=StepId(name), tool=tool_name, args=parse_refs(args), for_each=over, on_error=on_error)


class Work:
    """Tools of each kind that runs in this process, and how many of their calls go on."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self.going_on = 0

    def enter(self, by: int = 1) -> None:
        with self._lock:
            self.going_on += by

    def seconds(self) -> float:
        return self._random.uniform(0, 0.003)

    def tools(self) -> list[Any]:
        @tool
        async def on_the_loop(x: Any) -> Any:
            """Sleep on the event loop."""
            self.enter()
            try:
                await asyncio.sleep(self.seconds())
            finally:
                self.enter(-1)
            return x

        @tool
        async def slow_to_stop(x: Any) -> Any:
            """Take a while to clean up."""
            self.enter()
            try:
                try:
                    await asyncio.sleep(self.seconds())
                finally:
                    await asyncio.sleep(self.seconds())
            finally:
                self.enter(-1)
            return x

        @tool
        async def stubborn(x: Any) -> Any:
            """Go on to the end when cancelled, as something that must not be left half done."""
            self.enter()
            wanted = time.monotonic() + self.seconds()
            while time.monotonic() < wanted:
                try:
                    await asyncio.sleep(0.001)
                except asyncio.CancelledError:
                    continue
            self.enter(-1)
            return x

        @tool(timeout=0.002)
        async def out_of_time(x: Any) -> Any:
            """Often sleep longer than the limit."""
            await on_the_loop.function(x)
            return x

        @tool
        def in_a_thread(x: Any, context: ToolContext) -> Any:
            """Work in a thread and look now and then whether to stop."""
            self.enter()
            try:
                for _ in range(5):
                    time.sleep(self.seconds() / 5)
                    context.check_cancelled()
            finally:
                self.enter(-1)
            return x

        @tool
        def by_and_by(x: Any) -> Iterator[Any]:
            """Say how far it is."""
            self.enter()
            try:
                for i in range(3):
                    time.sleep(self.seconds() / 3)
                    yield i
            finally:
                self.enter(-1)
            yield x

        @tool
        def failing(x: Any) -> Any:
            """Fail for odd numbers."""
            if x % 2:
                raise ValueError(x)
            return x

        return [on_the_loop, slow_to_stop, stubborn, out_of_time, in_a_thread, by_and_by, failing]


STEPS = (
    step("rows", "on_the_loop", x=list(range(6))),
    step("a", "in_a_thread", "$rows", x="$item"),
    step("b", "on_the_loop", "$rows", x=["b", "$item"]),
    step("c", "failing", "$rows", "collect", x="$item"),
    step("d", "by_and_by", x="$a"),
    step("e", "out_of_time", "$rows", "skip", x="$item"),
    step("f", "stubborn", "$rows", "collect", x="$item"),
    step("g", "slow_to_stop", x=["$b", "$f"]),
    step("h", "in_a_thread", x=["$g", "$d", "$e", "$c"]),
)


def tool_threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith(("tool-", "journal"))]


def within(seconds: float, holds: Callable[[], bool]) -> bool:
    limit = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > limit:
            return False
        time.sleep(0.001)
    return True


@pytest.mark.parametrize("seed", range(200))
def test_a_run_that_is_stopped_leaves_no_task_and_no_thread(seed: int) -> None:
    rng = random.Random(seed)
    how = rng.choice(("cancelled", "cancelled", "cancelled twice", "time_limit"))
    point, work, events = rng.randrange(60), Work(seed), list[Event]()
    limit = rng.uniform(0.001, 0.05) if how == "time_limit" else None
    agent = Agent(
        None,
        work.tools(),
        planner=STEPS,
        limits=Limits(calls=1000, parallel=rng.randrange(1, 9), time=limit),
        record=seed % 10 == 0,
    )

    async def main() -> None:
        def on_event(event: Event) -> None:
            events.append(event)
            if len(events) == point and limit is None:
                loop.call_later(rng.uniform(0, 0.002), run.cancel)
                if how == "cancelled twice":
                    loop.call_later(rng.uniform(0, 0.003), run.cancel)

        loop = asyncio.get_running_loop()
        run = asyncio.create_task(agent.run("Work", on_event=on_event))
        await asyncio.wait([run])
        assert asyncio.all_tasks() == {asyncio.current_task()}
        if not run.cancelled():
            assert run.result().stop_reason in ("answer", "tool_error", "time_limit")

    asyncio.run(main())
    assert within(2, lambda: not tool_threads() and not work.going_on), (tool_threads(), work.going_on)
    assert isinstance(events[-1], RunFinished)
    assert sum(isinstance(e, RunFinished) for e in events) == 1


def processes_with(mark: str) -> list[int]:
    """Returns the ids of the processes that were started with a variable in their environment."""
    found: list[int] = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment, state = (folder / "environ").read_bytes(), (folder / "stat").read_text()
        except OSError:
            continue
        if mark.encode() in environment and state.rpartition(")")[2].split()[0] not in "ZX":
            found.append(int(folder.name))
    return found


@pytest.mark.parametrize("seed", range(10))
def test_a_run_that_is_stopped_leaves_no_process(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mark = f"TEST_MARK={os.getpid()}-{seed}"
    monkeypatch.setenv(*mark.split("="))
    seconds = random.Random(seed).uniform(0, 1)
    steps = (
        step("a", "own_pid"),
        step("b", "waits_with_child", pid_file=str(tmp_path / "pids")),
        step("c", "steps", count=2) if seed % 2 else step("c", "fails", how="gone"),
    )
    tools: list[Any] = [process_tools.own_pid, process_tools.waits_with_child, process_tools.steps, process_tools.fails]

    async def main() -> None:
        run = asyncio.create_task(Agent(None, tools, planner=steps, limits=Limits(parallel=2), record=False).run("x"))
        await asyncio.sleep(seconds)
        run.cancel()
        await asyncio.wait([run])
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())
    assert within(2, lambda: not processes_with(mark)), processes_with(mark)


def test_a_tool_that_ends_though_it_was_cancelled_is_recorded_and_starts_nothing() -> None:
    @tool
    async def pay(again: Any = None) -> str:
        """Pay, whatever happens."""
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            await asyncio.sleep(1)
        return "paid"

    events: list[Event] = []

    async def main() -> None:
        agent = Agent(None, [pay], planner=(step("a", "pay"), step("b", "pay", again="$a")), record=False)
        run = asyncio.create_task(agent.run("Pay", on_event=events.append))
        await asyncio.sleep(5)
        run.cancel()
        await asyncio.wait([run])

    run_simulated(main())
    assert [e.kind for e in events if not e.kind.startswith("step_added")] == [
        "run_started",
        "step_started",
        "step_finished",
        "run_finished",
    ]
