"""`agentkit trace --export` and `agentkit trace diff`: a run for other programs, and beside another run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Cli

WriteTask = Callable[..., str]


@pytest.fixture
def two_runs(cli: Cli, write_task: WriteTask) -> list[str]:
    """The ids of two runs that differ in one argument."""
    return [
        cli("run", write_task(f"{{id: sum, tool: add, args: {{a: 1, b: {b}}}}}"), "--json").json["run_id"]
        for b in (2, 3)
    ]


@pytest.mark.parametrize(
    ("form", "begins"),
    [
        ("html", "<!doctype html>"),
        ("svg", "<svg "),
        ("jsonl", '{"kind": "run_started"'),
        ("otlp-json", '{"resourceSpans"'),
    ],
)
def test_a_run_is_exported_to_the_output_or_to_a_file(
    form: str, begins: str, cli: Cli, folder: Path, two_runs: list[str]
) -> None:
    done = cli("trace", two_runs[0], "--export", form)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(begins)
    assert two_runs[0] in done.out
    assert cli("trace", two_runs[0], "--export", form, "-o", "out").out == ""
    assert (folder / "out").read_text() == done.out
    assert two_runs[1] in cli("trace", "--export", form).out


def test_two_runs_are_compared(cli: Cli, two_runs: list[str]) -> None:
    done = cli("trace", "diff", *two_runs)
    assert done.code == 0
    assert done.out.startswith(f"- run {two_runs[0]}  answer\n+ run {two_runs[1]}  answer\n")
    assert '- {"a": 1, "b": 2}' in done.out
    assert '+ {"a": 1, "b": 3}' in done.out
    found = json.loads(cli("trace", "diff", *two_runs, "--json").out)
    assert [s["status"] for s in found["steps"]] == ["changed"]
    assert json.loads(cli("trace", "diff", two_runs[0], two_runs[0], "--json").out)["same"] is True


@pytest.mark.parametrize(
    ("args", "part"),
    [
        (("trace", "diff", "2026"), "Missing argument 'B'"),
        (("trace", "diff", "nope", "nope"), "there is no run 'nope'"),
        (("trace", "one", "two"), "'agentkit trace diff A B' compares two"),
        (("trace", "-o", "file"), "give --export too"),
        (("trace", "--export", "pdf"), "'pdf' is not one of"),
        (("trace", "--export", "svg", "--json"), "exclude each other"),
        (("trace", "--web", "--json"), "exclude each other"),
        (("trace", "--export", "svg", "-o", "nowhere/out"), "can't write 'nowhere/out': No such file"),
    ],
)
def test_misuse_is_one_message(args: tuple[str, ...], part: str, cli: Cli, two_runs: list[str]) -> None:
    done = cli(*args)
    assert (done.code, done.out) == (2, "")
    assert part in done.err
