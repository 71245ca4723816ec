"""Random plans and scripts that crash at random instants come to the end that they have without a crash."""

from __future__ import annotations

import json
import os
import random
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from agentkit.events import Event, StepAdded, StepFinished
from agentkit.limits import Limits
from agentkit.messages import ToolCall
from agentkit.model_backend.base import Model, TurnRequest
from agentkit.model_backend.scripted import ScriptedModel, ScriptedParts
from agentkit.planners.auto import AutoPlanner
from agentkit.planners.base import Planner
from agentkit.planners.given import GivenPlanner
from agentkit.planners.graph import GraphPlanner
from agentkit.planners.loop import LoopPlanner
from agentkit.planners.plan import OnError, Step, StepId, parse_refs
from agentkit.result import Result
from tests.durability.crashes import World, live, spec

NAMES = ("find", "odd", "put", "order", "pay")
NUMBERS = st.integers(0, 5)
COIN = st.booleans()
ON_ERROR: st.SearchStrategy[OnError] = st.sampled_from(("fail", "skip", "collect"))


@dataclass(frozen=True)
class Job:
    """A run that can be begun again in another process."""

    what: str
    """What Hypothesis prints of it."""
    planner: Callable[[], Planner] = field(repr=False)
    model: Callable[[random.Random], Model | None] = field(repr=False, default=lambda _: None)


@st.composite
def given_plans(draw: st.DrawFn) -> Job:
    """A plan of up to eight steps, with references and lists."""
    steps: list[Step] = []
    for i in range(draw(st.integers(1, 8))):
        name = StepId(f"g{i}")
        numbers = [s.id for s in steps if s.for_each is None and s.tool != "rows"]
        lists = [s.id for s in steps if s.tool == "rows" and s.for_each is None]
        value: Any = draw(st.one_of(NUMBERS, st.sampled_from([f"${s}" for s in numbers])) if numbers else NUMBERS)
        after = tuple(draw(st.lists(st.sampled_from([s.id for s in steps]), max_size=2, unique=True))) if steps else ()
        if draw(COIN) and lists:
            over, on_error = draw(st.sampled_from(lists)), draw(ON_ERROR)
            args = parse_refs({"x": "$item"})
            steps.append(_each(name, draw(st.sampled_from(NAMES)), f"${over}", args, on_error, after))
        else:
            tool = draw(st.sampled_from((*NAMES, "rows", "rows")))
            after = tuple(a for a in after if value != f"${a}")
            steps.append(Step(id=name, tool=tool, args=parse_refs({"x": value}), after=after))
    return Job(str([str(step) for step in steps]), lambda: GivenPlanner(steps))


def _each(name: StepId, tool: str, over: str, args: Any, on_error: OnError, after: tuple[StepId, ...]) -> Step:
    after = tuple(a for a in after if over != f"${a}")
    return Step(id=name, tool=tool, for_each=parse_refs(over), args=args, on_error=on_error, after=after)


def scripted(turns: Sequence[Any], dice: random.Random) -> Model:
    """A model whose turn depends on the prompt alone: how many turns there were, and what the results say."""

    def decide(request: TurnRequest) -> Any:
        number = sum(m.role == "assistant" for m in request.messages)
        if number < len(turns):
            return turns[number]
        seen = [json.dumps(m.value) if m.role == "tool" else m.text for m in request.messages if m.role != "assistant"]
        return "The end: " + "".join(seen[1:])

    return ScriptedModel([decide] * 50, seconds=dice.uniform(0, 2), context=0)


calls = st.tuples(st.sampled_from(NAMES), NUMBERS).map(lambda call: ToolCall(call[0], {"x": call[1]}))
turns_of_calls = st.lists(st.lists(calls, min_size=1, max_size=4), min_size=1, max_size=4)
loops = turns_of_calls.map(lambda turns: Job(str(turns), LoopPlanner, lambda dice: scripted(turns, dice)))


@st.composite
def plans(draw: st.DrawFn, ending: str = "answer") -> list[Any]:
    """The lines of a plan as a model writes it, numbered from 1."""
    lines: list[Any] = []
    made, numbers, lists = set[str](), list[str](), list[str]()
    for _ in range(draw(st.integers(1, 7))):
        name = f"s{len(lines) // 2 + 1}"
        head: dict[str, Any] = {"id": name}
        value: Any = draw(st.one_of(NUMBERS, st.sampled_from(numbers)) if numbers else NUMBERS)
        tool = draw(st.sampled_from((*NAMES, "rows")))
        if lists and tool != "rows" and draw(COIN):
            head["for_each"], value = draw(st.sampled_from(lists)), "$item"
        if (call := f"{tool} {value} {head.get('for_each')}") in made:
            continue  # the same call in a plan is one step
        made.add(call)
        lines += [head | {"tool": tool}, {"x": value}]
        if "for_each" not in head:
            (lists if tool == "rows" else numbers).append(f"${name}")
    return [*lines, {"id": f"s{len(lines) // 2 + 1}", "tool": ending}]


AGAIN: list[Any] = [
    {"id": "s1", "tool": "find"},
    {"x": 1},
    {"id": "s2", "tool": "answer"},
]


def numbered(lines: Sequence[Any], request: TurnRequest) -> list[Any]:
    """Returns a plan with the numbers that are asked for."""
    assert request.parts is not None
    found = re.search(r'"id": (?:{"const": )?"s(\d+)"', json.dumps([part.schema for part in request.parts([])]))
    assert found is not None
    first = int(found[1]) - 1
    text = re.sub(r'"(\$?)s(\d+)"', lambda m: f'"{m[1]}s{int(m[2]) + first}"', json.dumps(lines))
    return list(json.loads(text))


def planning(written: Sequence[list[Any]], request: TurnRequest, turn: int, dice: random.Random) -> Any:
    """Returns the plan with a number, or the end, of which the results make the words."""
    if request.parts is None:
        return "The end: " + json.dumps([m.text for m in request.messages[1:] if m.role == "user"])
    lines = numbered(written[turn] if turn < len(written) else AGAIN, request)
    return ScriptedParts(parts=lines, seconds=dice.uniform(0, 2), thought="Well.")


@st.composite
def graphs(draw: st.DrawFn) -> Job:
    """One plan or more, each told of part by part; more because one looks, or because steps failed."""
    written = [draw(plans(ending=draw(st.sampled_from(("answer", "look"))))), draw(plans())]

    def model(dice: random.Random) -> Model:
        def decide(request: TurnRequest) -> Any:
            return planning(written, request, sum(m.role == "assistant" for m in request.messages), dice)

        return ScriptedModel([decide] * 50, seconds=dice.uniform(0, 2), context=0)

    return Job("\n".join(map(str, written)), GraphPlanner, model)


@st.composite
def autos(draw: st.DrawFn) -> Job:
    """A model that calls for a plan, at once or after some calls."""
    before = draw(st.lists(st.lists(calls, min_size=1, max_size=2), max_size=2))
    wanted = [*draw(st.lists(calls, max_size=2)), ToolCall("make_plan", {"why": "many"})]
    written = draw(plans())

    def model(dice: random.Random) -> Model:
        def decide(request: TurnRequest) -> Any:
            turn = sum(m.role == "assistant" for m in request.messages)
            if any(t.name == "make_plan" for t in request.tools):
                return [*before, wanted][turn]
            return planning([written], request, turn, dice)

        return ScriptedModel([decide] * 50, seconds=dice.uniform(0, 2), context=0)

    return Job(f"{before} {wanted}\n{written}", AutoPlanner, model)


WIDE = Limits(parallel=4, calls=500, repeats=50)
DEATHS = st.lists(st.integers(1, 60), min_size=1, max_size=4)
SEEDS = st.integers(0, 1000)
often = settings(
    max_examples=int(os.environ.get("AGENTKIT_TORTURE", "15")), deadline=None, phases=[Phase.explicit, Phase.generate]
)


def lives(
    job: Job, seed: int, deaths: Sequence[int], limits: Limits = WIDE, first: Limits | None = None
) -> tuple[World, Result, list[list[Event]]]:
    """Gives a run lives that end at the instants `deaths`, and one that goes to its end; the first may have limits."""
    world = World(random.Random(seed))
    left: list[list[Event]] = [[]]
    allowed = first or limits
    for dies_at in [*deaths, -1, -1]:
        model = job.model(world.dice)
        ended = live(world, lambda: spec(job.planner, model, limits=allowed), left[-1], dies_at)  # noqa: B023
        if isinstance(ended, Result) and not ended.stop_reason.endswith("_limit"):
            return world, ended, left
        left.append(list(ended.events) if isinstance(ended, Result) else ended)
        allowed = limits
    raise AssertionError("the last life has no end")


def check(job: Job, seed: int, deaths: Sequence[int], limits: Limits = WIDE, first: Limits | None = None) -> None:
    """Compares a run that crashes, or reaches a limit, with one that does not, and looks at what both did."""
    world, result, left = lives(job, seed, deaths, limits, first)
    assert result.stop_reason in ("answer", "tool_error"), (result.stop_reason, result.message)
    events = list(result.events)
    for before in left:
        assert events[: len(before)] == before, "what was on disk is there, as it was"
    assert [e.at for e in events] == sorted(e.at for e in events)
    for kind in (StepAdded, StepFinished):
        assert set(Counter(e.id for e in events if isinstance(e, kind)).values()) <= {1}
    calls_of: dict[str, set[tuple[str, int]]] = {}
    for name, x, key in world.made:
        calls_of.setdefault(key, set()).add((name, x))
    assert all(len(calls) == 1 for calls in calls_of.values()), "a key stands for one call"
    paid = Counter(key for name, _, key in world.made if name == "pay")
    assert set(paid.values()) <= {1}, "nothing is paid twice"
    other, whole, _ = lives(job, seed, [], limits)
    assert result.stop_reason == whole.stop_reason
    if result.stop_reason == "answer":
        assert values(events) == values(whole.events)
        assert {key for _, _, key in other.made} == calls_of.keys(), "the same was done"


def values(events: Sequence[Event]) -> dict[str, Any]:
    """Returns the results, without how many items were left out: it depends on the time when one of them failed."""
    found = {e.id: e.value for e in events if isinstance(e, StepFinished)}
    return {i: re.sub(r"; \d+ items? w\w+ not run", "", v) if isinstance(v, str) else v for i, v in found.items()}


@often
@given(job=given_plans(), seed=SEEDS, deaths=DEATHS)
def test_a_given_plan_that_crashes_comes_to_the_end_that_it_has(job: Job, seed: int, deaths: list[int]) -> None:
    check(job, seed, deaths)


@often
@given(job=loops, seed=SEEDS, deaths=DEATHS)
def test_a_loop_that_crashes_comes_to_the_end_that_it_has(job: Job, seed: int, deaths: list[int]) -> None:
    check(job, seed, deaths)


@often
@given(job=graphs(), seed=SEEDS, deaths=DEATHS)
def test_a_plan_by_the_model_that_crashes_comes_to_the_end_that_it_has(job: Job, seed: int, deaths: list[int]) -> None:
    check(job, seed, deaths)


@often
@given(job=autos(), seed=SEEDS, deaths=DEATHS)
def test_a_loop_that_goes_over_to_a_plan_and_crashes(job: Job, seed: int, deaths: list[int]) -> None:
    check(job, seed, deaths)


@often
@given(job=st.one_of(loops, graphs(), autos()), seed=SEEDS, deaths=DEATHS, chars=st.integers(1, 20))
def test_large_results_behind_handles_are_shown_the_same_way(
    job: Job, seed: int, deaths: list[int], chars: int
) -> None:
    check(job, seed, deaths, replace(WIDE, result_chars=chars))


@often
@given(
    job=st.one_of(loops, graphs(), autos(), given_plans()),
    seed=SEEDS,
    deaths=DEATHS,
    limits=st.builds(
        Limits, turns=st.integers(1, 4), calls=st.integers(1, 8), time=st.floats(0.1, 30), repeats=st.just(50)
    ),
)
def test_a_run_that_reached_a_limit_goes_on_when_that_is_raised(
    job: Job, seed: int, deaths: list[int], limits: Limits
) -> None:
    check(job, seed, deaths, first=limits)
