"""`agentkit runs` and `agentkit trace`: what earlier runs left."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from agentkit.events import RunStarted
from agentkit.journal import SqliteJournal
from agentkit.paths import runs_folder
from tests.cli.conftest import Cli

WriteTask = Callable[..., str]
ADD = "{id: sum, tool: add, args: {a: 1, b: 2}}"
FAIL = "{id: bad, tool: fail, args: {why: because}}"


def start_a_run(run_id: str, task: str) -> None:
    """Leaves the file of a run that was killed right after it began."""
    journal = SqliteJournal(runs_folder() / f"{run_id}.sqlite")
    model = {"name": "starter"}
    journal.append(RunStarted(run_id=run_id, task=task, started="", model=model, planner="loop", tools=[], limits={}))
    journal.close()


def test_runs_are_listed_the_latest_first(cli: Cli, write_task: WriteTask) -> None:
    done = [cli("run", write_task(step), "--json").json["run_id"] for step in (ADD, FAIL)]
    listed = cli("runs")
    assert listed.code == 0
    head, *lines = listed.out.splitlines()
    assert head.split() == ["run", "state", "age", "steps", "tokens", "seconds", "model", "task"]
    rows = [line.split() for line in lines]
    assert [(r["id"], r["state"], r["steps"], r["tokens"], r["task"]) for r in cli("runs", "--json").json] == [
        (done[1], "tool_error", 1, 0, "Add up."),
        (done[0], "answer", 1, 0, "Add up."),
    ]
    assert [row[0] for row in rows] == done[::-1]
    assert "tool error" in lines[0]
    assert [r["id"] for r in cli("runs", "--json").json] == done[::-1]
    assert [r["id"] for r in cli("runs", "--limit", "1", "--json").json] == done[1:]


def test_no_runs_are_no_error(cli: Cli) -> None:
    assert cli("runs").code == 0
    assert "start one with 'agentkit run task.yaml'" in cli("runs").err
    assert cli("runs", "--json").json == []


@pytest.mark.parametrize("width", ["20", "40", "80", "200"])
def test_a_listed_run_can_be_copied_at_any_width(width: str, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    start_a_run("20261124-060000-ab12", "Count [red]all[/red] \x1b[2J words. " * 20)
    monkeypatch.setenv("COLUMNS", width)
    shown = cli("runs").out
    assert "20261124-060000-ab12" in shown
    assert "\x1b" not in shown
    assert max(map(len, shown.splitlines())) <= int(width)
    if width == "200":
        assert "interrupted" in shown
        assert "starter" in shown
        assert "Count [red]all[/red] \\x1b[2J words." in shown


def test_a_damaged_run_file_is_listed_as_such(cli: Cli) -> None:
    start_a_run("20261124-060000-ab12", "Count.")
    (runs_folder() / "20261124-060000-ab12.sqlite").write_bytes(b"not a database" * 100)
    listed = cli("runs", "--json")
    assert [(r["id"], r["state"]) for r in listed.json] == [("20261124-060000-ab12", "unreadable")]
    done = cli("trace")
    assert (done.code, done.out) == (2, "")
    assert "can't be read as a run file" in done.err


def test_the_latest_run_is_shown_unless_one_is_named(cli: Cli, write_task: WriteTask) -> None:
    first, second = [cli("run", write_task(step), "--json").json["run_id"] for step in (ADD, FAIL)]
    assert cli("trace").out.startswith(f"run {second}  tool_error")
    assert cli("trace", "--print").out == cli("trace").out
    for name in (first, first[:-1], str(runs_folder() / f"{first}.sqlite")):
        assert cli("trace", name).out.startswith(f"run {first}  answer")


def test_json_is_what_the_run_printed(cli: Cli, write_task: WriteTask) -> None:
    done = cli("run", write_task(ADD, FAIL), "--json")
    assert cli("trace", "--json").out == done.out


@pytest.mark.parametrize(
    ("run", "part"),
    [
        ("20261124-060000-ab13", "did you mean '20261124-060000-ab12'?"),
        ("2026", "fits 2 runs: "),
        ("X", "'agentkit runs' lists the runs"),
        ("", "'agentkit runs' lists the runs"),
        ("a" * 5000, "'agentkit runs' lists the runs"),
        ("a\0b", "'agentkit runs' lists the runs"),
        ("task.yaml", "can't be read as a run file"),
        ("other.sqlite", "can't be read as a run file"),
        (".", "'agentkit runs' lists the runs"),
    ],
)
def test_a_run_that_is_not_there_is_exit_code_2(run: str, part: str, cli: Cli, folder: Path) -> None:
    start_a_run("20261124-060000-ab12", "Count.")
    start_a_run("20261124-060001-cd34", "Count.")
    (folder / "task.yaml").write_text("task: x\n")
    sqlite3.connect(folder / "other.sqlite").close()
    done = cli("trace", run)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: ")
    assert part in done.err
    assert len(done.err) < 300


def test_a_trace_needs_a_run(cli: Cli) -> None:
    done = cli("trace")
    assert done.code == 2
    assert "there are no runs in " in done.err


def test_two_forms_at_once_are_refused(cli: Cli) -> None:
    assert cli("trace", "--print", "--json").code == 2
