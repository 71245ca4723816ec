"""A result reaches the steps that refer to it as the value that it is: never as text, and never changed."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentkit import Agent, Result, tool
from agentkit.events import StepFinished, StepStarted
from agentkit.messages import is_array, is_object
from agentkit.planners.plan import Ref, Step, StepId, parse_refs
from tests.conftest import run_simulated


def step(name: str, tool_name: str, **args: Any) -> Step:
    return Step(id=StepId(name), tool=tool_name, args=parse_refs(args))


def run(first: Any, *steps: Step) -> tuple[list[Any], Result]:
    """Runs steps after a step 'a' that gives a value; returns what the tool 'take' was given."""
    taken: list[Any] = []

    @tool(effect="pure")
    async def give() -> Any:
        """Give the value."""
        return first

    @tool
    async def take(x: Any) -> Any:
        """Take a value, and spoil it."""
        taken.append(copy.deepcopy(x))
        if is_array(x):
            x.append("spoiled")
        if is_object(x):
            x["spoiled"] = True
        return taken[-1]

    agent = Agent(None, [give, take], planner=[step("a", "give"), *steps], record=False)
    return taken, run_simulated(agent.run("Take"))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal and of the same types: 1, 1.0 and True are not the same."""
    return repr(one) == repr(other)


@settings(deadline=None)
@given(json_values)
def test_every_json_value_arrives_as_it_is(value: Any) -> None:
    (taken,), result = run(value, step("b", "take", x="$a"))
    assert result.ok
    assert same(taken, value)


@settings(deadline=None)
@given(json_values)
def test_every_json_value_arrives_deep_within_an_argument(value: Any) -> None:
    (taken,), _ = run({"v": [value]}, step("b", "take", x={"in": [{"deep": "$a.v[0]"}, "$a"], "k": 1}))
    assert same(taken, {"in": [{"deep": value}, {"v": [value]}], "k": 1})


@pytest.mark.parametrize("text", ["$1 costs $15", "$a", "${a}", "$a.x[0]", "$$", "$item", "a $b c"])
def test_a_result_with_dollars_in_it_is_text_like_any_other(text: str) -> None:
    taken, _ = run(text, step("b", "take", x="$a"), step("c", "take", x={"k": ["$b"]}))
    assert taken == [text, {"k": [text]}]


def test_dollars_within_a_literal_text_are_left_alone() -> None:
    taken, _ = run("x", step("b", "take", x=["it costs $15", "US$1", "$$a", "a $a b"]), step("c", "take", x="$a"))
    assert taken == [["it costs $15", "US$1", "$a", "a $a b"], "x"]


def test_what_is_put_into_a_text_is_not_read_again() -> None:
    taken, _ = run("${b} and $a", step("b", "take", x="first: ${a}, $$1"))
    assert taken == ["first: ${b} and $a, $1"]


@pytest.mark.parametrize("container", [list, tuple])
def test_a_reference_in_any_sequence_is_replaced(container: Callable[[list[Any]], Any]) -> None:
    taken, _ = run(7, Step(id=StepId("b"), tool="take", args={"x": container([Ref(StepId("a")), 1])}))
    assert taken == [[7, 1]]


@pytest.mark.parametrize("value", [[1, [2]], {"k": {"n": 1}}])
def test_a_tool_that_changes_its_argument_changes_nothing_for_others(value: Any) -> None:
    before = copy.deepcopy(value)
    taken, result = run(value, step("b", "take", x="$a"), step("c", "take", x=["$a", "$a"]), step("d", "take", x="$a"))
    assert taken == [before, [before, before], before]
    events = {e.id: e.value for e in result.events if isinstance(e, StepFinished)}
    assert events["a"] == before
    assert [e.args["x"] for e in result.events if isinstance(e, StepStarted) and e.id in "bd"] == [before, before]
