"""What a run's events say about turns and steps, put together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from agentkit.events import (
    Event,
    ItemFinished,
    PieceDelta,
    PlanChanged,
    PlannerChosen,
    StepAdded,
    StepFinished,
    StepProgress,
    StepStarted,
    TurnFinished,
    TurnStarted,
    Warned,
)
from agentkit.messages import JsonObject, JsonValue, Usage

__all__ = ["Span", "StepSpan", "TurnSpan", "spans", "usage_from_json"]


@dataclass(slots=True, kw_only=True)
class TurnSpan:
    """One turn of the model."""

    turn: int
    at: float = 0.0
    """Seconds since the run started."""
    prompt_tokens: int = 0
    context: int = 0
    pieces: list[JsonObject] = field(default_factory=list[JsonObject])
    """As in `agentkit.events.TurnFinished`; while the turn goes on, what has been decoded."""
    stop: str = ""
    """Empty while the turn goes on."""
    usage: Usage = field(default_factory=Usage)
    notes: list[str] = field(default_factory=list[str])


@dataclass(slots=True, kw_only=True)
class StepSpan:
    """One step: a call and what came of it."""

    id: str
    tool: str
    at: float = 0.0
    """Seconds from the start of the run to the call, or to when the step was added."""
    args: JsonObject = field(default_factory=dict[str, Any])
    """With references replaced by values once the tool was called."""
    after: list[str] = field(default_factory=list[str])
    purpose: str = ""
    for_each: str = ""
    """The list whose items the step runs for; empty when it runs once."""
    items: int | None = None
    """How many items it runs for, once that is known."""
    items_done: int = 0
    """How many of them are done, those that failed included."""
    failed_items: dict[int, str] = field(default_factory=dict[int, str])
    """Why items failed, by their place in the list."""
    attempts: int = 0
    """How often the tool was called."""
    progress: list[JsonValue] = field(default_factory=list[JsonValue])
    ok: bool | None = None
    """``None`` until there is a result."""
    value: JsonValue = None
    """The result, or the error message."""
    seconds: float = 0.0
    handle: str = ""

    @property
    def state(self) -> str:
        """``ok``, ``failed``, ``not run`` (a step it needs failed), ``running`` or ``waiting``."""
        if self.ok is None:
            return "running" if self.attempts else "waiting"
        if self.ok:
            return "ok"
        return "failed" if self.attempts else "not run"

    @property
    def calls(self) -> int:
        """How many calls the step made: one, or one for each item."""
        return int(self.attempts > 0) if self.items is None else self.items_done

    def to_json(self) -> JsonObject:
        """Returns id, tool, args, result and error; result or error is ``None``."""
        error = None if self.ok is not False else self.value
        return {
            "id": self.id,
            "tool": self.tool,
            "args": self.args,
            "result": self.value if self.ok else None,
            "error": error,
        }


Span: TypeAlias = TurnSpan | StepSpan | Warned | PlannerChosen | PlanChanged


def spans(events: Iterable[Event]) -> list[Span]:
    """Returns the turns, steps, warnings and decisions about the plan in the order in which they began."""
    builder = _Builder()
    for event in events:
        builder.take(event)
    return builder.spans


def usage_from_json(data: JsonObject) -> Usage:
    """Returns the usage that a JSON object holds; what is not there counts as 0."""
    known = Usage.__dataclass_fields__
    counts: dict[str, Any] = {k: v for k, v in data.items() if k in known and isinstance(v, int | float)}
    return Usage(**counts)


class _Builder:
    def __init__(self) -> None:
        self.spans: list[Span] = []
        self._turns: dict[int, TurnSpan] = {}
        self._steps: dict[str, StepSpan] = {}

    def take(self, event: Event) -> None:
        match event:
            case TurnStarted():
                turn = self._turn(event.turn, event.at)
                turn.prompt_tokens, turn.context = event.prompt_tokens, event.context
            case PieceDelta():
                _grow(self._turn(event.turn, event.at).pieces, event)
            case TurnFinished():
                turn = self._turn(event.turn, event.at)
                turn.pieces, turn.stop, turn.notes = event.pieces, event.stop or "done", event.notes
                turn.usage = usage_from_json(event.usage)
            case StepAdded():
                step = self._step(event.id, event.tool, event.at)
                step.args, step.after, step.purpose = event.args, event.after, event.purpose
                step.for_each = event.for_each
            case StepStarted():
                step = self._step(event.id, event.tool, event.at)
                step.args, step.at, step.attempts, step.items = event.args, event.at, event.attempt, event.items
            case ItemFinished():
                step = self._step(event.id, "", event.at)
                step.items_done += 1
                if not event.ok:
                    step.failed_items[event.index] = event.error
            case StepProgress():
                self._step(event.id, "", event.at).progress.append(event.message)
            case StepFinished():
                step = self._step(event.id, event.tool, event.at)
                step.ok, step.value, step.seconds, step.handle = event.ok, event.value, event.seconds, event.handle
            case Warned() | PlannerChosen() | PlanChanged():
                self.spans.append(event)
            case _:
                pass

    def _turn(self, number: int, at: float) -> TurnSpan:
        """The span of a turn; made here when the file lost the event that began it."""
        if number not in self._turns:
            self._turns[number] = TurnSpan(turn=number, at=at)
            self.spans.append(self._turns[number])
        return self._turns[number]

    def _step(self, step_id: str, tool: str, at: float) -> StepSpan:
        if step_id not in self._steps:
            self._steps[step_id] = StepSpan(id=step_id, tool=tool or "?", at=at)
            self.spans.append(self._steps[step_id])
        return self._steps[step_id]


def _grow(pieces: list[JsonObject], delta: PieceDelta) -> None:
    kind = "unfinished_call" if delta.piece == "call" else delta.piece
    if pieces and kind in pieces[-1]:
        pieces[-1][kind] += delta.text
    else:
        pieces.append({kind: delta.text})
