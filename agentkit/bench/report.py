"""Sums up how a model did on a suite."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from agentkit.messages import JsonObject

__all__ = ["Metrics", "Outcome", "by_category", "measure", "report_json"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
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


def measure(outcomes: Sequence[Outcome]) -> Metrics:
    """Returns the figures over the outcomes, of which there must be at least one."""
    calls = sum(max(o.calls, 1) for o in outcomes)
    return Metrics(
        accuracy=sum(o.problem is None for o in outcomes) / len(outcomes),
        valid=sum(o.valid_calls for o in outcomes) / calls,
        tokens=sum(o.tokens for o in outcomes) / calls,
        seconds=sum(o.seconds for o in outcomes) / calls,
        forced=sum(o.forced for o in outcomes) / calls,
    )


def by_category(outcomes: Iterable[Outcome]) -> dict[str, list[Outcome]]:
    """Returns the outcomes of each category, in the order in which the categories came."""
    groups: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault(outcome.category, []).append(outcome)
    return groups


def report_json(suite: str, model: str, outcomes: Sequence[Outcome]) -> JsonObject:
    """Returns what ``--json`` prints: the figures over all cases and for each category.

    Both are empty when no case was finished.
    """
    return {
        "suite": suite,
        "model": model,
        "n": len(outcomes),
        "metrics": asdict(measure(outcomes)) if outcomes else {},
        "categories": {
            name: {"n": len(group)} | asdict(measure(group)) for name, group in by_category(outcomes).items()
        },
    }
