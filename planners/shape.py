"""The shape of a plan: which steps can run at the same time, how many calls it makes, and how long its chains are."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import networkx as nx

from agentkit.planners.plan import Plan, StepId

__all__ = ["Shape", "shape_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a plan's graph says about how it will run."""

    waves: tuple[tuple[StepId, ...], ...]
    """Each wave holds the steps that need only steps of earlier waves, in the plan's order."""
    work: int
    """Calls that the plan makes, those of `loops` not counted."""
    loops: tuple[StepId, ...]
    """Steps that call their tool once for each item of a list; how many calls that is, is known at run time."""
    span: tuple[StepId, ...]
    """The critical path: a longest chain of steps that wait for each other."""
    width: int
    """The most steps of which none waits for another, so that all could run at the same time."""
    last: tuple[StepId, ...]
    """Steps that nothing waits for; the answer of a given plan is made of their results."""


def shape_of(plan: Plan) -> Shape:
    """Returns the shape of a plan."""
    order = {step: i for i, step in enumerate(plan.graph)}
    generations: Sequence[Sequence[StepId]] = list(nx.topological_generations(plan.graph))
    return Shape(
        waves=tuple(tuple(sorted(wave, key=order.__getitem__)) for wave in generations),
        work=sum(step.for_each is None for step in plan),
        loops=tuple(step.id for step in plan if step.for_each is not None),
        span=tuple(nx.dag_longest_path(plan.graph)),
        width=_width(plan, order),
        last=tuple(step for step in plan.graph if not plan.graph.out_degree(step)),
    )


def _width(plan: Plan, order: dict[StepId, int]) -> int:
    """Returns the size of the largest set of steps of which none waits for another.

    By Dilworth's theorem that is the number of steps minus the size of a largest matching of steps with
    steps that wait for them. Steps are bits of integers, because the pairs would fill the memory for a plan
    of thousands of steps.
    """
    waiting = [0] * len(order)
    for step in reversed(list(plan.graph)):  # steps come after those they need
        for successor in plan.graph.successors(step):
            waiting[order[step]] |= 1 << order[successor] | waiting[order[successor]]
    matching = _Matching(waiting)
    return len(order) - sum(matching.add(step) for step in range(len(order)))


class _Matching:
    """Pairs of a step and one that waits for it; no step is first twice or second twice.

    Args:
        waiting: For each step, the steps that wait for it, as bits.
    """

    def __init__(self, waiting: list[int]) -> None:
        self._waiting = waiting
        self._first: dict[int, int] = {}
        self._second: dict[int, int] = {}

    def add(self, start: int) -> bool:
        """Makes a step the first of a pair, changing other pairs for that; returns whether it could be done."""
        came_from: dict[int, int] = {}
        queue = deque([start])
        seen = 0
        while queue:
            step = queue.popleft()
            new = self._waiting[step] & ~seen
            seen |= new
            while new:
                second = (new & -new).bit_length() - 1
                new &= new - 1
                came_from[second] = step
                if second not in self._first:
                    self._change(second, came_from, start)
                    return True
                queue.append(self._first[second])
        return False

    def _change(self, second: int, came_from: dict[int, int], start: int) -> None:
        first = None
        while first != start:
            first = came_from[second]
            free = self._second.get(first, -1)
            self._first[second], self._second[first] = first, second
            second = free
