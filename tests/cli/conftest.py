"""A folder with tools and task files, and the command line in this process or in one of its own."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest

from agentkit import ScriptedModel
from agentkit.cli.main import execute
from agentkit.model_backend import loading
from agentkit.model_backend.scripted import ScriptedTurn

TOOLS = r'''
import time

from agentkit import ToolContext, tool


@tool(effect="pure")
def add(a: int, b: int) -> int:
    """Add two numbers.

    Args:
        a: The first.
    """
    print("adding")
    return a + b


@tool(effect="pure")
def odd() -> str:
    """Give markup and control sequences."""
    return "[bold]odd[/bold] :smile: \x1b[31mred\x1b[0m \x1b]0;title\x07 \u202e"


@tool
def fail(why: str) -> str:
    """Fail."""
    raise ValueError(why)


@tool
def nothing() -> None:
    """Do nothing."""


@tool(effect="pure")
def rows(count: int) -> list[dict[str, int]]:
    """Give rows."""
    return [{"n": i} for i in range(count)]


@tool(effect="idempotent")
def slow(seconds: float, context: ToolContext) -> str:
    """Take some time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        context.check_cancelled()
        context.progress("still [b]busy[/b]")
        time.sleep(0.05)
    return "slept"
'''


MAIN = "from agentkit.cli.main import main; main()"


@dataclass(frozen=True)
class Outcome:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON value on stdout."""
        return json.loads(self.out)


class Cli(Protocol):
    def __call__(self, *args: str, stdin: str = "") -> Outcome: ...


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with ``tools.py``; nothing from outside decides about colours and widths."""
    work = tmp_path / "work"
    work.mkdir()
    (work / "tools.py").write_text(TOOLS, encoding="utf-8")
    monkeypatch.chdir(work)
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "TERM", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    return work


@pytest.fixture
def cli(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Runs the command line in this process."""

    def call(*args: str, stdin: str = "") -> Outcome:
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        capsys.readouterr()
        code = execute(args)
        shown = capsys.readouterr()
        return Outcome(code, shown.out, shown.err)

    return call


@pytest.fixture
def write_task(folder: Path) -> Callable[..., str]:
    """Writes a task file with a list of steps and returns its name."""

    def write(*steps: str, name: str = "task.yaml", more: str = "") -> str:
        planner = "".join(f"  - {step}\n" for step in steps)
        text = f"task: Add up.\ntools: ./tools.py\nplanner:\n{planner}{more}"
        (folder / name).write_text(text, encoding="utf-8")
        return name

    return write


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Callable[..., ScriptedModel]:
    """Puts a model that says what it is told in the place of every model that is named."""

    def script(*turns: ScriptedTurn) -> ScriptedModel:
        model = ScriptedModel(turns)

        def open_model(spec: str) -> ScriptedModel:
            return model

        monkeypatch.setattr(loading, "open_model", open_model)
        return model

    return script


def start(
    args: Sequence[str],
    *,
    code: str = MAIN,
    stdin: int = subprocess.DEVNULL,
    stdout: int = subprocess.PIPE,
    stderr: int = subprocess.PIPE,
    env: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Starts the command line in a process of its own, in the current folder and home.

    Args:
        args: The arguments.
        code: Python to run instead.
        stdin: As for `subprocess.Popen`.
        stdout: As for `subprocess.Popen`.
        stderr: As for `subprocess.Popen`.
        env: Variables in addition to those of this process.
    """
    command = [sys.executable, "-c", code, *args]
    return subprocess.Popen(command, stdin=stdin, stdout=stdout, stderr=stderr, env={**os.environ, **(env or {})})


def complete(args: Sequence[str], *, code: str = MAIN, env: Mapping[str, str] | None = None) -> Outcome:
    """Runs the command line in a process of its own to its end; see `start`."""
    with start(args, code=code, env=env) as process:
        out, err = process.communicate(timeout=30)
    return Outcome(process.returncode, out.decode(), err.decode())
