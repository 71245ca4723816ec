"""Makes one call of a tool for a step; whatever happens becomes a value that a model can read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from agentkit.errors import PlanError, ToolSignal, ToolTimeout
from agentkit.events import Event, StepProgress
from agentkit.messages import JsonObject, JsonValue
from agentkit.planners.plan import Ref, Step, Template
from agentkit.tools.context import ToolContext
from agentkit.tools.registry import ToolRegistry

__all__ = ["Caller", "resolve_refs"]


class Caller:
    """Calls the tools of a run.

    Args:
        run_id: The run.
        tools: What steps may call; it may grow.
        workspace: The folder that tools may work in.
        emit: Called with what tools say while they run, on the event loop's thread.
    """

    def __init__(self, *, run_id: str, tools: ToolRegistry, workspace: Path, emit: Callable[[Event], None]) -> None:
        self.state: dict[str, Any] = {}
        """What tools share during the run."""
        self._run_id = run_id
        self._tools = tools
        self._workspace = workspace
        self._emit = emit

    def missing(self, name: str) -> str | None:
        """Returns the message for a tool that is not there; ``None`` when it is."""
        if name in self._tools:
            return None
        nearest = self._tools.nearest(name)
        hint = f"did you mean {nearest[0]!r}? " if nearest else ""
        return f"there is no tool {name!r}; {hint}the tools are: {', '.join(self._tools.names)}"

    async def call(self, step: Step, arguments: JsonObject, item: int | None = None) -> tuple[bool, JsonValue]:
        """Calls a step's tool.

        Args:
            step: The step.
            arguments: What the tool is given, references replaced.
            item: For which item the step runs, counted from 0; ``None`` when it runs once.

        Returns:
            Whether it succeeded, and its result or the message that says why there is none.
        """
        if (message := self.missing(step.tool)) is not None:
            return False, message
        try:
            return True, await self._tools.get(step.tool).invoke(arguments, self._context(step, item))
        except (ToolSignal, ToolTimeout, PlanError) as e:
            return False, str(e)
        except Exception as e:
            return False, f"{type(e).__name__}: {e}"

    def _context(self, step: Step, item: int | None) -> ToolContext:
        def on_progress(message: JsonValue) -> None:
            if not context.cancelled:  # a thread that was left behind may still say something
                self._emit(StepProgress(id=step.id, message=message, item=item))

        place = [self._run_id, step.id, 1] if item is None else [self._run_id, step.id, 1, item]
        context = ToolContext(
            run_id=self._run_id,
            step_id=step.id,
            idempotency_key=hashlib.sha256(json.dumps(place).encode()).hexdigest(),
            workspace=self._workspace,
            state=self.state,
            on_progress=on_progress,
        )
        return context


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
