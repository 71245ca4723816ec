"""How a run is shown while it goes on: displays take events and print nothing that is not in one."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import Protocol, Self

from agentkit.events import (
    ApprovalDecided,
    ApprovalRequested,
    DoubtSettled,
    Event,
    InDoubt,
    ItemFinished,
    PieceDelta,
    PlanChanged,
    PlannerChosen,
    RunFinished,
    RunPaused,
    RunResumed,
    RunStarted,
    StepFinished,
    StepProgress,
    StepReused,
    StepStarted,
    TurnFinished,
    TurnStarted,
    Warned,
)
from agentkit.messages import JsonValue, Usage
from agentkit.trace.spans import usage_from_json
from agentkit.trace.text import call_text, change_text, counted, one_line, plan_text, value_text

__all__ = ["Display", "Lines", "PlainDisplay", "SilentDisplay", "speed"]

_SHORT = 200
"""Most characters of a result, thought or call on one line."""


class Display(Protocol):
    """Shows a run's events; a context manager around the run."""

    def show(self, event: Event) -> None:
        """Shows an event."""
        ...

    def aside(self) -> AbstractContextManager[None]:
        """Leaves the terminal to a question; no event is shown meanwhile."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


class SilentDisplay:
    """Shows nothing."""

    def show(self, event: Event) -> None:
        """Ignores the event."""

    def aside(self) -> AbstractContextManager[None]:
        """Does nothing: nothing is drawn that a question could come into."""
        return nullcontext()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pass


class PlainDisplay(SilentDisplay):
    """Writes a line for each thing that happens to stderr, for pipes, logs and simple terminals."""

    def __init__(self) -> None:
        self._lines = Lines()

    def show(self, event: Event) -> None:
        """Writes what the event says."""
        for _, line in self._lines.of(event):
            print(line, file=sys.stderr, flush=True)


class Lines:
    """Tells a run as pairs of a kind and a line.

    Kinds are ``head``, ``thought``, ``text``, ``call``, ``ok``, ``failed``, ``note`` and ``warning``; a
    display may give each a style.
    """

    def __init__(self) -> None:
        self._held: list[tuple[str, str]] = []
        """Text of a turn without calls: if it is the answer, it is printed as such and not here."""
        self._reused = 0

    def of(self, event: Event) -> list[tuple[str, str]]:
        """Returns what the event says."""
        if isinstance(event, PieceDelta):
            return []
        self._reused += isinstance(event, StepReused)
        before = [] if isinstance(event, RunFinished) and event.stop_reason == "answer" else self._held
        text = _prose(event, "text") if isinstance(event, TurnFinished) else []
        final = isinstance(event, TurnFinished) and not any("call" in p for p in event.pieces)
        self._held = text if final else []
        end = [("note", f"{counted(self._reused, 'result')} reused")] if self._reused and _is_end(event) else []
        return [*before, *end, *_lines(event), *([] if final else text)]


def _is_end(event: Event) -> bool:
    return isinstance(event, RunFinished | RunPaused)


def _lines(event: Event) -> list[tuple[str, str]]:
    match event:
        case RunStarted():
            return [("head", one_line(f"run {event.run_id}{_with_model(event)}", _SHORT))]
        case TurnStarted():
            return [("head", f"turn {event.turn}: {event.prompt_tokens:,} tokens in")]
        case TurnFinished():
            notes = [("note", one_line(f"  note: {n}", _SHORT)) for n in event.notes]
            return [*_prose(event, "thought"), *notes, _cost(event)]
        case StepStarted():
            again = f"  (attempt {event.attempt})" if event.attempt > 1 else ""
            many = "" if event.items is None else f"  ({counted(event.items, 'item')})"
            return [("call", f"  {one_line(event.id, 40)} {call_text(event.tool, event.args, _SHORT)}{many}{again}")]
        case StepReused():
            place = "" if event.item is None else f"[{event.item}]"
            call = call_text(event.tool, event.args, _SHORT)
            return [("note", f"  {one_line(event.id, 40)}{place} {call} as in run {event.run}")]
        case StepProgress():
            place = "" if event.item is None else f"[{event.item}]"
            return [("note", f"  {one_line(event.id, 40)}{place}: {_short(event.message)}")]
        case ItemFinished(ok=False):
            return [("failed", f"  {one_line(event.id, 40)}[{event.index}] failed: {_short(event.error)}")]
        case StepFinished():
            kind = "ok" if event.ok else "failed"
            took = f" in {event.seconds:.2f} s" if event.seconds else ""  # 0 when it was not called
            return [(kind, f"  {one_line(event.id, 40)} {kind}{took}: {_short(event.value)}")]
        case RunResumed():
            return [("head", "going on with the run")]
        case RunFinished() | RunPaused():
            return [_end(event)]
        case _:
            return _remark(event)


def _remark(event: Event) -> list[tuple[str, str]]:
    match event:
        case PlannerChosen():
            return [("note", one_line(f"  planner {event.planner}: {event.reason}", _SHORT * 2))]
        case PlanChanged():
            return [("note", one_line(f"  plan changed: {change_text(event)}", _SHORT * 2))]
        case Warned():
            return [("warning", f"  warning: {one_line(event.message, _SHORT * 2)}")]
        case InDoubt() | DoubtSettled() | ApprovalRequested() | ApprovalDecided():
            return [_waiting(event)]
        case _:
            return []


def _waiting(event: InDoubt | DoubtSettled | ApprovalRequested | ApprovalDecided) -> tuple[str, str]:
    """Returns what is said of a call that waits for a person, or waited."""
    place = one_line(event.id if event.item is None else f"{event.id}[{event.item}]", 40)
    match event:
        case InDoubt():
            return "warning", f"  {place} {call_text(event.tool, event.args, _SHORT)} is in doubt"
        case DoubtSettled():
            return "note", f"  {place} it was {'' if event.done else 'not '}made, says the {event.by}"
        case ApprovalRequested():
            call = call_text(event.tool, event.args, _SHORT)
            return "warning", f"  {place} {call} waits to be allowed: {_short(event.reason)}"
        case ApprovalDecided():
            edited = "" if event.args is None else ", with other arguments"
            return "note", f"  {place} {'allowed' if event.decision == 'allow' else 'denied'} by {event.by}{edited}"


def speed(usage: Usage) -> str:
    """Returns output tokens and tokens per second, in words."""
    rate = f", {usage.tokens_per_second:.1f} tokens/s" if usage.output_seconds else ""
    return f"{usage.output_tokens:,} tokens out{rate}"


def _with_model(event: RunStarted) -> str:
    """Nothing for a given plan, which needs no model."""
    return "" if event.planner == "given" else f" with {event.model.get('name', '?')}"


def _short(value: JsonValue) -> str:
    return one_line(value_text(value), _SHORT)


def _prose(event: TurnFinished, kind: str) -> list[tuple[str, str]]:
    return [(kind, f"  {_labelled(str(p[kind]), kind)}") for p in event.pieces if p.get(kind)]


def _labelled(text: str, kind: str) -> str:
    plan = plan_text(text) if kind == "text" else None
    return f"{kind}: {one_line(text, _SHORT * 3)}" if plan is None else f"plan: {one_line(plan, _SHORT)}"


def _cost(event: TurnFinished) -> tuple[str, str]:
    return "note", f"  {speed(usage_from_json(event.usage))}"


def _end(event: RunFinished | RunPaused) -> tuple[str, str]:
    usage = usage_from_json(event.usage)
    tokens = f"{usage.prompt_tokens:,} tokens in, {speed(usage)}, " if usage.turns else ""
    cost = f"{tokens}{event.at:.1f} s"
    if event.stop_reason == "answer":
        return "head", f"answer after {cost}"
    return "failed", f"{event.stop_reason} after {cost}"
