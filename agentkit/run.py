"""One run: the loop in which a plan grows until there is an answer.

A round asks the planner for decisions. Each step is admitted by the guards and handed to the
executor, which may start it at once; when the planner has no more to say and every step is done, the
next round begins. Everything that happens is an event.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from agentkit.errors import LimitReached, ModelError, RunError
from agentkit.events import (
    Event,
    PieceDelta,
    PlanChanged,
    PlannerChosen,
    RunFinished,
    RunStarted,
    StepAdded,
    StopReason,
    TurnFinished,
    TurnStarted,
    Warned,
)
from agentkit.executor import Executor
from agentkit.guards import CallGuard, Ledger
from agentkit.handles import READ_RESULT, read_part
from agentkit.limits import Limits
from agentkit.messages import Assistant, JsonObject, JsonValue, Message, Piece, Text, Thought, ToolCall, Usage, User
from agentkit.model_backend.base import Delta, Model, ModelInfo, Sampling, ToolSpec, Turn, TurnRequest
from agentkit.planners.base import Answer, PlanChange, Planner, StepResult, Way
from agentkit.planners.plan import Plan, Step, StepId, render_refs
from agentkit.tools.decorator import tool
from agentkit.tools.registry import ToolRegistry

if TYPE_CHECKING:
    from agentkit.tools.tool import Tool
    from agentkit.trace import Trace

__all__ = ["Result", "Run", "RunSpec", "tool_spec"]


@dataclass(frozen=True, kw_only=True)
class Result:
    """How a run ended."""

    run_id: str
    output: Any
    """The answer: text, JSON, or an object of the type that was asked for; ``None`` without an answer."""
    stop_reason: StopReason
    usage: Usage
    plan: Plan
    """The steps that were taken."""
    events: Sequence[Event] = field(repr=False)
    messages: Sequence[Message] = field(repr=False)
    """The conversation, without the instructions: pass it as ``history`` to go on with it."""
    message: str = ""
    """What went wrong, and what to do next; empty after an answer."""

    @property
    def ok(self) -> bool:
        """Whether there is an answer."""
        return self.stop_reason == "answer"

    @property
    def trace(self) -> Trace:
        """The run as something that can be printed with rich."""
        from agentkit.trace import Trace

        return Trace(self.events)


@dataclass(frozen=True, kw_only=True)
class RunSpec:
    """What a run is asked to do, and with what."""

    run_id: str
    task: str
    model: Model | None
    planner: Planner
    planner_name: str
    tools: ToolRegistry
    limits: Limits
    workspace: Path
    instructions: str = ""
    history: Sequence[Message] = ()
    output: JsonObject | None = None
    convert: Callable[[JsonValue], Any] | None = None
    """Makes the answer the type that was asked for; raises ``ValueError`` when it can't."""
    thinking: int = 0
    sampling: Sampling = Sampling()


def tool_spec(tool: Tool) -> ToolSpec:
    """Returns what a model is told of a tool."""
    return ToolSpec(
        name=tool.name,
        description=tool.description,
        parameters=tool.parameters,
        returns=tool.returns,
        pure=tool.effect == "pure",
    )


class Run:
    """A run while it goes on; also what its planner sees of it."""

    def __init__(self, spec: RunSpec, *, record: Callable[[Event], None]) -> None:
        """Prepares a run.

        Args:
            spec: What to do.
            record: Called with every event, in order, on the event loop's thread.
        """
        self._spec = spec
        self._record = record
        self._started = asyncio.get_running_loop().time()
        self.model: ModelInfo = spec.model.info if spec.model else ModelInfo(name="none", kind="scripted", context=0)
        self._ledger = Ledger(spec.limits, self.model.context)
        self._guard = CallGuard(spec.limits)
        self._tools = ToolRegistry(list(spec.tools))
        self._executor = Executor(
            run_id=spec.run_id,
            tools=self._tools,
            limits=spec.limits,
            workspace=spec.workspace,
            emit=self.emit,
            admit_items=self._guard.admit_items,
        )
        self._messages: list[Message] = []
        self.result: Result | None = None
        self.events: list[Event] = []

    # What the planner sees.

    @property
    def task(self) -> str:
        """What the user asked for."""
        return self._spec.task

    @property
    def instructions(self) -> str:
        """The developer's instructions."""
        return self._spec.instructions

    @property
    def history(self) -> Sequence[Message]:
        """Earlier turns of the conversation."""
        return self._spec.history

    @property
    def output(self) -> JsonObject | None:
        """JSON Schema of the answer."""
        return self._spec.output

    @property
    def thinking(self) -> int:
        """Budget of each thought, in tokens."""
        return self._spec.thinking

    @property
    def tools(self) -> Sequence[ToolSpec]:
        """The tools that steps may call."""
        return [*map(tool_spec, self._tools)]

    @property
    def plan(self) -> Plan:
        """The steps so far."""
        return self._executor.plan

    @property
    def results(self) -> dict[StepId, StepResult]:
        """The steps that are done."""
        return self._executor.results

    async def turn(self, request: TurnRequest, on_part: Callable[[JsonValue], None] | None = None) -> Turn:
        """Takes a model turn within the limits."""
        model = self._spec.model
        if model is None:
            raise ModelError("this run has no model; give one with model=... or --model")
        request = replace(request, sampling=self._spec.sampling)
        prompt_tokens = await model.count(request)
        request = self._ledger.fit(request, prompt_tokens)
        number = self._ledger.usage.turns + 1
        new = [_message_to_json(m) for m in request.messages[len(self._messages) :]]
        self.emit(TurnStarted(turn=number, prompt_tokens=prompt_tokens, context=self.model.context, messages=new))

        def on_delta(delta: Delta) -> None:
            if delta.kind == "part":
                if on_part is not None:
                    on_part(json.loads(delta.text))
                return
            self.emit(PieceDelta(turn=number, piece=delta.kind, text=delta.text, tokens=delta.tokens))

        turn = await model.turn(request, on_delta)
        self._ledger.add(turn.usage)
        self._messages = [*request.messages, turn.message]
        self.emit(
            TurnFinished(
                turn=number,
                pieces=[_piece_to_json(p) for p in turn.message.pieces],
                stop=turn.stop,
                usage=asdict(turn.usage),
                tokens=list(turn.message.tokens),
                notes=list(turn.notes),
            )
        )
        return turn

    def chose(self, way: Way, reason: str) -> None:
        """Records how the task is gone about."""
        self.emit(PlannerChosen(planner=way, reason=reason))

    def replanned(self, reason: PlanChange, *, failed: Sequence[StepId], added: Sequence[StepId]) -> None:
        """Records that the plan was changed after its results were seen."""
        self.emit(PlanChanged(reason=reason, failed=list(failed), added=list(added)))

    def warn(self, about: str, message: str) -> None:
        """Records something that a reader of the trace should know."""
        self.emit(Warned(about=about, message=message))

    # What its owner does with it.

    def emit(self, event: Event) -> None:
        """Records an event."""
        event = replace(event, at=asyncio.get_running_loop().time() - self._started)
        if not isinstance(event, PieceDelta):
            self.events.append(event)
        self._record(event)

    def start(self) -> None:
        """Records that the run exists."""
        spec = self._spec
        self.emit(
            RunStarted(
                run_id=spec.run_id,
                task=spec.task,
                started=datetime.now(UTC).isoformat(timespec="milliseconds"),
                model=asdict(self.model),
                planner=spec.planner_name,
                tools=[
                    {"name": t.name, "description": t.description, "parameters": t.parameters, "effect": t.effect}
                    for t in spec.tools
                ],
                limits=asdict(spec.limits),
                output=spec.output,
            )
        )

    async def round(self) -> list[StepResult]:
        """Takes one round; sets `result` when it was the last.

        Returns:
            How the round's steps ended.

        Raises:
            asyncio.CancelledError: The awaiting task was cancelled; everything was stopped and recorded.
        """
        before = set(self.results)
        timeout = asyncio.timeout_at(self._deadline())
        try:
            async with timeout:
                answer = await self._round()
        except TimeoutError:
            if not timeout.expired():
                raise
            await self._end("time_limit", message=f"the run reached its limit of {self._spec.limits.time:g} seconds")
        except LimitReached as e:
            await self._end(cast("StopReason", e.reason), message=str(e))
        except ModelError as e:
            await self._end("model_error", message=str(e))
        except RunError as e:
            await self._end("tool_error", message=str(e))
        except asyncio.CancelledError:
            await self._end("cancelled", message="the run was cancelled")
            raise
        except Exception as e:
            await self._end("error", message=f"{type(e).__name__}: {e}")
            raise
        else:
            if answer is not None:
                await self._answer(answer)
        return [r for s, r in self.results.items() if s not in before]

    async def cancel(self) -> None:
        """Ends the run where it is, between two rounds."""
        if self.result is None:
            await self._end("cancelled", message="the run was left before it was done")

    def _deadline(self) -> float | None:
        limit = self._spec.limits.time
        return None if limit is None else self._started + limit

    async def _round(self) -> Answer | None:
        known = len(self.plan)
        async with aclosing(self._spec.planner.next(self)) as decisions:
            async for decision in decisions:
                if isinstance(decision, Answer):
                    return decision
                self._add(decision)
        await self._executor.settled()
        if len(self.plan) == known:
            raise LimitReached("the planner gave neither a step nor an answer", reason="no_answer")
        self._offer_read_result()
        return None

    def _add(self, step: Step) -> None:
        pure = step.tool in self._tools and self._tools.get(step.tool).effect == "pure"
        earlier = self._guard.admit(step, pure=pure, results=self.results)
        self.emit(
            StepAdded(
                id=step.id,
                tool=step.tool,
                args=render_refs(step.args),
                after=list(step.after),
                purpose=step.purpose,
                for_each=str(step.for_each or ""),
                on_error=step.on_error,
            )
        )
        if earlier is not None:
            self.warn("repeated_call", f"step {step.id!r} repeats {earlier!r}; its result is shown again")
        self._executor.add(step, same_as=earlier)

    def _offer_read_result(self) -> None:
        """Adds the tool that reads large results, once there is one to read."""
        if READ_RESULT in self._tools or not self._executor.handles:
            return
        results = self.results

        @tool(name=READ_RESULT, effect="pure")
        def read(handle: str, path: str = "", start: int = 0, count: int = 20) -> Any:
            """Read a part of a large result.

            Args:
                handle: The handle that stands in the result.
                path: Keys and list indices joined with dots; empty for the whole.
                start: First list item or text line, counted from 0.
                count: How many items or lines.
            """
            known: dict[str, JsonValue] = {str(s): r.value for s, r in results.items()}
            return read_part(known, handle, path, start, count)

        self._tools.add(read)

    async def _answer(self, answer: Answer) -> None:
        output: Any = answer.output
        if self._spec.convert is not None:
            try:
                output = self._spec.convert(answer.output)
            except ValueError as e:
                await self._end("no_answer", message=f"the answer {answer.output!r} does not fit: {e}")
                return
        await self._end("answer", output=output, recorded=answer.output)

    async def _end(
        self, reason: StopReason, *, output: Any = None, recorded: JsonValue = None, message: str = ""
    ) -> None:
        await self._executor.cancel()
        usage = self._ledger.usage
        self.emit(RunFinished(stop_reason=reason, output=recorded, usage=asdict(usage), message=message))
        self.result = Result(
            run_id=self._spec.run_id,
            output=output,
            stop_reason=reason,
            usage=usage,
            plan=self.plan,
            events=self.events,
            messages=[m for m in self._messages if m.role != "system"],
            message=message,
        )


def _piece_to_json(piece: Piece) -> JsonObject:
    match piece:
        case Thought():
            return {"thought": piece.text}
        case Text():
            return {"text": piece.text}
        case ToolCall():
            return {"call": piece.name, "args": piece.arguments, "id": piece.id}


def _message_to_json(message: Message) -> JsonObject:
    data: JsonObject = asdict(message)
    if isinstance(message, User):
        media = data.pop("media")
        data |= {"media": list(media)} if media else {}
    if isinstance(message, Assistant):
        data = {"role": "assistant", "pieces": [_piece_to_json(p) for p in message.pieces]}
    return data
