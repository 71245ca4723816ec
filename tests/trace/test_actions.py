"""What can be done with a run from the viewer: which command it comes to, and what its user is told."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.widgets import Input, TextArea

from agentkit.events import Event
from agentkit.paths import runs_folder
from agentkit.trace.actions import Action, Command, choices, fork_command
from agentkit.trace.outline import Outline
from agentkit.trace.source import RunFile
from agentkit.trace.tree import RunTree
from agentkit.trace.viewer.app import TraceApp
from tests.trace.demo import demo_run, doubtful_run, failed_run, waiting_run, write_run
from tests.trace.screens import screen_lines

RUN = Path("/runs/x.sqlite")

FAKE = """
import json, sys
with open({log!r}, "a") as log:
    log.write(json.dumps(sys.argv[1:]) + "\\n")
print("run 20261128-093011-b0d4 with starter")
print("last words")
sys.exit({code})
"""


def asked(events: list[Event], key: str = "run") -> dict[str, tuple[str, ...]]:
    view = Outline(RunTree(events))
    view.show(view.tree.nodes[key])
    choice = choices(view, RUN)
    return {} if choice is None else {k: c.arguments for k, c in choice.answers.items()}


@pytest.mark.parametrize("key", ["run", "step:hotel", "wait:hotel:0", "step:w1"])
def test_a_call_that_waits_may_be_allowed_or_denied(key: str) -> None:
    assert asked(waiting_run(), key) == {
        "y": ("approve", str(RUN), "hotel", "--resume"),
        "n": ("approve", str(RUN), "hotel", "--deny", "--resume"),
    }


def test_of_a_call_in_doubt_it_can_be_said_whether_it_was_made() -> None:
    assert asked(doubtful_run()) == {
        "d": ("resume", str(RUN), "--assume", "done"),
        "n": ("resume", str(RUN), "--assume", "not-done"),
    }


def test_a_run_without_an_answer_can_be_gone_on_with_and_one_with_an_answer_is_left_alone() -> None:
    assert asked(failed_run()) == {"g": ("resume", str(RUN))}
    assert asked(demo_run()[:20]) == {"g": ("resume", str(RUN))}
    assert asked(demo_run()) == {}
    view = Outline(RunTree(demo_run()[:20]))
    view.now = 3.0
    assert choices(view, RUN) is None


def test_the_question_has_the_call_and_where_its_data_came_from() -> None:
    choice = choices(Outline(RunTree(waiting_run())), RUN)
    assert choice is not None
    assert '"city": "Cork"' in choice.question
    assert "the data came from: model, web, untrusted" in choice.question


def test_a_fork_names_what_is_changed() -> None:
    assert fork_command(RUN, "s1", args=None, model="").arguments == ("fork", str(RUN), "s1")
    assert fork_command(RUN, "s1", args={"a": 1}, model="x.gguf").arguments[3:] == (
        "--args",
        '{"a": 1}',
        "--model",
        "x.gguf",
    )


def test_a_command_outlives_who_started_it_and_its_words_are_kept(tmp_path: Path) -> None:
    action = Action(Command(("a", "b"), "doing it"), fake(tmp_path, code=3))
    wait_for(lambda: action.code is not None)
    assert (action.code, action.said[-1]) == (3, "last words")
    action.close()
    assert commands(tmp_path) == [["a", "b"]]


def fake(folder: Path, *, code: int = 0) -> tuple[str, ...]:
    """Stands in for ``agentkit``: writes down what it was asked."""
    return (sys.executable, "-S", "-c", FAKE.format(log=str(folder / "log"), code=code))


def commands(folder: Path) -> list[list[str]]:
    log = folder / "log"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def wait_for(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def drive(
    path: Path, start: tuple[str, ...], *keys: str, change: Callable[[TraceApp], None] | None = None
) -> list[str]:
    """Presses keys, lets the last one be said after `change`, waits for the command, and returns the screen."""

    async def run() -> list[str]:
        app = TraceApp(RunFile(path), agentkit=start)
        async with app.run_test(size=(100, 30)) as pilot:
            await pilot.pause()
            await pilot.press(*keys[:-1])
            if change is not None:
                change(app)
            await pilot.press(keys[-1])
            await pilot.pause()
            await asyncio.to_thread(wait_for, lambda: bool(commands(path.parent)))
            await asyncio.to_thread(wait_for, lambda: app.idle)
            app.check()
            await pilot.pause()
            return screen_lines(app)

    return asyncio.run(run())


def test_a_decision_is_asked_for_and_passed_on(tmp_path: Path) -> None:
    path = write_run(waiting_run(), tmp_path / "run.sqlite")
    screen = drive(path, fake(tmp_path), "a", "y")
    assert commands(tmp_path) == [["approve", str(path), "hotel", "--resume"]]
    assert "done: allow hotel. last words" in screen[-1]


def test_what_went_wrong_is_said(tmp_path: Path) -> None:
    path = write_run(waiting_run(), tmp_path / "run.sqlite")
    assert "last words" in drive(path, fake(tmp_path, code=2), "a", "n")[-1]


def test_a_replay_is_started(tmp_path: Path) -> None:
    path = write_run(demo_run(), tmp_path / "run.sqlite")
    assert "done: replay. last words" in drive(path, fake(tmp_path), "R")[-1]
    assert commands(tmp_path) == [["replay", str(path)]]


def test_a_fork_with_other_arguments_is_started_and_its_run_is_shown(tmp_path: Path) -> None:
    path = write_run(demo_run(), tmp_path / "20261128-091502-7c1e.sqlite")
    write_run(failed_run(), runs_folder() / "20261128-093011-b0d4.sqlite")

    def change(app: TraceApp) -> None:
        app.screen.query_one("#arguments", TextArea).text = '{"city": "Split", "month": 6}'
        app.screen.query_one("#model", Input).value = "starter"

    screen = drive(path, fake(tmp_path), "e", "x", "ctrl+s", change=change)
    args = '{"city": "Split", "month": 6}'
    assert commands(tmp_path) == [["fork", str(path), "w6", "--args", args, "--model", "starter"]]
    assert "20261128-093011-b0d4" in screen[0]


def test_arguments_that_are_no_json_are_refused(tmp_path: Path) -> None:
    path = write_run(demo_run(), tmp_path / "run.sqlite")

    async def run() -> list[str]:
        app = TraceApp(RunFile(path), agentkit=fake(tmp_path))
        async with app.run_test(size=(100, 30)) as pilot:
            await pilot.press("x")
            assert "choose a step" in screen_lines(app)[-1]
            await pilot.press("e", "x")
            app.screen.query_one("#arguments", TextArea).text = "{"
            await pilot.press("ctrl+s")
            await pilot.pause()
            return screen_lines(app)

    assert "not JSON" in asyncio.run(run())[-1]
    assert commands(tmp_path) == []
