"""A trace printed: what a reader sees of a run, at any width and whatever tools and models said."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from agentkit.events import (
    Event,
    ItemFinished,
    RunFinished,
    RunStarted,
    StepAdded,
    StepFinished,
    StepProgress,
    StepStarted,
    TurnFinished,
    TurnStarted,
    Warned,
)
from agentkit.messages import JsonValue
from agentkit.trace import Trace
from agentkit.trace.text import plan_text

Show = Callable[..., str]
GOLDEN = Path(__file__).parent / "golden"
HOSTILE = "[bold]x[/bold] [/] :smile: \x1b[31mred\x1b[0m \x1b]0;title\x07 \u202eabc\u2066 \r\x08 \x85 \ud800"


def given_run() -> list[Event]:
    """A plan that a person wrote: no model, one step that failed, one that was not run."""
    start = RunStarted(
        run_id="20261124-070000-cd34",
        task="Divide.",
        started="2026-11-24T07:00:00.000+00:00",
        model={"name": "none", "kind": "scripted", "context": 0},
        planner="given",
        tools=[{"name": "divide"}],
        limits={},
    )
    return [
        start,
        StepAdded(id="a", tool="divide", args={"a": 1, "b": 0}, after=[], purpose=""),
        StepAdded(id="b", tool="divide", args={"a": "$a", "b": 2}, after=[], purpose=""),
        StepStarted(id="a", tool="divide", args={"a": 1, "b": 0}),
        StepFinished(id="a", tool="divide", ok=False, value="ZeroDivisionError: division by zero", seconds=0.001),
        StepFinished(id="b", tool="divide", ok=False, value="not run, because step 'a' failed", seconds=0.0),
        RunFinished(
            at=0.2,
            stop_reason="tool_error",
            output=None,
            usage={"turns": 0},
            message="step 'a' (divide) failed: ZeroDivisionError: division by zero",
        ),
    ]


def run_with_items() -> list[Event]:
    """A plan with a step for each of 1,000 items, of which some failed, and one that was stopped in the middle."""
    rows: list[Event] = [StepAdded(id="rows", tool="load", args={}, after=[], purpose="")]
    rows += [StepStarted(id="rows", tool="load", args={})]
    rows += [StepFinished(id="rows", tool="load", ok=True, value=[1, 2], seconds=0.5)]
    for name, on_error in (("a", "collect"), ("b", "fail")):
        args = {"x": "$item.n", "rate": 2}
        rows += [
            StepAdded(
                id=name,
                tool="f",
                args=args,
                after=[],
                purpose="",
                for_each="$rows.all",
                on_error=on_error,  # type: ignore[arg-type]
            ),
            StepStarted(at=1.0, id=name, tool="f", args=args, items=1000),
        ]
    rows += [
        ItemFinished(at=1.0, id="a", index=i, ok=i % 100 != 7, error="ValueError: " + "x" * 200, seconds=0.1)
        for i in reversed(range(1000))
    ]
    rows += [StepFinished(at=2.0, id="a", tool="f", ok=True, value=[1.5, {"error": "..."}], seconds=1.0)]
    rows += [ItemFinished(at=2.0, id="b", index=i, ok=True, error="", seconds=0.1) for i in range(234)]
    usage = {"turns": 0}
    return [*rows, RunFinished(at=2.5, stop_reason="cancelled", output=None, usage=usage, message="cancelled")]


def stopped_run(events: list[Event]) -> list[Event]:
    """The run of the fixture, interrupted while its second step was running."""
    usage = {"turns": 1, "prompt_tokens": 412, "output_tokens": 35}
    end = RunFinished(at=1.8, stop_reason="cancelled", output=None, usage=usage, message="the run was cancelled")
    return [*events[:8], end]


def unfinished_turn(events: list[Event]) -> list[Event]:
    """The run of the fixture, killed in its second turn."""
    return events[:12]


RUNS: dict[str, Callable[[list[Event]], list[Event]]] = {
    "whole": lambda events: events,
    "killed": lambda events: events[:9],
    "killed_in_a_turn": unfinished_turn,
    "stopped": stopped_run,
    "without_beginning": lambda events: events[5:],
    "items": lambda _: run_with_items(),
    "given": lambda _: given_run(),
    "nothing": lambda _: [],
}


def lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines()]


@pytest.mark.parametrize("name", RUNS)
def test_a_run_is_shown_as_in_the_golden_file(name: str, events: list[Event], shown: Show) -> None:
    """Golden files are read by people: look at what changed before you replace one."""
    found = lines(shown(Trace(RUNS[name](events)), 100))
    assert found == (GOLDEN / f"{name}.txt").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("width", [20, 60, 200])
@pytest.mark.parametrize("name", RUNS)
def test_no_width_is_exceeded_and_nothing_is_lost(name: str, width: int, events: list[Event], shown: Show) -> None:
    def letters(text: str) -> str:
        return "".join(c for c in text if c.isalnum())

    trace = Trace(RUNS[name](events))
    found = shown(trace, width)
    assert max(map(len, lines(found))) <= width
    assert letters(found) == letters(shown(trace, 1000))


@pytest.mark.parametrize("step_id", ["s1", ""])
def test_a_call_is_shown_once_and_one_that_was_not_run_is_said(step_id: str, shown: Show) -> None:
    calls = [{"call": "add", "args": {"a": a}, "id": step_id and f"s{a}"} for a in (1, 2)]
    turn = TurnFinished(turn=1, pieces=calls, stop="calls", usage={}, tokens=[], notes=[])
    found = shown(Trace([turn, StepAdded(id="s1", tool="add", args={"a": 1}, after=[], purpose="")]))
    assert found.count("add(a=1)") == 1
    assert "add(a=2)  not run" in found


def hostile_run(events: list[Event]) -> list[Event]:
    """The run of the fixture with control sequences and markup wherever there is text."""
    return [
        replace(events[0], run_id=HOSTILE, task=HOSTILE, started=HOSTILE, model={"name": HOSTILE}, planner=HOSTILE)
        if isinstance(events[0], RunStarted)
        else events[0],
        TurnStarted(turn=1, prompt_tokens=1, context=1, messages=[]),
        TurnFinished(
            turn=1,
            pieces=[{"thought": HOSTILE}, {"text": HOSTILE}, {"call": HOSTILE, "args": {HOSTILE: HOSTILE}, "id": "x"}],
            stop="calls",
            usage={},
            tokens=[],
            notes=[HOSTILE],
        ),
        StepAdded(id=HOSTILE, tool=HOSTILE, args={HOSTILE: HOSTILE}, after=[HOSTILE], purpose=HOSTILE),
        StepStarted(id=HOSTILE, tool=HOSTILE, args={HOSTILE: [HOSTILE]}),
        StepProgress(id=HOSTILE, message=HOSTILE),
        StepFinished(id=HOSTILE, tool=HOSTILE, ok=False, value={HOSTILE: HOSTILE}, seconds=1.0, handle=HOSTILE),
        Warned(about=HOSTILE, message=HOSTILE),
        RunFinished(stop_reason="error", output=HOSTILE, usage={}, message=HOSTILE),
    ]


def test_markup_and_control_characters_are_shown_literally(events: list[Event], shown: Show) -> None:
    found = shown(Trace(hostile_run(events), problems=[HOSTILE]), 400)
    assert found.count("[bold]x[/bold] [/] :smile:") > 10
    assert found.count("\\x1b]0;title\\x07 \\u202eabc\\u2066") > 10
    assert {c for c in found if not c.isprintable()} == {"\n"}


def test_control_characters_can_not_leave_a_terminal_coloured(events: list[Event]) -> None:
    console = Console(file=io.StringIO(), force_terminal=True, color_system="truecolor", width=400)
    with console.capture() as capture:
        console.print(Trace(hostile_run(events)))
    assert "\x1b[31mred" not in capture.get()
    assert "\x1b]" not in capture.get()


def test_colours_are_for_terminals_that_want_them(events: list[Event], monkeypatch: pytest.MonkeyPatch) -> None:
    def printed() -> str:
        console = Console(file=io.StringIO(), force_terminal=True, color_system="standard", width=100)
        with console.capture() as capture:
            console.print(Trace(events))
        return capture.get()

    assert "\x1b[32mok\x1b[0m" in printed().replace("  ok", "ok")
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[32m" not in printed()
    assert "ok" in printed()


def test_an_encoding_without_line_drawing_gets_escapes(events: list[Event], shown: Show) -> None:
    found = shown(Trace(events), encoding="ascii")
    assert "load_csv" in found
    assert found.isascii()


def test_long_texts_are_cut_and_say_how_much_is_left_out(events: list[Event], shown: Show) -> None:
    end = RunFinished(stop_reason="answer", output="x" * 5000, usage={})
    assert "... (3,000 characters more)" in shown(Trace([*events[:-1], end]), 5000)
    end = replace(end, output=["x" * 5000])
    assert "... (4,604 characters more)" in shown(Trace([*events[:-1], end]), 5000)


@pytest.mark.parametrize(("output", "text"), [(None, "null"), ("", ""), (0, "0"), ([], "[]"), ({"a": 1}, '{"a": 1}')])
def test_every_answer_is_shown(output: JsonValue, text: str, shown: Show) -> None:
    found = shown(Trace([RunFinished(stop_reason="answer", output=output, usage={})]))
    assert lines(found)[1:3] == ["└── answer", f"    └── {text}".rstrip()]


def test_a_plan_that_a_model_wrote_is_shown_as_the_tools_it_names() -> None:
    assert plan_text('[\n  {"id": "s1", "tool": "load"},\n  {"id": "s2", "tool": "look"}\n]') == "load, look"
    assert plan_text('{"id": "s1", "tool": "load"}\n{"path": "a"}\n{"id": "s2", "tool": "answer"}') == "load, answer"
    for text in ("All done.", '{"total": 5}', "[1, 2]", "", "3\n4", '{"tool": 5}'):
        assert plan_text(text) is None
