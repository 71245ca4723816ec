"""The entry: help, names of commands, and what errors become."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest

import agentkit
from agentkit.cli.main import COMMANDS
from agentkit.errors import LimitReached, ModelUnavailable, TaskFileError
from tests.cli.conftest import Cli, complete

HEAVY = [
    "httpx2",
    "jinja2",
    "jsonschema_rs",
    "llama_cpp",
    "llguidance",
    "networkx",
    "numpy",
    "pydantic",
    "rich",
    "ruamel",
]


def test_help_names_every_command(cli: Cli) -> None:
    done = cli("--help")
    assert done.code == 0
    assert all(f"  {name} " in done.out for name in COMMANDS)
    assert cli("-h").out == done.out


def test_no_arguments_are_misuse_and_show_the_help(cli: Cli) -> None:
    done = cli()
    assert (done.code, done.out) == (2, "")
    assert done.err == cli("--help").out


def test_the_version_is_that_of_the_package(cli: Cli) -> None:
    assert cli("--version").out == f"agentkit, version {agentkit.__version__}\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_starts_as_the_list_says(command: str, cli: Cli) -> None:
    done = cli(command, "--help")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"Usage: agentkit {command} ")


@pytest.mark.parametrize(
    ("args", "part"),
    [
        (("rn",), "did you mean 'run'?"),
        (("zzz",), "the commands are run, resume, replay, fork, plan"),
        (("--nosuch",), "--nosuch"),
        (("runs", "--limit", "0"), "--limit"),
        (("models", "--nosuch"), "Try 'agentkit models --help'."),
    ],
)
def test_what_is_not_there_is_misuse(args: tuple[str, ...], part: str, cli: Cli) -> None:
    done = cli(*args)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: ")
    assert part in done.err


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (LimitReached("too long", reason="time_limit"), 1, "error: too long\n"),
        (ModelUnavailable("no model \x1b[2J"), 2, "error: no model \\x1b[2J\n"),
        (TaskFileError("wrong", path="t.yaml", line=2, column=3), 2, "t.yaml:2:3: wrong\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
    ],
)
def test_an_error_becomes_one_message_and_an_exit_code(
    error: BaseException, code: int, message: str, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> Path:
        raise error

    monkeypatch.setattr(importlib.import_module("agentkit.trace.runs"), "run_files", fail)
    done = cli("runs")
    assert (done.code, done.err) == (code, message)


def test_the_help_of_a_command_loads_no_heavy_library() -> None:
    names = ["run", "chat", "runs", "trace", "tools"]
    code = (
        "import json, sys\nfrom agentkit.cli.main import execute\n"
        f"for name in {names}: execute([name, '--help'])\n"
        f"print(json.dumps([m for m in {HEAVY} if m in sys.modules]))\n"
    )
    done = complete([], code=code)
    assert done.err == ""
    assert json.loads(done.out.splitlines()[-1]) == []
