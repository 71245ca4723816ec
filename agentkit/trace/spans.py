"""What a run's events say about turns and steps, put together event by event."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from agentkit.events import (
    ApprovalDecided,
    ApprovalRequested,
    DoubtSettled,
    Event,
    InDoubt,
    ItemFinished,
    ItemStarted,
    PieceDelta,
    PlanChanged,
    PlannerChosen,
    RunPaused,
    RunResumed,
    StepAdded,
    StepFinished,
    StepProgress,
    StepReused,
    StepStarted,
    TurnFinished,
    TurnPart,
    TurnStarted,
    Warned,
)
from agentkit.messages import JsonObject, JsonValue, Usage

__all__ = ["ItemSpan", "Span", "SpanBuilder", "StepSpan", "TurnSpan", "Wait", "spans", "usage_from_json"]


@dataclass(slots=True, kw_only=True, eq=False)
class TurnSpan:
    """One turn of the model."""

    turn: int
    at: float = 0.0
    """Seconds since the run started."""
    end: float | None = None
    """When it ended; ``None`` while it goes on."""
    prompt_tokens: int = 0
    context: int = 0
    messages: list[JsonObject] = field(default_factory=list[JsonObject])
    """The messages that were new in this turn's prompt."""
    pieces: list[JsonObject] = field(default_factory=list[JsonObject])
    """As in `agentkit.events.TurnFinished`; while the turn goes on, what has been decoded."""
    parts: int = 0
    """How many parts of an answer in parts are whole."""
    stop: str = ""
    """Empty while the turn goes on."""
    usage: Usage = field(default_factory=Usage)
    first_token: float | None = None
    """Seconds to the first token; ``None`` when it is not recorded."""
    notes: list[str] = field(default_factory=list[str])
    tokens: list[int] = field(default_factory=list[int])
    """Token ids of the turn, where they are known."""
    prompt_kept: int = 0
    """How many tokens its prompt has in common with the beginning of the one before."""
    prompt: str = ""
    """The exact text of the rest of the prompt; empty when it is not recorded."""
    constraints: list[str] = field(default_factory=list[str])
    """What the model was held to, as grammars."""


@dataclass(slots=True, kw_only=True, eq=False)
class Wait:
    """A call that waits for a person: to be allowed, or because nobody knows whether it was made."""

    kind: Literal["approval", "doubt"]
    step: str
    item: int | None
    at: float
    tool: str
    args: JsonObject
    key: str = ""
    """The call's idempotency key, where it is known."""
    reason: str = ""
    labels: list[str] = field(default_factory=list[str])
    end: float | None = None
    """When it was decided; ``None`` while it waits."""
    decision: str = ""
    """``allow`` or ``deny``; ``done`` or ``not done``; empty while it waits."""
    by: str = ""
    message: str = ""


@dataclass(slots=True, kw_only=True, eq=False)
class ItemSpan:
    """One item of a step that runs for each item of a list."""

    index: int
    at: float = 0.0
    end: float | None = None
    key: str = ""
    attempts: int = 0
    ok: bool | None = None
    value: JsonValue = None
    """The result, or the error message."""

    @property
    def state(self) -> str:
        """``ok``, ``failed`` or ``running``."""
        return "running" if self.ok is None else "ok" if self.ok else "failed"


@dataclass(slots=True, kw_only=True, eq=False)
class StepSpan:
    """One step: a call and what came of it."""

    id: str
    tool: str
    at: float = 0.0
    """Seconds from the start of the run to the call, or to when the step was added."""
    added: float = 0.0
    """When the planner asked for it."""
    end: float | None = None
    """When its result came; ``None`` until then."""
    turn: int = 0
    """The turn that asked for it; 0 for a given plan."""
    args: JsonObject = field(default_factory=dict[str, Any])
    """With references replaced by values once the tool was called."""
    written: JsonObject = field(default_factory=dict[str, Any])
    """The arguments as the plan has them, with references."""
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
    item_spans: dict[int, ItemSpan] = field(default_factory=dict[int, ItemSpan])
    """The items that were begun, by their place in the list."""
    attempts: int = 0
    """How often the tool was called."""
    effect: str = ""
    key: str = ""
    """The idempotency key of the call."""
    labels: list[str] = field(default_factory=list[str])
    """Where the arguments came from."""
    result_labels: list[str] = field(default_factory=list[str])
    """Where the result came from."""
    sandbox: str = ""
    waits: list[Wait] = field(default_factory=list[Wait])
    """Approvals that were asked for, and calls in doubt."""
    state_changes: JsonObject = field(default_factory=dict[str, Any])
    """What the call changed in the state that tools share."""
    reused: int = 0
    """How many results came from an earlier run instead of from a call: one, or one for each item."""
    reused_from: str = ""
    """The run that they came from."""
    progress: list[JsonValue] = field(default_factory=list[JsonValue])
    ok: bool | None = None
    """``None`` until there is a result."""
    value: JsonValue = None
    """The result, or the error message."""
    seconds: float = 0.0
    handle: str = ""

    @property
    def state(self) -> str:
        """How far the step is.

        ``ok``, ``failed``, ``denied``, ``not run`` (a step it needs failed), ``running``, ``waiting``, ``approval`` (a
        person has to allow it) or ``in doubt`` (nobody knows whether the call was made).
        """
        if self.ok is None:
            if (wait := self.open_wait) is not None:
                return "approval" if wait.kind == "approval" else "in doubt"
            return "running" if self.attempts else "waiting"
        if self.ok:
            return "ok"
        if self.waits and self.waits[-1].decision == "deny" and self.items is None:
            return "denied"
        return "failed" if self.attempts else "not run"

    @property
    def open_wait(self) -> Wait | None:
        """What the step waits for a person for; ``None`` when it does not."""
        return next((w for w in self.waits if w.end is None), None)

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


Span: TypeAlias = TurnSpan | StepSpan | Warned | PlannerChosen | PlanChanged | RunPaused | RunResumed


def spans(events: Iterable[Event]) -> list[Span]:
    """Returns turns, steps, warnings, pauses and decisions about the plan in the order in which they began."""
    builder = SpanBuilder()
    for event in events:
        builder.take(event)
    return builder.spans


def usage_from_json(data: JsonObject) -> Usage:
    """Returns the usage that a JSON object holds; what is not there counts as 0."""
    known = Usage.__dataclass_fields__
    counts: dict[str, Any] = {k: v for k, v in data.items() if k in known and isinstance(v, int | float)}
    return Usage(**counts)


class SpanBuilder:
    """Makes spans of events, one event at a time.

    Attributes:
        spans: In the order in which they began; they change while events come.
        turns: The turns by number.
        steps: The steps by id.
    """

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.turns: dict[int, TurnSpan] = {}
        self.steps: dict[str, StepSpan] = {}
        self._turn_now = 0

    def take(self, event: Event) -> None:
        """Adds what an event says."""
        match event:
            case TurnStarted() | PieceDelta() | TurnPart() | TurnFinished():
                self._take_turn(event)
            case StepReused():
                step = self._step(event.id, event.tool, event.at)
                step.reused, step.reused_from = step.reused + 1, event.run
                if event.item is None:
                    step.args, step.at = event.args, event.at
            case StepAdded() | StepStarted() | StepProgress() | StepFinished() | ItemStarted() | ItemFinished():
                self._take_step(event)
            case ApprovalRequested() | ApprovalDecided() | InDoubt() | DoubtSettled():
                self._take_wait(event)
            case Warned() | PlannerChosen() | PlanChanged() | RunPaused() | RunResumed():
                self.spans.append(event)
            case _:
                pass

    def _take_turn(self, event: TurnStarted | PieceDelta | TurnPart | TurnFinished) -> None:
        turn = self._turn(event.turn, event.at)
        match event:
            case TurnStarted():
                turn.at = event.at if turn.end is None else turn.at  # a turn that was cut off is taken again
                turn.prompt_tokens, turn.context, turn.messages = event.prompt_tokens, event.context, event.messages
            case PieceDelta():
                _grow(turn.pieces, event)
            case TurnPart():
                turn.parts = max(turn.parts, event.index + 1)
            case TurnFinished():
                turn.end = event.at
                turn.pieces, turn.stop, turn.notes = event.pieces, event.stop or "done", event.notes
                turn.usage, turn.tokens = usage_from_json(event.usage), event.tokens
                turn.prompt_kept, turn.prompt, turn.constraints = event.prompt_kept, event.prompt, event.constraints
                # What a grammar leaves no choice about is given out before the prompt is computed: no token yet.
                turn.first_token = max(event.first_token or 0.0, turn.usage.prompt_seconds) or None

    def _take_step(
        self, event: StepAdded | StepStarted | StepProgress | StepFinished | ItemStarted | ItemFinished
    ) -> None:
        step = self._step(event.id, getattr(event, "tool", ""), event.at)
        match event:
            case StepAdded():
                step.args, step.written, step.after = event.args, event.args, event.after
                step.purpose, step.for_each = event.purpose, event.for_each
            case StepStarted():
                step.args, step.at, step.items = event.args, event.at, event.items
                step.attempts = max(step.attempts + 1, event.attempt)
                step.effect, step.key, step.labels = event.effect, event.key, event.labels
            case StepProgress():
                step.progress.append(event.message)
            case StepFinished():
                step.end = event.at
                step.ok, step.value, step.seconds, step.handle = event.ok, event.value, event.seconds, event.handle
                step.result_labels, step.sandbox, step.state_changes = event.labels, event.sandbox, event.state
            case ItemStarted():
                item = step.item_spans.setdefault(event.index, ItemSpan(index=event.index, at=event.at))
                item.key, item.attempts = event.key, max(item.attempts + 1, event.attempt)
            case ItemFinished():
                self._finish_item(step, event)

    def _finish_item(self, step: StepSpan, event: ItemFinished) -> None:
        began = event.at - event.seconds
        item = step.item_spans.setdefault(event.index, ItemSpan(index=event.index, at=began))
        step.items_done += item.ok is None
        item.end, item.ok = event.at, event.ok
        item.value = event.value if event.ok else event.error
        if not event.ok:
            step.failed_items[event.index] = event.error

    def _take_wait(self, event: ApprovalRequested | ApprovalDecided | InDoubt | DoubtSettled) -> None:
        step = self._step(event.id, getattr(event, "tool", ""), event.at)
        kind: Literal["approval", "doubt"] = (
            "approval" if isinstance(event, ApprovalRequested | ApprovalDecided) else "doubt"
        )
        wait = next((w for w in step.waits if w.kind == kind and w.item == event.item and w.end is None), None)
        if wait is None:
            wait = Wait(kind=kind, step=step.id, item=event.item, at=event.at, tool=step.tool, args=step.args)
            step.waits.append(wait)
        match event:
            case ApprovalRequested():
                wait.args, wait.reason, wait.labels = event.args, event.reason, event.labels
            case InDoubt():
                wait.args, wait.key = event.args, event.key
            case ApprovalDecided():
                wait.end, wait.decision, wait.by, wait.message = event.at, event.decision, event.by, event.message
                wait.args = event.args or wait.args
            case DoubtSettled():
                wait.end, wait.decision, wait.by = event.at, "done" if event.done else "not done", event.by

    def _turn(self, number: int, at: float) -> TurnSpan:
        """The span of a turn; made here when the file lost the event that began it."""
        if number not in self.turns:
            self.turns[number] = TurnSpan(turn=number, at=at)
            self.spans.append(self.turns[number])
        self._turn_now = number
        return self.turns[number]

    def _step(self, step_id: str, tool: str, at: float) -> StepSpan:
        if step_id not in self.steps:
            self.steps[step_id] = StepSpan(id=step_id, tool=tool or "?", at=at, added=at, turn=self._turn_now)
            self.spans.append(self.steps[step_id])
        return self.steps[step_id]


def _grow(pieces: list[JsonObject], delta: PieceDelta) -> None:
    kind = "unfinished_call" if delta.piece == "call" else delta.piece
    if pieces and kind in pieces[-1]:
        pieces[-1][kind] += delta.text
    else:
        pieces.append({kind: delta.text})
