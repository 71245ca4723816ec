"""Takes the model's turns: within the limits, recorded, and those that are recorded already without the model."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import asdict, replace

from agentkit.errors import ModelError
from agentkit.events import Event, PieceDelta, TurnFinished, TurnPart, TurnStarted
from agentkit.guards import Ledger
from agentkit.kill_points import kill_point
from agentkit.limits import Limits
from agentkit.message_json import message_to_json, piece_to_json
from agentkit.messages import JsonObject, JsonValue, Message, Usage, is_object
from agentkit.model_backend.base import Delta, Model, Part, Parts, Sampling, Turn, TurnRequest
from agentkit.model_backend.constraint.validation import validate
from agentkit.model_backend.part_text import ends_before
from agentkit.prompt_log import PromptLog
from agentkit.record import Record

__all__ = ["OnPart", "Turns"]

OnPart = Callable[[JsonValue], None]


class Turns:
    """The turns of one run.

    Args:
        model: Takes the turns; ``None`` when there is none.
        limits: When no more may be taken.
        sampling: How tokens are chosen.
        record: The turns that were taken before.
        emit: Called with what happens.
        durable: Waits until all that was emitted survives a crash.
    """

    def __init__(
        self,
        *,
        model: Model | None,
        limits: Limits,
        sampling: Sampling,
        record: Record,
        emit: Callable[[Event], None],
        durable: Callable[[], Awaitable[None]],
    ) -> None:
        self.messages: Sequence[Message] = ()
        """The conversation after the latest turn."""
        self._model = model
        self._sampling = sampling
        self._record = record
        self._emit = emit
        self._durable = durable
        self._prompts = PromptLog()
        self._ledger = Ledger(limits, model.info.context if model else 0)

    @property
    def usage(self) -> Usage:
        """What all turns cost so far."""
        return self._ledger.usage

    async def take(self, request: TurnRequest, on_part: OnPart | None = None) -> Turn:
        """Takes a turn, or repeats the one that is recorded.

        Args:
            request: What is asked.
            on_part: Called with each part of an answer in parts as soon as it is whole.

        Raises:
            agentkit.errors.LimitReached: A limit of the run is reached.
            agentkit.errors.ModelError: The model failed, or there is none.
            agentkit.errors.Diverged: Something else is asked than what is recorded.
        """
        number = self.usage.turns + 1
        new = [message_to_json(m) for m in request.messages[len(self.messages) :]]
        self._record.check_prompt(number, new)
        turn = self._record.turn(number)
        if turn is None:
            turn = await self._ask(request, number, new, on_part)
        elif on_part is not None:
            for part in self._record.parts(number):
                on_part(part)
        self._ledger.add(turn.usage)
        self.messages = [*request.messages, turn.message]
        return turn

    async def _ask(self, request: TurnRequest, number: int, new: list[JsonObject], on_part: OnPart | None) -> Turn:
        model = self._model
        if model is None:
            raise ModelError("this run has no model; give one with model=... or --model")
        kill_point("before-turn")
        request = replace(request, sampling=self._sampling)
        prompt_tokens = await model.count(request)
        request = self._ledger.fit(request, prompt_tokens)
        self._emit(TurnStarted(turn=number, prompt_tokens=prompt_tokens, context=model.info.context, messages=new))
        known = self._record.parts(number)
        if request.parts is not None and known:
            request = replace(request, parts=_repeated(known, request.parts))
        told = 0
        started, first_token = asyncio.get_running_loop().time(), None

        def on_delta(delta: Delta) -> None:
            nonlocal told, first_token
            if first_token is None:
                first_token = asyncio.get_running_loop().time() - started
            if delta.kind != "part":
                self._emit(PieceDelta(turn=number, piece=delta.kind, text=delta.text, tokens=delta.tokens))
                return
            part = json.loads(delta.text)
            self._emit(TurnPart(turn=number, index=told, value=part))
            told += 1
            kill_point("turn-part")
            if on_part is not None:
                on_part(part)

        turn = await model.turn(request, on_delta)
        self._emit(
            TurnFinished(
                turn=number,
                pieces=[piece_to_json(p) for p in turn.message.pieces],
                stop=turn.stop,
                usage=asdict(turn.usage),
                tokens=list(turn.message.tokens),
                notes=list(turn.notes),
                first_token=first_token,
                **self._prompts.new(number, turn),
            )
        )
        await self._durable()
        kill_point("after-turn")
        return turn


def _repeated(known: Sequence[JsonValue], parts: Parts) -> Parts:
    """Returns the parts of a turn that was cut off: first those that are known, as steps have started from them."""

    def choices(done: Sequence[JsonValue]) -> Sequence[Part]:
        left = known[len(done) :]
        found = parts(done)
        return [part for choice in found for part in _only(choice, left)] if left else found

    return choices


def _only(part: Part, known: Sequence[JsonValue]) -> Iterator[Part]:
    """Yields a part as it was written, if it was."""
    value, *rest = known
    if (ends := ends_before(part, rest)) and not validate(part.schema, value):
        keys = {"properties": {k: {"const": v} for k, v in value.items()}} if is_object(value) else {}
        yield replace(part, schema=keys if part.is_open else {"const": value}, ends=ends)
