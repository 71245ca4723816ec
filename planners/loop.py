"""The loop planner: think, call tools, see the results, and so on until there is an answer (ReAct)."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace

from agentkit.messages import Assistant, JsonObject, Message, System, ToolCall, ToolResult, User
from agentkit.model_backend.base import CallPolicy, ToolSpec, Turn, TurnRequest
from agentkit.planners.answers import answer_of
from agentkit.planners.base import Answer, Decision, PlanningContext
from agentkit.planners.plan import Step, StepId

__all__ = ["LoopPlanner"]

INSTRUCTIONS = """\
You solve the user's task with the tools you are given.
Call a tool whenever you need facts or need something done; never make up what a tool can tell you.
Use the results of earlier calls exactly as they are. When everything is done, answer the user."""
"""What the model is told when the developer gives no instructions."""

TYPED = "Now give the final answer of the whole task as JSON. Copy each value exactly from the tool results above."
"""Asks for the typed answer, in a turn of its own: a small model that may answer in JSON right away does so
before it has called anything. Its answer in words is left out of that prompt, because it would copy from
there, and words leave out half of the values."""

NUDGE = "That was empty. Call the next tool, or give the answer."


OUTLINE = """\
Before you start: which tool calls does this task need, in which order? Give a list with one entry for each call: \
its purpose, then the tool. Use only tools that are needed. Do not answer the task yet."""
"""Asks a model that was not trained to think for an outline of the run."""

MAX_OUTLINE = 12
MAX_REPAIRS = 2
"""How often a call of the outline that failed is made again with other arguments."""


class LoopPlanner:
    """Yields the calls of one model turn at a time.

    A model that thinks decides in each turn what comes next. One that was not trained to do so gets lost
    after two or three calls (Qwen2.5-Coder 1.5B skipped steps that the task spelled out), so it is first
    asked for an outline, and then led along it, a call at a time.
    """

    def __init__(self, offered: Sequence[ToolSpec] = ()) -> None:
        """Makes a planner for one run.

        Args:
            offered: Tools that are declared besides those of the run; who makes the planner takes their steps out.
        """
        self._offered = tuple(offered)
        self._outline: list[tuple[str, str]] | None = None
        """Purpose and tool of the calls that are still to come."""
        self._outlined = 0
        self._led_to = ""
        """The tool of the outline's latest call."""
        self._repairs = 0
        self._messages: list[Message] = []
        self._open: list[ToolCall] = []
        """Calls whose results the model has not seen."""
        self._calls = 0

    async def next(self, run: PlanningContext) -> AsyncGenerator[Decision]:
        """Takes a model turn; yields its calls as steps, or its text as the answer."""
        if not self._messages:
            system = run.instructions or INSTRUCTIONS
            self._messages = [System(system), *run.history, User(run.task)]
            if run.tools and not run.model.thinks:
                await self._make_outline(run)
        failed = any(not run.results[StepId(call.id)].ok for call in self._open)
        self._messages += self._results(run)
        turn = await self._next_turn(run, failed=failed)
        if turn.stop != "calls":
            if run.output is not None and run.tools:
                self._messages[-1] = User(TYPED)
                turn = await run.turn(self._request(run, calls="none", output=run.output))
            yield Answer(output=answer_of(turn, structured=run.output is not None))
            return
        for call in self._open:
            yield Step(id=StepId(call.id), tool=call.name, args=call.arguments)

    async def _make_outline(self, run: PlanningContext) -> None:
        entry = {
            "type": "object",
            "properties": {"purpose": {"type": "string"}, "tool": {"enum": [tool.name for tool in run.tools]}},
            "required": ["purpose", "tool"],
        }
        request = self._request(run, calls="none", output={"type": "array", "items": entry, "maxItems": MAX_OUTLINE})
        turn = await run.turn(replace(request, messages=(*request.messages, User(OUTLINE))))
        if turn.stop == "answer":
            self._outline = [(e["purpose"], e["tool"]) for e in json.loads(turn.message.text)]
            self._outlined = len(self._outline)
            run.foresees(tool for _, tool in self._outline)

    async def _next_turn(self, run: PlanningContext, *, failed: bool) -> Turn:
        """Takes the turn that repairs the outline's latest call, makes its next one, or is free."""
        if failed and self._led_to and self._repairs < MAX_REPAIRS:
            self._repairs += 1
            return await self._led_turn(run, f"That failed. Mend the arguments and call {self._led_to} again.")
        if not self._outline:
            self._led_to = ""
            return await self._turn(run)
        purpose, self._led_to = self._outline.pop(0)
        self._repairs = 0
        number = self._outlined - len(self._outline)
        return await self._led_turn(
            run, f"Step {number} of {self._outlined}: {purpose}. Call {self._led_to} with values from above."
        )

    async def _led_turn(self, run: PlanningContext, cue: str) -> Turn:
        self._messages.append(User(cue))
        request = replace(self._request(run, calls="required"), only=(self._led_to,), max_calls=1)
        return self._keep(await run.turn(request))

    def _results(self, run: PlanningContext) -> list[Message]:
        results = [run.results[StepId(call.id)] for call in self._open]
        self._open = []
        return [ToolResult(call_id=r.id, name=r.tool, value=r.shown, is_error=not r.ok) for r in results]

    async def _turn(self, run: PlanningContext) -> Turn:
        """Takes a turn; an empty one is asked for again, once: small models fall silent in tool loops."""
        request = self._request(run) if run.tools else self._request(run, calls="none", output=run.output)
        turn = await run.turn(request)
        if turn.stop == "answer" and not turn.message.text.strip():
            run.warn("empty_turn", "the model said nothing; it was asked again")
            self._messages.append(User(NUDGE))
            turn = await run.turn(replace(request, messages=tuple(self._messages)))
        return self._keep(turn)

    def _keep(self, turn: Turn) -> Turn:
        message = self._with_ids(turn.message)
        self._messages.append(message)
        self._open = list(message.calls)
        return replace(turn, message=message)

    def _request(
        self, run: PlanningContext, *, calls: CallPolicy = "auto", output: JsonObject | None = None
    ) -> TurnRequest:
        return TurnRequest(
            messages=tuple(self._messages),
            tools=(*run.tools, *self._offered),
            calls=calls,
            thinking=run.thinking,
            output=output,
        )

    def _with_ids(self, message: Assistant) -> Assistant:
        """Returns the message with its calls numbered through the run: s1, s2 and so on."""
        pieces = list(message.pieces)
        for i, piece in enumerate(pieces):
            if isinstance(piece, ToolCall):
                self._calls += 1
                pieces[i] = replace(piece, id=f"s{self._calls}")
        return replace(message, pieces=tuple(pieces))
