"""Which calls of a plan a person will be asked about, as far as that can be said before it runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from agentkit.planners.check_graph import uses
from agentkit.planners.plan import Step, StepId
from agentkit.policy import Policy, Verdict
from agentkit.tools.registry import ToolRegistry

if TYPE_CHECKING:
    from agentkit.tools.tool import Tool

__all__ = ["foresee"]


def foresee(steps: Sequence[Step], tools: Mapping[str, Tool], policy: Policy) -> dict[StepId, Verdict]:
    """Returns what the policy says of the steps whose calls it does not simply allow.

    Conditions on values that only the run will know are left out. Where values come from is known: references say it.

    Args:
        steps: The steps of a plan, in order; none of them was written after untrusted text was read.
        tools: The tools that they may call, by name.
        policy: The policy.
    """
    return dict(_foresee(steps, tools, policy))


def _foresee(steps: Sequence[Step], tools: Mapping[str, Tool], policy: Policy) -> Iterator[tuple[StepId, Verdict]]:
    labels = policy.open_book(ToolRegistry(tools.values()))
    for step in steps:
        labels.write(step)
        tool = tools.get(step.tool)
        if tool is not None:
            later = {str(use.place[1]) for use in uses(step) if use.place[0] == "args"}
            known = {name: value for name, value in step.args.items() if name not in later}
            verdict = policy.foresee(tool, known, later, labels.call(step))
            if verdict.action != "allow":
                yield step.id, verdict
        labels.finish(step, effect=tool is not None and tool.effect != "pure")
