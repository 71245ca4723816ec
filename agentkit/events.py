"""What happens in a run, as typed records.

A run emits events in one order; its file holds them, live displays follow them, a trace is made of
them and of nothing else. Field values are JSON or become JSON without loss.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

from agentkit.messages import JsonObject, JsonValue

if TYPE_CHECKING:
    from pydantic import TypeAdapter

__all__ = [
    "EVENT_TYPES",
    "Event",
    "ItemFinished",
    "PieceDelta",
    "PlanChanged",
    "PlannerChosen",
    "RunFinished",
    "RunStarted",
    "StepAdded",
    "StepFinished",
    "StepProgress",
    "StepStarted",
    "StopReason",
    "TurnFinished",
    "TurnStarted",
    "Warned",
    "event_from_json",
    "event_to_json",
]

StopReason: TypeAlias = Literal[
    "answer",
    "call_limit",
    "token_limit",
    "turn_limit",
    "time_limit",
    "context_full",
    "repeated_calls",
    "no_answer",
    "model_error",
    "tool_error",
    "cancelled",
    "error",
]
"""Why a run ended. Only ``answer`` means that it did what was asked.

- ``answer``: the planner gave an answer.
- ``call_limit``, ``token_limit``, ``turn_limit``, ``time_limit``: a limit of the run.
- ``context_full``: the next prompt does not fit the model's context.
- ``repeated_calls``: the model kept making a call that it had made already.
- ``no_answer``: the model's turn was cut off or empty, or a given plan had no result.
- ``model_error``: the backend failed.
- ``tool_error``: a step of a given plan failed.
- ``cancelled``: the caller or Ctrl-C ended it.
- ``error``: an error that nobody expected; it is raised again after it was recorded.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """The base of all events."""

    kind: ClassVar[str] = ""
    """The event's name in a run's file."""
    at: float = 0.0
    """Seconds since the run started; set by the run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted(Event):
    """A run exists; on disk before the first model call."""

    kind: ClassVar[str] = "run_started"
    run_id: str
    task: str
    started: str
    """UTC time in ISO 8601."""
    model: JsonObject
    """`agentkit.model_backend.base.ModelInfo` as JSON."""
    planner: str
    tools: list[JsonObject]
    """Name, description, parameters and effect of each tool."""
    limits: JsonObject
    output: JsonObject | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnStarted(Event):
    """The model begins a turn."""

    kind: ClassVar[str] = "turn_started"
    turn: int
    """Counted from 1."""
    prompt_tokens: int
    """Exact size of the prompt."""
    context: int
    """Size of the model's context; 0 when unknown."""
    messages: list[JsonObject]
    """The messages that this prompt has and the last one had not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PieceDelta(Event):
    """A bit of a turn, for live displays. Not stored: `TurnFinished` holds the whole text."""

    kind: ClassVar[str] = "piece_delta"
    turn: int
    piece: Literal["thought", "text", "call"]
    text: str
    tokens: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnFinished(Event):
    """The model ended a turn."""

    kind: ClassVar[str] = "turn_finished"
    turn: int
    pieces: list[JsonObject]
    """Each ``{"thought": text}``, ``{"text": text}`` or ``{"call": name, "args": {...}, "id": ...}``."""
    stop: str
    usage: JsonObject
    tokens: list[int]
    """Token ids of the turn; empty when the backend does not know them."""
    notes: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepAdded(Event):
    """The plan grew by a step."""

    kind: ClassVar[str] = "step_added"
    id: str
    tool: str
    args: JsonObject
    """References written as ``$step.path``."""
    after: list[str]
    purpose: str
    for_each: str = ""
    """The list whose items the step runs for, written as ``$step.path``; empty when it runs once."""
    on_error: Literal["fail", "skip", "collect"] = "fail"
    """What an item that fails does to the step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepStarted(Event):
    """A step's tool was called."""

    kind: ClassVar[str] = "step_started"
    id: str
    tool: str
    args: JsonObject
    """With references replaced by values; those to the item at hand stay, because there are many."""
    attempt: int = 1
    items: int | None = None
    """How many items the step runs for; ``None`` when it runs once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemFinished(Event):
    """A step that runs once for each item of a list is done with one; its result is part of the step's."""

    kind: ClassVar[str] = "item_finished"
    id: str
    """The step."""
    index: int
    """Place of the item in the list, counted from 0."""
    ok: bool
    error: str
    """Why there is no result; empty when there is one."""
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StepProgress(Event):
    """A tool said how far it is."""

    kind: ClassVar[str] = "step_progress"
    id: str
    message: JsonValue
    item: int | None = None
    """For which item of a list the tool runs, counted from 0; ``None`` when the step runs once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFinished(Event):
    """A step is done."""

    kind: ClassVar[str] = "step_finished"
    id: str
    tool: str
    ok: bool
    value: JsonValue
    seconds: float
    handle: str = ""
    """Set when the model sees a preview instead of the value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannerChosen(Event):
    """The automatic planner chose how to go about the task."""

    kind: ClassVar[str] = "planner_chosen"
    planner: Literal["direct", "graph", "loop"]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanChanged(Event):
    """The planner changed the plan after it had seen results; the steps that it added came just before."""

    kind: ClassVar[str] = "plan_changed"
    reason: Literal["repair", "look"]
    """Steps failed, or the model had to see results first."""
    failed: list[str]
    """The steps that failed, or were not run because of that; all others stay as they are."""
    added: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned(Event):
    """A guard acted, or something a reader should know happened."""

    kind: ClassVar[str] = "warned"
    about: str
    """Short name, such as ``repeated_call``."""
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished(Event):
    """The run is over."""

    kind: ClassVar[str] = "run_finished"
    stop_reason: StopReason
    output: JsonValue
    usage: JsonObject
    message: str = ""
    """What went wrong, and what to do next; empty after an answer."""


EVENT_TYPES: dict[str, type[Event]] = {
    t.kind: t
    for t in (
        RunStarted,
        TurnStarted,
        PieceDelta,
        PlanChanged,
        PlannerChosen,
        TurnFinished,
        StepAdded,
        StepStarted,
        StepProgress,
        ItemFinished,
        StepFinished,
        Warned,
        RunFinished,
    )
}


def event_to_json(event: Event) -> JsonObject:
    """Returns the event as a JSON object with its ``kind``; it shares its values with the event."""
    return {"kind": type(event).kind} | {f.name: getattr(event, f.name) for f in fields(event)}


def event_from_json(data: JsonObject) -> Event:
    """Returns the event that a JSON object stands for; fields this version does not know are left out.

    Raises:
        KeyError: The kind is unknown.
        ValueError: A field is missing or holds a value of the wrong type.
    """
    cls = EVENT_TYPES[data["kind"]]
    known = {f.name for f in fields(cls)}
    from pydantic import ValidationError

    try:
        event: Event = _reader(cls.kind).validate_python({k: v for k, v in data.items() if k in known})
    except ValidationError as e:
        first = e.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"{cls.kind}: {place}: {first['msg']}") from None
    return event


@cache
def _reader(kind: str) -> TypeAdapter[Any]:
    """Returns what checks the fields of one kind of event; a run's file may come from anywhere."""
    from pydantic import TypeAdapter

    return TypeAdapter(EVENT_TYPES[kind])
