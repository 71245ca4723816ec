"""Progress on a terminal: drawn while it goes on, with nothing of a tool's that could move the cursor."""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import pty
import re
import struct
import termios
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from rich.console import Console

from agentkit.cli.display import Lines
from agentkit.cli.live import LiveDisplay
from agentkit.events import (
    Event,
    ItemFinished,
    PieceDelta,
    RunFinished,
    StepFinished,
    StepProgress,
    StepStarted,
    StopReason,
    TurnFinished,
    TurnStarted,
)
from tests.cli.conftest import MAIN, start

WriteTask = Callable[..., str]
ADD = "{id: sum, tool: add, args: {a: 1, b: 2}}"
SLOW = "{id: wait, tool: slow, args: {seconds: 0.5}, after: [sum]}"
ODD = "{id: show, tool: odd, after: [wait]}"
SHOWN = "[bold]odd[/bold] :smile: \\x1b[31mred\\x1b[0m \\x1b]0;title\\x07 \\u202e"
COLOUR = re.compile(r"\x1b\[[0-9;]*3[0-9]m")


@dataclass(frozen=True)
class Shown:
    """What a command wrote to a pipe and to a terminal."""

    code: int
    out: str
    screen: str

    @property
    def text(self) -> str:
        """The screen's text, without control sequences and line ends."""
        return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|[\r\n]", "", self.screen)


def on_terminal(*args: str, columns: int = 80, code: str = MAIN, typed: bytes = b"", **env: str) -> Shown:
    """Runs the command line with a terminal as stdin and stderr, and a pipe as stdout."""
    master, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    os.write(master, typed)
    with start(args, code=code, stdin=terminal, stderr=terminal, env={"TERM": "xterm-256color", **env}) as process:
        os.close(terminal)
        written = b"".join(read_all(master))
        out, _ = process.communicate(timeout=30)
    os.close(master)
    return Shown(process.returncode, out.decode(), written.decode())


def read_all(terminal: int) -> Iterator[bytes]:
    """What is written to a terminal, until nobody has it open any more."""
    with contextlib.suppress(OSError):  # how Linux says so
        while data := os.read(terminal, 65536):
            yield data


def test_progress_is_drawn_and_cleaned_up(write_task: WriteTask) -> None:
    shown = on_terminal("run", write_task(ADD, SLOW, ODD))
    assert (shown.code, shown.out) == (0, f"{SHOWN}\n")
    for part in (
        "sum add(a=1, b=2)",
        "adding",
        "sum ok in ",
        "still [b]busy[/b]",
        "wait ok in ",
        SHOWN,
        "answer after ",
    ):
        assert part in shown.text
    assert COLOUR.search(shown.screen)
    assert "\x1b]0;title" not in shown.screen
    assert "\x1b[31mred" not in shown.screen
    assert shown.screen.rindex("\x1b[?25h") > shown.screen.rindex("\x1b[?25l"), "the cursor is shown again"


def test_json_on_a_terminal_is_drawn_too_and_stdout_is_clean(write_task: WriteTask) -> None:
    shown = on_terminal("run", write_task(ADD), "--json")
    assert shown.out.startswith('{"run_id": ')
    assert shown.out.count("\n") == 1
    assert "sum ok in " in shown.text


@pytest.mark.parametrize("end", [b"\x04", b"/quit\n"])
def test_a_chat_on_a_terminal_says_how_it_ends(end: bytes, folder: Path) -> None:
    model = (
        "from agentkit import ScriptedModel\nfrom agentkit.model_backend import loading\n"
        "loading.open_model = lambda spec: ScriptedModel(['Hello.'])\n"
    )
    shown = on_terminal("chat", code=model + MAIN, typed=b"Hi\n" + end)
    assert shown.code == 0
    assert shown.out.replace("> ", "").strip() == "Hello."
    assert "/quit or Ctrl-D ends the chat, Ctrl-C stops an answer" in shown.text
    assert "answer after " in shown.text


def test_no_color_is_respected(write_task: WriteTask) -> None:
    shown = on_terminal("run", write_task(ADD, SLOW), NO_COLOR="1")
    assert shown.code == 0
    assert "wait ok in " in shown.text
    assert not COLOUR.search(shown.screen)


def test_a_dumb_terminal_gets_plain_lines(write_task: WriteTask) -> None:
    shown = on_terminal("run", write_task(ADD, SLOW), TERM="dumb")
    assert "  wait: still [b]busy[/b]\r\n" in shown.screen
    assert "\x1b" not in shown.screen


def test_a_narrow_terminal_shows_everything(write_task: WriteTask) -> None:
    shown = on_terminal("run", write_task(ADD, SLOW, ODD), columns=20)
    assert shown.code == 0
    assert "sum add(a=1, b=2)" in shown.text
    assert "answer after " in shown.text


@pytest.mark.parametrize("stop_reason", ["answer", "model_error"])
def test_the_text_of_a_turn_is_told_unless_it_is_the_answer(stop_reason: StopReason) -> None:
    def turn(text: str) -> TurnFinished:
        return TurnFinished(turn=1, pieces=[{"text": text}], stop="answer", usage={}, tokens=[], notes=[])

    told = Lines()
    end = RunFinished(stop_reason=stop_reason, output="second", usage={})
    texts = [
        line for event in (turn("first"), TURN, turn("second"), end) for kind, line in told.of(event) if kind == "text"
    ]
    assert texts == ["  text: first"] + ["  text: second"] * (stop_reason != "answer")


# What a model writes is drawn as it comes; a console that thinks it is a terminal is enough to see that.


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


Draw = Callable[..., str]


@pytest.fixture
def draw() -> Draw:
    """Shows events to a live display, a second after each other, and returns what it draws then."""

    def shown(*events: Event) -> str:
        clock = Clock()
        terminal = Console(file=io.StringIO(), force_terminal=True, width=60, height=30, markup=False, highlight=False)
        drawn = Console(file=io.StringIO(), width=60, markup=False, highlight=False)
        with LiveDisplay(terminal, clock=clock) as display:
            for event in events:
                display.show(event)
                clock.now += 1
            with drawn.capture() as capture:
                drawn.print(display.view())
        return capture.get()

    return shown


TURN = TurnStarted(turn=1, prompt_tokens=400, context=8192, messages=[])
CALL = StepStarted(id="s1", tool="wait", args={"seconds": 5})


def test_a_prompt_that_is_read_is_said(draw: Draw) -> None:
    assert "turn 1: reading the prompt, 1 s" in draw(TURN)


def test_the_piece_that_comes_is_drawn_with_its_speed(draw: Draw) -> None:
    thought = PieceDelta(turn=1, piece="thought", text="never shown again")
    text = [PieceDelta(turn=1, piece="text", text=t, tokens=2) for t in ("It is ", "[b]42\x1b[2J")]
    shown = draw(TURN, thought, *text)
    assert "It is [b]42\\x1b[2J" in shown
    assert "turn 1: text, 5 tokens, 1.7 tokens/s" in shown
    assert "never shown" not in shown


def test_a_long_piece_is_drawn_from_its_end(draw: Draw) -> None:
    shown = draw(TURN, *(PieceDelta(turn=1, piece="text", text=f"word {i} ") for i in range(1000)))
    assert "word 999" in shown
    assert "word 900" not in shown


def test_a_turn_that_is_over_is_no_longer_drawn(draw: Draw) -> None:
    end = TurnFinished(turn=1, pieces=[], stop="answer", usage={}, tokens=[], notes=[])
    assert draw(TURN, end).strip() == ""


def test_calls_that_go_on_are_drawn_with_what_they_said_last(draw: Draw) -> None:
    said = [StepProgress(id="s1", message=m) for m in ("first", {"done": 3})]
    shown = draw(CALL, StepStarted(id="s2", tool="add", args={}), *said)
    assert 's1 wait(seconds=5)  4 s  {"done": 3}' in shown
    assert "s2 add()  3 s" in shown


def test_a_step_for_each_item_is_drawn_with_how_many_are_done(draw: Draw) -> None:
    many = StepStarted(id="s2", tool="add", args={"x": "$item"}, items=1000)
    done = [ItemFinished(id="s2", index=i, ok=i != 1, error="too large" if i == 1 else "", seconds=0.1) for i in (1, 0)]
    shown = draw(CALL, many, *done)
    assert 's2 add(x="$item")  2 of 1,000 items  3 s' in shown
    assert "s1 wait(seconds=5)  4 s" in shown


def test_items_that_failed_are_told_and_others_are_not() -> None:
    told = Lines()
    many = StepStarted(id="s2", tool="add", args={"x": "$item"}, items=1000)
    good = ItemFinished(id="s2", index=0, ok=True, error="", seconds=0.1)
    bad = ItemFinished(id="s2", index=1, ok=False, error="too large", seconds=0.1)
    said = StepProgress(id="s2", message="half", item=7)
    lines = [line for event in (many, good, bad, said) for _, line in told.of(event)]
    assert lines == ['  s2 add(x="$item")  (1,000 items)', "  s2[1] failed: too large", "  s2[7]: half"]


def test_a_call_that_is_done_is_no_longer_drawn(draw: Draw) -> None:
    assert draw(CALL, StepFinished(id="s1", tool="wait", ok=True, value=1, seconds=5.0)).strip() == ""
