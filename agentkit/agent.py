"""The agent: a model, tools and limits, ready to run tasks; the way to embed agentkit in a program."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias

from pydantic import BaseModel, TypeAdapter

from agentkit.errors import UsageError
from agentkit.events import Event
from agentkit.journal import Journal
from agentkit.limits import Limits
from agentkit.messages import JsonObject, JsonValue, Message
from agentkit.model_backend.base import Model, Sampling
from agentkit.paths import runs_folder
from agentkit.planners.auto import AutoPlanner
from agentkit.planners.base import Planner, StepResult
from agentkit.planners.given import GivenPlanner
from agentkit.planners.graph import GraphPlanner
from agentkit.planners.loop import LoopPlanner
from agentkit.planners.plan import Step
from agentkit.run import Result, Run, RunSpec
from agentkit.tools.loading import load_tools
from agentkit.tools.registry import ToolRegistry
from agentkit.tools.schema import compact

if TYPE_CHECKING:
    from agentkit.tools.tool import Tool
    from agentkit.tools.toolsets import BaseToolset

__all__ = ["Agent", "PlannerChoice", "Rounds"]

PlannerChoice: TypeAlias = "Literal['auto', 'graph', 'loop'] | Sequence[Step] | Callable[[], Planner]"
"""``graph``: the model writes a plan of calls, which run side by side. ``loop``: it decides turn by turn. ``auto``:
it chooses. A sequence of steps is run as it is. A function makes a planner of your own, one for each run."""

_PLANNERS: dict[str, Callable[[], Planner]] = {"auto": AutoPlanner, "graph": GraphPlanner, "loop": LoopPlanner}

ToolSource: TypeAlias = "Tool | Callable[..., Any] | BaseToolset | str"


class Agent:
    """A model with tools. One agent may run many tasks, also at the same time.

    Example:
        >>> from agentkit import Agent, ScriptedModel, tool
        >>> from agentkit.messages import ToolCall
        >>> @tool(effect="pure")
        ... def add(a: int, b: int) -> int:
        ...     '''Add two numbers.'''
        ...     return a + b
        >>> agent = Agent(ScriptedModel([ToolCall("add", {"a": 20, "b": 22}), "It is 42."]), tools=[add])
        >>> agent.run_sync("What is 20 + 22?").output
        'It is 42.'
    """

    def __init__(
        self,
        model: Model | str | Path | None,
        tools: Sequence[ToolSource] = (),
        *,
        instructions: str = "",
        planner: PlannerChoice = "auto",
        output: type[BaseModel] | JsonObject | None = None,
        limits: Limits | None = None,
        thinking: int = 0,
        sampling: Sampling | None = None,
        workspace: Path | str | None = None,
        record: bool = True,
    ) -> None:
        """Puts an agent together. Nothing is loaded before the first run.

        Args:
            model: A catalog id such as ``"starter"``, the path of a GGUF file, the URL of an
                OpenAI-compatible server, or a `Model`. ``None`` only for a plan that needs none.
            tools: Tools, plain functions, toolsets, or names of modules and files that hold tools.
            instructions: What the model is told before the task.
            planner: Who decides what is done.
            output: Type of the answer: a pydantic model, or a JSON Schema.
            limits: When a run is stopped.
            thinking: Budget of each thought, in tokens; 0 turns thinking off.
            sampling: How tokens are chosen; what is not set comes from the catalog.
            workspace: Folder that file tools may touch; the current one by default.
            record: Whether runs leave a file behind (see `agentkit.paths.runs_folder`).

        Raises:
            agentkit.errors.UsageError: Something does not fit; the message says what.
        """
        self._model = model
        self._planner: PlannerChoice = planner
        self._output, self._convert = _output_type(output)
        self._tools = ToolRegistry([t for source in tools for t in load_tools(source)])
        self._instructions = instructions
        self._limits = limits or Limits()
        self._thinking = thinking
        self._sampling = sampling or Sampling()
        self._workspace = Path(workspace or ".").resolve()
        self._recording = record
        _check_planner(planner)

    def run_sync(self, task: str, *, history: Sequence[Message] = ()) -> Result:
        """Runs a task and waits for it; see `run`. Not for use where an event loop is running."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run(self.run(task, history=history))
        raise UsageError("run_sync can't be used where an event loop is running; use 'await agent.run(...)' there")

    async def run(
        self, task: str, *, history: Sequence[Message] = (), on_event: Callable[[Event], None] | None = None
    ) -> Result:
        """Runs a task.

        Args:
            task: What is to be done.
            history: Earlier messages (`Result.messages`), to go on with a conversation.
            on_event: Called with each event as it happens, on the event loop's thread.

        Returns:
            How it ended. A limit, a failing tool or a failing model is a stop reason, not an exception.

        Raises:
            agentkit.errors.UsageError: The model can't be had, or a plan does not fit.
        """
        async with self.iter(task, history=history, on_event=on_event) as rounds:
            async for _ in rounds:
                pass
            return rounds.result

    async def stream(self, task: str, *, history: Sequence[Message] = ()) -> AsyncIterator[Event]:
        """Runs a task and yields its events as they happen; leaving the loop early cancels the run."""
        events: asyncio.Queue[Event | None] = asyncio.Queue()
        run = asyncio.create_task(self.run(task, history=history, on_event=events.put_nowait))
        run.add_done_callback(lambda _: events.put_nowait(None))
        try:
            while (event := await events.get()) is not None:
                yield event
            await run
        finally:
            run.cancel()
            await asyncio.gather(run, return_exceptions=True)

    @asynccontextmanager
    async def iter(
        self, task: str, *, history: Sequence[Message] = (), on_event: Callable[[Event], None] | None = None
    ) -> AsyncGenerator[Rounds]:
        """Runs a task step by step: each round is a model turn and the steps that it asked for.

        Example::

            async with agent.iter("Total the expenses") as rounds:
                async for results in rounds:
                    print(results)
            print(rounds.result.output)
        """
        model = await self._open_model()
        spec = self._spec(task, model, history)
        journal = Journal(runs_folder() / f"{spec.run_id}.sqlite") if self._recording else None

        def record(event: Event) -> None:
            if journal is not None and event.kind != "piece_delta":
                journal.append(event)
            if on_event is not None:
                on_event(event)

        async with Rounds(Run(spec, record=record), journal) as rounds:
            yield rounds

    async def _open_model(self) -> Model | None:
        if isinstance(self._model, str | Path):
            from agentkit.model_backend.loading import open_model

            self._model = await asyncio.to_thread(open_model, self._model)
        return self._model

    def _spec(self, task: str, model: Model | None, history: Sequence[Message]) -> RunSpec:
        planner, name = _make_planner(self._planner)
        return RunSpec(
            run_id=_new_run_id(),
            task=task,
            model=model,
            planner=planner,
            planner_name=name,
            tools=self._tools,
            limits=self._limits,
            workspace=self._workspace,
            instructions=self._instructions,
            history=history,
            output=self._output,
            convert=self._convert,
            thinking=self._thinking,
            sampling=self._sampling,
        )


class Rounds:
    """A run, one round at a time; see `Agent.iter`."""

    def __init__(self, run: Run, journal: Journal | None) -> None:
        self.run = run
        """The run: its plan and the results so far."""
        self._journal = journal

    @property
    def result(self) -> Result:
        """How the run ended.

        Raises:
            agentkit.errors.UsageError: It has not ended yet.
        """
        if self.run.result is None:
            raise UsageError("the run has not ended yet; take more rounds first")
        return self.run.result

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> list[StepResult]:
        if self.run.result is not None:
            raise StopAsyncIteration
        return await self.run.round()

    async def __aenter__(self) -> Self:
        self.run.start()
        try:
            if self._journal is not None:
                await asyncio.wrap_future(self._journal.flush())
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._close()

    async def _close(self) -> None:
        try:
            if self.run.result is None:
                await self.run.cancel()
        finally:
            if self._journal is not None:
                await asyncio.to_thread(self._journal.close)


def _new_run_id() -> str:
    """Returns a name that sorts by time and that a person can tell from others."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def _check_planner(planner: PlannerChoice) -> None:
    if isinstance(planner, str) and planner not in _PLANNERS:
        names = ", ".join(map(repr, _PLANNERS))
        raise UsageError(f"planner {planner!r} is unknown; expected one of {names}, a list of steps or a function")
    if not isinstance(planner, str) and not callable(planner):
        GivenPlanner(planner)


def _make_planner(planner: PlannerChoice) -> tuple[Planner, str]:
    if isinstance(planner, str):
        return _PLANNERS[planner](), planner
    if callable(planner):
        made = planner()
        return made, type(made).__name__
    return GivenPlanner(planner), "given"


def _output_type(
    output: type[BaseModel] | JsonObject | None,
) -> tuple[JsonObject | None, Callable[[JsonValue], Any] | None]:
    """Returns the schema of the answer, and what converts it."""
    if output is None or isinstance(output, dict):
        return output, None
    adapter = TypeAdapter(output)
    return compact(adapter.json_schema(), closed=True), adapter.validate_python
