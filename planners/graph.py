"""The graph planner: think, write a plan as a typed graph, run it while it is still being written, then answer.

One model turn writes the steps; each may start as soon as what it refers to is done. When all are settled, the model
sees the results and answers, or writes more steps: because it said that it has to look first, or because some failed.
Finished steps stay as facts that new steps can refer to; only what a failure left undone is planned again.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from agentkit.messages import JsonObject, JsonValue, Message, System, Usage, User
from agentkit.model_backend.base import Delta, Model, ModelInfo, Sampling, ToolSpec, Turn, TurnRequest
from agentkit.planners.answers import answer_of
from agentkit.planners.base import Answer, Decision, PlanChange, PlanningContext, StepResult
from agentkit.planners.identities import in_order
from agentkit.planners.lines import ANSWER, LOOK, PlanWriter
from agentkit.planners.listing import listed
from agentkit.planners.plan import Plan, Step, StepId, render_refs
from agentkit.planners.results import result_schema
from agentkit.planners.retrieval import choose_tools
from agentkit.planners.told import has_text, told
from agentkit.planners.writing import PlanTurn, TakeTurn

__all__ = ["EffectOrder", "GraphPlanner", "WrittenPlan", "write_plan"]

MAX_REPAIRS = 2
"""How often failed steps are planned again in one run."""
MAX_LOOKS = 6
"""How often a plan may be continued after its results were seen."""

MAX_SHOWN = 120
"""Characters of a call's arguments that are shown again with its result."""

INSTRUCTIONS = """\
You solve the user's task with tools. First you write a plan of tool calls; it is carried out for you, and you see \
the results. You never make up what a tool can tell you."""

RULES = """\
A plan is a JSON list of steps, and nothing else. A step is an object with "id" ("s1", "s2", ...), "tool" (the tool's \
name) and "args" (an object with the arguments). Where an argument is the result of an earlier step, write a reference \
instead of a value: "$s1.field" for a field of the result, "$s1" for all of it, also within text: "Total: $s1.total". \
Take other values from the task. Leave out optional arguments that the task does not mention. A step with "for_each" \
runs once for each item of a list, which its arguments call "$item", and gives the list of results. Use only the tools \
below, and make every call that the task needs. When the next arguments have to be read out of a text that a step \
gives, end the list with the tool "{look}", without "args": you see the text, and plan the rest.

Example. With the tools
find_team(name: string) -> {{team_id: string, country: string}}
list_matches(team_id: string, year: integer, limit?: integer) -> {{matches: {{match_id: string, date: string}}[]}}
get_score(match_id: string, language?: string) -> {{score: string}}
the task "How did Rosenborg play in 2021?" has the plan
[
  {{"id": "s1", "tool": "find_team", "args": {{"name": "Rosenborg"}}}},
  {{"id": "s2", "tool": "list_matches", "args": {{"team_id": "$s1.team_id", "year": 2021}}}},
  {{"id": "s3", "for_each": "$s2.matches", "tool": "get_score", "args": {{"match_id": "$item.match_id"}}}}
]

Tools:

{tools}"""

PLAN = "Task: {task}\n\nWrite the plan."
SO_FAR = "\n\nResults so far:\n{results}"
EXTEND = "Results so far:\n{results}\n\nNow plan the steps that are left."
READ = """\
Results so far:
{results}

Now you have read it. Plan the steps that are left: write out what the text tells (dates as 2025-01-31), and refer to \
what earlier steps give."""
REPAIR = """\
Results so far:
{results}

Steps failed, and what needs them was not run. Plan what is missing in another way. The results that are there can be \
referred to; do not plan them again."""
MORE = "\n\nMore tools, which can be called from now on:\n{tools}"
NOW_ANSWER = "Results so far:\n{results}\n\nNow give the user the answer to the task: {task}"
TYPED = "\nGive it as JSON, and whole: every entry of every list, each value copied exactly from the results."


class EffectOrder:
    """Keeps the order in which a model wrote steps that may change something.

    A model that writes a plan says what data flows, and not that a file has to be written before it is read. So a
    step whose tool is not known to be pure waits for all steps before it, and those after it wait for it. Pure steps
    wait only for what they refer to.
    """

    def __init__(self) -> None:
        self._barrier: tuple[StepId, ...] = ()
        self._since: list[StepId] = []

    def place(self, step: Step, *, pure: bool) -> Step:
        """Returns the step with what it has to come after, and remembers it."""
        after = self._barrier if pure or not self._since else tuple(self._since)
        if pure:
            self._since.append(step.id)
        else:
            self._barrier, self._since = (step.id,), []
        return replace(step, after=tuple(s for s in after if s not in step.needs))


class GraphPlanner:
    """Plans a graph of calls in one turn, and answers from its results."""

    def __init__(self) -> None:
        self._messages: list[Message] = []
        self._tools: Sequence[ToolSpec] = ()
        """What steps may call: of many tools, those that the task seems to need."""
        self._told: set[StepId] = set()
        """Steps whose results the model has seen."""
        self._ids = 0
        self._repairs = 0
        self._looks = 0
        self._ending = ""

    async def next(self, run: PlanningContext) -> AsyncGenerator[Decision]:
        """Yields steps as they are written, or the answer."""
        failed = [r.id for r in _in_order(run) if not r.ok and r.id not in self._told] if self._messages else []
        reason: PlanChange | None = None
        if failed and self._repairs < MAX_REPAIRS:
            reason = "repair"
            self._repairs += 1
            self._go_on(run, REPAIR)
        elif self._ending == LOOK and self._looks < MAX_LOOKS and not failed:
            reason = "look"
            self._looks += 1
            self._go_on(run, READ if any(map(has_text, self._new(run))) else EXTEND)
        if self._messages and reason is None:
            if failed:
                run.warn("repairs_used_up", f"failed, and not planned again: {', '.join(failed)}")
            yield await self._answer(run)
            return
        added: list[StepId] = []
        async with aclosing(self._write(run, least=1 if failed else 0)) as steps:
            async for step in steps:
                added.append(step.id)
                yield step
        if reason is not None:
            run.replanned(reason, failed=failed, added=added)
        if not added:
            yield await self._answer(run)

    async def _write(self, run: PlanningContext, *, least: int) -> AsyncGenerator[Step]:
        if not self._messages:
            self._open(run)
        returns = {tool.name: tool.returns for tool in run.tools}
        known = {r.id: result_schema(run.plan[r.id], returns[run.plan[r.id].tool]) for r in _in_order(run) if r.ok}
        task = "" if run.history or known else f"{run.instructions}\n{run.task}"
        read = {r.id for r in _in_order(run) if has_text(r) and r.id in self._told}
        writer = _writer(self._tools, known=known, read=read, first=self._ids + 1, least=least, task=task)
        order = EffectOrder()  # anew in each turn: all steps before are done, and one that failed can't be waited for
        turn = PlanTurn(run.turn, writer)
        steps = turn.steps(self._messages, thinking=run.thinking, steered=_is_steered(run.model))
        async with aclosing(steps):
            async for step in steps:
                yield order.place(step, pure=writer.tools[step.tool].pure)
        self._messages.append(turn.message)
        self._ids += turn.heads
        self._ending = turn.ending
        if not turn.ending:
            run.warn("plan_cut_off", "the plan was cut off; it is carried out as far as it was written")

    def _open(self, run: PlanningContext) -> None:
        question = PLAN.format(task=run.task)
        results = ""
        if run.results:  # of another planner, before this one took over
            results = self._results(run)
            question += SO_FAR.format(results=results)
        tools = self._add_tools(run, results)
        self._messages = _opening(tools, self._tools, run.instructions, run.history, question)
        self._ids = _highest(run.plan)

    def _go_on(self, run: PlanningContext, cue: str) -> None:
        """Asks for more steps, with the tools that the results seem to need too."""
        results = self._results(run)
        question = cue.format(results=results)
        if more := self._add_tools(run, results):
            question += MORE.format(tools=more)
        self._messages.append(User(question))

    def _add_tools(self, run: PlanningContext, results: str) -> str:
        """Adds tools that what was asked and found seems to need, and returns what to tell of them."""
        asked = [message.text for message in run.history if isinstance(message, User)]
        choice = choose_tools("\n".join([*asked, run.task, results]), run.tools)
        more = in_order([tool for tool in choice.tools if tool not in self._tools])
        self._tools = [*self._tools, *more]
        if more and len(self._tools) < len(run.tools):
            names = ", ".join(tool.name for tool in self._tools)
            run.warn("tools_chosen", f"of {len(run.tools)} tools, the plan may call {names}")
        return _listed(more, choice.likely, self._tools) if more else ""

    async def _answer(self, run: PlanningContext) -> Answer:
        structured = run.output is not None
        cue = NOW_ANSWER.format(results=self._results(run), task=run.task) if run.results else run.task
        self._messages.append(User(cue + (TYPED if structured else "")))
        turn = await run.turn(
            TurnRequest(messages=tuple(self._messages), calls="none", thinking=run.thinking, output=run.output)
        )
        return Answer(output=answer_of(turn, structured=structured))

    def _new(self, run: PlanningContext) -> list[StepResult]:
        """Returns the results that the model has not seen."""
        return [result for result in _in_order(run) if result.id not in self._told]

    def _results(self, run: PlanningContext) -> str:
        """Returns the results that the model has not seen, as it is told them now."""
        new = self._new(run)
        self._told.update(result.id for result in new)
        return "\n".join(told(result, _call(run.plan[result.id])) for result in new)


def _in_order(run: PlanningContext) -> list[StepResult]:
    """Returns the results in the order of the plan: in which order they came is not the same when a run goes on."""
    return [run.results[step.id] for step in run.plan if step.id in run.results]


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenPlan:
    """A plan that was written and not run."""

    steps: Sequence[Step]
    usage: Usage
    problems: Sequence[str] = ()
    """What is wrong with it; empty unless it was cut off."""
    looks: bool = False
    """Whether the model wants to see the results before it plans the rest."""


async def write_plan(
    model: Model,
    task: str,
    tools: Sequence[ToolSpec],
    *,
    thinking: int = 0,
    instructions: str = "",
    sampling: Sampling = Sampling(),  # noqa: B008  # frozen
) -> WrittenPlan:
    """Returns a model's plan for a task; nothing of it is run.

    Args:
        model: Writes the plan.
        task: What is asked.
        tools: What steps may call.
        thinking: Budget of the thought before the plan, in tokens.
        instructions: The developer's instructions.
        sampling: How tokens are chosen.

    Raises:
        agentkit.errors.ModelError: The model failed.
        agentkit.errors.LimitReached: A server's plan does not fit.
    """
    choice = choose_tools(task, tools)
    tools = in_order(choice.tools)
    turn = PlanTurn(_taking(model, sampling), _writer(tools, task=task))
    messages = _opening(_listed(tools, choice.likely, tools), tools, instructions, (), PLAN.format(task=task))
    steps = [s async for s in turn.steps(messages, thinking=thinking, steered=_is_steered(model.info))]
    problems = () if turn.ending else ("the plan was cut off",)
    return WrittenPlan(steps=steps, usage=turn.usage, problems=problems, looks=turn.ending == LOOK)


def _call(step: Step) -> str:
    args = json.dumps(render_refs(step.args), ensure_ascii=False)
    return f"{step.tool}({args if len(args) <= MAX_SHOWN else '...'})"


def _highest(plan: Plan) -> int:
    """Returns the highest number that is in an id of the form s12."""
    return max((int(s.id[1:]) for s in plan if s.id[1:].isdecimal()), default=0)


def _taking(model: Model, sampling: Sampling) -> TakeTurn:
    def take(request: TurnRequest, on_part: Callable[[JsonValue], None] | None = None) -> Awaitable[Turn]:
        def emit(delta: Delta) -> None:
            if delta.kind == "part" and on_part is not None:
                on_part(json.loads(delta.text))

        return model.turn(replace(request, sampling=sampling), emit)

    return take


def _is_steered(model: ModelInfo) -> bool:
    """Returns whether a model takes answers in parts."""
    return model.kind != "remote"


def _writer(
    tools: Sequence[ToolSpec],
    *,
    known: Mapping[StepId, JsonObject | None] | None = None,
    read: Collection[StepId] = (),
    first: int = 1,
    least: int = 0,
    task: str = "",
) -> PlanWriter:
    named = {tool.name: tool for tool in tools}
    # A tool may have the name of a terminal.
    answer, look = (name if name not in named else f"{name}_now" for name in (ANSWER, LOOK))
    terminals = {answer: ANSWER, look: LOOK}
    return PlanWriter(named, known or {}, first=first, least=least, task=task, terminals=terminals, read=read)


def _opening(
    described: str, tools: Sequence[ToolSpec], instructions: str, history: Sequence[Message], question: str
) -> list[Message]:
    """Returns the messages that a plan begins with; `described` is what is told of the tools."""
    look = next(name for name, meaning in _writer(tools).terminals.items() if meaning == LOOK)
    rules = RULES.format(tools=described, look=look)
    return [System(f"{instructions or INSTRUCTIONS}\n\n{rules}"), *history, User(question)]


def _listed(tools: Sequence[ToolSpec], likely: Collection[str], every: Sequence[ToolSpec]) -> str:
    """Returns what is told of tools, which may take what any of all gives."""
    naming = _writer(every).naming
    return listed(tools, likely, {tool.name: naming.given_by(tool.name) for tool in tools})
