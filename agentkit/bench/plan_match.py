"""Scores a plan against an expected one.

The two are aligned first: each expected step is matched with one predicted step of the same tool, so that as many
arguments and edges as possible agree; where that leaves a choice, in the order of the plans. Then:

- `Scores.tool_f1`: F1 of the tools' names, each as often as it is called (order does not count).
- `Scores.arg_f1`: F1 of the triples (step, parameter, value). A reference is the same value when it refers to the same
  step and the same part of its result; `agentkit.bench.plan_values.same` has the rule for all values.
- `Scores.edge_f1`: F1 of the triples (producing step, consuming step, parameter). Which part of the result is passed on
  does not count here, so that the graph is scored apart from the values.
- `Scores.full_match`: the same number of steps, and all arguments the same. Independent steps may stand in any order.

The paper on NESTFUL has F1 of the functions' names and of the parameters, and counts sequences that match in full.
Edges are our own measure: they are what makes a plan a graph.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agentkit.bench.plan_cases import Scores, f1
from agentkit.bench.plan_values import Call, as_calls, same
from agentkit.planners.plan import Step

__all__ = ["score_plan"]

_BEAM = 256
"""Alignments that are followed at the same time; more than any plan of a few steps has."""


@dataclass(frozen=True, slots=True)
class _Alignment:
    """For the first expected steps: the predicted step of each, and what agrees."""

    pairs: tuple[int | None, ...] = ()
    args: int = 0
    edges: int = 0

    @property
    def rank(self) -> tuple[int, int]:
        """The greater, the better."""
        return self.args + self.edges, sum(p is not None for p in self.pairs)

    def is_same_step(self, expected: int, found: int) -> bool:
        """Whether a predicted step stands for an expected one."""
        return 0 <= expected < len(self.pairs) and self.pairs[expected] == found


def score_plan(expected: Sequence[Step], predicted: Sequence[Step]) -> Scores:
    """Returns how near the predicted plan comes to the expected one, in which references lead to earlier steps."""
    if not predicted:
        return Scores(tool_f1=0.0, arg_f1=0.0, edge_f1=0.0, difference="there are no steps")
    gold, found = as_calls(expected), as_calls(predicted)
    best = _align(gold, found)
    tools = Counter(call.tool for call in gold) & Counter(call.tool for call in found)
    return Scores(
        tool_f1=f1(tools.total(), len(found), len(gold)),
        arg_f1=f1(best.args, sum(len(call.args) for call in found), sum(len(call.args) for call in gold)),
        edge_f1=f1(best.edges, _count_edges(found), _count_edges(gold)),
        difference=_difference(gold, found, best),
    )


def _align(gold: Sequence[Call], found: Sequence[Call]) -> _Alignment:
    """Returns the best alignment, step by step; those that were the best so far are followed further."""
    beam = [_Alignment()]
    for call in gold:
        longer = [
            _extended(alignment, call, found, choice)
            for alignment in beam
            for choice in _choices(alignment, call, found)
        ]
        beam = sorted(longer, key=lambda a: a.rank, reverse=True)[:_BEAM]  # stable: the earlier choice stays first
    return beam[0]


def _choices(alignment: _Alignment, call: Call, found: Sequence[Call]) -> list[int | None]:
    free = [i for i, other in enumerate(found) if other.tool == call.tool and i not in alignment.pairs]
    return [*free, None]


def _extended(alignment: _Alignment, call: Call, found: Sequence[Call], choice: int | None) -> _Alignment:
    pairs = (*alignment.pairs, choice)
    if choice is None:
        return _Alignment(pairs, alignment.args, alignment.edges)
    other = found[choice]
    args = sum(
        name in other.args and same(value, other.args[name], alignment.is_same_step)
        for name, value in call.args.items()
    )
    return _Alignment(pairs, alignment.args + args, alignment.edges + _shared_edges(call, other, alignment.pairs))


def _shared_edges(call: Call, other: Call, pairs: Sequence[int | None]) -> int:
    return sum(
        step >= 0 and pairs[step] is not None and pairs[step] in other.producers.get(name, ())
        for name, steps in call.producers.items()
        for step in steps
    )


def _count_edges(calls: Sequence[Call]) -> int:
    return sum(len(steps) for call in calls for steps in call.producers.values())


def _difference(gold: Sequence[Call], found: Sequence[Call], best: _Alignment) -> str:
    """Returns the first thing that differs, in words."""
    for i, call in enumerate(gold):
        choice = best.pairs[i]
        if choice is None:
            return f"no step calls {call.tool!r}" + (" once more" if _has_twin(gold, i) else "")
        if text := _differing_argument(call, found[choice].args, best):
            return text
    if extra := [call.tool for i, call in enumerate(found) if i not in best.pairs]:
        return f"a step too many calls {extra[0]!r}"
    return ""


def _differing_argument(call: Call, args: Mapping[str, object], best: _Alignment) -> str:
    for name, value in call.args.items():
        if name not in args:
            return f"{call.tool!r} is not given {name!r}"
        if not same(value, args[name], best.is_same_step):
            return f"{call.tool!r} is given another {name!r}"
    if extra := [name for name in args if name not in call.args]:
        return f"{call.tool!r} is given {extra[0]!r}, which is not expected"
    return ""


def _has_twin(gold: Sequence[Call], index: int) -> bool:
    return any(call.tool == gold[index].tool for i, call in enumerate(gold) if i != index)
