"""Sums up how good the plans were that a model wrote."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

__all__ = ["PlanMetrics", "PlanOutcome", "measure_plans"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOutcome:
    """How one case went."""

    id: str
    category: str
    valid: bool
    """Whether the plan could be started as it stands."""
    problem: str | None
    """Why the plan is not valid, or else what differs from the expected one; ``None`` when nothing does."""
    tool_f1: float
    arg_f1: float | None
    edge_f1: float
    full_match: bool
    steps: int
    tokens: int
    """Output tokens of the whole plan."""
    seconds: float
    """Wall time of the whole plan, the prompt included."""

    @property
    def summary(self) -> str:
        """How it went, in one line."""
        verdict = "match" if self.problem is None else self.problem if self.valid else f"not valid: {self.problem}"
        return f"{self.steps} steps  {self.tokens} tokens  {self.seconds:.1f} s  {verdict}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanMetrics:
    """Figures over a set of cases; each case counts the same."""

    valid: float
    """Share of plans that could be started as they stand."""
    tool_f1: float
    """Mean F1 of the tools that are called."""
    arg_f1: float | None
    """Mean F1 of the arguments; ``None`` where the suite does not say which are right."""
    edge_f1: float
    """Mean F1 of the edges."""
    full_match: float
    """Share of plans in which nothing differs from what was expected."""
    tokens: float
    """Output tokens per plan."""
    seconds: float
    """Seconds per plan."""


def measure_plans(outcomes: Sequence[PlanOutcome]) -> PlanMetrics:
    """Returns the figures over the outcomes, of which there must be at least one."""
    scored = [o.arg_f1 for o in outcomes if o.arg_f1 is not None]
    return PlanMetrics(
        valid=_mean(o.valid for o in outcomes),
        tool_f1=_mean(o.tool_f1 for o in outcomes),
        arg_f1=_mean(scored) if scored else None,
        edge_f1=_mean(o.edge_f1 for o in outcomes),
        full_match=_mean(o.full_match for o in outcomes),
        tokens=_mean(o.tokens for o in outcomes),
        seconds=_mean(o.seconds for o in outcomes),
    )


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found)
