"""Runs steps: each one starts as soon as what it needs is done."""

from __future__ import annotations

import asyncio
import heapq
import sys
from collections import deque
from collections.abc import Callable, Coroutine, Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from agentkit.calls import Caller, Outcome, resolve_refs
from agentkit.errors import Diverged, PlanError
from agentkit.events import Event, ItemFinished, StepFinished, StepStarted
from agentkit.for_each import Items, items_of
from agentkit.handles import preview
from agentkit.kill_points import kill_point
from agentkit.labels import LabelBook, Labels
from agentkit.limits import Limits
from agentkit.messages import JsonObject, JsonValue
from agentkit.planners.base import StepResult
from agentkit.planners.plan import ITEM, Plan, Ref, Step, StepId
from agentkit.ready_queue import ReadyQueue
from agentkit.record import Record

__all__ = ["Executor"]


class Executor:
    """Runs the steps of a plan that grows, several at the same time.

    A step that fails does not end the run: its result says what went wrong, and steps that need it
    are not started but fail in turn. A step with `for_each` makes a call for each item of a list, and
    these share the run's room for calls with all others.
    """

    def __init__(
        self,
        *,
        caller: Caller,
        limits: Limits,
        emit: Callable[[Event], None],
        admit_items: Callable[[Step, int], None],
        record: Record,
        labels: LabelBook,
    ) -> None:
        """Prepares to run steps.

        Args:
            caller: Makes the calls.
            limits: How many calls may run at a time, and what counts as a large result.
            emit: Called with everything that happens, on the event loop's thread.
            admit_items: Called with a step and the number of its items before the first of them begins; what
                it raises ends the run.
            record: What was done before; it is not done again.
            labels: Keeps where results come from.
        """
        self.plan = Plan()
        self.results: dict[StepId, StepResult] = {}
        self.handles: set[StepId] = set()
        """Steps whose results are too large to be shown whole."""
        self._caller = caller
        self._record = record
        self._labels = labels
        self._done_before = {step: i for i, step in enumerate(record.results)}
        """Steps with a recorded result, and its place in the order in which they ended."""
        self._recalled: list[tuple[int, StepId]] = []
        """Those of them that the plan has come to; a heap."""
        self._parked: set[StepId] = set()
        self._limits = limits
        self._emit = emit
        self._admit_items = admit_items
        self._missing: dict[StepId, int] = {}
        """How many of the steps that a step needs are not done."""
        self._same_as: dict[StepId, StepId] = {}
        self._ready = ReadyQueue(self.plan)
        self._items: dict[StepId, Items] = {}
        self._calls: set[asyncio.Task[None]] = set()
        self._room = limits.parallel
        self._woken = False
        self._stopped = False
        self._fault: BaseException | None = None
        self._idle = asyncio.Event()
        self._idle.set()

    def add(self, step: Step, *, same_as: StepId | None = None) -> None:
        """Adds a step to the plan; it starts when nothing it needs is missing and there is room.

        Args:
            step: The step.
            same_as: An earlier step with the same call, whose result stands for this one's.

        Raises:
            agentkit.errors.PlanError: The step does not fit the plan.
            agentkit.errors.LimitReached: An earlier step has more items than the run may make calls.
        """
        if self._fault is not None:
            raise self._fault
        if same_as is not None:
            step = replace(step, after=(*step.after, same_as))
            self._same_as[step.id] = same_as
        self.plan.add(step)
        missing = self._missing[step.id] = sum(n not in self.results for n in self.plan.graph.predecessors(step.id))
        if not missing and (result := self._release(step)) is not None:
            self._settle(result)

    async def settled(self) -> None:
        """Waits until no step is running or can be started.

        Raises:
            agentkit.errors.LimitReached: A step has more items than the run may make calls.
            Exception: What `emit` raised.
        """
        if self._fault is None:
            await self._idle.wait()
        if self._fault is not None:
            raise self._fault

    @property
    def parked(self) -> list[str]:
        """The calls that wait for a person: a step, or one of a step's items as ``step[index]``."""
        items = (f"{step}[{i}]" for step, items in self._items.items() for i in sorted(items.parked))
        return [*sorted(self._parked), *items]

    @contextmanager
    def aside(self) -> Generator[None]:
        """Frees the room of a call that waits for a person, as long as it waits."""
        self._room += 1
        self._wake()
        try:
            yield
        finally:
            self._room -= 1

    async def cancel(self) -> None:
        """Stops what is running, starts nothing more, and waits until everything has stopped."""
        self._stopped = True
        for call in self._calls:
            call.cancel()
        while self._calls:
            await asyncio.wait(self._calls)

    # From one step to the next.

    def _settle(self, result: StepResult) -> None:
        """Keeps how a step ended, and releases what waited for nothing else."""
        ended = deque([result])  # and not by recursion: a failure may go through thousands of steps
        while ended:
            result = ended.popleft()
            self.results[result.id] = result
            for waiting in self.plan.graph.adj[result.id]:
                self._missing[waiting] -= 1
                if not self._missing[waiting] and (next_one := self._release(self.plan[waiting])) is not None:
                    ended.append(next_one)

    def _release(self, step: Step) -> StepResult | None:
        """Lets a step start whose needs are done; returns how it ended when there is nothing to call."""
        if step.id in self._done_before:
            heapq.heappush(self._recalled, (self._done_before[step.id], step.id))
            self._idle.clear()
            self._wake()
            return None
        failed = min((n for n in self.plan.graph.predecessors(step.id) if not self.results[n].ok), default=None)
        if failed is not None:
            value = f"not run, because step {failed!r} failed"
            return self._tell(StepResult(id=step.id, tool=step.tool, value=value, ok=False, shown=value), called=False)
        if step.id in self._same_as:
            return self._tell(self._again(step), called=False)
        if not self._stopped:
            self._ready.push(step.id)
            self._idle.clear()
            self._wake()
        return None

    def _again(self, step: Step) -> StepResult:
        """Returns the result of the earlier step that made the same call, as this one's."""
        earlier = self.results[self._same_as[step.id]]
        note = f"this call was made already (step {earlier.id}); this is its result again, use it or go on"
        shown: JsonObject = {"note": note, "result": earlier.shown}
        return StepResult(id=step.id, tool=step.tool, value=earlier.value, ok=True, shown=shown)

    def _wake(self) -> None:
        """Starts calls soon, and not now: of the steps that are added at once, the most urgent comes first."""
        if not self._woken:
            self._woken = True
            asyncio.get_running_loop().call_soon(self._dispatch)

    def _dispatch(self) -> None:
        """Starts calls while there is room."""
        self._woken = False
        try:
            self._recall()
            while self._room > 0 and self._ready and not self._stopped:
                self._start(self.plan[self._ready.pop()])
        except Exception as error:
            self._give_up(error)
        if not self._calls and not self._ready:
            self._idle.set()

    def _recall(self) -> None:
        """Settles steps that were done before, in the order of the record: the model saw their results in it."""
        while self._recalled:
            step = self.plan[heapq.heappop(self._recalled)[1]]
            done = self._record.results[step.id]
            called = bool(self._record.attempts[step.id, None] or self._record.items[step.id])
            if self._record.strict and self._record.attempts[step.id, None]:
                self._compare_arguments(step)
            self._label(step, called=called, ok=done.ok, known=done.labels)
            if done.ok and step.id in self._same_as:
                self._settle(self._again(step))
            else:
                most = 0 if done.handle else sys.maxsize  # it is shown as it was, whatever the limit is now
                self._settle(self._result(step, ok=done.ok, value=done.value, seconds=done.seconds, whole=most))

    def _compare_arguments(self, step: Step) -> None:
        """Says again with what a step was called, which is compared with what is recorded."""
        try:
            arguments: JsonObject = resolve_refs(step.args, lambda r: str(r) if r.step == ITEM else self._look_up(r))
        except PlanError as e:
            raise Diverged(f"step {step.id!r} was called, and could not be now: {e}") from None
        self._emit(StepStarted(id=step.id, tool=step.tool, args=arguments))

    def _start(self, step: Step) -> None:
        """Starts a step's call, or the next one of its items."""
        if step.for_each is None:
            self._spawn(self._run(step), f"step {step.id}")
            return
        if step.id not in self._items and not self._open(step, step.for_each):
            return
        items = self._items[step.id]
        if items.waiting:
            index = items.begin()
            self._spawn(self._run_item(step, items, index), f"step {step.id}[{index}]")
        if items.waiting:
            self._ready.push(step.id)

    def _spawn(self, call: Coroutine[Any, Any, None], name: str) -> None:
        self._room -= 1
        task = asyncio.create_task(call, name=name)
        self._calls.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, call: asyncio.Task[None]) -> None:
        self._calls.remove(call)
        self._room += 1
        if not call.cancelled() and (error := call.exception()) is not None:
            self._give_up(error)
        self._dispatch()

    def _give_up(self, error: BaseException) -> None:
        """Starts nothing more, and lets the run know why: the error is not one of a tool."""
        self._fault = self._fault or error
        self._stopped = True
        self._idle.set()

    # What a step does.

    async def _run(self, step: Step) -> None:
        started = self._now()
        try:
            arguments: JsonObject = resolve_refs(step.args, self._look_up)
        except PlanError as e:
            self._finish(step, started, Outcome(ok=False, value=str(e)))
            return
        outcome = await self._caller.call(step, arguments)
        if outcome is None:
            self._parked.add(step.id)
            return
        self._ready.learn(step.tool, self._now() - started)
        self._finish(step, started, outcome)

    def _open(self, step: Step, ref: Ref) -> bool:
        """Finds the items of a step; returns whether there are some to run."""
        started = self._now()
        try:
            items = Items(step, items_of(ref, self.results[ref.step].value), started=started)
            # Also finds out whether references to other steps lead somewhere, before the first item is run.
            arguments = resolve_refs(step.args, lambda r: str(r) if r.step == ITEM else self._look_up(r))
        except PlanError as e:
            self._finish(step, started, Outcome(ok=False, value=str(e)))
            return False
        self._admit_items(step, len(items))
        labels = sorted(self._labels.call(step).all)
        self._emit(StepStarted(id=step.id, tool=step.tool, args=arguments, items=len(items), labels=labels))
        for index, done in self._record.items[step.id].items():
            items.recall(index, ok=done.ok, value=done.value if done.ok else done.error)
        missing = self._caller.missing(step.tool)
        if missing is not None:
            self._finish(step, started, Outcome(ok=False, value=missing))
        elif items.are_done:
            self._finish_items(step, items)
        else:
            self._items[step.id] = items
            return True
        return False

    async def _run_item(self, step: Step, items: Items, index: int) -> None:
        started = self._now()
        try:
            arguments: JsonObject = resolve_refs(
                step.args, lambda r: r.resolve(items[index]) if r.step == ITEM else self._look_up(r)
            )
            outcome = await self._caller.call(step, arguments, index)
        except PlanError as e:
            outcome = Outcome(ok=False, value=str(e))
        if outcome is None:
            items.park(index)
            return
        seconds = self._now() - started
        self._ready.learn(step.tool, seconds)
        ok, value = outcome.ok, outcome.value
        items.end(index, ok=ok, value=value)
        self._emit(
            ItemFinished(
                id=step.id,
                index=index,
                ok=ok,
                error="" if ok else str(value),
                value=value if ok else None,
                seconds=seconds,
                state=outcome.state,
            )
        )
        kill_point("after-result")
        if items.are_done:
            self._finish_items(step, items, sandbox=outcome.sandbox)

    def _finish_items(self, step: Step, items: Items, sandbox: str = "") -> None:
        ok, value = items.outcome()
        self._finish(step, items.started, Outcome(ok=ok, value=value, sandbox=sandbox))

    def _look_up(self, ref: Ref) -> JsonValue:
        return ref.resolve(self.results[ref.step].value)

    def _finish(self, step: Step, started: float, outcome: Outcome) -> None:
        seconds, whole = self._now() - started, self._limits.result_chars
        result = self._result(step, ok=outcome.ok, value=outcome.value, seconds=seconds, whole=whole)
        self._settle(self._tell(result, called=outcome.called, state=outcome.state, sandbox=outcome.sandbox))
        kill_point("after-result")

    def _result(self, step: Step, *, ok: bool, value: JsonValue, seconds: float, whole: int) -> StepResult:
        """Returns a result; one with more than `whole` characters is shown as a preview."""
        shown, is_whole = preview(step.id, value, whole)
        if not is_whole:
            self.handles.add(step.id)
        return StepResult(id=step.id, tool=step.tool, value=value, ok=ok, seconds=seconds, shown=shown)

    def _tell(
        self, result: StepResult, *, called: bool, state: JsonObject | None = None, sandbox: str = ""
    ) -> StepResult:
        """Records how a step ended."""
        labels = self._label(self.plan[result.id], called=called, ok=result.ok)
        self._emit(
            StepFinished(
                id=result.id,
                tool=result.tool,
                ok=result.ok,
                value=result.value,
                seconds=result.seconds,
                handle=result.id if result.id in self.handles else "",
                state=state or {},
                labels=sorted(labels),
                sandbox=sandbox,
            )
        )
        return result

    def _label(self, step: Step, *, called: bool, ok: bool, known: Sequence[str] = ()) -> Labels:
        """Keeps where a result comes from."""
        effect = called and self._caller.may_change(step.tool)
        return self._labels.finish(step, effect=effect, ok=ok, of=self._same_as.get(step.id, ""), known=known)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
