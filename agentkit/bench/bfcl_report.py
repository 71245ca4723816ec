"""Sums up how a model did on BFCL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["CallMetrics", "CallOutcome", "measure_calls"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOutcome:
    """How one case went."""

    id: str
    category: str
    problem: str | None
    """What is wrong with the answer; ``None`` when it is right."""
    calls: int
    """Calls that were made."""
    valid_calls: int
    """Calls that name a known tool and fit its schema."""
    tokens: int
    """Output tokens."""
    forced: int
    """Output tokens that the constraint left no choice about."""
    seconds: float
    """Wall time of the turn, the prompt included."""

    @property
    def summary(self) -> str:
        """How it went, in one line."""
        verdict = "right" if self.problem is None else f"wrong: {self.problem}"
        return f"{self.calls} calls  {self.tokens} tokens  {self.seconds:.1f} s  {verdict}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallMetrics:
    """Figures over a set of cases."""

    accuracy: float
    """Share of cases answered right."""
    valid: float
    """Share of calls that fit their tool's schema. A case without a call counts as one that does not."""
    tokens: float
    """Output tokens per call."""
    seconds: float
    """Seconds per call."""
    forced: float
    """Forced tokens per call."""


def measure_calls(outcomes: Sequence[CallOutcome]) -> CallMetrics:
    """Returns the figures over the outcomes, of which there must be at least one."""
    calls = sum(max(o.calls, 1) for o in outcomes)
    return CallMetrics(
        accuracy=sum(o.problem is None for o in outcomes) / len(outcomes),
        valid=sum(o.valid_calls for o in outcomes) / calls,
        tokens=sum(o.tokens for o in outcomes) / calls,
        seconds=sum(o.seconds for o in outcomes) / calls,
        forced=sum(o.forced for o in outcomes) / calls,
    )
