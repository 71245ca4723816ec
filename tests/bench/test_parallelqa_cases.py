"""How the shape of a plan for a ParallelQA question is scored."""

import json
from pathlib import Path
from typing import Any

import pytest

from agentkit.bench.parallelqa_cases import TOOLS, ParallelQaCase, load_parallelqa
from agentkit.bench.plan_check import plan_problems
from agentkit.errors import UsageError
from agentkit.planners.plan import Ref, Step, StepId

CASE = ParallelQaCase(id="1", category="branch 2", task="Which hill is higher?", tools=TOOLS, branch=2)


def search(number: int, query: Any) -> Step:
    return Step(id=StepId(f"s{number}"), tool="search", args={"query": query})


def math(number: int, *context: int) -> Step:
    refs = [Ref(StepId(f"s{n}")) for n in context]
    return Step(id=StepId(f"s{number}"), tool="math", args={"problem": f"{number}", "context": refs})


PLAN = [search(1, "Blue Hill"), search(2, "Red Hill"), math(3, 1, 2)]


@pytest.mark.parametrize(
    "plan",
    [
        PLAN,
        [search(1, "Blue Hill"), math(2, 1), search(3, "Red Hill"), math(4, 3), math(5, 2, 4)],
        [*PLAN[:2], math(3, 1), math(4, 1, 2), math(5, 3, 4)],
    ],
)
def test_searches_that_are_joined_by_calculations_are_a_full_match_however_many_those_are(plan: list[Step]) -> None:
    scores = CASE.score(plan)
    assert (scores.tool_f1, scores.arg_f1, scores.edge_f1, scores.full_match) == (1.0, None, 1.0, True)
    assert plan_problems(plan, CASE.tools) == []


@pytest.mark.parametrize(
    ("plan", "tool_f1", "edge_f1", "difference"),
    [
        ([], 0, 0, "there are no steps"),
        (PLAN[:2], 2 * 2 / (2 + 3), 0, "there is no calculation"),
        ([PLAN[0], math(2, 1)], 2 * 2 / (2 + 3), 2 * 1 / (1 + 2), "1 searches instead of 2"),
        ([*PLAN[:2], search(3, "Green Hill"), math(4, 1, 2, 3)], 6 / 7, 4 / 5, "3 searches instead of 2"),
        ([*PLAN[:2], search(3, "blue hill"), math(4, 1, 2, 3)], 6 / 7, 4 / 5, "step 3 repeats an earlier call"),
        ([*PLAN, math(3, 1, 2)], 1, 1, "step 4 repeats an earlier call"),
        ([*PLAN[:2], math(3, 1)], 1, 2 * 1 / (1 + 2), "no calculation takes step 2"),
        ([*PLAN, math(4)], 1, 1, "step 4, a calculation, depends on no search"),
        ([PLAN[0], search(2, Ref(StepId("s1"))), math(3, 1, 2)], 1, 4 / 5, "step 2, a search, waits for another step"),
        ([*PLAN, Step(id=StepId("s4"), tool="ask")], 6 / 7, 1, "a step calls neither of the tools"),
    ],
)
def test_each_flaw_of_the_shape_costs_and_is_named(
    plan: list[Step], tool_f1: float, edge_f1: float, difference: str
) -> None:
    scores = CASE.score(plan)
    assert (scores.tool_f1, scores.edge_f1) == pytest.approx((tool_f1, edge_f1))
    assert scores.difference == difference
    assert not scores.full_match


def test_a_row_becomes_a_case_in_the_category_of_its_branches(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"id": 7, "question": "Which?", "answer": "That", "branch": 3}), encoding="utf-8")
    (case,) = load_parallelqa(path)
    assert (case.id, case.category, case.task, case.branch) == ("7", "branch 3", "Which?", 3)
    assert [tool.name for tool in case.tools] == ["search", "math"]


@pytest.mark.parametrize(
    ("row", "message"),
    [({"id": 1, "question": "?"}, "no 'branch' in it"), ({"id": 1, "question": "?", "branch": "2"}, "'branch' is '2'")],
)
def test_what_is_not_a_row_is_refused_with_its_line(tmp_path: Path, row: object, message: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(row), encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        load_parallelqa(path)
    assert f"rows.jsonl:1: not a row of ParallelQA ({message}" in str(caught.value)
