"""The comparison of planners: how plans are read out of free text, and references out of a loop's calls."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from agentkit.errors import PlanError
from agentkit.messages import ToolCall, ToolResult
from agentkit.model_backend.base import TurnRequest
from agentkit.model_backend.scripted import ScriptedModel, ScriptedParts, ScriptedTurn
from agentkit.planners.plan import Ref, StepId, Template
from agentkit.tools.loading import load_file
from tests.bench.plan_rows import GOLD, load, row, write_rows
from tests.repo.project import ROOT

plan_quality: Any = load_file(ROOT / "benchmarks" / "plan_quality.py")

STEPS = [
    {"id": "s1", "tool": "Shop.Find", "args": {"name": "Lamp"}},
    {"id": "s2", "tool": "price", "args": {"product": "$s1.product_id"}},
]
CLEAN = json.dumps(STEPS)


@pytest.mark.parametrize(
    "text",
    [
        CLEAN,
        f"Here is the plan:\n```json\n{json.dumps(STEPS, indent=2)}\n```\nIt makes [2] calls.",
        json.dumps({"steps": STEPS}),
        json.dumps({"plan": STEPS}),
        CLEAN.replace("}]", "},\n]"),
        repr(STEPS),
        CLEAN.replace('"tool"', '"name"').replace('"args"', '"arguments"'),
        CLEAN.replace("$s1.product_id", "${s1.product_id}"),
        CLEAN.replace('"id": "s1", ', "").replace('"id": "s2", ', ""),
        "\n".join(map(json.dumps, STEPS)),
        CLEAN.removesuffix("]"),
    ],
)
def test_a_plan_is_read_whatever_stands_around_it_and_however_it_is_dented(text: str) -> None:
    first, second = plan_quality.read_plan(text)
    assert (first.id, first.tool, first.args) == ("s1", "Shop.Find", {"name": "Lamp"})
    assert second.args == {"product": Ref(StepId("s1"), ("product_id",))}


def test_true_false_and_null_are_read_in_either_notation() -> None:
    (step,) = plan_quality.read_plan("[{'id': 's1', 'tool': 'f', 'args': {'a': true, 'b': None, 'c': false}}]")
    assert step.args == {"a": True, "b": None, "c": False}


def test_text_may_hold_references_and_those_to_unknown_steps_stay_references() -> None:
    (step,) = plan_quality.read_plan(
        '[{"id": "s1", "tool": "f", "args": {"a": "No. $s9.x!", "b": ["$s3"], "c": "$5"}}]'
    )
    assert step.args["a"] == Template(("No. ", Ref(StepId("s9"), ("x",)), "!"))
    assert step.args["b"] == [Ref(StepId("s3"))]
    assert step.args["c"] == "$5"


@pytest.mark.parametrize("text", ["", "I can't do that.", "[]", '{"a": 1}', "[1, 2]", "```\n```"])
def test_an_answer_without_a_plan_is_no_plan(text: str) -> None:
    with pytest.raises(PlanError, match="no plan"):
        plan_quality.read_plan(text)


SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "city": {"type": "string"},
        "size": {"type": "number"},
        "open": {"type": "boolean"},
        "kind": {"type": "string", "enum": ["a", "b"]},
        "tags": {"type": "array", "items": {"type": "string"}},
        "place": {"type": "object"},
    },
}


def test_each_value_of_a_result_is_recognized_in_arguments() -> None:
    marks, s1 = plan_quality.Marks(), StepId("s1")
    result: Any = marks.result(SCHEMA, s1)
    assert (result["open"], result["kind"]) == (True, "a")
    assert marks.read(result) == Ref(s1)
    assert marks.read({"a": [result["city"]]}) == {"a": [Ref(s1, ("city",))]}
    assert marks.read(result["size"]) == Ref(s1, ("size",))
    assert marks.read(float(result["size"])) == Ref(s1, ("size",))
    assert marks.read(str(result["size"])) == Ref(s1, ("size",))
    assert marks.read(result["tags"]) == Ref(s1, ("tags",))
    assert marks.read(result["tags"][1]) == Ref(s1, ("tags", 1))
    assert marks.read(result["place"]["name"]) == Ref(s1, ("place", "name"))
    text = f"{result['size']} in {result['city']}."
    assert marks.read(text) == Template((Ref(s1, ("size",)), " in ", Ref(s1, ("city",)), "."))


@pytest.mark.parametrize("value", ["Lamp", 5, True, None, ["a"], {"a": 1.5}, "4", ""])
def test_what_comes_from_no_result_stays_as_it_is(value: object) -> None:
    marks = plan_quality.Marks()
    marks.result(SCHEMA, StepId("s1"))
    assert marks.read(value) == value


def test_results_of_two_steps_are_told_apart_and_numbers_are_not_found_inside_of_others() -> None:
    marks = plan_quality.Marks()
    first, second = (marks.result({"type": "number"}, StepId(step)) for step in ("s1", "s2"))
    assert (marks.read(first), marks.read(second)) == (Ref(StepId("s1")), Ref(StepId("s2")))
    assert marks.read(f"1{first}") == f"1{first}"


def price_call(request: TurnRequest) -> ToolCall:
    """Calls with the number in the latest result, as a model would."""
    results = [message for message in request.messages if isinstance(message, ToolResult)]
    value: Any = results[-1].value
    return ToolCall("price", {"product": value["product_id"], "currency": "EUR"})


def loop_turns() -> list[ScriptedTurn]:
    return [ToolCall("Shop.Find", {"name": "lamp"}), price_call, "It costs 5 euros."]


def test_a_loop_that_passes_results_on_makes_the_plan_with_references(tmp_path: Path) -> None:
    case = load(tmp_path, [GOLD[0], GOLD[2] | {"id": "var2"}])
    model = ScriptedModel(loop_turns())
    plan = asyncio.run(plan_quality.loop_respondent(model)(case))
    model.assert_complete()
    assert plan.steps[1].args == {"product": Ref(StepId("s1"), ("product_id",)), "currency": "EUR"}
    assert case.score(plan.steps).full_match
    assert plan.usage.turns == 3


def test_calls_of_the_loop_that_failed_are_left_out(tmp_path: Path) -> None:
    wrong = ToolCall("Shop.Find", {"color": "red"})
    plan = asyncio.run(plan_quality.loop_respondent(ScriptedModel([wrong, *loop_turns()]))(load(tmp_path)))
    assert [step.tool for step in plan.steps] == ["Shop.Find", "price"]


def test_the_json_prompt_has_every_tool_and_the_task(tmp_path: Path) -> None:
    model = ScriptedModel([CLEAN])
    plan = asyncio.run(plan_quality.json_respondent(model)(load(tmp_path)))
    assert len(plan.steps) == 2
    (request,) = model.requests
    system, user = (getattr(message, "text", "") for message in request.messages)
    assert all(f"{name}(" in system for name in ("Shop.Find", "price", "send"))
    assert "What do they cost?" in user
    assert (request.output, request.sampling.temperature) == (None, 0.0)


PARTS = ScriptedParts(
    parts=[
        {"id": "s1", "tool": "Shop.Find"},
        {"name": "lamp"},
        {"id": "s2", "tool": "answer"},
    ]
)


@pytest.fixture
def compare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[dict[str, Any]]]:
    """Runs the comparison of two systems with scripted turns, and returns its report."""
    path = write_rows(tmp_path, *(row(GOLD[:1], id=f"shop-{i}") for i in range(4)))

    def run(turns: list[ScriptedTurn], *arguments: str) -> list[dict[str, Any]]:
        model = ScriptedModel(turns)
        monkeypatch.setattr(plan_quality, "open_model", lambda name: model)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
        options = ["--data", str(path), "--out", str(tmp_path / "out.jsonl"), "--system", "graph", "--system", "json"]
        result = CliRunner().invoke(plan_quality.main, [*options, "--json", *arguments])
        assert result.exit_code == 0, result.output
        model.assert_complete()
        reports: list[dict[str, Any]] = json.loads(result.stdout)
        return reports

    return run


def test_each_system_does_the_chosen_rows(compare: Callable[..., list[dict[str, Any]]]) -> None:
    graph, plain = compare([PARTS, CLEAN, PARTS, "no"], "--rows", "2", "--every", "3")
    assert (graph["rows"], graph["every"]) == (4, 3)
    assert (graph["driver"], graph["n"], graph["metrics"]["full_match"]) == ("graph", 2, 1.0)
    assert (plain["driver"], plain["n"], plain["metrics"]["valid"]) == ("json", 2, 0.5)


def test_a_run_that_was_stopped_goes_on_where_it_was_and_reports_rows_that_all_have_done(
    compare: Callable[..., list[dict[str, Any]]],
) -> None:
    def interrupt(_: object) -> ScriptedTurn:
        raise KeyboardInterrupt

    assert [report["n"] for report in compare([PARTS, CLEAN, PARTS, interrupt], "--rows", "3")] == [1, 1]
    assert [report["n"] for report in compare([CLEAN, PARTS, CLEAN], "--rows", "3")] == [3, 3]
    assert [report["n"] for report in compare([], "--rows", "3")] == [3, 3]
