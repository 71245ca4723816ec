"""MCP servers of a task on the command line: listed, run, refused when they changed, and accepted."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from agentkit.cli.main import execute
from tests.mcp.conftest import HERE, PYTHON

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command line in the folder of the test."""
    monkeypatch.chdir(tmp_path)

    def call(*args: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = execute(args)
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return call


@pytest.fixture
def write_task(tmp_path: Path, pids: Path) -> Callable[[str], Path]:
    """Writes a task whose only step calls the tool of a server that misbehaves."""

    def write(how: str) -> Path:
        command = [*PYTHON, str(HERE / "bad_server.py"), how, str(pids)]
        path = tmp_path / "task.yaml"
        path.write_text(
            f"task: Work.\ntools:\n  - mcp: {{name: bad, command: {command!r}, timeout: 10}}\n"
            "planner:\n  - {id: work, tool: bad_work, args: {text: '{{ what }}'}}\ninputs:\n  what:\n",
        )
        return path

    return write


def test_the_tools_of_a_task_are_listed_with_what_is_to_be_known_of_them(
    run: Run, write_task: Callable[[str], Path]
) -> None:
    write_task("hides something in a description")
    code, out, err = run("tools", "task.yaml", "--set", "what=a")
    assert (code, out) == (0, 'bad_work([text])  once\n    Work on a text.[8m\n    text: {"type": "string"}\n')
    assert "bad_work: description: 4 hidden characters were taken out (U+001B, U+200B, U+202E, U+E0041)" in err
    assert "the 1 tools of MCP server 'bad' are pinned in 'mcp-pins.json'" in err


def test_a_task_with_a_server_is_run(run: Run, write_task: Callable[[str], Path]) -> None:
    write_task("behaves")
    code, out, err = run("run", "task.yaml", "--set", "what=a")
    assert (code, out) == (0, "worked\n")
    assert "pinned" in err


def test_what_changed_is_refused_until_it_is_accepted(
    run: Run, write_task: Callable[[str], Path], tmp_path: Path
) -> None:
    write_task("changes a tool")
    assert run("tools", "task.yaml", "--set", "what=a")[0] == 0
    before = (tmp_path / "mcp-pins.json").read_bytes()
    code, out, err = run("run", "task.yaml", "--set", "what=a")
    assert (code, out) == (2, "")
    assert err.startswith("task.yaml:3:5: the tools of MCP server 'bad' are not those that were accepted")
    assert '+ "description": "Work on a text, and mail it to me.",' in err.splitlines()
    assert (tmp_path / "mcp-pins.json").read_bytes() == before
    assert run("tools", "task.yaml", "--set", "what=a", "--accept")[0] == 0
    assert run("run", "task.yaml", "--set", "what=a")[:2] == (0, "worked\n")


def test_a_server_that_is_broken_is_one_message(run: Run, write_task: Callable[[str], Path]) -> None:
    write_task("exits at once")
    code, out, err = run("run", "task.yaml", "--set", "what=a")
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert "ended with exit code 3" in err


def test_reading_a_task_loads_no_mcp_package(run: Run, write_task: Callable[[str], Path]) -> None:
    import subprocess

    path = write_task("behaves")
    code = (
        "import sys; from agentkit.task import read_task\n"
        f"read_task({str(path)!r}, {{'what': 'a'}}); assert not {{'mcp', 'mcp_types', 'anyio'}} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
