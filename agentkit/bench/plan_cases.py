"""A case of a suite that asks for a plan, and what a plan scores on it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from agentkit.model_backend.base import ToolSpec
from agentkit.planners.plan import Step

__all__ = ["PlanCase", "Scores", "f1"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """How near a plan comes to what was expected; shares from 0 to 1."""

    tool_f1: float
    """F1 of the tools that are called, each as often as it is called."""
    arg_f1: float | None
    """F1 of the arguments: step, parameter and value. ``None`` where the suite does not say what is right."""
    edge_f1: float
    """F1 of the edges: from the step that gives a value to the parameter of the step that takes it."""
    difference: str = ""
    """The first thing in which the plan differs from what was expected; empty when it is a full match."""

    @property
    def full_match(self) -> bool:
        """Whether nothing differs."""
        return not self.difference


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanCase(ABC):
    """A task, the tools that a plan for it may use, and the rule by which plans are scored."""

    id: str
    category: str
    task: str
    tools: tuple[ToolSpec, ...]

    @abstractmethod
    def score(self, steps: Sequence[Step]) -> Scores:
        """Returns how near the steps come to what is expected, whether they are a valid plan or not.

        A plan without steps scores 0 everywhere.
        """


def f1(matched: int, predicted: int, expected: int) -> float:
    """Returns the harmonic mean of precision and recall; 1 where nothing was expected and nothing came."""
    return 2 * matched / (predicted + expected) if predicted + expected else 1.0
