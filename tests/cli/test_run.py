"""`agentkit run`: the answer on stdout, everything else on stderr, and exit codes that scripts can use."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from agentkit import ScriptedModel
from agentkit.errors import ModelError, SchemaError
from agentkit.messages import Text, Thought, ToolCall
from agentkit.model_backend import loading
from agentkit.trace import Trace
from tests.cli.conftest import Cli

Script = Callable[..., ScriptedModel]
WriteTask = Callable[..., str]

ADD = "{id: sum, tool: add, args: {a: 1, b: 2}}"
FAIL = "{id: bad, tool: fail, args: {why: because}}"
AFTER = "{id: then, tool: add, args: {a: 1, b: 3}, after: [bad]}"


def test_the_answer_alone_goes_to_stdout(cli: Cli, write_task: WriteTask) -> None:
    done = cli("run", write_task(ADD))
    assert (done.code, done.out) == (0, "3\n")


def test_calls_results_and_what_tools_print_go_to_stderr(cli: Cli, write_task: WriteTask) -> None:
    done = cli("run", write_task(ADD, "{id: late, tool: slow, args: {seconds: 0.01}, after: [sum]}"))
    lines = done.err.splitlines()
    run_id = Trace.load().run_id
    assert lines[:3] == [f"run {run_id}", "  sum add(a=1, b=2)", "adding"]
    assert [line for line in lines if line.startswith("  sum ok in ") and line.endswith(": 3")]
    assert "  late: still [b]busy[/b]" in lines
    assert lines[-1].startswith("answer after ")
    assert "tokens" not in done.err, "a given plan needs no model"


def test_json_prints_one_object_and_nothing_else(cli: Cli, write_task: WriteTask) -> None:
    done = cli("run", write_task(ADD, FAIL, AFTER), "--json")
    assert done.code == 1
    assert done.out.count("\n") == 1
    found = done.json
    assert list(found) == ["run_id", "output", "stop_reason", "usage", "steps"]
    assert found["run_id"] == Trace.load().run_id
    assert (found["output"], found["stop_reason"]) == (None, "tool_error")
    assert found["usage"]["turns"] == 0
    assert found["steps"] == [
        {"id": "sum", "tool": "add", "args": {"a": 1, "b": 2}, "result": 3, "error": None},
        {"id": "bad", "tool": "fail", "args": {"why": "because"}, "result": None, "error": "ValueError: because"},
        {
            "id": "then",
            "tool": "add",
            "args": {"a": 1, "b": 3},
            "result": None,
            "error": "not run, because step 'bad' failed",
        },
    ]


def test_json_keeps_stderr_for_tools_and_problems(cli: Cli, write_task: WriteTask) -> None:
    assert cli("run", write_task(ADD), "--json").err == "adding\n"


def test_a_failed_step_is_exit_code_1_and_says_where_to_look(cli: Cli, write_task: WriteTask) -> None:
    done = cli("run", write_task(ADD, FAIL, AFTER))
    assert (done.code, done.out) == (1, "")
    assert "  then failed: not run, because step 'bad' failed" in done.err.splitlines()
    run_id = Trace.load().run_id
    assert done.err.splitlines()[-2:] == [
        "step 'bad' (fail) failed: ValueError: because",
        f"look at it with: agentkit trace {run_id} --print; go on with: agentkit resume {run_id}",
    ]


def test_markup_and_control_sequences_are_shown_as_they_are(cli: Cli, write_task: WriteTask) -> None:
    done = cli("run", write_task("{id: a, tool: odd}"))
    text = "[bold]odd[/bold] :smile: \\x1b[31mred\\x1b[0m \\x1b]0;title\\x07 \\u202e"
    assert done.out == f"{text}\n"
    assert text in done.err
    assert "\x1b" not in done.err


@pytest.mark.parametrize(
    ("step", "out"),
    [
        ("{id: a, tool: rows, args: {count: 2}}", '[\n  {\n    "n": 0\n  },\n  {\n    "n": 1\n  }\n]\n'),
        ("{id: a, tool: nothing}", "null\n"),
    ],
)
def test_an_answer_that_is_not_text_is_printed_as_json(step: str, out: str, cli: Cli, write_task: WriteTask) -> None:
    assert cli("run", write_task(step)).out == out


def test_a_long_result_is_cut_in_progress_and_whole_in_the_answer(cli: Cli, write_task: WriteTask) -> None:
    done = cli("run", write_task("{id: a, tool: rows, args: {count: 300}}"))
    assert len(json.loads(done.out)) == 300
    assert "characters more)" in done.err
    assert all(len(line) < 300 for line in done.err.splitlines())


def test_inputs_are_set_from_the_command_line(cli: Cli, write_task: WriteTask) -> None:
    task = write_task('{id: a, tool: add, args: {a: "{{ n }}", b: 2}}', more="inputs: {n: 1}\n")
    assert cli("run", task, "--set", "n=40").out == "42\n"


@pytest.mark.parametrize(
    ("args", "part"),
    [
        (("run",), "Missing argument 'TASK.YAML'"),
        (("run", "a.yaml", "b.yaml"), "b.yaml"),
        (("run", "a.yaml", "--seed", "x"), "'x' is not a valid integer"),
        (("run", "missing.yaml"), "missing.yaml: there is no such file; did you mean 'missing_it.yaml'?"),
    ],
)
def test_misuse_is_exit_code_2(args: tuple[str, ...], part: str, cli: Cli, folder: Path) -> None:
    (folder / "missing_it.yaml").write_text("task: x\n")
    done = cli(*args)
    assert (done.code, done.out) == (2, "")
    assert part in done.err


def test_a_model_that_is_not_there_is_exit_code_2_and_says_how_to_get_it(cli: Cli, folder: Path) -> None:
    (folder / "task.yaml").write_text("task: Say hello.\n")
    done = cli("run", "task.yaml")
    assert done.code == 2
    assert "agentkit models pull starter" in done.err
    assert cli("runs").err.startswith("no runs in "), "nothing is recorded of a run that could not begin"


def test_a_model_calls_tools_and_answers(cli: Cli, folder: Path, scripted: Script) -> None:
    (folder / "task.yaml").write_text("task: What is 20 + 22?\ntools: ./tools.py\nmodel: any\n")
    model = scripted([Thought("I should add."), ToolCall("add", {"a": 20, "b": 22})], "It is 42.")
    done = cli("run", "task.yaml", "--seed", "7")
    assert (done.code, done.out) == (0, "It is 42.\n")
    assert [r.sampling.seed for r in model.requests] == [7, 7]
    lines = done.err.splitlines()
    assert lines[0] == f"run {Trace.load().run_id} with scripted"
    assert "  thought: I should add." in lines
    assert [line for line in lines if line.endswith(" add(a=20, b=22)")]
    assert lines[-1].startswith("answer after ")
    assert "tokens in" in lines[-1]


def test_an_option_names_another_model_than_the_file(cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named: list[str] = []

    def open_model(spec: str) -> ScriptedModel:
        named.append(spec)
        return ScriptedModel(["Hello."])

    monkeypatch.setattr(loading, "open_model", open_model)
    (folder / "task.yaml").write_text("task: Say hello.\nmodel: from-file\n")
    assert cli("run", "task.yaml").code == 0
    assert cli("run", "task.yaml", "--model", "from-option").code == 0
    assert named == ["from-file", "from-option"]


def test_an_answer_of_a_type_is_one_object(cli: Cli, folder: Path, scripted: Script) -> None:
    (folder / "task.yaml").write_text(
        "task: Add.\noutput: {type: object, properties: {total: {type: number}}, required: [total]}\n"
    )
    scripted('{"total": 42}')
    assert cli("run", "task.yaml", "--json").json["output"] == {"total": 42}


@pytest.mark.parametrize(
    ("turns", "limits", "reason", "message"),
    [
        ([ModelError("the backend is gone")], "{}", "model_error", "the backend is gone"),
        ([ToolCall("add", {"a": 1, "b": i}) for i in range(3)], "{calls: 2}", "call_limit", "limit"),
        ([ToolCall("add", {"a": 1, "b": i}) for i in range(3)], "{turns: 1}", "turn_limit", "limit"),
    ],
)
def test_a_run_that_did_not_end_with_an_answer_is_exit_code_1(
    turns: list[object], limits: str, reason: str, message: str, cli: Cli, folder: Path, scripted: Script
) -> None:
    (folder / "task.yaml").write_text(f"task: Add.\ntools: ./tools.py\nlimits: {limits}\n")
    scripted(*turns)
    done = cli("run", "task.yaml", "--json")
    assert done.code == 1
    assert done.json["stop_reason"] == reason
    assert message in done.err.splitlines()[-2]


def test_what_a_model_says_can_not_move_the_cursor(cli: Cli, folder: Path, scripted: Script) -> None:
    (folder / "task.yaml").write_text("task: Add.\ntools: ./tools.py\n")
    scripted([Text("\x1b[2Jso"), ToolCall("add", {"a": 1, "b": 2})], "[red]done\x1b[0m\x07")
    done = cli("run", "task.yaml")
    assert done.out == "[red]done\\x1b[0m\\x07\n"
    assert "  text: \\x1b[2Jso" in done.err.splitlines()


def test_a_home_that_can_not_be_written_is_said_in_one_line(
    cli: Cli, write_task: WriteTask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("AGENTKIT_HOME", str(tmp_path / "file"))
    done = cli("run", write_task(ADD))
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: can't create the run file ")
    assert done.err.endswith("Not a directory; set AGENTKIT_HOME to another folder\n")
    assert done.err.count("\n") == 1


def test_a_schema_that_a_model_can_not_enforce_has_its_place_in_the_file(
    cli: Cli, folder: Path, scripted: Script
) -> None:
    (folder / "task.yaml").write_text("task: Add.\noutput:\n  type: object\n  properties: {a: {not: {}}}\n")
    scripted(SchemaError("'not' can't be enforced", pointer="/properties/a/not"))
    done = cli("run", "task.yaml", "--json")
    assert (done.code, done.out) == (2, "")
    assert done.err == "task.yaml:4:25: 'not' can't be enforced\n"
