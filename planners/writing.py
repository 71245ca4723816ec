"""The turn in which a model writes a plan, read while it goes on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Protocol

from agentkit.errors import LimitReached
from agentkit.messages import Assistant, JsonObject, JsonValue, Message, Usage, User, is_array, is_object
from agentkit.model_backend.base import Turn, TurnRequest
from agentkit.model_backend.constraint import validate
from agentkit.planners.lines import PlanWriter
from agentkit.planners.plan import Step

__all__ = ["PlanTurn", "TakeTurn"]

MAX_TOKENS = 3072

AS_ONE_VALUE = """
Give the plan as one JSON object with the list in it: {"steps": [{"id": "s1", "tool": "...", "args": {...}}, ...]}"""
"""Added to the request where the answer is one JSON value and not lines."""
NOT_FITTING = "This plan does not fit: {problems}. Write the whole plan again, without that."


class TakeTurn(Protocol):
    """Takes a model turn; tells of each part of an answer in parts when it is whole."""

    def __call__(self, request: TurnRequest, on_part: Callable[[JsonValue], None] | None = None, /) -> Awaitable[Turn]:
        """Takes the turn."""
        ...


class PlanTurn:
    """A plan being written: `steps` takes the turn, and afterwards the attributes tell how it ended."""

    def __init__(self, take: TakeTurn, writer: PlanWriter) -> None:
        """Prepares the turn.

        Args:
            take: Takes model turns.
            writer: Says what the plan may be.
        """
        self._take = take
        self._writer = writer
        self.message: Assistant = Assistant(())
        """What the model wrote, the thought included."""
        self.ending: str = ""
        """`ANSWER`, `LOOK`, or nothing when the plan was cut off."""
        self.heads: int = 0
        """How many ids were given away."""
        self.usage: Usage = Usage()

    async def steps(self, messages: Sequence[Message], *, thinking: int, steered: bool) -> AsyncGenerator[Step]:
        """Yields each step as soon as it is whole.

        Args:
            messages: The conversation, with the request for a plan at its end.
            thinking: Budget of the thought before the plan, in tokens.
            steered: Whether the model takes answers in parts. One on a server does not: it is asked for the plan as
                one JSON value, which is checked, and asked once more when it does not fit.

        Raises:
            agentkit.errors.LimitReached: A server's plan does not fit, twice.
        """
        request = TurnRequest(messages=tuple(messages), calls="none", thinking=thinking, max_tokens=MAX_TOKENS)
        lines = self._lines(request) if steered else self._lines_of_value(request)
        done: list[JsonValue] = []
        known = 0
        try:
            async for line in lines:
                done.append(line)
                steps = self._writer.steps(done)
                for step in steps[known:]:
                    yield step
                known = len(steps)
        finally:
            await lines.aclose()
        self.ending = self._writer.ending(done)
        self.heads = len(done) // 2

    async def _lines(self, request: TurnRequest) -> AsyncGenerator[JsonValue]:
        """Yields the lines while the model writes them."""
        request = replace(request, parts=self._writer.parts)
        parts: asyncio.Queue[tuple[JsonValue] | None] = asyncio.Queue()
        turn = asyncio.ensure_future(self._take(request, lambda part: parts.put_nowait((part,))))
        turn.add_done_callback(lambda _: parts.put_nowait(None))
        try:
            while (part := await parts.get()) is not None:
                yield part[0]
            self._keep(await turn)
        finally:
            turn.cancel()
            await asyncio.gather(turn, return_exceptions=True)

    async def _lines_of_value(self, request: TurnRequest) -> AsyncGenerator[JsonValue]:
        """Yields the lines of a plan that is given as one value, once it fits."""
        request = replace(request, messages=_with_note(request.messages, AS_ONE_VALUE), output=self._value_schema())
        lines, problems = await self._ask(request)
        if problems:
            again = User(NOT_FITTING.format(problems="; ".join(problems[:5])))
            lines, problems = await self._ask(replace(request, messages=[*request.messages, self.message, again]))
        if problems:
            raise LimitReached(f"the model's plan does not fit, twice: {'; '.join(problems[:5])}", reason="no_answer")
        for line in lines:
            yield line

    async def _ask(self, request: TurnRequest) -> tuple[list[JsonValue], list[str]]:
        """Returns the lines of the plan that a turn gives, up to the first that does not fit, and what is wrong."""
        turn = await self._take(request)
        self._keep(turn)
        try:
            lines = self._as_lines(json.loads(turn.message.text))
        except (ValueError, KeyError, TypeError) as error:
            return [], [f"it is not a plan ({error})"]
        for i, line in enumerate(lines):
            schema = self._writer.schema(lines[:i])
            if schema is None:
                return lines[:i], []
            if wrong := validate(schema, line):
                return lines[:i], [f"step {i // 2 + 1}, {problem}" for problem in wrong]
        return lines, []

    def _value_schema(self) -> JsonObject:
        names = [*self._writer.tools, *self._writer.terminals]
        step: JsonObject = {
            "type": "object",
            "properties": {
                "id": {"type": "string"},
                "tool": {"enum": names},
                "for_each": {"type": "string"},
                "args": {"type": "object"},
            },
            "required": ["id", "tool"],
        }
        return {"type": "object", "properties": {"steps": {"type": "array", "items": step}}, "required": ["steps"]}

    def _as_lines(self, value: JsonValue) -> list[JsonValue]:
        """Returns the heads and arguments of a plan that is one JSON value, and what the end of its list says."""
        steps = value["steps"] if is_object(value) else value
        if not is_array(steps):
            raise TypeError("there is no list of steps")
        lines: list[JsonValue] = []
        for step in steps:
            lines.append({key: step[key] for key in ("id", "tool", "for_each") if key in step})
            if step["tool"] in self._writer.terminals:
                return lines
            lines.append(step.get("args", {}))
        return [*lines, self._writer.answer(len(steps))]

    def _keep(self, turn: Turn) -> None:
        self.message = turn.message
        self.usage += turn.usage


def _with_note(messages: Sequence[Message], note: str) -> list[Message]:
    *before, last = messages
    assert isinstance(last, User)
    return [*before, User(last.text + note)]
