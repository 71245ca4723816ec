import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import agentkit.cli.bench
from agentkit.bench.bfcl import model_respondent, run_cases
from agentkit.bench.bfcl_cases import Case, load_cases
from agentkit.bench.bfcl_report import CallOutcome, measure_calls
from agentkit.errors import ModelError, SchemaError
from agentkit.messages import Assistant, System, ToolCall, Usage
from agentkit.model_backend.base import Turn
from agentkit.model_backend.scripted import ScriptedModel, ScriptedTurn

RIGHT = ToolCall("math.add", {"a": 1, "b": 2})
WRONG = ToolCall("math.add", {"a": 1, "b": 3})
INVALID = ToolCall("math.add", {"a": "one", "b": 2})
UNKNOWN = ToolCall("math.sub", {"a": 1, "b": 2})


def row(number: int, category: str, calls: int = 1) -> dict[str, Any]:
    numbers = {"a": {"type": "integer"}, "b": {"type": "integer"}}
    return {
        "id": f"{category}_{number}",
        "category": category,
        "question": [[{"role": "user", "content": "Add 1 and 2."}]],
        "function": [
            {"name": "math.add", "parameters": {"type": "dict", "properties": numbers, "required": ["a", "b"]}}
        ],
        "possible_answer": [{"math.add": {"a": [1], "b": [2]}}] * calls,
    }


def data(folder: Path, *rows: dict[str, Any]) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


def outcomes(model: ScriptedModel, cases: list[Case]) -> list[CallOutcome]:
    async def collect() -> list[CallOutcome]:
        return [outcome async for outcome in run_cases(cases, model_respondent(model))]

    found = asyncio.run(collect())
    model.assert_complete()
    return found


def test_each_row_is_one_turn_that_has_to_call(tmp_path: Path) -> None:
    model = ScriptedModel([RIGHT])
    outcomes(model, load_cases(data(tmp_path, row(1, "simple_python"))))
    (request,) = model.requests
    assert request.calls == "required"
    assert isinstance(request.messages[0], System)
    assert [tool.name for tool in request.tools] == ["math.add"]
    assert request.sampling.temperature == 0.0


@pytest.mark.parametrize(
    ("turn", "right", "calls", "valid"),
    [
        (RIGHT, True, 1, 1),
        (WRONG, False, 1, 1),
        (INVALID, False, 1, 0),
        (UNKNOWN, False, 1, 0),
        ([RIGHT, RIGHT], False, 2, 2),
        ("No.", False, 0, 0),
        (ModelError("the grammar refused a token"), False, 0, 0),
        (SchemaError("no value fits"), False, 0, 0),
    ],
)
def test_a_turn_is_scored_and_its_calls_are_validated(
    tmp_path: Path, turn: ScriptedTurn, right: bool, calls: int, valid: int
) -> None:
    (outcome,) = outcomes(ScriptedModel([turn]), load_cases(data(tmp_path, row(1, "simple_python"))))
    assert (outcome.problem is None, outcome.calls, outcome.valid_calls) == (right, calls, valid)


def test_the_problem_of_a_failed_turn_is_its_error(tmp_path: Path) -> None:
    model = ScriptedModel([ModelError("the grammar refused a token")])
    (outcome,) = outcomes(model, load_cases(data(tmp_path, row(1, "simple_python"))))
    assert outcome.problem == "the grammar refused a token"


def test_figures_are_per_call_and_a_row_without_a_call_counts_as_an_invalid_one() -> None:
    def outcome(calls: int, tokens: int, problem: str | None) -> CallOutcome:
        return CallOutcome(
            id="",
            category="",
            problem=problem,
            calls=calls,
            valid_calls=calls,
            tokens=tokens,
            forced=tokens // 2,
            seconds=1,
        )

    metrics = measure_calls([outcome(3, 60, None), outcome(0, 20, "0 calls instead of 1")])
    assert metrics.accuracy == 0.5
    assert metrics.valid == 0.75
    assert metrics.tokens == 20.0
    assert metrics.forced == 10.0
    assert metrics.seconds == 0.5


def invoke(monkeypatch: pytest.MonkeyPatch, turns: list[ScriptedTurn], *arguments: str) -> Result:
    model = ScriptedModel(turns)
    monkeypatch.setattr(agentkit.cli.bench, "open_model", lambda name: model)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    return CliRunner().invoke(agentkit.cli.bench.bench, ["bfcl", "--model", "scripted", *arguments])


def test_json_is_one_object_with_figures_over_all_rows_and_for_each_category(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = data(tmp_path, row(1, "simple_python"), row(2, "simple_python"), row(1, "parallel", calls=2))
    usage = Usage(output_tokens=40, forced_tokens=30)
    both = Turn(message=Assistant((RIGHT, RIGHT)), stop="calls", usage=usage)
    result = invoke(monkeypatch, [RIGHT, WRONG, both], "--data", str(path), "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert (report["suite"], report["model"], report["n"]) == ("bfcl", "scripted", 3)
    assert report["metrics"].keys() == {"accuracy", "valid", "tokens", "seconds", "forced"}
    assert report["metrics"]["accuracy"] == pytest.approx(2 / 3)
    assert report["metrics"]["valid"] == 1.0
    assert report["categories"]["simple_python"]["accuracy"] == 0.5
    assert report["categories"]["parallel"]["tokens"] == 20.0
    assert report["categories"]["parallel"]["forced"] == 15.0


def test_progress_goes_to_standard_error_and_the_table_to_standard_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = invoke(monkeypatch, [RIGHT, WRONG], "--data", str(data(tmp_path, row(1, "a"), row(1, "b"))))
    assert "[2/2] b_1" in result.stderr
    assert "'b' is 3, expected one of [2]" in result.stderr
    assert "accuracy" in result.stdout
    assert "0.500" in result.stdout


def test_the_limit_counts_for_each_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(data(tmp_path, row(1, "a"), row(2, "a")))
    result = invoke(monkeypatch, [RIGHT, RIGHT], "--data", path, "--data", path, "--limit", "1", "--json")
    assert json.loads(result.stdout)["n"] == 2


def test_what_is_done_is_kept_on_ctrl_c(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: object) -> ScriptedTurn:
        raise KeyboardInterrupt

    path = str(data(tmp_path, row(1, "a"), row(2, "a")))
    result = invoke(monkeypatch, [RIGHT, interrupt], "--data", path, "--json")
    assert result.exit_code == 130
    assert json.loads(result.stdout)["n"] == 1
    assert "stopped after 1 of 2 rows" in result.stderr
