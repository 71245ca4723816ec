"""The given plan: steps that a person wrote, run as they are; no model decides anything."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from agentkit.errors import PlanError, RunError
from agentkit.planners.base import Answer, Decision, PlanningContext
from agentkit.planners.plan import Plan, Step

__all__ = ["GivenPlanner"]


class GivenPlanner:
    """Yields the steps it was given; the answer is what the last steps gave.

    A plan with one last step answers with its value, one with several with an object of their
    values by step id.
    """

    def __init__(self, steps: Sequence[Step]) -> None:
        """Checks the steps.

        Raises:
            agentkit.errors.PlanError: There is none, or they do not make an acyclic graph.
        """
        if not steps:
            raise PlanError("the plan has no steps; give at least one")
        plan = Plan()
        for step in steps:
            plan.add(step)
        self._plan = plan

    async def next(self, run: PlanningContext) -> AsyncGenerator[Decision]:
        """Yields all steps, and in the second round the answer."""
        if not run.results:
            for step in self._plan:
                yield step
            return
        for step in self._plan:
            if not run.results[step.id].ok:
                raise RunError(f"step {step.id!r} ({step.tool}) failed: {run.results[step.id].value}")
        last = [s for s in self._plan if not self._plan.graph.out_degree(s.id)]
        values = {str(s.id): run.results[s.id].value for s in last}
        yield Answer(output=values[last[0].id] if len(last) == 1 else values)
