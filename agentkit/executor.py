"""Runs steps: each one starts as soon as what it needs is done."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from agentkit.errors import PlanError, ToolSignal, ToolTimeout
from agentkit.events import Event, StepFinished, StepProgress, StepStarted
from agentkit.handles import preview
from agentkit.limits import Limits
from agentkit.messages import JsonObject, JsonValue
from agentkit.planners.base import StepResult
from agentkit.planners.plan import Plan, Ref, Step, StepId
from agentkit.tools.context import ToolContext
from agentkit.tools.registry import ToolRegistry

__all__ = ["Executor"]


class Executor:
    """Runs the steps of a plan that grows, several at the same time.

    A step that fails does not end the run: its result says what went wrong, and steps that need it
    are not started but fail in turn.
    """

    def __init__(
        self, *, run_id: str, tools: ToolRegistry, limits: Limits, workspace: Path, emit: Callable[[Event], None]
    ) -> None:
        self.plan = Plan()
        self.results: dict[StepId, StepResult] = {}
        self.state: dict[str, Any] = {}
        """What tools share during the run."""
        self._run_id = run_id
        self._tools = tools
        self._limits = limits
        self._workspace = workspace
        self._emit = emit
        self._slots = asyncio.Semaphore(limits.parallel)
        self._same_as: dict[StepId, StepId] = {}
        self._tasks: dict[StepId, asyncio.Task[None]] = {}

    def add(self, step: Step, *, same_as: StepId | None = None) -> None:
        """Adds a step to the plan, and starts it when nothing it needs is missing.

        Args:
            step: The step.
            same_as: An earlier step with the same call, whose result stands for this one's.

        Raises:
            agentkit.errors.PlanError: The step does not fit the plan.
        """
        if same_as is not None:
            step = replace(step, after=(*step.after, same_as))
            self._same_as[step.id] = same_as
        self.plan.add(step)
        self._start_if_ready(step)

    def settle(self, result: StepResult) -> None:
        """Records how a step ended, and starts what waited for it."""
        self.results[result.id] = result
        for waiting in self.plan.graph.successors(result.id):
            self._start_if_ready(self.plan[waiting])

    async def settled(self) -> None:
        """Waits until no step is running or can be started."""
        while self._tasks:
            await asyncio.wait(self._tasks.values(), return_when=asyncio.FIRST_COMPLETED)

    async def cancel(self) -> None:
        """Stops what is running, and waits until it has stopped."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _start_if_ready(self, step: Step) -> None:
        if step.id in self._tasks or step.id in self.results or not step.needs <= self.results.keys():
            return
        failed = [need for need in sorted(step.needs) if not self.results[need].ok]
        if failed:
            value = f"not run, because step {failed[0]!r} failed"
            self._finish(step, StepResult(id=step.id, tool=step.tool, value=value, ok=False, shown=value))
            return
        self._tasks[step.id] = asyncio.create_task(self._run(step), name=f"step {step.id}")

    async def _run(self, step: Step) -> None:
        try:
            async with self._slots:
                started = asyncio.get_running_loop().time()
                ok, value = await self._call(step)
                seconds = asyncio.get_running_loop().time() - started
        finally:
            del self._tasks[step.id]
        shown, is_whole = preview(step.id, value, self._limits.result_chars)
        result = StepResult(id=step.id, tool=step.tool, value=value, ok=ok, seconds=seconds, shown=shown)
        self._finish(step, result, handle="" if is_whole else step.id)

    def _finish(self, step: Step, result: StepResult, *, handle: str = "") -> None:
        self._emit(
            StepFinished(
                id=step.id, tool=step.tool, ok=result.ok, value=result.value, seconds=result.seconds, handle=handle
            )
        )
        self.settle(result)

    async def _call(self, step: Step) -> tuple[bool, JsonValue]:
        """Calls the step's tool; whatever happens becomes a value for the model."""
        if earlier := self._same_as.get(step.id):
            note = f"this call was made already (step {earlier}); this is its result again, use it or go on"
            return True, {"note": note, "result": self.results[earlier].value}
        try:
            arguments: JsonObject = self._resolve(step.args)
            self._emit(StepStarted(id=step.id, tool=step.tool, args=arguments))
            if step.tool not in self._tools:
                return False, self._no_such_tool(step.tool)
            return True, await self._tools.get(step.tool).invoke(arguments, self._context(step))
        except (ToolSignal, ToolTimeout, PlanError) as e:
            return False, str(e)
        except Exception as e:
            return False, f"{type(e).__name__}: {e}"

    def _no_such_tool(self, name: str) -> str:
        nearest = self._tools.nearest(name)
        hint = f"did you mean {nearest[0]!r}? " if nearest else ""
        return f"there is no tool {name!r}; {hint}the tools are: {', '.join(self._tools.names)}"

    def _resolve(self, value: Any) -> Any:
        """Returns the value with references replaced by what they refer to, never by text."""
        match value:
            case Ref():
                return value.resolve(self.results[value.step].value)
            case dict():
                return {k: self._resolve(v) for k, v in value.items()}  # pyright: ignore[reportUnknownVariableType]
            case list():
                return [self._resolve(v) for v in value]  # pyright: ignore[reportUnknownVariableType]
            case _:
                return value

    def _context(self, step: Step) -> ToolContext:
        key = hashlib.sha256(json.dumps([self._run_id, step.id, 1]).encode()).hexdigest()
        return ToolContext(
            run_id=self._run_id,
            step_id=step.id,
            idempotency_key=key,
            workspace=self._workspace,
            state=self.state,
            on_progress=lambda message: self._emit(StepProgress(id=step.id, message=message)),
        )
