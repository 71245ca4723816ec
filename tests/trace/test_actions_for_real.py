"""What is done from the viewer, done: the commands are started, and the runs' files say what became of it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.widgets import TextArea

from agentkit.events import RunResumed, StepStarted
from agentkit.trace.actions import AGENTKIT
from agentkit.trace.runs import run_files
from agentkit.trace.source import RunFile
from agentkit.trace.trace import Trace
from agentkit.trace.viewer.app import TraceApp
from tests.trace.screens import screen_lines

TOOLS = '''
from agentkit import tool


@tool
def pay(to: str, amount: float) -> str:
    """Pay."""
    with open("paid.txt", "a") as file:
        file.write(f"{to} {amount:g}\\n")
    return f"paid {to}"


@tool(effect="pure")
def add(a: float, b: float) -> float:
    """Add."""
    return a + b
'''
STEPS = "- {id: sum, tool: add, args: {a: 1, b: 2}}\n  - {id: pay, tool: pay, args: {to: bob, amount: $sum}}"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with tools, to run in."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tools.py").write_text(TOOLS, encoding="utf-8")
    return tmp_path


def run(more: str = "", **env: str) -> Path:
    """Runs the task in a process of its own, and returns the run's file."""
    Path("task.yaml").write_text(f"task: Pay.\ntools: ./tools.py\nplanner:\n  {STEPS}\n{more}", encoding="utf-8")
    subprocess.run([*AGENTKIT, "run", "task.yaml"], env=os.environ | env, capture_output=True, check=False)
    return run_files()[0]


def paid() -> list[str]:
    """Returns what was paid."""
    return Path("paid.txt").read_text().splitlines() if Path("paid.txt").exists() else []


def drive(path: Path, *keys: str, until: str, then: Callable[[TraceApp], None] = lambda _: None) -> list[str]:
    """Presses keys in the viewer, calls `then`, presses ``ctrl+s``, and returns the screen when words are on it."""

    async def watch() -> list[str]:
        app = TraceApp(RunFile(path))
        async with app.run_test(size=(110, 30)) as pilot:
            await pilot.pause()
            await pilot.press(*keys)
            then(app)
            await pilot.press("ctrl+s")
            end = time.monotonic() + 120
            while not (app.idle and until in "\n".join(screen_lines(app))):
                assert time.monotonic() < end, screen_lines(app)
                await pilot.pause(0.1)
                app.check()
            return screen_lines(app)

    return asyncio.run(watch())


def test_a_call_that_waits_is_allowed_and_the_run_comes_to_its_answer(folder: Path) -> None:
    path = run("policy: {ask: [pay]}\n")
    assert paid() == []
    screen = drive(path, "a", "y", until="done: allow pay")
    assert paid() == ["bob 3"]
    assert "answer" in screen[0]
    assert Trace.load(path).stop_reason == "answer"


def test_a_call_that_waits_is_denied(folder: Path) -> None:
    path = run("policy: {ask: [pay]}\n")
    screen = drive(path, "a", "n", until="denied")
    assert paid() == []
    assert Trace.load(path).stop_reason == "tool_error"
    assert "tool_error" in screen[0]


@pytest.mark.parametrize(("key", "wanted"), [("d", ["bob 3"]), ("n", ["bob 3", "bob 3"])])
def test_a_doubt_is_settled(folder: Path, key: str, wanted: list[str]) -> None:
    path = run(AGENTKIT_KILL="after-effect:2")  # the call was made, and nobody knows
    assert paid() == ["bob 3"]
    drive(path, "a", "g", until="in doubt")
    screen = drive(path, "a", key, until="  answer")
    assert paid() == wanted
    assert "answer" in screen[0]


def test_a_killed_run_is_gone_on_with(folder: Path) -> None:
    path = run(AGENTKIT_KILL="before-intent:2")
    assert Trace.load(path).stop_reason is None
    drive(path, "a", "g", until="done: go on with the run")
    assert (paid(), Trace.load(path).stop_reason) == (["bob 3"], "answer")


def test_a_run_is_replayed_and_calls_nothing(folder: Path) -> None:
    path = run()
    screen = drive(path, "R", until="done: replay")
    assert "repeated 0 turns and 2 steps; everything is as recorded" in screen[-1]
    assert paid() == ["bob 3"]


def test_a_fork_calls_with_other_arguments_and_is_shown(folder: Path) -> None:
    path = run()

    def change(app: TraceApp) -> None:
        app.screen.query_one("#arguments", TextArea).text = '{"to": "eve", "amount": 7}'

    screen = drive(path, *"jjj", "x", until="this is the new run", then=change)
    assert paid() == ["bob 3", "eve 7"]
    new = next(p for p in run_files() if p != path)
    assert new.stem in screen[0]
    events = Trace.load(new).events
    gone_on = next(i for i, e in enumerate(events) if isinstance(e, RunResumed))
    assert [e.id for e in events[gone_on:] if isinstance(e, StepStarted)] == ["pay"]  # and not the one before it
