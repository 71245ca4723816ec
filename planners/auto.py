"""The automatic planner: the model says by what it does how the task is gone about.

A model that thinks is given its tools and one more, which makes a plan. If it answers, that was the answer; if it
calls tools, it goes on turn by turn; if it calls for a plan, the graph planner takes over. No turn is spent on the
choice. One that was not trained to think is led turn by turn: asked for the way, Qwen2.5-Coder 1.5B says "graph" to
whatever has tools, also where the next call has to be read out of a text.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from agentkit.model_backend.base import ToolSpec
from agentkit.planners.base import Answer, Decision, Planner, PlanningContext, Way
from agentkit.planners.graph import GraphPlanner
from agentkit.planners.loop import LoopPlanner

__all__ = ["AutoPlanner"]

MAKE_PLAN = "make_plan"
_MAKE_PLAN = ToolSpec(
    name=MAKE_PLAN,
    description=(
        "Plan several tool calls at once, with results passed from one to the other. Call this first when the task "
        "needs three calls or more and you can say now which; they then run side by side."
    ),
    parameters={
        "type": "object",
        "properties": {"why": {"type": "string", "description": "Why the task is better planned ahead."}},
        "required": ["why"],
        "additionalProperties": False,
    },
)


class AutoPlanner:
    """Answers directly, goes on turn by turn, or plans ahead."""

    def __init__(self) -> None:
        self._planner: Planner | None = None
        self._way: Way | None = None
        self._may_plan = False

    async def next(self, run: PlanningContext) -> AsyncGenerator[Decision]:
        """Yields what the planner that was chosen yields."""
        if self._planner is None:
            self._planner = self._first(run)
        wanted = ""
        steps = 0
        async with aclosing(self._planner.next(run)) as decisions:
            async for decision in decisions:
                if isinstance(decision, Answer):
                    self._chose(run, "direct", "the model answered without a call")
                    yield decision
                elif decision.tool == MAKE_PLAN and self._may_plan:
                    wanted = str(decision.args.get("why", "")) or "the model asked for a plan"
                else:
                    steps += 1
                    self._chose(run, "loop", "the model called a tool")
                    yield decision
        if wanted:
            self._planner, self._way, self._may_plan = GraphPlanner(), "graph", False
            run.chose("graph", wanted)
        if wanted and not steps:
            async with aclosing(self._planner.next(run)) as decisions:
                async for decision in decisions:
                    yield decision

    def _chose(self, run: PlanningContext, way: Way, why: str) -> None:
        """Records the choice, once."""
        if self._way is None:
            self._way = way
            run.chose(way, why)

    def _first(self, run: PlanningContext) -> Planner:
        if not run.tools:
            self._chose(run, "direct", "there are no tools")
            return LoopPlanner()
        if run.model.thinks:
            self._may_plan = all(tool.name != MAKE_PLAN for tool in run.tools)
            return LoopPlanner(offered=(_MAKE_PLAN,) if self._may_plan else ())
        self._chose(run, "loop", "the model was not trained to think, so it is led a call at a time")
        return LoopPlanner()
