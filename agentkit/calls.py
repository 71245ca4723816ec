"""Makes one call of a tool for a step; whatever happens becomes a value that a model can read.

A call goes through here in one direction: was it perhaps made before a crash, may it be made (`agentkit.gate`), is it
on disk that it is about to be made, then the tool.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from traceback import TracebackException
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from agentkit.errors import PlanError, RecordEnds, ToolSignal, ToolTimeout
from agentkit.events import DoubtSettled, Event, InDoubt, ItemStarted, StepProgress, StepReused, StepStarted, Warned
from agentkit.gate import Allowed, Denied, Gate, Waits
from agentkit.kill_points import kill_point
from agentkit.messages import JsonObject, JsonValue
from agentkit.planners.plan import Ref, Step, Template
from agentkit.record import Record
from agentkit.shared_state import SharedState, StateView
from agentkit.tools.access import Access
from agentkit.tools.context import ToolContext
from agentkit.tools.reconcile import Done
from agentkit.tools.registry import ToolRegistry
from agentkit.tools.tool import Tool

if TYPE_CHECKING:
    from agentkit.reuse import Reuse

__all__ = ["Assume", "Caller", "Outcome", "resolve_refs"]

Assume: TypeAlias = 'Literal["done", "not-done"] | Mapping[str, Literal["done", "not-done"]]'
"""What a person says of calls that are in doubt: of all of them, or of each by its step (``"s3"``, or ``"s3[0]"`` for
the first item of a list)."""

DONE_UNSEEN = "done before the run was interrupted; its result is not known"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a call."""

    ok: bool
    value: JsonValue
    """The result, or the message that says why there is none."""
    state: JsonObject = field(default_factory=dict[str, Any])
    """What changed in the state that tools share."""
    sandbox: str = ""
    """How the tool was kept apart; empty when it ran in this process."""
    called: bool = True
    """Whether the tool was called, so that it may have changed something."""


class Caller:
    """Calls the tools of a run.

    Args:
        run_id: The run.
        tools: What steps may call; it may grow.
        workspace: The folder that tools may work in.
        emit: Called with what happens, on the event loop's thread.
        durable: Waits until all that was emitted survives a crash.
        gate: Decides whether a call may be made.
        record: What was done before.
        access: What the run lets its tools get at; its secrets are taken out of what tools say.
        assume: What a person says of calls that are in doubt.
        reuse: Results of an earlier run that may stand for calls.
    """

    def __init__(
        self,
        *,
        run_id: str,
        tools: ToolRegistry,
        workspace: Path,
        emit: Callable[[Event], None],
        durable: Callable[[], Awaitable[None]],
        gate: Gate,
        record: Record,
        access: Access,
        assume: Assume | None = None,
        reuse: Reuse | None = None,
    ) -> None:
        self._run_id = run_id
        self._tools = tools
        self._workspace = workspace
        self._emit = emit
        self._durable = durable
        self._gate = gate
        self._record = record
        self._access = access
        self._assume: Assume | None = assume
        self._reuse = reuse
        self._state = SharedState(record.state, self._warn_of_state)

    def missing(self, name: str) -> str | None:
        """Returns the message for a tool that is not there; ``None`` when it is."""
        if name in self._tools:
            return None
        nearest = self._tools.nearest(name)
        hint = f"did you mean {nearest[0]!r}? " if nearest else ""
        return f"there is no tool {name!r}; {hint}the tools are: {', '.join(self._tools.names)}"

    def may_change(self, name: str) -> bool:
        """Returns whether a call of a tool may change something."""
        return name in self._tools and self._tools.get(name).effect != "pure"

    async def call(self, step: Step, arguments: JsonObject, item: int | None = None) -> Outcome | None:
        """Calls a step's tool.

        Args:
            step: The step.
            arguments: What the tool is given, references replaced.
            item: For which item the step runs, counted from 0; ``None`` when it runs once.

        Returns:
            What came of it; ``None`` when a person has to decide first.

        Raises:
            agentkit.errors.RecordEnds: The run is only repeated, and the call is not in the record.
        """
        if self._record.strict:
            raise RecordEnds(f"step {step.id!r} calls {step.tool!r}, and no result of that is in the record")
        if (message := self.missing(step.tool)) is not None:
            self._emit(StepStarted(id=step.id, tool=step.tool, args=arguments))
            return Outcome(ok=False, value=message, called=False)
        tool = self._tools.get(step.tool)
        attempt = self._record.attempts[step.id, item] + 1
        if attempt == 1 and (known := self._known(tool, step, item, arguments)) is not None:
            return known
        if attempt > 1 and tool.effect == "once":
            settled = await self._settle_doubt(tool, step, item, arguments)
            if settled is None:
                return None
            if settled.done:
                return Outcome(ok=True, value=DONE_UNSEEN if settled.value is None else settled.value)
        verdict = await self._gate(step, item, arguments)
        if isinstance(verdict, Waits):
            return None
        if isinstance(verdict, Denied):
            return Outcome(ok=False, value=verdict.message, called=False)
        return await self._make(tool, step, item, verdict, attempt)

    def _known(self, tool: Tool, step: Step, item: int | None, arguments: JsonObject) -> Outcome | None:
        """Returns the result that the same call had in an earlier run; ``None`` when the call has to be made."""
        if self._reuse is None:
            return None
        known = self._reuse.find(tool, arguments, state=self._state.known, workspace=self._workspace)
        if known is not None:
            self._state.take(known.state)
            self._emit(StepReused(id=step.id, tool=step.tool, args=arguments, run=self._reuse.run_id, item=item))
        return known

    async def _make(self, tool: Tool, step: Step, item: int | None, allowed: Allowed, attempt: int) -> Outcome:
        arguments = allowed.arguments
        state = self._state.view()
        context = self._context(step, item, state)
        key = context.idempotency_key
        kill_point("before-intent")
        if item is None:
            self._emit(
                StepStarted(
                    id=step.id,
                    tool=step.tool,
                    args=arguments,
                    attempt=attempt,
                    effect=tool.effect,
                    key=key,
                    labels=list(allowed.labels),
                )
            )
        else:
            self._emit(ItemStarted(id=step.id, index=item, key=key, attempt=attempt))
        if tool.effect != "pure":
            await self._durable()
        kill_point("after-intent")
        ok, value = await self._invoke(tool, arguments, context)
        value = self._access.secrets.without(value)
        kill_point("after-effect")
        return Outcome(ok=ok, value=value, state=self._state.changes(state), sandbox=context.sandbox)

    async def _invoke(self, tool: Tool, arguments: JsonObject, context: ToolContext) -> tuple[bool, JsonValue]:
        try:
            return True, await tool.invoke(arguments, context)
        except (ToolSignal, ToolTimeout, PlanError) as e:
            return False, str(e)
        except Exception as e:
            words = TracebackException.from_exception(e, limit=0)  # str(e) is the tool's code, and may fail
            return False, f"{type(e).__name__}: {words}"

    async def _settle_doubt(
        self, tool: Tool, step: Step, item: int | None, arguments: JsonObject
    ) -> DoubtSettled | None:
        """Finds out whether a call that was begun in an earlier process was made; ``None`` when nobody knows."""
        known = self._record.doubts.get((step.id, item))
        if known is not None:
            return known
        begun = self._record.attempts[step.id, item]
        key = self._key(step, item)
        settled: DoubtSettled | None = None
        if (answer := await tool.reconcile(arguments, key)) is not None:
            value = answer.value if isinstance(answer, Done) else None
            made = isinstance(answer, Done)
            settled = DoubtSettled(id=step.id, item=item, attempt=begun, done=made, by="tool", value=value)
        elif (said := self._said_of(step, item)) is not None:
            settled = DoubtSettled(id=step.id, item=item, attempt=begun, done=said == "done", by="user")
        self._emit(settled or InDoubt(id=step.id, tool=step.tool, args=arguments, key=key, item=item, attempt=begun))
        await self._durable()
        return settled

    def _said_of(self, step: Step, item: int | None) -> str | None:
        if self._assume is None or isinstance(self._assume, str):
            return self._assume
        return self._assume.get(step.id if item is None else f"{step.id}[{item}]", self._assume.get(step.id))

    def _context(self, step: Step, item: int | None, state: StateView) -> ToolContext:
        def on_progress(message: JsonValue) -> None:
            if not context.cancelled:  # a thread that was left behind may still say something
                self._emit(StepProgress(id=step.id, message=message, item=item))

        context = ToolContext(
            run_id=self._run_id,
            step_id=step.id,
            idempotency_key=self._key(step, item),
            workspace=self._workspace,
            state=state,
            access=self._access,
            on_progress=on_progress,
        )
        return context

    def _key(self, step: Step, item: int | None) -> str:
        """Returns the idempotency key of a call, the same in every process and for every attempt."""
        place = [self._run_id, step.id, 1] if item is None else [self._run_id, step.id, 1, item]
        return hashlib.sha256(json.dumps(place).encode()).hexdigest()

    def _warn_of_state(self, key: str) -> None:
        message = f"the shared state {key!r} is not JSON, so it is lost if the run has to be resumed; keep JSON in it"
        self._emit(Warned(about="state_not_kept", message=message))


def resolve_refs(value: Any, find: Callable[[Ref], Any]) -> Any:
    """Returns `value` with each reference replaced by the value that `find` gives for it, and each template filled."""
    if isinstance(value, Ref):
        return find(value)
    if isinstance(value, Template):
        return value.fill(find)
    if isinstance(value, Mapping):
        return {k: resolve_refs(v, find) for k, v in value.items()}  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, list | tuple):
        return [resolve_refs(v, find) for v in value]  # pyright: ignore[reportUnknownVariableType]
    return value
