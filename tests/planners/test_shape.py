"""The shape of a plan: waves, work, critical path, width."""

from __future__ import annotations

import time

import networkx as nx
from hypothesis import given
from hypothesis import strategies as st

from agentkit.planners.plan import Plan, Ref, Step, StepId
from agentkit.planners.shape import shape_of


def plan(**needs: str) -> Plan:
    """A plan of steps with one-letter ids, each with the ids that it needs."""
    found = Plan()
    for name, earlier in needs.items():
        found.add(Step(id=StepId(name), tool="t", after=tuple(map(StepId, earlier))))
    return found


def test_a_wave_holds_what_needs_only_earlier_waves() -> None:
    assert shape_of(plan(a="", b="", c="a", d="ab", e="c", f="")).waves == (("a", "b", "f"), ("c", "d"), ("e",))


def test_the_critical_path_is_a_longest_chain() -> None:
    assert shape_of(plan(a="", b="", c="a", d="cb", e="b")).span == ("a", "c", "d")


def test_the_last_steps_are_those_that_nothing_waits_for() -> None:
    assert shape_of(plan(a="", b="a", c="a", d="b")).last == ("c", "d")


def test_work_counts_calls_and_names_the_steps_that_make_one_for_each_item() -> None:
    found = plan(a="", b="a")
    found.add(Step(id=StepId("c"), tool="t", for_each=Ref(StepId("a"))))
    shape = shape_of(found)
    assert (shape.work, shape.loops) == (2, ("c",))


def test_the_width_counts_steps_of_different_waves() -> None:
    """While z is still running, the second wave has begun."""
    shape = shape_of(plan(x="", z="", p="x", q="x"))
    assert [len(wave) for wave in shape.waves] == [2, 2]
    assert shape.width == 3


@st.composite
def graphs(draw: st.DrawFn) -> Plan:
    found = Plan()
    for i in range(draw(st.integers(0, 9))):
        earlier = draw(st.sets(st.integers(0, i - 1))) if i else set[int]()
        found.add(Step(id=StepId(f"s{i}"), tool="t", after=tuple(StepId(f"s{j}") for j in sorted(earlier))))
    return found


@given(graphs())
def test_the_shape_is_what_the_definitions_say(found: Plan) -> None:
    shape = shape_of(found)
    graph = found.to_networkx()
    assert shape.width == max(map(len, nx.antichains(graph)))
    assert len(shape.span) == len(shape.waves) == (nx.dag_longest_path_length(graph) + 1 if len(found) else 0)
    assert all(graph.has_edge(a, b) for a, b in nx.utils.pairwise(shape.span))
    depth = {step: i for i, wave in enumerate(shape.waves) for step in wave}
    assert sorted(depth) == sorted(graph)
    assert all(depth[step] == max((depth[n] + 1 for n in graph.predecessors(step)), default=0) for step in graph)


def test_a_plan_of_thousands_of_steps_has_its_shape_at_once() -> None:
    found = Plan()
    for i in range(5000):
        earlier = [StepId(f"s{j}") for j in {i // 2, i // 3} if j < i]
        found.add(Step(id=StepId(f"s{i}"), tool="t", after=tuple(earlier)))
    started = time.process_time()
    assert shape_of(found).width == 2500
    assert time.process_time() - started < 5
