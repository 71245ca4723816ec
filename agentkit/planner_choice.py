"""Who decides what is done: a name, steps, or a function, and the planner that each stands for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

from agentkit.errors import UsageError
from agentkit.messages import JsonObject
from agentkit.planners.auto import AutoPlanner
from agentkit.planners.base import Planner
from agentkit.planners.given import GivenPlanner
from agentkit.planners.graph import GraphPlanner
from agentkit.planners.loop import LoopPlanner
from agentkit.planners.plan import Plan, Step

__all__ = ["PlannerChoice", "check_planner", "given_plan", "make_planner"]

PlannerChoice: TypeAlias = "Literal['auto', 'graph', 'loop'] | Sequence[Step] | Callable[[], Planner]"
"""``graph``: the model writes a plan of calls, which run side by side. ``loop``: it decides turn by turn. ``auto``:
it chooses. A sequence of steps is run as it is. A function makes a planner of your own, one for each run."""

_PLANNERS: dict[str, Callable[[], Planner]] = {"auto": AutoPlanner, "graph": GraphPlanner, "loop": LoopPlanner}


def check_planner(planner: PlannerChoice) -> None:
    """Refuses a choice that stands for no planner.

    Raises:
        agentkit.errors.UsageError: It does not.
    """
    if isinstance(planner, str) and planner not in _PLANNERS:
        names = ", ".join(map(repr, _PLANNERS))
        raise UsageError(f"planner {planner!r} is unknown; expected one of {names}, a list of steps or a function")
    if not isinstance(planner, str) and not callable(planner):
        GivenPlanner(planner)


def make_planner(planner: PlannerChoice) -> tuple[Planner, str]:
    """Returns a planner for one run, and its name."""
    if isinstance(planner, str):
        return _PLANNERS[planner](), planner
    if callable(planner):
        made = planner()
        return made, type(made).__name__
    return GivenPlanner(planner), "given"


def given_plan(planner: PlannerChoice) -> list[JsonObject]:
    """Returns the steps of a given plan, as a task file has them; none for a planner that makes its own."""
    if isinstance(planner, str) or callable(planner):
        return []
    plan = Plan()
    for step in planner:
        plan.add(step)
    return plan.to_list()
