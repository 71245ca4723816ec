"""Asking a person about a call: what is asked, what may be answered, and the gate that asks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TypeAlias

from agentkit.errors import UsageError
from agentkit.events import ApprovalDecided, ApprovalRequested, Event
from agentkit.gate import Allowed, Denied, Verdict, Waits
from agentkit.handles import READ_RESULT
from agentkit.kill_points import kill_point
from agentkit.labels import LabelBook
from agentkit.messages import JsonObject
from agentkit.planners.plan import Step
from agentkit.policy import Policy
from agentkit.record import Record
from agentkit.tools.registry import ToolRegistry
from agentkit.tools.tool import Tool

__all__ = ["Approval", "Approve", "Decision", "PolicyGate", "permitted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """A call that a person is asked about."""

    run_id: str
    step: str
    item: int | None
    """For which item of a list, counted from 0; ``None`` when the step runs once."""
    tool: Tool
    arguments: JsonObject
    reason: str
    """Why it is asked."""
    labels: tuple[str, ...]
    """Where the call comes from, see `agentkit.labels`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a person says."""

    allow: bool
    arguments: JsonObject | None = None
    """What the tool is to be called with instead."""
    always: bool = False
    """Whether it holds for all further calls of the tool in this run."""
    message: str = ""
    """For the model, when it is denied."""
    by: str = "callback"
    """How it was decided, for the trace."""


Approve: TypeAlias = Callable[[Approval], Awaitable[Decision | bool | None]]
"""Asks a person; ``None`` when nobody can say now: then the run pauses when nothing else can be done."""


class PolicyGate:
    """Lets calls through as a policy says, and asks a person where it says so.

    Args:
        run_id: The run.
        policy: The policy.
        approve: Asks a person; ``None`` when nobody is there.
        tools: The tools of the run.
        labels: Where calls come from.
        said: What the user and the developer said.
        record: What was decided before.
        emit: Called with what happens.
        durable: Waits until all that was emitted survives a crash.
        aside: Around the time in which a person thinks.
    """

    def __init__(
        self,
        *,
        run_id: str,
        policy: Policy,
        approve: Approve | None,
        tools: ToolRegistry,
        labels: LabelBook,
        said: str,
        record: Record,
        emit: Callable[[Event], None],
        durable: Callable[[], Awaitable[None]],
        aside: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._run_id = run_id
        self._policy = policy
        self._approve = approve
        self._tools = tools
        self._labels = labels
        self._said = said
        self._record = record
        self._emit = emit
        self._durable = durable
        self._aside = aside
        self._always = _always_allowed(record)
        self._one_at_a_time = asyncio.Lock()

    async def __call__(self, step: Step, item: int | None, arguments: JsonObject) -> Verdict:
        """Returns whether the call may be made; may take as long as a person takes."""
        labels = self._labels.call(step)
        origin = tuple(sorted(labels.all))
        if step.tool == READ_RESULT:
            return Allowed(arguments, origin)
        tool = self._tools.get(step.tool)
        found = self._policy.decide(tool, arguments, labels, said=self._said)
        if found.action == "deny":
            return Denied(f"{found.reason}; do without it")
        if found.action == "allow":
            return Allowed(arguments, origin)
        decided = self._record.decisions.get((step.id, item))
        if decided is None and tool.name not in self._always:
            asked = Approval(
                run_id=self._run_id,
                step=step.id,
                item=item,
                tool=tool,
                arguments=arguments,
                reason=found.reason,
                labels=origin,
            )
            decided = await self._ask(asked)
            if decided is None:
                return Waits()
        if decided is None:
            return Allowed(arguments, origin)
        return self._carried_out(tool, decided, arguments, origin)

    async def _ask(self, asked: Approval) -> ApprovalDecided | None:
        self._emit(
            ApprovalRequested(
                id=asked.step,
                tool=asked.tool.name,
                args=asked.arguments,
                reason=asked.reason,
                labels=list(asked.labels),
                item=asked.item,
            )
        )
        await self._durable()
        if self._approve is None:
            return None
        with self._aside():
            async with self._one_at_a_time:
                if asked.tool.name in self._always:  # said while this call waited for its turn
                    answer: Decision | bool | None = Decision(allow=True, by="always")
                else:
                    answer = await self._approve(asked)
                if isinstance(answer, bool):
                    answer = Decision(allow=answer)
                if answer is None:
                    return None
                if answer.allow and answer.always:
                    self._always.add(asked.tool.name)
        decided = ApprovalDecided(
            id=asked.step,
            item=asked.item,
            decision="allow" if answer.allow else "deny",
            by=answer.by,
            args=answer.arguments,
            always=answer.always,
            message=answer.message,
        )
        kill_point("before-approval")
        self._emit(decided)
        await self._durable()
        kill_point("after-approval")
        return decided

    def _carried_out(
        self, tool: Tool, decided: ApprovalDecided, arguments: JsonObject, origin: tuple[str, ...]
    ) -> Verdict:
        if decided.decision == "deny":
            said = f": {decided.message}" if decided.message else ""
            return Denied(f"a person denied this call of {tool.name!r}{said}; do without it")
        if decided.args is None:
            return Allowed(arguments, origin)
        again = self._policy.decide(tool, decided.args)  # a person can't allow what the policy denies
        return Denied(again.reason) if again.action == "deny" else Allowed(decided.args, origin)


def _always_allowed(record: Record) -> set[str]:
    tools = {(e.id, e.item): e.tool for e in record.events if isinstance(e, ApprovalRequested)}
    return {tools[call] for call, decided in record.decisions.items() if decided.always and call in tools}


def permitted(policy: Policy, tools: ToolRegistry) -> ToolRegistry:
    """Returns the tools of an agent that may be called; a model is not shown the others.

    Raises:
        agentkit.errors.UsageError: It names a tool or an argument that is not there.
    """
    for problem in policy.problems(tools):
        place = ".".join(map(str, problem.place))
        raise UsageError(f"policy.{place}: {problem.message}")
    return ToolRegistry([tool for tool in tools if policy.permits(tool.name)])
