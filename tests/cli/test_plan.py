"""`agentkit plan`: the plan on stdout, what is wrong with it on stderr, nothing run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from agentkit import ScriptedModel
from agentkit.cli.main import execute
from agentkit.messages import JsonValue
from agentkit.model_backend.scripted import ScriptedParts
from tests.cli.conftest import Cli, complete
from tests.repo.project import ROOT

WriteTask = Callable[..., str]
Script = Callable[..., ScriptedModel]

ROWS = "{id: rows, tool: rows, args: {count: 3}, purpose: 'get the rows'}"
EACH = '{id: each, tool: add, for_each: $rows, on_error: skip, args: {a: "$item.n", b: 1}}'
FIRST = '{id: first, tool: add, args: {a: "$rows[0].n", b: 1}}'
LAST = '{id: last, tool: fail, args: {why: "because ${each} and [bold]${first}[/bold]"}, after: [each]}'

TREE = """\
plan  Add up.
├── wave 1
│   └── rows  rows(count=3)  pure
│       └── get the rows
├── wave 2, 2 at the same time
│   ├── each  add(a=$item.n, b=1)  pure
│   │   └── for each item of $rows, leaving out those that fail
│   └── first  add(a=$rows[0].n, b=1)  pure
└── wave 3
    └── last  fail(why="because ${each} and [bold]${first}[/...)  once
        └── after each
waves          3, up to 2 steps at the same time
calls          3, and 1 for each item of $rows
critical path  rows -> each -> last (3 steps)
effects        last (once)
approvals      none
answer         the result of last
"""


def test_steps_are_shown_by_waves_with_what_they_amount_to(cli: Cli, write_task: WriteTask) -> None:
    done = cli("plan", write_task(ROWS, EACH, FIRST, LAST))
    assert (done.code, done.out) == (0, TREE)


def test_nothing_is_run(cli: Cli, write_task: WriteTask, home: Path) -> None:
    done = cli("plan", write_task("{id: a, tool: add, args: {a: 1, b: 2}}", "{id: b, tool: fail, args: {why: x}}"))
    assert "adding" not in done.out + done.err
    assert not (home / "runs").exists()


def test_what_is_wrong_goes_to_stderr_and_is_counted(cli: Cli, write_task: WriteTask) -> None:
    done = cli("plan", write_task(ROWS, "{id: sum, tool: add, args: {a: $rows, c: [x]}}"))
    assert done.code == 2
    assert done.out.startswith("plan  Add up.\n├── wave 1\n")
    assert done.err.splitlines() == [
        "task.yaml:5:32: error: 'add' needs the argument 'b': a whole number",
        "task.yaml:5:36: error: '$rows' does not fit 'add': a list, where a whole number is expected",
        "task.yaml:5:43: error: 'add' has no argument 'c'; unused arguments: b",
        "3 errors",
    ]


def test_a_long_finding_is_one_line_in_a_pipe(cli: Cli, write_task: WriteTask) -> None:
    done = cli("plan", write_task(ROWS, f"{{id: a, tool: {'x' * 200}}}"))
    assert [line[:30] for line in done.err.splitlines()] == ["task.yaml:5:19: error: there i", "1 error"]


def test_steps_that_make_no_graph_are_only_talked_about(cli: Cli, write_task: WriteTask) -> None:
    done = cli("plan", write_task("{id: a, tool: add, args: {a: $b, b: 1}}", "{id: b, tool: add, args: {a: $a, b: 1}}"))
    assert (done.code, done.out) == (2, "")
    assert "in a circle: a needs b needs a" in done.err


def test_json_is_one_object(cli: Cli, write_task: WriteTask) -> None:
    done = cli("plan", write_task(ROWS, EACH, "{id: sum, tool: add, args: {a: 1, b: $rows}, after: each}"), "--json")
    assert done.code == 2
    assert done.err == ""
    assert done.json == {
        "task": "Add up.",
        "steps": [
            {"id": "rows", "purpose": "get the rows", "tool": "rows", "args": {"count": 3}},
            {
                "id": "each",
                "tool": "add",
                "for_each": "$rows",
                "on_error": "skip",
                "args": {"a": "$item.n", "b": 1},
            },
            {"id": "sum", "tool": "add", "args": {"a": 1, "b": "$rows"}, "after": ["each"]},
        ],
        "approvals": {},
        "effects": {"rows": "pure", "each": "pure", "sum": "pure"},
        "waves": [["rows"], ["each"], ["sum"]],
        "work": 2,
        "loops": ["each"],
        "span": ["rows", "each", "sum"],
        "width": 1,
        "last": ["sum"],
        "findings": [
            {
                "severity": "note",
                "line": 5,
                "column": 5,
                "message": "nothing takes the result of 'each', which changes nothing; 'sum' only waits for it",
            },
            {
                "severity": "note",
                "line": 5,
                "column": 70,
                "message": "'$item.n' is checked when the plan runs: may be missing the key 'n'",
            },
            {
                "severity": "error",
                "line": 6,
                "column": 42,
                "message": "'$rows' does not fit 'add': a list, where a whole number is expected",
            },
        ],
    }


def test_json_has_no_steps_when_they_make_no_graph(cli: Cli, write_task: WriteTask) -> None:
    found = cli("plan", write_task("{id: a, tool: add, args: {a: $b, b: 1}}"), "--json").json
    assert list(found) == ["task", "steps", "findings"]
    assert found["steps"] is None


def test_a_plan_is_drawn(cli: Cli, write_task: WriteTask) -> None:
    name = write_task(ROWS, FIRST)
    assert cli("plan", name, "--as", "mermaid").out.startswith("flowchart TD\n")
    assert cli("plan", name, "--as", "dot").out.startswith("digraph plan {\n")


def test_a_saved_plan_is_run_like_the_task(cli: Cli, folder: Path, write_task: WriteTask) -> None:
    more = "inputs: {count: 2}\n"
    name = write_task('{id: rows, tool: rows, args: {count: "{{ count }}"}}', more=more)
    (folder / "plans").mkdir()
    saved = cli("plan", name, "--set", "count=3", "--save", "plans/my plan.yaml")
    assert saved.code == 0
    assert saved.err == "saved; run it with: agentkit run 'plans/my plan.yaml'\n"
    assert json.loads(cli("run", "plans/my plan.yaml").out) == [{"n": 0}, {"n": 1}, {"n": 2}]
    printed = cli("plan", "plans/my plan.yaml", "--as", "yaml").out
    assert "- ./tools.py\n" in printed, "paths start from the folder in which it is printed"


def test_a_plan_with_errors_is_not_saved(cli: Cli, folder: Path, write_task: WriteTask) -> None:
    done = cli("plan", write_task("{id: a, tool: ad}"), "--save", "plan.yaml")
    assert done.code == 2
    assert done.err.splitlines()[-1] == "not saved, because it has errors"
    assert not (folder / "plan.yaml").exists()


def test_a_model_writes_the_plan_where_there_is_none(cli: Cli, folder: Path, scripted: Script) -> None:
    (folder / "task.yaml").write_text("task: Add up.\ntools: ./tools.py\nplanner: graph\n")
    scripted(
        ScriptedParts(
            parts=[
                {"id": "s1", "tool": "add"},
                {"a": 1, "b": 2},
                {"id": "s2", "tool": "add"},
                {"a": "$s1", "b": 1},
                {"id": "s3", "tool": "answer"},
            ]
        )
    )
    done = cli("plan", "task.yaml", "--save", "plan.yaml")
    assert done.code == 0
    assert "    └── s2  add(a=$s1, b=1)  pure\n" in done.out
    assert done.err.splitlines()[0].startswith("planned by scripted: ")
    assert done.err.splitlines()[1:] == ["saved; run it with: agentkit run plan.yaml"]
    assert cli("run", "plan.yaml").out == "4\n"


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        (
            [{"id": "s1", "tool": "answer"}],
            "task.yaml: warning: the model planned no calls; a run would answer at once\n"
            "not saved, because it has no steps\n",
        ),
        (
            [
                {"id": "s1", "tool": "rows"},
                {"count": 2},
                {"id": "s2", "tool": "look"},
            ],
            "task.yaml: warning: the model wants to see these results and plan more then; a saved plan ends here\n"
            "saved; run it with: agentkit run plan.yaml\n",
        ),
    ],
)
def test_a_plan_that_a_model_did_not_finish_is_told_as_such(
    parts: list[JsonValue], said: str, cli: Cli, folder: Path, scripted: Script
) -> None:
    (folder / "task.yaml").write_text("task: Add up.\ntools: ./tools.py\n")
    scripted(ScriptedParts(parts=parts))
    done = cli("plan", "task.yaml", "--save", "plan.yaml")
    assert done.code == 0
    assert done.err.partition("\n")[2] == said


def test_the_loop_planner_makes_no_plan(cli: Cli, folder: Path) -> None:
    (folder / "task.yaml").write_text("task: Add up.\nplanner: loop\n")
    done = cli("plan", "task.yaml")
    assert done.code == 2
    assert done.err == (
        "task.yaml:2:10: the loop planner decides call by call and makes no plan; write 'planner: graph'\n"
    )


@pytest.mark.parametrize(
    ("args", "part"),
    [
        (("--as", "mermaid", "--json"), "--as and --json exclude each other"),
        (("--as", "svg"), "'svg' is not one of 'yaml', 'mermaid', 'dot'"),
        (("--set", "x"), "write KEY=VALUE"),
        (("--set", "x=1"), "there is no such input"),
        (("--save", "task.yaml"), "is the task file itself"),
        (("--save", "no/plan.yaml"), "No such file or directory"),
    ],
)
def test_misuse_is_one_message(args: tuple[str, ...], part: str, cli: Cli, write_task: WriteTask) -> None:
    done = cli("plan", write_task(ROWS), *args)
    assert done.code == 2
    assert part in done.err
    assert "Traceback" not in done.err


def test_a_run_shows_warnings_and_goes_on(cli: Cli, write_task: WriteTask) -> None:
    done = cli("run", write_task(ROWS, "{id: again, tool: rows, args: {count: 3}}"))
    assert done.code == 0
    assert done.err.splitlines()[0] == (
        "task.yaml:5:5: warning: this is the call of step 'rows' again, and is not made twice; use '$rows' instead"
    )


def test_a_narrow_pipe_gets_whole_steps(write_task: WriteTask) -> None:
    done = complete(["plan", write_task(ROWS, EACH, FIRST, LAST)], env={"COLUMNS": "40"})
    assert done.code == 0
    assert max(map(len, done.out.splitlines())) <= 40
    assert "".join(done.out.split()).count("[bold]") == 1


def test_the_page_about_plans_shows_what_is_printed(cli: Cli, folder: Path) -> None:
    page = (ROOT / "docs" / "plans.md").read_text(encoding="utf-8")
    shutil.copytree(ROOT / "examples" / "logs", folder / "logs")
    wrong = (folder / "logs" / "plan.yaml").read_text().replace("$counts.most_errors", "$counts.most_error")
    (folder / "logs" / "wrong.yaml").write_text(wrong.replace("message: $first.message", "massage: $first.message"))
    right, refused = cli("plan", "logs/plan.yaml"), cli("plan", "logs/wrong.yaml")
    assert right.err == ""
    assert "\n".join(line.rstrip() for line in right.out.splitlines()) in page
    assert refused.err.replace("logs/wrong.yaml", "plan.yaml") in page


def test_a_list_where_one_item_fits_is_told_how_to_be_taken_item_by_item(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tools.py").write_text(
        "from agentkit import tool\n\n@tool(effect='pure')\ndef names() -> list[str]:\n    '''Names.'''\n"
        "    return []\n\n"
        "@tool(effect='pure')\ndef greet(name: str) -> str:\n    '''Greet.'''\n    return name\n"
    )
    steps = "  - {id: a, tool: names}\n  - {id: b, tool: greet, args: {name: $a}}\n"
    (tmp_path / "plan.yaml").write_text(f"task: Greet.\ntools: [./tools.py]\nplanner:\n{steps}")
    assert execute(["plan", str(tmp_path / "plan.yaml")]) == 2
    assert "; to call it for each item, write 'for_each: $a' and pass '$item'" in capsys.readouterr().err
