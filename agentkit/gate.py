"""What stands between a step and its tool: whether the call may be made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeAlias

from agentkit.messages import JsonObject
from agentkit.planners.plan import Step

__all__ = ["Allowed", "Denied", "Gate", "Verdict", "Waits"]


@dataclass(frozen=True, slots=True)
class Allowed:
    """The call may be made."""

    arguments: JsonObject
    """What the tool is given; a person may have edited it."""
    labels: tuple[str, ...] = ()
    """Where the call comes from, see `agentkit.labels`."""


@dataclass(frozen=True, slots=True)
class Denied:
    """The call may not be made."""

    message: str
    """Becomes the step's failure, which the model reads."""


@dataclass(frozen=True, slots=True)
class Waits:
    """A person has to decide, and nobody is there: the run pauses when nothing else can be done."""


Verdict: TypeAlias = Allowed | Denied | Waits


class Gate(Protocol):
    """Decides about each call before it is made."""

    async def __call__(self, step: Step, item: int | None, arguments: JsonObject) -> Verdict:
        """Returns whether the call may be made; may take as long as a person takes.

        Args:
            step: The step.
            item: For which item of a list, counted from 0; ``None`` when the step runs once.
            arguments: What the tool would be given, references replaced.
        """
        ...
