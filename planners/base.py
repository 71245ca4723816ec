"""What a planner is: it sees what is known and yields steps, or the answer."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from agentkit.messages import JsonObject, JsonValue, Message
from agentkit.model_backend.base import ModelInfo, ToolSpec, Turn, TurnRequest
from agentkit.planners.plan import Plan, Step, StepId

__all__ = ["Answer", "Decision", "PlanChange", "Planner", "PlanningContext", "StepResult", "Way"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """How a step ended."""

    id: StepId
    tool: str
    value: JsonValue
    """What the tool gave, as JSON; the message for the model when it failed."""
    ok: bool
    seconds: float = 0.0
    shown: JsonValue = None
    """What a model is shown: the value, or a preview with a handle when the value is too large."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The run is done, and this is its output."""

    output: JsonValue


Decision: TypeAlias = Step | Answer

PlanChange: TypeAlias = Literal["repair", "look"]
"""Why a plan is changed: steps failed, or the model had to see results first."""


Way: TypeAlias = Literal["direct", "graph", "loop"]
"""How a task is gone about: answered without tools, planned ahead, or turn by turn."""


class PlanningContext(Protocol):
    """What a run lets its planner see and do."""

    @property
    def task(self) -> str:
        """What the user asked for."""
        ...

    @property
    def instructions(self) -> str:
        """The developer's instructions; may be empty."""
        ...

    @property
    def history(self) -> Sequence[Message]:
        """Earlier turns of the conversation, when the run continues one."""
        ...

    @property
    def tools(self) -> Sequence[ToolSpec]:
        """The tools that steps may call."""
        ...

    @property
    def output(self) -> JsonObject | None:
        """JSON Schema of the answer; ``None`` for free text."""
        ...

    @property
    def thinking(self) -> int:
        """Budget of each thought, in tokens."""
        ...

    @property
    def plan(self) -> Plan:
        """The steps so far."""
        ...

    @property
    def results(self) -> Mapping[StepId, StepResult]:
        """The steps that are done."""
        ...

    @property
    def model(self) -> ModelInfo:
        """The model that turns go to."""
        ...

    def chose(self, way: Way, reason: str) -> None:
        """Records how the task is gone about, and why."""
        ...

    def replanned(self, reason: PlanChange, *, failed: Sequence[StepId], added: Sequence[StepId]) -> None:
        """Records that the plan was changed after its results were seen.

        Args:
            reason: Why.
            failed: The steps that failed or were not run for that.
            added: The steps that were planned then.
        """
        ...

    def foresees(self, tools: Iterable[str]) -> None:
        """Takes in which calls the model wants, by tool; an effect that it wants only later is looked at twice."""
        ...

    def warn(self, about: str, message: str) -> None:
        """Records something that a reader of the trace should know, under a short name."""
        ...

    async def turn(self, request: TurnRequest, on_part: Callable[[JsonValue], None] | None = None) -> Turn:
        """Takes a model turn within the run's limits, recorded as events.

        Args:
            request: What is asked.
            on_part: Called with each part of an answer in parts as soon as it is whole.
        """
        ...


class Planner(Protocol):
    """Turns a task into steps. One object serves one run; it may keep state between rounds."""

    def next(self, run: PlanningContext) -> AsyncGenerator[Decision]:
        """Yields what is to be done next.

        A step that is yielded may start at once, before the next one is known. When the iterator ends
        and every step is done, the run asks again; an `Answer` ends the run.
        """
        ...
