"""How plans are scored against expected ones."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentkit.bench.plan_cases import Scores, f1
from agentkit.bench.plan_match import score_plan
from agentkit.bench.plan_values import as_calls, same
from agentkit.planners.plan import ITEM, Ref, Step, StepId, Template


def step(number: int, tool: str, /, for_each: Ref | None = None, **args: Any) -> Step:
    return Step(id=StepId(f"s{number}"), tool=tool, args=args, for_each=for_each)


def ref(number: int, *path: str | int) -> Ref:
    return Ref(StepId(f"s{number}"), path)


GOLD = [
    step(1, "find", name="Lamp"),
    step(2, "find", name="Desk"),
    step(3, "price", product=ref(1, "id"), currency="EUR"),
    step(4, "add", a=ref(3, "amount"), b=ref(2, "id")),
]


def shares(scores: Scores) -> tuple[float, float | None, float]:
    return scores.tool_f1, scores.arg_f1, scores.edge_f1


def test_a_plan_matches_itself() -> None:
    scores = score_plan(GOLD, GOLD)
    assert shares(scores) == (1.0, 1.0, 1.0)
    assert scores.full_match


def test_independent_steps_may_come_in_another_order_under_other_ids() -> None:
    plan = [
        step(7, "find", name="desk "),
        step(8, "find", name="LAMP"),
        step(9, "price", currency="EUR", product=ref(8, "id")),
        step(10, "add", a=ref(9, "amount"), b=ref(7, "id")),
    ]
    assert score_plan(GOLD, plan).full_match


def test_a_plan_without_steps_scores_nothing_even_where_no_edge_is_expected() -> None:
    assert shares(score_plan([step(1, "find")], [])) == (0.0, 0.0, 0.0)


def test_a_wrong_value_costs_an_argument_and_no_edge() -> None:
    scores = score_plan(GOLD, [*GOLD[:2], step(3, "price", product=ref(1, "id"), currency="USD"), GOLD[3]])
    assert shares(scores) == pytest.approx((1.0, 5 / 6, 1.0))
    assert scores.difference == "'price' is given another 'currency'"


def test_another_part_of_the_right_result_costs_an_argument_and_no_edge() -> None:
    scores = score_plan(GOLD, [*GOLD[:2], step(3, "price", product=ref(1, "name"), currency="EUR"), GOLD[3]])
    assert shares(scores) == pytest.approx((1.0, 5 / 6, 1.0))


def test_a_result_of_the_wrong_step_costs_both() -> None:
    scores = score_plan(GOLD, [*GOLD[:3], step(4, "add", a=ref(3, "amount"), b=ref(1, "id"))])
    assert shares(scores) == pytest.approx((1.0, 5 / 6, 2 / 3))
    assert scores.difference == "'add' is given another 'b'"


def test_a_value_written_out_instead_of_a_reference_misses_the_edge() -> None:
    scores = score_plan(GOLD, [*GOLD[:3], step(4, "add", a=ref(3, "amount"), b=2)])
    assert shares(scores) == pytest.approx((1.0, 5 / 6, 2 * 2 / (2 + 3)))


def test_a_missing_step_costs_recall_and_one_too_many_costs_precision() -> None:
    missing = score_plan(GOLD, GOLD[:3])
    assert shares(missing) == pytest.approx((6 / 7, 8 / 10, 2 / 4))
    assert missing.difference == "no step calls 'add'"
    extra = score_plan(GOLD, [*GOLD, step(5, "find", name="Rug")])
    assert shares(extra) == pytest.approx((8 / 9, 12 / 13, 1.0))
    assert extra.difference == "a step too many calls 'find'"
    assert score_plan(GOLD, GOLD[1:]).difference == "no step calls 'find' once more"


def test_arguments_that_are_missing_or_not_expected_are_named() -> None:
    gold = [step(1, "find", name="Lamp", limit=3)]
    assert score_plan(gold, [step(1, "find", name="Lamp")]).difference == "'find' is not given 'limit'"
    extra = score_plan([step(1, "find", name="Lamp")], gold)
    assert extra.difference == "'find' is given 'limit', which is not expected"
    assert extra.arg_f1 == pytest.approx(2 / 3)


def test_a_reference_to_a_later_or_missing_step_is_an_edge_that_does_not_match() -> None:
    plan = [step(1, "price", product=ref(2, "id"), currency="EUR"), step(2, "find", name="Lamp")]
    gold = [step(1, "find", name="Lamp"), step(2, "price", product=ref(1, "id"), currency="EUR")]
    assert shares(score_plan(gold, plan)) == pytest.approx((1.0, 2 / 3, 0.0))


def test_order_without_data_is_no_edge() -> None:
    late = Step(id=StepId("s2"), tool="find", args={"name": "Desk"}, after=(StepId("s1"),))
    assert score_plan(GOLD, [GOLD[0], late, *GOLD[2:]]).full_match


def test_the_item_of_a_step_that_runs_for_each_comes_from_the_list() -> None:
    gold = [step(1, "find"), step(2, "price", product=ref(1, "items", "id"))]
    plan = [step(1, "find"), step(2, "price", for_each=ref(1, "items"), product=Ref(ITEM, ("id",)))]
    assert score_plan(gold, plan).full_match
    idle = [step(1, "find"), step(2, "price", for_each=ref(1, "items"), product=5)]
    assert score_plan(gold, idle).edge_f1 == 0.0


def test_text_with_results_inside_matches_the_same_text_around_the_same_results() -> None:
    def plan(text: str, number: int) -> list[Step]:
        return [*GOLD[:2], step(3, "send", text=Template((text, ref(number, "id"))))]

    assert score_plan(plan("No. ", 1), plan("no.", 1)).full_match
    assert score_plan(plan("No. ", 1), plan("No. ", 2)).edge_f1 == 0.0
    assert score_plan(plan("No. ", 1), plan("Number ", 1)).edge_f1 == 1.0


@pytest.mark.parametrize(
    ("expected", "found", "is_same"),
    [
        ("New  York", " new york", True),
        ("New York", "NewYork", False),
        (5, 5.0, True),
        (5, 6, False),
        (0.1, 0.1, True),
        (5, "5", True),
        ("5.0", 5, True),
        ("-2.5", -2.5, True),
        ("007", 7, False),
        ("+49", 49, False),
        ("1e3", 1000, False),
        ("007", "7", False),
        (True, "true", True),
        ("False", False, True),
        (True, "yes", False),
        (True, 1, False),
        (0, False, False),
        (None, None, True),
        (None, "", False),
        ([1, "a"], [1.0, "A"], True),
        ([1, 2], [2, 1], False),
        ([1], [1, 2], False),
        ([1], 1, False),
        ({"a": 1, "b": [2]}, {"b": [2.0], "a": "1"}, True),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ({"a": 1}, [1], False),
    ],
)
def test_values_are_the_same_when_a_tool_would_take_them_for_the_same(
    expected: object, found: object, is_same: bool
) -> None:
    assert same(expected, found, int.__eq__) is is_same
    assert same(found, expected, int.__eq__) is is_same


def test_f1_is_one_where_nothing_was_expected_and_nothing_came() -> None:
    assert (f1(0, 0, 0), f1(0, 1, 0), f1(0, 0, 1), f1(1, 2, 2)) == (1.0, 0.0, 0.0, 0.5)


@st.composite
def plans(draw: st.DrawFn) -> list[Step]:
    """Plans with few tools and values, so that much is alike."""
    steps: list[Step] = []
    for number in range(1, draw(st.integers(1, 4)) + 1):
        earlier = [ref(n) for n in range(1, number)]
        value = st.sampled_from([1, 2, *earlier])
        args = draw(st.dictionaries(st.sampled_from("ab"), value, max_size=2))
        steps.append(Step(id=StepId(f"s{number}"), tool=draw(st.sampled_from("fg")), args=args))
    return steps


@given(plans(), plans())
def test_no_alignment_agrees_in_more_arguments_and_edges(gold: list[Step], plan: list[Step]) -> None:
    scores = score_plan(gold, plan)
    left, right = as_calls(gold), as_calls(plan)
    args = sum(len(c.args) for c in left + right)
    edges = sum(len(s) for c in left + right for s in c.producers.values())
    arg_hits = round((scores.arg_f1 or 0.0) * args / 2) if args else 0
    edge_hits = round(scores.edge_f1 * edges / 2) if edges else 0
    choices = itertools.permutations([*range(len(right)), *[None] * len(left)], len(left))
    best = max(agreement(left, right, pairs) for pairs in set(choices))
    assert arg_hits + edge_hits == best


def agreement(left: list[Any], right: list[Any], pairs: tuple[int | None, ...]) -> int:
    total = 0
    for call, choice in zip(left, pairs, strict=True):
        if choice is None:
            continue
        other = right[choice]
        if call.tool != other.tool:
            return -1
        for name, value in call.args.items():
            total += name in other.args and same(value, other.args[name], lambda a, b: a >= 0 and pairs[a] == b)
            total += sum(s >= 0 and pairs[s] in other.producers.get(name, ()) for s in call.producers.get(name, ()))
    return total
