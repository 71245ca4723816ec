"""Why a run took as long as it did: the chain of turns and steps of which each waited for the one before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from agentkit.errors import PlanError
from agentkit.planners.plan import Step, StepId, parse_refs
from agentkit.trace.spans import Span, StepSpan, TurnSpan

__all__ = ["critical_path", "needs"]

_Timed: TypeAlias = TurnSpan | StepSpan


def needs(step: StepSpan) -> list[str]:
    """Returns the steps that a step waited for: those it refers to, and those it is to come after."""
    try:
        written = Step(
            id=StepId(step.id),
            tool=step.tool,
            args=parse_refs(step.written),
            for_each=parse_refs(step.for_each) or None,
            after=tuple(map(StepId, step.after)),
        )
        return sorted(written.needs)
    except (PlanError, AttributeError, TypeError):  # a file from anywhere: what can't be read is no reference
        return [*step.after]


def critical_path(spans: Iterable[Span]) -> list[_Timed]:
    """Returns the turns and steps that made the run as long as it was, in order.

    Beginning with what ended last, each is followed to what it waited for: a step to the step or the turn that let it
    begin, a turn to what ended last before it.
    """
    timed = [s for s in spans if isinstance(s, TurnSpan | StepSpan) and s.end is not None]
    timed = [s for s in timed if isinstance(s, TurnSpan) or s.attempts]
    turns = {s.turn: s for s in timed if isinstance(s, TurnSpan)}
    steps = {s.id: s for s in timed if isinstance(s, StepSpan)}
    ordered = sorted(timed, key=_end)
    path: list[_Timed] = []
    now = ordered[-1] if ordered else None
    while now is not None and now not in path[-1:]:
        path.append(now)
        now = _cause(now, turns, steps, ordered)
        if len(path) > len(timed):  # times that a damaged file made up
            break
    return path[::-1]


def _end(span: _Timed) -> float:
    return span.end or 0.0


def _cause(
    span: _Timed, turns: dict[int, TurnSpan], steps: dict[str, StepSpan], ordered: Sequence[_Timed]
) -> _Timed | None:
    if isinstance(span, StepSpan):
        turn = turns.get(span.turn)
        # A step may begin while its turn goes on: it waited for the turn up to when it was added.
        causes: list[tuple[float, _Timed]] = [(min(_end(turn), span.added), turn)] if turn is not None else []
        causes += [(_end(steps[n]), steps[n]) for n in needs(span) if n in steps]
        return max(causes, key=lambda c: c[0])[1] if causes else None
    return _last_before(span.at, ordered)


def _last_before(at: float, ordered: Sequence[_Timed]) -> _Timed | None:
    low, high = 0, len(ordered)
    while low < high:
        middle = (low + high) // 2
        if _end(ordered[middle]) <= at + 1e-6:
            low = middle + 1
        else:
            high = middle
    found = ordered[low - 1] if low else None
    return found if found is None or found.at < at else None
