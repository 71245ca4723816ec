"""A step starts as soon as it can, and the most urgent one first where there is not room for all."""

from __future__ import annotations

import asyncio
import heapq
import random
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

import pytest

from agentkit import Agent, Limits, Result, tool
from agentkit.events import StepFinished, StepStarted
from agentkit.planners.base import Answer, Decision, PlanningContext
from agentkit.planners.plan import Plan, Ref, Step, StepId
from agentkit.ready_queue import ReadyQueue
from agentkit.tools.loading import load_file
from tests.conftest import run_simulated
from tests.repo.project import ROOT

Lines = Sequence[tuple[float, Step]]
"""Steps, and the time in seconds at which each is written."""


@tool(effect="pure")
async def wait(seconds: float, name: str = "", inputs: Any = None) -> float:
    """Wait."""
    await asyncio.sleep(seconds)
    return seconds


def step(name: str, seconds: float, *needs: str, tool_name: str = "wait") -> Step:
    inputs = [Ref(StepId(need)) for need in needs]
    return Step(id=StepId(name), tool=tool_name, args={"seconds": seconds, "name": name, "inputs": inputs})


class WritingPlanner:
    """Yields each step at its time, as a model does that is still writing the plan."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines

    async def next(self, run: PlanningContext) -> AsyncGenerator[Decision, None]:
        if run.results:
            yield Answer(output=None)
            return
        now = 0.0
        for at, each in self._lines:
            await asyncio.sleep(at - now)
            now = at
            yield each


def starts(result: Result) -> dict[str, float]:
    return {e.id: round(e.at, 6) for e in result.events if isinstance(e, StepStarted)}


def ends(result: Result) -> dict[str, float]:
    return {e.id: round(e.at, 6) for e in result.events if isinstance(e, StepFinished)}


def run_written(lines: Lines, **limits: Any) -> Result:
    agent = Agent(None, [wait], planner=lambda: WritingPlanner(lines), limits=Limits(**limits), record=False)
    return run_simulated(agent.run("Wait"))


STALL = ((0.0, step("a", 0.05)), (0.03, step("b", 0.05, "a")), (1.53, step("c", 0.05)))


def test_a_step_starts_when_what_it_needs_is_done_while_the_plan_is_still_being_written() -> None:
    result = run_written(STALL)
    assert starts(result) == {"a": 0.0, "b": 0.05, "c": 1.53}
    assert ends(result)["b"] == 0.1


def test_the_rule_that_waits_for_the_next_line_starts_that_step_with_the_next_line() -> None:
    """The stall that the test above guards against: LLMCompiler's loop awaits the planner's queue."""
    polling = load_file(ROOT / "benchmarks" / "plans.py")
    assert run_simulated(polling.start_of_b("agentkit")) == pytest.approx(0.05)
    assert run_simulated(polling.start_of_b("LLMCompiler's rule")) == pytest.approx(1.53)


def test_a_step_that_is_written_after_its_needs_are_done_starts_when_it_is_written() -> None:
    result = run_written(((0.0, step("a", 0.1)), (5.0, step("b", 0.1, "a")), (9.0, step("c", 0.1, "a", "b"))))
    assert starts(result) == {"a": 0.0, "b": 5.0, "c": 9.0}


def test_a_step_starts_when_the_last_of_its_needs_is_done() -> None:
    lines = [(0.0, step(n, s)) for n, s in (("a", 3.0), ("b", 1.0), ("c", 2.0))]
    result = run_written([*lines, (0.0, step("d", 1.0, "a", "b", "c"))])
    assert starts(result)["d"] == 3.0


def test_time_does_not_pass_between_a_step_and_the_next() -> None:
    result = run_written([(0.0, step("s0", 1.0)), *((0.0, step(f"s{i}", 1.0, f"s{i - 1}")) for i in range(1, 40))])
    assert ends(result)["s39"] == 40.0


def test_a_failure_goes_through_thousands_of_steps() -> None:
    chain = [step("s0", 0.0, tool_name="none"), *(step(f"s{i}", 0.0, f"s{i - 1}") for i in range(1, 5000))]
    agent = Agent(None, [wait], planner=chain, limits=Limits(calls=5000), record=False)
    result = run_simulated(agent.run("Wait"))
    assert result.stop_reason == "tool_error"
    assert len(ends(result)) == 5000
    assert starts(result) == {"s0": 0.0}


def test_an_error_of_a_display_ends_the_run_and_is_raised() -> None:
    def broken(event: object) -> None:
        if isinstance(event, StepFinished):
            raise ZeroDivisionError

    async def main() -> None:
        await Agent(None, [wait], planner=[step("a", 1.0), step("b", 1.0)], record=False).run("x", on_event=broken)

    with pytest.raises(ZeroDivisionError):
        run_simulated(main())


# Which step goes first.


def plan_of(*steps: Step) -> Plan:
    plan = Plan()
    for each in steps:
        plan.add(each)
    return plan


def order(queue: ReadyQueue, *names: str) -> list[str]:
    for name in names:
        queue.push(StepId(name))
    return [queue.pop() for _ in names]


def test_the_step_with_the_longest_path_behind_it_goes_first() -> None:
    plan = plan_of(
        step("a", 1), step("b", 1), step("c", 1), step("c1", 1, "c"), step("c2", 1, "c1"), step("b1", 1, "b")
    )
    assert order(ReadyQueue(plan), "a", "b", "c") == ["c", "b", "a"]


def test_steps_that_are_as_urgent_go_in_the_order_in_which_they_became_ready() -> None:
    plan = plan_of(*(step(n, 1) for n in "abcd"))
    assert order(ReadyQueue(plan), "c", "a", "d", "b") == ["c", "a", "d", "b"]


def test_a_path_is_as_long_as_its_tools_took_so_far() -> None:
    plan = plan_of(
        step("a", 1), step("a1", 1, "a"), step("a2", 1, "a1"), step("b", 1), step("b1", 1, "b", tool_name="x")
    )
    queue = ReadyQueue(plan)
    assert order(queue, "b", "a") == ["a", "b"]
    queue.learn("wait", 0.1)
    queue.learn("x", 5.0)
    assert order(queue, "b", "a") == ["b", "a"]


def test_the_order_follows_the_plan_as_it_grows() -> None:
    plan = plan_of(step("a", 1), step("b", 1))
    queue = ReadyQueue(plan)
    assert order(queue, "a", "b") == ["a", "b"]
    plan.add(step("b1", 1, "b"))
    assert order(queue, "a", "b") == ["b", "a"]


def test_the_most_urgent_of_the_steps_that_are_added_together_starts_first() -> None:
    steps = [*(step(n, 1.0) for n in "abc"), step("c1", 1.0, "c"), step("c2", 1.0, "c1")]
    result = run_simulated(Agent(None, [wait], planner=steps, limits=Limits(parallel=1), record=False).run("Wait"))
    assert list(starts(result)) == ["c", "c1", "a", "b", "c2"]


# Large graphs: as fast as the best of several list schedules that know how long everything takes.

Shape = Callable[[random.Random, int], list[list[int]]]


def window(width: int) -> Shape:
    """Each step needs one to three of those just before it."""

    def needs(rng: random.Random, n: int) -> list[list[int]]:
        return [
            sorted({rng.randrange(max(0, i - width), i) for _ in range(rng.choice((1, 1, 2, 2, 3)))}) if i else []
            for i in range(n)
        ]

    return needs


def layers(width: int) -> Shape:
    """Each step needs one to three of the layer before."""

    def needs(rng: random.Random, n: int) -> list[list[int]]:
        return [
            sorted({i - i % width - width + rng.randrange(width) for _ in range(rng.choice((1, 2, 3)))})
            if i >= width
            else []
            for i in range(n)
        ]

    return needs


def chains(count: int) -> Shape:
    """Chains that do not need each other, of very different length."""

    def needs(rng: random.Random, n: int) -> list[list[int]]:
        last: dict[int, int] = {}
        found: list[list[int]] = []
        for i in range(n):
            chain = rng.choices(range(count), [1 / (k + 1) for k in range(count)])[0]
            found.append([last[chain]] if chain in last else [])
            last[chain] = i
        return found

    return needs


TOOLS = {"quick": 0.05, "short": 0.2, "usual": 1.0, "slow": 3.0}
"""What a call of each takes in seconds, more or less."""


def random_steps(shape: Shape, n: int) -> tuple[list[Step], list[list[int]], list[float]]:
    rng = random.Random(7)
    needs = shape(rng, n)
    names = [rng.choice(list(TOOLS)) for _ in range(n)]
    seconds = [TOOLS[name] * rng.uniform(0.8, 1.2) for name in names]
    steps = [step(f"s{i}", seconds[i], *(f"s{need}" for need in needs[i]), tool_name=names[i]) for i in range(n)]
    return steps, needs, seconds


def best_schedule(needs: list[list[int]], seconds: list[float], width: int) -> float:
    """Returns when the best of several list schedules ends."""
    n = len(needs)
    behind: list[list[int]] = [[] for _ in range(n)]
    for i, each in enumerate(needs):
        for need in each:
            behind[need].append(i)
    path, levels = [0.0] * n, [0] * n
    for i in reversed(range(n)):
        path[i] = seconds[i] + max((path[k] for k in behind[i]), default=0.0)
        levels[i] = 1 + max((levels[k] for k in behind[i]), default=0)
    rules: list[Callable[[int], float]] = [
        lambda i: -path[i],
        lambda i: -levels[i],
        lambda i: -len(behind[i]),
        lambda i: -seconds[i],
        lambda i: seconds[i],
        lambda i: i,
    ]
    return min(list_schedule(needs, behind, seconds, width, rule) for rule in rules)


def list_schedule(
    needs: list[list[int]], behind: list[list[int]], seconds: list[float], width: int, rule: Callable[[int], float]
) -> float:
    missing = [len(each) for each in needs]
    ready = [(rule(i), i) for i, count in enumerate(missing) if not count]
    heapq.heapify(ready)
    running: list[tuple[float, int]] = []
    now = 0.0
    while ready or running:
        while ready and len(running) < width:
            _, i = heapq.heappop(ready)
            heapq.heappush(running, (now + seconds[i], i))
        now, done = heapq.heappop(running)
        for i in behind[done]:
            missing[i] -= 1
            if not missing[i]:
                heapq.heappush(ready, (rule(i), i))
    return now


@pytest.mark.parametrize(
    ("shape", "width"),
    [(window(100), 16), (layers(16), 8), (chains(40), 4)],
    ids=["window", "layers", "chains"],
)
def test_ten_thousand_steps_take_at_most_a_hundredth_longer_than_the_best_list_schedule(
    shape: Shape, width: int
) -> None:
    steps, needs, seconds = random_steps(shape, 10_000)
    tools = [wait.replace(name=name) for name in TOOLS]
    limits = Limits(calls=10_000, parallel=width, time=None)

    async def main() -> float:
        result = await Agent(None, tools, planner=steps, limits=limits, record=False).run("Wait")
        assert result.ok
        return asyncio.get_running_loop().time()

    assert run_simulated(main()) <= 1.01 * best_schedule(needs, seconds, width)
