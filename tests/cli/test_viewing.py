"""``agentkit run --trace``: the viewer has the terminal while the run goes on."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from agentkit.cli.display import PlainDisplay
from agentkit.cli.viewing import ViewerDisplay
from agentkit.events import Event
from tests.cli.conftest import Cli
from tests.trace.demo import demo_run, failed_run

VIEWER = "import sys; print('viewer of', sys.argv[-1]); {more}"


def viewer(more: str = "") -> tuple[str, ...]:
    """Stands in for the viewer."""
    return (sys.executable, "-S", "-c", VIEWER.format(more=more))


def shown(events: list[Event], command: tuple[str, ...], between: Callable[[], None] = lambda: None) -> None:
    with ViewerDisplay(PlainDisplay, command=command) as display:
        display.show(events[0])
        between()
        for event in events[1:]:
            display.show(event)


def tool_prints() -> None:
    os.write(1, b"a tool prints\n")


def test_what_is_printed_comes_out_when_the_viewer_was_left(capfd: pytest.CaptureFixture[str], home: Path) -> None:
    shown(demo_run()[:1], viewer(), tool_prints)
    found = capfd.readouterr()
    assert found.out == f"viewer of {home / 'runs' / '20261128-091502-7c1e.sqlite'}\n"
    assert found.err == "a tool prints\n"


def test_a_run_that_goes_on_after_the_viewer_was_left_is_shown_as_ever(capfd: pytest.CaptureFixture[str]) -> None:
    display = ViewerDisplay(PlainDisplay, command=viewer())
    with display:
        events = failed_run()
        display.show(events[0])
        display.wait()
        for event in events[1:]:
            display.show(event)
    assert "convert failed in 0.12 s" in capfd.readouterr().err


def test_an_interrupt_ends_the_viewer_too(capfd: pytest.CaptureFixture[str]) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        shown(demo_run(), viewer("import time; time.sleep(600)"), interrupt)


def test_without_a_terminal_there_is_no_viewer(cli: Cli, write_task: Callable[..., str]) -> None:
    done = cli("run", write_task("{id: a, tool: add, args: {a: 1, b: 2}}"), "--trace")
    assert done.code == 2
    assert "there is no terminal" in done.err
