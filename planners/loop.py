"""The loop planner: think, call tools, see the results, and so on until there is an answer (ReAct)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace

from agentkit.errors import LimitReached
from agentkit.messages import Assistant, JsonValue, Message, System, ToolCall, ToolResult, User
from agentkit.model_backend.base import CallPolicy, Turn, TurnRequest
from agentkit.planners.base import Answer, Decision, PlanningContext
from agentkit.planners.plan import Step, StepId

__all__ = ["LoopPlanner"]

INSTRUCTIONS = """\
You solve the user's task with the tools you are given.
Call a tool whenever you need facts or need something done; never make up what a tool can tell you.
Use the results of earlier calls exactly as they are. When everything is done, answer the user."""
"""What the model is told when the developer gives no instructions."""

NUDGE = "That was empty. Call the next tool, or give the answer."


class LoopPlanner:
    """Yields the calls of one model turn at a time."""

    def __init__(self) -> None:
        self._messages: list[Message] = []
        self._open: list[ToolCall] = []
        """Calls whose results the model has not seen."""
        self._calls = 0

    async def next(self, run: PlanningContext) -> AsyncIterator[Decision]:
        """Takes a model turn; yields its calls as steps, or its text as the answer."""
        if not self._messages:
            system = run.instructions or INSTRUCTIONS
            self._messages = [System(system), *run.history, User(run.task)]
        self._messages += self._results(run)
        turn = await self._turn(run)
        if turn.stop != "calls":
            yield Answer(output=_output(turn, structured=run.output is not None))
            return
        for call in self._open:
            yield Step(id=StepId(call.id), tool=call.name, args=call.arguments)

    def _results(self, run: PlanningContext) -> list[Message]:
        results = [run.results[StepId(call.id)] for call in self._open]
        self._open = []
        return [ToolResult(call_id=r.id, name=r.tool, value=r.shown, is_error=not r.ok) for r in results]

    async def _turn(self, run: PlanningContext) -> Turn:
        """Takes a turn; an empty one is asked for again, once: small models fall silent in tool loops."""
        turn = await run.turn(self._request(run))
        if turn.stop == "answer" and not turn.message.text.strip():
            run.warn("empty_turn", "the model said nothing; it was asked again")
            self._messages.append(User(NUDGE))
            turn = await run.turn(self._request(run))
        message = self._with_ids(turn.message)
        self._messages.append(message)
        self._open = list(message.calls)
        return replace(turn, message=message)

    def _request(self, run: PlanningContext) -> TurnRequest:
        policy: CallPolicy = "auto" if run.tools else "none"
        return TurnRequest(
            messages=tuple(self._messages), tools=run.tools, calls=policy, thinking=run.thinking, output=run.output
        )

    def _with_ids(self, message: Assistant) -> Assistant:
        """Returns the message with its calls numbered through the run: s1, s2 and so on."""
        pieces = list(message.pieces)
        for i, piece in enumerate(pieces):
            if isinstance(piece, ToolCall):
                self._calls += 1
                pieces[i] = replace(piece, id=f"s{self._calls}")
        return replace(message, pieces=tuple(pieces))


def _output(turn: Turn, *, structured: bool) -> JsonValue:
    text = turn.message.text.strip()
    if turn.stop == "length":
        raise LimitReached(
            f"the model's answer was cut off after {turn.usage.output_tokens} tokens", reason="no_answer"
        )
    if not text:
        raise LimitReached("the model gave an empty answer", reason="no_answer")
    if not structured:
        return text
    try:
        value: JsonValue = json.loads(text)
    except ValueError as e:
        raise LimitReached(f"the model's answer is not JSON ({e}): {text[:200]!r}", reason="no_answer") from None
    return value
