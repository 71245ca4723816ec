"""Plans stay acyclic, and references are values, never text."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentkit.errors import PlanError
from agentkit.planners.plan import Plan, Ref, Step, StepId, Template, parse_refs, render_refs


def step(name: str, *needs: str, after: tuple[str, ...] = ()) -> Step:
    return Step(
        id=StepId(name),
        tool="t",
        args={"x": [Ref(StepId(n)) for n in needs]},
        after=tuple(StepId(a) for a in after),
    )


def test_a_step_needs_what_its_arguments_refer_to_and_what_it_comes_after() -> None:
    assert step("c", "a", after=("b",)).needs == {"a", "b"}


def test_adding_draws_an_edge_from_each_step_that_is_needed() -> None:
    plan = Plan()
    for s in (step("a"), step("b", "a"), step("c", "a", after=("b",))):
        plan.add(s)
    assert sorted(plan.to_networkx().edges) == [("a", "b"), ("a", "c"), ("b", "c")]
    assert [s.id for s in plan] == ["a", "b", "c"]


def test_a_step_can_need_only_earlier_ones() -> None:
    with pytest.raises(PlanError, match="step 'b' needs 'a', which is not an earlier step"):
        Plan().add(step("b", "a"))


def test_a_step_can_not_need_itself() -> None:
    with pytest.raises(PlanError, match="'a' needs 'a'"):
        Plan().add(step("a", "a"))


def test_two_steps_can_not_share_an_id() -> None:
    plan = Plan()
    plan.add(step("a"))
    with pytest.raises(PlanError, match="step 'a' is there already"):
        plan.add(step("a"))


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        ("$a", Ref(StepId("a"))),
        ("$a.b", Ref(StepId("a"), ("b",))),
        ("$a[0].b", Ref(StepId("a"), (0, "b"))),
        ("$rows.items[12][3]", Ref(StepId("rows"), ("items", 12, 3))),
    ],
)
def test_a_string_that_is_wholly_a_reference_becomes_one(text: str, ref: Ref) -> None:
    assert parse_refs(text) == ref
    assert render_refs(ref) == text


@pytest.mark.parametrize("text", ["$", "$1", "$a b", "$a costs $15", "$a.", "$a[x]", "$a[-1]"])
def test_text_around_a_reference_is_refused(text: str) -> None:
    with pytest.raises(PlanError, match="is not a reference"):
        parse_refs(text)


def test_a_dollar_is_written_twice_and_text_in_the_middle_is_left_alone() -> None:
    assert parse_refs({"a": "$$5", "b": "costs $5"}) == {"a": "$5", "b": "costs $5"}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(json_values)
def test_rendering_undoes_parsing(value: Any) -> None:
    assert parse_refs(render_refs(value)) == value


@pytest.mark.parametrize(
    ("path", "value", "part"),
    [
        ((), {"a": 1}, {"a": 1}),
        (("a",), {"a": 1}, 1),
        ((1,), ["x", "y"], "y"),
        (("rows", 0, "n"), {"rows": [{"n": None}]}, None),
    ],
)
def test_a_reference_leads_to_the_value_itself(path: tuple[str | int, ...], value: Any, part: Any) -> None:
    assert Ref(StepId("s"), path).resolve(value) == part


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (("b",), {"a": 1}, "there is no 'b' in an object with the keys ['a']"),
        ((3,), [1, 2], "there is no 3 in a list of 2 items"),
        ((0,), "text", "there is no 0 in 'text'"),
        (("a", "b"), {"a": None}, "there is no 'b' in None"),
    ],
)
def test_a_reference_that_leads_nowhere_says_what_is_there(path: tuple[str | int, ...], value: Any, says: str) -> None:
    with pytest.raises(PlanError) as e:
        Ref(StepId("s"), path).resolve(value)
    assert says in str(e.value)


def test_a_key_that_is_no_plain_word_stands_in_quotes() -> None:
    ref = Ref(StepId("s1"), ("rates", 0, "Exchange Rate"))
    assert str(ref) == "$s1.rates[0]['Exchange Rate']"
    assert parse_refs(str(ref)) == ref
    assert parse_refs("x ${s1['a b']}") == Template(("x ", Ref(StepId("s1"), ("a b",))))
    with pytest.raises(PlanError, match="is not a reference"):
        parse_refs("$s1['']")
