"""The agent: a model, tools and limits, ready to run tasks; the way to embed agentkit in a program."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from pydantic import BaseModel

from agentkit.approval import Approve, permitted
from agentkit.calls import Assume
from agentkit.errors import Diverged, RunChanged
from agentkit.events import Event
from agentkit.forking import fork_run
from agentkit.journal import Journal, SqliteJournal
from agentkit.journal.sqlite import Durability
from agentkit.limits import Limits
from agentkit.message_json import message_from_json
from agentkit.messages import JsonObject, Message
from agentkit.model_backend.base import Model, Sampling
from agentkit.output_type import output_type
from agentkit.paths import runs_folder
from agentkit.planner_choice import PlannerChoice, check_planner, given_plan, make_planner
from agentkit.policy import Policy
from agentkit.record import Record
from agentkit.recorded import check_resumable, whole_events
from agentkit.replaying import RecordedModel, Replayed, repeat
from agentkit.result import Result
from agentkit.reuse import Reuse
from agentkit.rounds import Rounds
from agentkit.run import Run
from agentkit.run_spec import RunSpec, check_unchanged, new_run_id
from agentkit.tools.access import Access, SandboxMode
from agentkit.tools.loading import load_tools
from agentkit.tools.registry import ToolRegistry
from agentkit.tools.secret import Secrets
from agentkit.waiting import wait_for

if TYPE_CHECKING:
    from agentkit.tools.tool import Tool
    from agentkit.tools.toolsets import BaseToolset

__all__ = ["Agent", "PlannerChoice", "Rounds"]

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
        >>> agent = Agent(ScriptedModel([ToolCall("add", {"a": 20, "b": 22}), "42"]), tools=[add], record=False)
        >>> agent.run_sync("What is 20 + 22?").output
        '42'
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
        policy: Policy | None = None,
        approve: Approve | None = None,
        secrets: Sequence[str] | Mapping[str, str] = (),
        hosts: Sequence[str] = (),
        sandbox: SandboxMode = "auto",
        record: bool = True,
        durability: Durability = "full",
        source: JsonObject | None = None,
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
            policy: Which calls may be made, and about which a person is asked.
            approve: Asks a person: gets an `agentkit.approval.Approval` and returns whether the call may be made, or an
                `agentkit.approval.Decision`. Without it, the run pauses where a person has to be asked.
            secrets: Environment variables that tools may read by `ToolContext.secret`, or values by name. They are
                taken out of everything that models, events and files get to see.
            hosts: Patterns of hosts that `agentkit.tools.web` may fetch from; none by default.
            sandbox: How commands, and tools in a process of their own, are confined; ``"required"`` refuses to run
                them with less than the best.
            record: Whether runs leave a file behind (see `agentkit.paths.runs_folder`).
            durability: ``"full"``: nothing that was done is lost, even when the machine loses power. ``"normal"``: the
                latest may be lost then, but not when only the process dies; faster on slow disks.
            source: Kept in each run's file, for who goes on with it; see `agentkit.events.RunStarted`.

        Raises:
            agentkit.errors.UsageError: Something does not fit; the message says what.
        """
        self._model = model
        self._planner: PlannerChoice = planner
        self._output, self._convert = output_type(output)
        self._policy = policy or Policy()
        self._approve = approve
        self._tools = permitted(self._policy, ToolRegistry([t for source in tools for t in load_tools(source)]))
        self._instructions = instructions
        self._limits = limits or Limits()
        self._thinking = thinking
        self._sampling = sampling or Sampling()
        self._workspace = Path(workspace or ".").resolve()
        self._access = Access(secrets=Secrets.of(secrets), hosts=tuple(hosts), sandbox=sandbox)
        self._recording = record
        self._durability: Durability = durability
        self._source = source or {}
        check_planner(planner)

    def run_sync(self, task: str, *, history: Sequence[Message] = (), reuse: Reuse | None = None) -> Result:
        """Runs a task and waits for it; see `run`. Not for use where an event loop is running."""
        return wait_for(self.run(task, history=history, reuse=reuse), "run")

    async def run(
        self,
        task: str,
        *,
        history: Sequence[Message] = (),
        reuse: Reuse | None = None,
        on_event: Callable[[Event], None] | None = None,
    ) -> Result:
        """Runs a task.

        Args:
            task: What is to be done.
            history: Earlier messages (`Result.messages`), to go on with a conversation.
            reuse: Results of an earlier run, which stand for the same calls of this one.
            on_event: Called with each event as it happens, on the event loop's thread.

        Returns:
            How it ended. A limit, a failing tool or a failing model is a stop reason, not an exception.

        Raises:
            agentkit.errors.UsageError: The model can't be had, or a plan does not fit.
        """
        async with self.iter(task, history=history, reuse=reuse, on_event=on_event) as rounds:
            async for _ in rounds:
                pass
            await rounds.close()  # before the result is given, because it may say that it could not be recorded
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
        self,
        task: str,
        *,
        history: Sequence[Message] = (),
        reuse: Reuse | None = None,
        on_event: Callable[[Event], None] | None = None,
    ) -> AsyncGenerator[Rounds]:
        """Runs a task step by step: each round is a model turn and the steps that it asked for.

        Example::

            async with agent.iter("Total the expenses") as rounds:
                async for results in rounds:
                    print(results)
            print(rounds.result.output)
        """
        spec = self._spec(new_run_id(), task, history, model=await self._open_model(), reuse=reuse)
        path = runs_folder() / f"{spec.run_id}.sqlite"
        journal = SqliteJournal(path, durability=self._durability) if self._recording else None
        async with self._begin(spec, Record(), journal, on_event) as rounds:
            yield rounds

    def resume_sync(
        self, run: str | Path | None = None, *, assume: Assume | None = None, force: bool = False
    ) -> Result:
        """Goes on with a run and waits for it; see `resume`. Not for use where an event loop is running."""
        return wait_for(self.resume(run, assume=assume, force=force), "resume")

    async def resume(
        self,
        run: str | Path | None = None,
        *,
        assume: Assume | None = None,
        force: bool = False,
        on_event: Callable[[Event], None] | None = None,
    ) -> Result:
        """Goes on with a run that was interrupted, paused, or ended by a limit or a failure.

        Turns that were taken are not taken again, and calls that have a result are not made again. A call that was
        begun and has none is made again under the same key, unless its tool has the effect ``once``: then the run ends
        with the stop reason ``in_doubt``, and `assume` says what is the case.

        Args:
            run: The run's id, the beginning of one, or the path of its file; the latest run by default.
            assume: Whether calls that are in doubt were made: one word for all of them, or one for each step.
            force: Goes on though the task, the tools or the plan are not what they were.
            on_event: Called with each event as it happens, after those that are recorded.

        Returns:
            How it ended.

        Raises:
            agentkit.errors.RunChanged: The agent is not what it was; the message has the differences.
            agentkit.errors.RunOwned: The run is still going on.
            agentkit.errors.UsageError: There is no such run, or it has its answer.
            agentkit.errors.JournalError: The run's file is damaged.
        """
        from agentkit.trace.runs import find_run

        path = find_run(run)
        journal = SqliteJournal(path, resume=True, durability=self._durability)
        try:
            record = Record(whole_events(path), forced=force)
            assert record.start is not None
            history = [message_from_json(m) for m in record.start.history]
            check_resumable(record)
            model = await self._open_model()
            reuse = Reuse.from_json(record.start.reuse)
            spec = self._spec(record.start.run_id, record.start.task, history, model=model, assume=assume, reuse=reuse)
            if not force:
                check_unchanged(record.start, spec.started())
            if record.end is not None and record.end.stop_reason == "tool_error":  # nothing else is left to do
                record.forget_failures({tool.name: tool.effect for tool in self._tools})
        except BaseException:
            journal.close()
            raise
        return await self._go_on(spec, record, journal, on_event)

    async def fork(
        self,
        run: str | Path | None,
        step: str,
        *,
        args: JsonObject | None = None,
        on_event: Callable[[Event], None] | None = None,
    ) -> Result:
        """Starts a new run that takes over what an earlier one did before a step, and goes on from there.

        The step and those that need it are made again, also where they change something. What the model decided after
        it had seen their results is decided again; another model decides on the step too, unless `args` are given.

        Args:
            run: The run's id, the beginning of one, or the path of its file; the latest run when ``None``.
            step: The step from which the new run goes its own way.
            args: New arguments of the step, references written as in a task file.
            on_event: Called with each event as it happens, after those that are taken over.

        Returns:
            How the new run ended.

        Raises:
            agentkit.errors.RunChanged: The agent is not that of the run; the message has the differences.
            agentkit.errors.UsageError: There is no such run or step, or this can't be forked.
            agentkit.errors.JournalError: The run's file is damaged.
        """
        from agentkit.trace.runs import find_run

        path = find_run(run)
        events = whole_events(path)
        start = Record(events).start
        assert start is not None
        history = [message_from_json(m) for m in start.history]
        spec = self._spec(new_run_id(), start.task, history, model=await self._open_model())
        spec, taken = fork_run(spec, path, events, step, args=args)
        journal = None
        if self._recording:
            journal = SqliteJournal(runs_folder() / f"{spec.run_id}.sqlite", durability=self._durability)
            for event in taken:
                journal.append(event)
        return await self._go_on(spec, Record(taken), journal, on_event)

    async def replay(self, run: str | Path | None = None) -> Replayed:
        """Repeats a recorded run without a model and without a call, to see whether all of it is as recorded.

        Args:
            run: The run's id, the beginning of one, or the path of its file; the latest run by default.

        Raises:
            agentkit.errors.Diverged: Something is different; the message says what.
            agentkit.errors.UsageError: There is no such run.
            agentkit.errors.JournalError: The run's file is damaged.
        """
        from agentkit.trace.runs import find_run

        events = whole_events(find_run(run))
        start = Record(events).start
        assert start is not None
        history = [message_from_json(m) for m in start.history]
        spec = self._spec(start.run_id, start.task, history, model=RecordedModel(start.model))
        try:
            check_unchanged(start, spec.started())
        except RunChanged as error:
            raise Diverged(str(error)) from None
        return await repeat(spec, events)

    async def _go_on(
        self, spec: RunSpec, record: Record, journal: Journal | None, on_event: Callable[[Event], None] | None
    ) -> Result:
        try:
            if on_event is not None:
                for event in record.events:
                    on_event(event)
        except BaseException:
            if journal is not None:
                journal.close()
            raise
        async with self._begin(spec, record, journal, on_event) as rounds:
            async for _ in rounds:
                pass
            await rounds.close()  # before the result is given, because it may say that it could not be recorded
            return rounds.result

    @asynccontextmanager
    async def _begin(
        self, spec: RunSpec, record: Record, journal: Journal | None, on_event: Callable[[Event], None] | None
    ) -> AsyncGenerator[Rounds]:
        def sink(event: Event) -> None:
            if journal is not None and event.kind != "piece_delta":
                journal.append(event)
            if on_event is not None:
                on_event(event)

        async def durable() -> None:
            if journal is not None:
                await asyncio.wrap_future(journal.flush())

        run = Run(spec, record=record, sink=sink, durable=durable)
        async with self._tools.held(), Rounds(run, journal, durable) as rounds:
            yield rounds

    async def _open_model(self) -> Model | None:
        if isinstance(self._model, str | Path):
            from agentkit.model_backend.loading import open_model

            self._model = await asyncio.to_thread(open_model, self._model)
        return self._model

    def _spec(
        self,
        run_id: str,
        task: str,
        history: Sequence[Message],
        *,
        model: Model | None,
        assume: Assume | None = None,
        reuse: Reuse | None = None,
    ) -> RunSpec:
        planner, name = make_planner(self._planner)
        return RunSpec(
            run_id=run_id,
            task=self._access.secrets.text(task),
            model=model,
            planner=planner,
            planner_name=name,
            tools=self._tools,
            limits=self._limits,
            workspace=self._workspace,
            instructions=self._access.secrets.text(self._instructions),
            history=history,
            output=self._output,
            convert=self._convert,
            thinking=self._thinking,
            sampling=self._sampling,
            plan=given_plan(self._planner),
            policy=self._policy,
            approve=self._approve,
            source=self._source,
            access=self._access,
            assume=assume,
            reuse=reuse,
        )
