"""What all suites have in common: outcomes in categories, and the report that `--json` prints."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar

from agentkit.messages import JsonObject

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["Measure", "Outcome", "by_category", "report_json"]


class Outcome(Protocol):
    """How one case of a suite went."""

    @property
    def id(self) -> str:
        """The case."""
        ...

    @property
    def category(self) -> str:
        """The group of cases that it belongs to."""
        ...

    @property
    def summary(self) -> str:
        """How it went, in one line."""
        ...


O = TypeVar("O", bound=Outcome)  # noqa: E741
Measure: TypeAlias = "Callable[[Sequence[O]], DataclassInstance]"
"""Gives the figures over outcomes, of which there is at least one."""


def by_category(outcomes: Iterable[O]) -> dict[str, list[O]]:
    """Returns the outcomes of each category, in the order in which the categories came."""
    groups: dict[str, list[O]] = {}
    for outcome in outcomes:
        groups.setdefault(outcome.category, []).append(outcome)
    return groups


def report_json(suite: str, model: str, outcomes: Sequence[O], measure: Measure[O]) -> JsonObject:
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
