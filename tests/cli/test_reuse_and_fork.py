"""`agentkit run --reuse` and `agentkit fork`: new runs that begin with what an earlier one did."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.cli.conftest import Cli

WriteTask = Callable[..., str]
ADD = "{id: sum, tool: add, args: {a: 1, b: 2}}"
MORE = "{id: more, tool: add, args: {a: $sum, b: 10}}"


def test_only_what_is_not_as_it_was_is_done_again_and_the_person_is_told(cli: Cli, write_task: WriteTask) -> None:
    first = cli("run", write_task(ADD), "--json").json["run_id"]
    done = cli("run", write_task(ADD, MORE), "--reuse", first)
    assert (done.code, done.out) == (0, "13\n")
    assert f"sum add(a=1, b=2) as in run {first}" in done.err
    assert "1 result reused" in done.err
    assert f"reused: from run {first}" in cli("trace", "--print").out


@pytest.mark.parametrize(
    ("options", "part"),
    [(["--reuse", "other"], "there is no run 'other'"), (["--reuse-all"], "--reuse-all needs --reuse RUN")],
)
def test_a_run_that_can_not_be_reused_is_misuse(options: list[str], part: str, cli: Cli, write_task: WriteTask) -> None:
    cli("run", write_task(ADD))
    done = cli("run", write_task(ADD), *options)
    assert (done.code, done.out) == (2, "")
    assert part in done.err


def test_a_step_is_run_again_with_new_arguments(cli: Cli, write_task: WriteTask) -> None:
    first = cli("run", write_task(ADD, MORE), "--json").json["run_id"]
    done = cli("fork", first, "sum", "--args", '{"a": 5, "b": 5}', "--json")
    assert (done.code, done.json["output"]) == (0, 20)
    assert done.json["run_id"] != first
    assert cli("fork", first, "more", "--json").json["output"] == 13
    assert cli("fork", done.json["run_id"], "more", "--json").json["output"] == 20


def test_a_fork_says_its_id_first(cli: Cli, write_task: WriteTask) -> None:
    first = cli("run", write_task(ADD), "--json").json["run_id"]
    done = cli("fork", first, "sum")
    name = done.err.split()[1]
    assert done.err.startswith("run ")
    assert name != first
    assert cli("trace", name, "--json").json["run_id"] == name


@pytest.mark.parametrize(
    ("args", "part"),
    [
        (["sun"], "has no step 'sun'; did you mean 'sum'?"),
        (["sum", "--args", "{"], "is not JSON"),
        (["sum", "--args", "[1]"], "is not a JSON object"),
    ],
)
def test_a_fork_that_can_not_be_is_misuse(args: list[str], part: str, cli: Cli, write_task: WriteTask) -> None:
    first = cli("run", write_task(ADD), "--json").json["run_id"]
    done = cli("fork", first, *args)
    assert (done.code, done.out) == (2, "")
    assert part in done.err
