"""Runs cases that ask for a plan: one plan for each, scored by the case's own rule."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import TypeAlias

from agentkit.bench.plan_cases import PlanCase
from agentkit.bench.plan_check import plan_problems
from agentkit.bench.plan_report import PlanOutcome
from agentkit.errors import PlanError, RunError, SchemaError
from agentkit.messages import Usage
from agentkit.model_backend.base import Model, Sampling
from agentkit.planners.graph import WrittenPlan, write_plan

__all__ = ["PlanRespondent", "plan_outcome", "planner_respondent", "run_plans"]

PlanRespondent: TypeAlias = Callable[[PlanCase], Awaitable[WrittenPlan]]
"""Writes a plan for a case. A `RunError`, `SchemaError` or `PlanError` that it raises counts as no steps."""


def planner_respondent(model: Model, *, seed: int = 0) -> PlanRespondent:
    """Returns a respondent that lets the graph planner write, greedily and without a thought; nothing is run."""
    sampling = Sampling(temperature=0.0, seed=seed)

    async def respond(case: PlanCase) -> WrittenPlan:
        return await write_plan(model, case.task, case.tools, sampling=sampling)

    return respond


async def run_plans(cases: Iterable[PlanCase], respond: PlanRespondent) -> AsyncIterator[PlanOutcome]:
    """Yields how each case went, one after the other."""
    for case in cases:
        yield await plan_outcome(case, respond)


async def plan_outcome(case: PlanCase, respond: PlanRespondent) -> PlanOutcome:
    """Returns how a case went."""
    started = time.perf_counter()
    try:
        plan = await respond(case)
    except (RunError, SchemaError, PlanError) as error:
        plan = WrittenPlan(steps=(), usage=Usage(), problems=(str(error),))
    seconds = time.perf_counter() - started
    scores = case.score(plan.steps)
    problems = [*plan.problems, *plan_problems(plan.steps, case.tools)]
    return PlanOutcome(
        id=case.id,
        category=case.category,
        valid=not problems,
        problem=problems[0] if problems else scores.difference or None,
        tool_f1=scores.tool_f1,
        arg_f1=scores.arg_f1,
        edge_f1=scores.edge_f1,
        full_match=scores.full_match,
        steps=len(plan.steps),
        tokens=plan.usage.output_tokens,
        seconds=seconds,
    )
