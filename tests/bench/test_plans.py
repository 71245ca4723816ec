"""Running cases that ask for a plan, and the commands for it."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import agentkit.cli.bench
from agentkit.bench.nestful_cases import NestfulCase
from agentkit.bench.plan_cases import PlanCase
from agentkit.bench.plan_report import PlanOutcome, measure_plans
from agentkit.bench.plans import PlanRespondent, planner_respondent, run_plans
from agentkit.errors import ModelError, PlanError, SchemaError
from agentkit.messages import Usage
from agentkit.model_backend.scripted import ScriptedModel, ScriptedParts, ScriptedTurn
from agentkit.planners.graph import WrittenPlan
from agentkit.planners.plan import Step, StepId
from tests.bench.plan_rows import GOLD, load, row, write_rows

PLAN = ScriptedParts(
    parts=[
        {"id": "s1", "tool": "Shop.Find"},
        {"name": "lamp"},
        {"id": "s2", "tool": "price"},
        {"product": "$s1.product_id", "currency": "EUR"},
        {"id": "s3", "tool": "answer"},
    ]
)
TWO_STEPS = [GOLD[0], {"id": "var2", "tool": "price", "args": {"product": "$var1.product_id$", "currency": "EUR"}}]


def gives(steps: Sequence[Step], problems: Sequence[str] = ()) -> PlanRespondent:
    async def respond(case: PlanCase) -> WrittenPlan:
        return WrittenPlan(steps=steps, usage=Usage(output_tokens=30), problems=problems)

    return respond


def fails(error: Exception) -> PlanRespondent:
    async def respond(case: PlanCase) -> WrittenPlan:
        raise error

    return respond


def outcome(case: PlanCase, respond: PlanRespondent) -> PlanOutcome:
    async def run() -> list[PlanOutcome]:
        return [outcome async for outcome in run_plans([case], respond)]

    (found,) = asyncio.run(run())
    return found


def test_the_expected_plan_is_valid_and_a_match(tmp_path: Path) -> None:
    case: NestfulCase = load(tmp_path)
    found = outcome(case, gives(case.gold))
    assert (found.valid, found.full_match, found.problem) == (True, True, None)
    assert (found.tool_f1, found.arg_f1, found.edge_f1) == (1.0, 1.0, 1.0)
    assert (found.id, found.category, found.steps, found.tokens) == ("shop-1", "shop", 5, 30)
    assert found.summary.endswith("match")


def test_a_plan_can_be_valid_and_differ(tmp_path: Path) -> None:
    case = load(tmp_path)
    found = outcome(case, gives(case.gold[:4]))
    assert (found.valid, found.full_match, found.problem) == (True, False, "no step calls 'send'")


def test_a_plan_that_matches_is_not_valid_when_it_was_cut_off(tmp_path: Path) -> None:
    case = load(tmp_path)
    found = outcome(case, gives(case.gold, ["the plan was cut off"]))
    assert (found.valid, found.full_match, found.problem) == (False, True, "the plan was cut off")
    assert "not valid: the plan was cut off" in found.summary


def test_a_plan_that_is_not_valid_is_still_compared(tmp_path: Path) -> None:
    case = load(tmp_path)
    wrong = Step(id=StepId("s1"), tool="Shop.Find", args={"name": "Lamp", "limit": "3"})
    found = outcome(case, gives([wrong, *case.gold[1:]]))
    assert not found.valid
    assert found.edge_f1 == 1.0
    assert found.problem is not None
    assert "'limit' does not fit" in found.problem


@pytest.mark.parametrize("error", [ModelError("broken"), SchemaError("broken"), PlanError("broken")])
def test_an_error_counts_as_a_plan_without_steps(tmp_path: Path, error: Exception) -> None:
    found = outcome(load(tmp_path), fails(error))
    assert (found.valid, found.tool_f1, found.steps, found.problem) == (False, 0.0, 0, "broken")


def test_figures_are_means_over_plans_and_a_figure_that_no_case_has_is_none() -> None:
    def plan(valid: bool, arg_f1: float | None, tokens: int) -> PlanOutcome:
        return PlanOutcome(
            id="1",
            category="a",
            valid=valid,
            problem=None,
            tool_f1=0.5,
            arg_f1=arg_f1,
            edge_f1=1.0 if valid else 0.0,
            full_match=valid,
            steps=2,
            tokens=tokens,
            seconds=2.0,
        )

    metrics = measure_plans([plan(True, 1.0, 10), plan(False, 0.5, 20)])
    assert (metrics.valid, metrics.tool_f1, metrics.arg_f1, metrics.edge_f1) == (0.5, 0.5, 0.75, 0.5)
    assert (metrics.full_match, metrics.tokens, metrics.seconds) == (0.5, 15.0, 2.0)
    assert measure_plans([plan(True, None, 10)]).arg_f1 is None


def test_the_planner_is_asked_greedily_and_without_a_thought(tmp_path: Path) -> None:
    model = ScriptedModel([PLAN])
    found = outcome(load(tmp_path, TWO_STEPS), planner_respondent(model, seed=3))
    model.assert_complete()
    (request,) = model.requests
    assert (request.sampling.temperature, request.sampling.seed, request.thinking) == (0.0, 3, 0)
    assert found.full_match


def invoke(monkeypatch: pytest.MonkeyPatch, suite: str, turns: list[ScriptedTurn], *arguments: str) -> Result:
    model = ScriptedModel(turns)
    monkeypatch.setattr(agentkit.cli.bench, "open_model", lambda name: model)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    return CliRunner().invoke(agentkit.cli.bench.bench, [suite, "--model", "scripted", *arguments])


METRICS = {"valid", "tool_f1", "arg_f1", "edge_f1", "full_match", "tokens", "seconds"}


def test_json_of_nestful_is_one_object_with_figures_over_all_rows_and_for_each_category(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_rows(tmp_path, row(TWO_STEPS), row(TWO_STEPS[:1], id="home-1"))
    result = invoke(monkeypatch, "nestful", [PLAN, PLAN], "--data", str(path), "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert (report["suite"], report["model"], report["n"]) == ("nestful", "scripted", 2)
    assert report["metrics"].keys() == METRICS
    assert report["metrics"]["full_match"] == 0.5
    assert report["metrics"]["valid"] == 1.0
    assert report["categories"]["shop"]["full_match"] == 1.0
    assert report["categories"]["home"]["n"] == 1
    assert "[2/2] home-1  2 steps" in result.stderr


def test_json_of_parallelqa_has_null_for_arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts: list[Any] = [
        {"id": "s1", "tool": "search"},
        {"query": "Blue Hill"},
        {"id": "s2", "tool": "search"},
        {"query": "Red Hill"},
        {"id": "s3", "tool": "math"},
        {"problem": "which is higher", "context": ["$s1", "$s2"]},
        {"id": "s4", "tool": "answer"},
    ]
    path = write_rows(tmp_path, {"id": 4, "question": "Which hill is higher?", "branch": 2})
    result = invoke(monkeypatch, "parallelqa", [ScriptedParts(parts=parts)], "--data", str(path), "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert (report["suite"], report["n"]) == ("parallelqa", 1)
    assert report["metrics"].keys() == METRICS
    assert report["metrics"]["arg_f1"] is None
    assert report["metrics"]["full_match"] == 1.0
    assert report["categories"].keys() == {"branch 2"}


def test_the_table_has_a_dash_where_there_is_no_figure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_rows(tmp_path, {"id": 4, "question": "Which hill is higher?", "branch": 2})
    result = invoke(monkeypatch, "parallelqa", [ModelError("broken")], "--data", str(path))
    assert result.exit_code == 0
    assert "edge F1" in result.stdout
    (line,) = (line for line in result.stdout.splitlines() if "branch 2" in line)
    assert line.split()[:6] == ["branch", "2", "1", "0.0%", "0.000", "-"]


@pytest.mark.parametrize("suite", ["nestful", "parallelqa"])
def test_what_is_done_is_kept_on_ctrl_c(suite: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: object) -> ScriptedTurn:
        raise KeyboardInterrupt

    rows = [row(), row()] if suite == "nestful" else [{"id": n, "question": "?", "branch": 2} for n in (1, 2)]
    path = str(write_rows(tmp_path, *rows))
    result = invoke(monkeypatch, suite, [ModelError("broken"), interrupt], "--data", path, "--json")
    assert result.exit_code == 130
    assert json.loads(result.stdout)["n"] == 1
    assert "stopped after 1 of 2 rows" in result.stderr
