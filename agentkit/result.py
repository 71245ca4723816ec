"""What a run gives back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from agentkit.events import Event, StopReason
from agentkit.messages import Message, Usage
from agentkit.planners.plan import Plan

if TYPE_CHECKING:
    from agentkit.trace import Trace

__all__ = ["Result"]


@dataclass(frozen=True, kw_only=True)
class Result:
    """How a run ended."""

    run_id: str
    output: Any
    """The answer: text, JSON, or an object of the type that was asked for; ``None`` without an answer."""
    stop_reason: StopReason
    usage: Usage
    plan: Plan
    """The steps that were taken."""
    events: Sequence[Event] = field(repr=False)
    messages: Sequence[Message] = field(repr=False)
    """The conversation, without the instructions: pass it as ``history`` to go on with it."""
    message: str = ""
    """What went wrong, and what to do next; empty after an answer."""

    @property
    def ok(self) -> bool:
        """Whether there is an answer."""
        return self.stop_reason == "answer"

    @property
    def trace(self) -> Trace:
        """The run as something that can be printed with rich."""
        from agentkit.trace import Trace

        return Trace(self.events)
