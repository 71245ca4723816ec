"""Which of the steps that could start comes first, when there is not room for all."""

from __future__ import annotations

import heapq
from collections import defaultdict

from agentkit.planners.plan import Plan, StepId

__all__ = ["ReadyQueue"]

_GROWTH = 16
"""The order is found anew when the plan has grown by this part of itself: a small plan's whenever it grows, and
a large one's so seldom that it costs each step the same."""


class ReadyQueue:
    """Steps that may start, first those at the beginning of the longest path of steps.

    A step counts as long as the calls of its tool took so far on average; before anything is known, all
    count the same. In the order in which they become ready, steps can take half as long again to be done.
    """

    def __init__(self, plan: Plan) -> None:
        """Makes an empty queue.

        Args:
            plan: The plan of the steps; it may grow.
        """
        self._plan = plan
        self._heap: list[tuple[float, int, StepId]] = []
        self._pushed = 0
        self._calls: defaultdict[str, int] = defaultdict(int)
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._learned = 0
        self._ahead: dict[StepId, float] = {}
        """Seconds of the longest path that begins with a step, as found last."""
        self._outdated_at = (0, 0)
        """Size of the plan, and number of calls that were learned from, at which the order is found anew."""

    def __len__(self) -> int:
        return len(self._heap)

    def push(self, step: StepId) -> None:
        """Adds a step."""
        self._pushed += 1
        heapq.heappush(self._heap, (-self._ahead.get(step, 0.0), self._pushed, step))

    def pop(self) -> StepId:
        """Takes out the step that should start first; of equal ones, the one that was added first."""
        size, learned = self._outdated_at
        if len(self._heap) > 1 and (len(self._plan) >= size or self._learned >= learned):
            self._order()
        return heapq.heappop(self._heap)[-1]

    def learn(self, tool: str, seconds: float) -> None:
        """Takes note of how long a call of a tool took."""
        self._calls[tool] += 1
        self._seconds[tool] += seconds
        self._learned += 1

    def _order(self) -> None:
        usual = sum(self._seconds.values()) / self._learned if self._learned else 1.0
        seconds = {tool: self._seconds[tool] / calls for tool, calls in self._calls.items()}
        graph = self._plan.graph
        for step in reversed(list(graph)):  # a step is added before those that need it
            below = max((self._ahead[s] for s in graph.adj[step]), default=0.0)
            self._ahead[step] = below + seconds.get(self._plan[step].tool, usual)
        self._heap = [(-self._ahead[step], pushed, step) for _, pushed, step in self._heap]
        heapq.heapify(self._heap)
        self._outdated_at = (len(self._plan) + len(self._plan) // _GROWTH + 1, 2 * self._learned + 1)
