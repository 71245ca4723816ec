"""What happens in a run, as typed records.

A run emits events in one order; its file holds them, live displays follow them, a trace is made of
them and of nothing else. Field values are JSON or become JSON without loss.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from agentkit.messages import JsonObject, JsonValue
from agentkit.stop_reason import StopReason

__all__ = [
    "ApprovalDecided",
    "ApprovalRequested",
    "DoubtSettled",
    "Event",
    "InDoubt",
    "ItemFinished",
    "ItemStarted",
    "PieceDelta",
    "PlanChanged",
    "PlannerChosen",
    "RunFinished",
    "RunPaused",
    "RunResumed",
    "RunStarted",
    "StepAdded",
    "StepFinished",
    "StepProgress",
    "StepReused",
    "StepStarted",
    "StopReason",
    "TurnFinished",
    "TurnPart",
    "TurnStarted",
    "Warned",
]


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
    """Name, description, parameters, effect and digest of the code of each tool."""
    limits: JsonObject
    output: JsonObject | None = None
    instructions: str = ""
    history: list[JsonObject] = field(default_factory=list[JsonObject])
    """Earlier messages of the conversation, as `agentkit.message_json` writes them."""
    plan: list[JsonObject] = field(default_factory=list[JsonObject])
    """The steps of a given plan, as a task file has them."""
    policy: JsonObject = field(default_factory=dict[str, Any])
    """Which calls may be made, as a task file has it."""
    source: JsonObject = field(default_factory=dict[str, Any])
    """What the run was started from, such as the task file and its inputs, so that the command line can go on with it;
    empty for a run that a program started."""
    reuse: JsonObject = field(default_factory=dict[str, Any])
    """The earlier run whose results may stand for calls of this one: `agentkit.reuse.Reuse` as JSON."""
    fork: JsonObject = field(default_factory=dict[str, Any])
    """For a run that was forked: the ``run`` and the ``step`` at which it was, and new ``args`` by step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResumed(Event):
    """Another process goes on with the run."""

    kind: ClassVar[str] = "run_resumed"
    number: int
    """How often this has happened, counted from 1."""
    started: str
    """UTC time in ISO 8601; `Event.at` goes on from the last event before."""


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
class TurnPart(Event):
    """A part of an answer in parts is whole; steps may start from it while the turn goes on."""

    kind: ClassVar[str] = "turn_part"
    turn: int
    index: int
    """Counted from 0."""
    value: JsonValue


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
    prompt_kept: int = 0
    prompt: str = ""
    """The exact prompt after its first `prompt_kept` tokens, which the one before had too; empty when not known."""
    constraints: list[str] = field(default_factory=list[str])
    """The grammars that it was held to; ``= constraint 2 of turn 1`` for one that was recorded."""
    first_token: float | None = None
    """Seconds from the turn's start to its first token; ``None`` when the backend does not tell."""


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
    labels: list[str] = field(default_factory=list[str])
    """What its writer had seen, see `agentkit.labels`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepStarted(Event):
    """A step's tool is about to be called: unless the tool is pure, this is on disk before the call."""

    kind: ClassVar[str] = "step_started"
    id: str
    tool: str
    args: JsonObject
    """With references replaced by values; those to the item at hand stay, because there are many."""
    attempt: int = 1
    items: int | None = None
    """How many items the step runs for; ``None`` when it runs once."""
    effect: str = "once"
    """The tool's effect class."""
    key: str = ""
    """The idempotency key of the call; empty when the step runs for items, each of which has its own."""
    labels: list[str] = field(default_factory=list[str])
    """Where the arguments came from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemStarted(Event):
    """The tool is about to be called for an item; unless it is pure, this is on disk before the call."""

    kind: ClassVar[str] = "item_started"
    id: str
    """The step."""
    index: int
    """Place of the item in the list, counted from 0."""
    key: str
    attempt: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemFinished(Event):
    """A step that runs once for each item of a list is done with one."""

    kind: ClassVar[str] = "item_finished"
    id: str
    """The step."""
    index: int
    """Place of the item in the list, counted from 0."""
    ok: bool
    error: str
    """Why there is no result; empty when there is one."""
    seconds: float
    value: JsonValue = None
    """The result."""
    state: JsonObject = field(default_factory=dict[str, Any])
    """What changed in the state that tools share, by key."""


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
    state: JsonObject = field(default_factory=dict[str, Any])
    """What changed in the state that tools share, by key."""
    labels: list[str] = field(default_factory=list[str])
    """Where the result came from."""
    sandbox: str = ""
    """How the tool was kept apart; empty when it ran in this process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepReused(Event):
    """A call is not made, because the same call has a result in an earlier run; that is what follows."""

    kind: ClassVar[str] = "step_reused"
    id: str
    """The step."""
    tool: str
    args: JsonObject
    run: str
    """The earlier run's id."""
    item: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InDoubt(Event):
    """A call that must not be made twice was begun, and nobody knows whether it was made: the run waits."""

    kind: ClassVar[str] = "in_doubt"
    id: str
    """The step."""
    tool: str
    args: JsonObject
    key: str
    attempt: int
    """Which attempt is in doubt, counted from 1."""
    item: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DoubtSettled(Event):
    """It is known now whether a call was made."""

    kind: ClassVar[str] = "doubt_settled"
    id: str
    """The step."""
    attempt: int
    done: bool
    by: Literal["user", "tool"]
    """Who said so: a person, or the tool's own ``reconcile``."""
    value: JsonValue = None
    """The result, when it is known."""
    item: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRequested(Event):
    """The policy wants a person to allow a call."""

    kind: ClassVar[str] = "approval_requested"
    id: str
    """The step."""
    tool: str
    args: JsonObject
    reason: str
    labels: list[str]
    item: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalDecided(Event):
    """A person allowed a call or denied it; never asked again."""

    kind: ClassVar[str] = "approval_decided"
    id: str
    """The step."""
    decision: Literal["allow", "deny"]
    by: str
    """How it was decided, such as ``terminal``, ``callback`` or ``agentkit approve``."""
    args: JsonObject | None = None
    """The arguments to use instead, when they were edited."""
    always: bool = False
    """Whether the decision holds for all further calls of the tool in this run."""
    message: str = ""
    item: int | None = None


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
class RunPaused(Event):
    """Nothing more can be done until a person has decided; the run's file waits, no process does."""

    kind: ClassVar[str] = "run_paused"
    stop_reason: Literal["approval", "in_doubt"]
    steps: list[str]
    """The steps that wait, one of a list's items as ``step[index]``."""
    usage: JsonObject
    message: str
    """What has to be decided, and how to go on then."""
    output: JsonValue = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished(Event):
    """The run is over."""

    kind: ClassVar[str] = "run_finished"
    stop_reason: StopReason
    output: JsonValue
    usage: JsonObject
    message: str = ""
    """What went wrong, and what to do next; empty after an answer."""
