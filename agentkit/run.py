"""One run: the loop in which a plan grows until there is an answer.

A round asks the planner for decisions. Each step is admitted by the guards and handed to the
executor, which may start it at once; when the planner has no more to say and every step is done, the
next round begins. Everything that happens is an event.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator, Iterable, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, cast

from agentkit.approval import PolicyGate
from agentkit.calls import Caller
from agentkit.errors import Diverged, JournalError, LimitReached, ModelError, RunError
from agentkit.events import (
    DoubtSettled,
    Event,
    InDoubt,
    PieceDelta,
    PlanChanged,
    PlannerChosen,
    RunFinished,
    RunPaused,
    RunResumed,
    StepAdded,
    StopReason,
    Warned,
)
from agentkit.executor import Executor
from agentkit.guards import CallGuard
from agentkit.handles import READ_RESULT, read_part
from agentkit.kill_points import kill_point
from agentkit.messages import JsonObject, JsonValue, Message
from agentkit.model_backend.base import ModelInfo, ToolSpec, Turn, TurnRequest
from agentkit.planners.base import Answer, PlanChange, StepResult, Way
from agentkit.planners.plan import Plan, Step, StepId, render_refs
from agentkit.record import Record
from agentkit.result import Result
from agentkit.run_spec import RunSpec
from agentkit.time_limit import TimeLimit
from agentkit.tools.decorator import tool
from agentkit.tools.registry import ToolRegistry
from agentkit.turns import OnPart, Turns

if TYPE_CHECKING:
    from agentkit.tools.tool import Tool

__all__ = ["Run", "tool_spec"]


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

    def __init__(
        self,
        spec: RunSpec,
        *,
        record: Record,
        sink: Callable[[Event], None],
        durable: Callable[[], Awaitable[None]],
    ) -> None:
        """Prepares a run.

        Args:
            spec: What to do.
            record: What was done before; empty for a run that begins.
            sink: Called with every event that is new, in order, on the event loop's thread.
            durable: Waits until all of them survive a crash.
        """
        self._spec = spec
        self._record = record
        self._sink = sink
        self._started = asyncio.get_running_loop().time() - record.seconds
        self.model: ModelInfo = spec.model_info
        self._turns = Turns(
            model=spec.model,
            limits=spec.limits,
            sampling=spec.sampling,
            record=record,
            emit=self.emit,
            durable=durable,
        )
        self._guard = CallGuard(spec.limits)
        self._tools = ToolRegistry(list(spec.tools))
        self._labels = spec.policy.open_book(self._tools)
        self._labels.read_history(spec.history, self._tools.names)
        caller = Caller(
            run_id=spec.run_id,
            tools=self._tools,
            workspace=spec.workspace,
            emit=self.emit,
            durable=durable,
            gate=PolicyGate(
                run_id=spec.run_id,
                policy=spec.policy,
                approve=spec.approve,
                tools=self._tools,
                labels=self._labels,
                said=f"{spec.instructions}\n{spec.task}",
                record=record,
                emit=self.emit,
                durable=durable,
                aside=self._while_a_person_thinks,
            ),
            record=record,
            access=spec.access,
            assume=spec.assume,
            reuse=spec.reuse,
        )
        self._executor = Executor(
            caller=caller,
            limits=spec.limits,
            emit=self.emit,
            admit_items=self._guard.admit_items,
            record=record,
            labels=self._labels,
        )
        self._time = TimeLimit(spec.limits.time, used=record.seconds)
        self.result: Result | None = None
        self.events: list[Event] = list(record.events)

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

    async def turn(self, request: TurnRequest, on_part: OnPart | None = None) -> Turn:
        """Takes a model turn within the limits."""
        self._labels.begin_turn()
        return await self._turns.take(request, on_part)

    def foresees(self, tools: Iterable[str]) -> None:
        """Takes in which calls the model wants, by tool."""
        self._labels.foresee(tools)

    def chose(self, way: Way, reason: str) -> None:
        """Records how the task is gone about."""
        self.emit(PlannerChosen(planner=way, reason=reason))

    def replanned(self, reason: PlanChange, *, failed: Sequence[StepId], added: Sequence[StepId]) -> None:
        """Records that the plan was changed after its results were seen."""
        kill_point("plan-change")
        self.emit(PlanChanged(reason=reason, failed=list(failed), added=list(added)))

    def warn(self, about: str, message: str) -> None:
        """Records something that a reader of the trace should know."""
        self.emit(Warned(about=about, message=message))

    # What its owner does with it.

    def emit(self, event: Event) -> None:
        """Records an event, unless it is in the record already."""
        event = replace(
            self._spec.access.secrets.without_in(event), at=asyncio.get_running_loop().time() - self._started
        )
        if not isinstance(event, PieceDelta):
            if self._record.events and self._record.has(event):
                return
            self.events.append(event)
        self._sink(event)

    def start(self) -> None:
        """Records that the run exists, or that it goes on."""
        self.emit(self._spec.started())
        if self._record.events and not self._record.strict:
            now = datetime.now(UTC).isoformat(timespec="milliseconds")
            self.emit(RunResumed(number=self._record.resumed + 1, started=now))

    async def round(self) -> list[StepResult]:
        """Takes one round; sets `result` when it was the last.

        Returns:
            How the round's steps ended.

        Raises:
            asyncio.CancelledError: The awaiting task was cancelled; everything was stopped and recorded.
        """
        before = set(self.results)
        try:
            async with self._time.held():
                answer = await self._round()
        except Diverged:
            raise
        except LimitReached as e:
            await self._end(cast("StopReason", e.reason), message=str(e))
        except ModelError as e:
            await self._end("model_error", message=str(e))
        except JournalError as e:
            await self._end("journal_error", message=str(e))
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

    async def unrecorded(self, error: JournalError) -> None:
        """Lets the result say that the run's file could not be written, if it does not say so already."""
        if self.result is not None and self.result.stop_reason != "journal_error":
            await self._end("journal_error", output=self.result.output, message=str(error))

    @contextmanager
    def _while_a_person_thinks(self) -> Generator[None]:
        """Lets other calls go on, and the run's time stand still."""
        with self._time.paused(), self._executor.aside():
            yield

    async def _round(self) -> Answer | None:
        known = len(self.plan)
        async with aclosing(self._spec.planner.next(self)) as decisions:
            async for decision in decisions:
                if isinstance(decision, Answer):
                    return decision
                self._add(decision)
        await self._executor.settled()
        if self._executor.parked:
            self._pause(self._executor.parked)
            return None
        if len(self.plan) == known:
            raise LimitReached("the planner gave neither a step nor an answer", reason="no_answer")
        self._offer_read_result()
        return None

    def _add(self, step: Step) -> None:
        step = self._record.edited(step)
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
                labels=sorted(self._labels.write(step)),
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
        self.emit(RunFinished(stop_reason=reason, output=recorded, usage=asdict(self._turns.usage), message=message))
        self._close(reason, output=output, message=message)

    def _pause(self, waiting: Sequence[str]) -> None:
        settled = {(e.id, e.item, e.attempt) for e in self.events if isinstance(e, DoubtSettled)}
        doubts = [e for e in self.events if isinstance(e, InDoubt) and (e.id, e.item, e.attempt) not in settled]
        run_id = self._spec.run_id
        reason: Literal["in_doubt", "approval"] = "in_doubt" if doubts else "approval"
        if doubts:
            names = [e.id if e.item is None else f"{e.id}[{e.item}]" for e in doubts]
            calls = ", ".join(f"{e.tool!r} of step {name!r}" for e, name in zip(doubts, names, strict=True))
            each = "done" if len(doubts) == 1 else " --assume ".join(f"{name}=done" for name in names)
            message = (
                f"the call of {calls} was begun before the run was interrupted, and may have been made; find out, then "
                f"say so: agentkit resume {run_id} --assume {each} (or not-done)"
            )
        else:
            message = (
                f"{', '.join(waiting)} may not be called before a person allows it: agentkit approve {run_id}, "
                f"then agentkit resume {run_id}"
            )
        usage = asdict(self._turns.usage)
        self.emit(RunPaused(stop_reason=reason, steps=list(waiting), usage=usage, message=message))
        self._close(reason, message=message)

    def _close(self, reason: StopReason, *, output: Any = None, message: str = "") -> None:
        self.result = Result(
            run_id=self._spec.run_id,
            output=output,
            stop_reason=reason,
            usage=self._turns.usage,
            plan=self.plan,
            events=self.events,
            messages=[m for m in self._turns.messages if m.role != "system"],
            message=message,
        )
