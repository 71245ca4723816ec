"""A model that says what it was told to say: the one fake that tests need."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from agentkit.messages import Assistant, JsonValue, Message, Piece, Text, Thought, ToolCall, ToolResult, Usage
from agentkit.model_backend.base import Delta, Emit, ModelInfo, Part, Turn, TurnRequest
from agentkit.model_backend.constraint.validation import validate
from agentkit.model_backend.part_text import ends_before, part_text

__all__ = ["ScriptedModel", "ScriptedParts", "ScriptedTurn"]

ScriptedTurn: TypeAlias = (
    "str | ToolCall | Sequence[Piece] | ScriptedParts | Turn | Exception | Callable[[TurnRequest], ScriptedTurn]"
)
"""One turn: text, a call, several pieces, parts, a whole `Turn`, an error to raise, or a function of the request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptedParts:
    """A turn that is an answer in parts."""

    parts: Sequence[JsonValue]
    seconds: float = 0.0
    """How long each part takes, on the event loop's clock."""
    thought: str = ""


class ScriptedModel:
    """Gives scripted turns in order, and remembers what it was asked.

    Tokens are counted as words, so that limits can be tested with numbers one can see.

    Example:
        >>> model = ScriptedModel([ToolCall("add", {"a": 1, "b": 2}), "The sum is 3."])
        >>> turn = asyncio.run(model.turn(TurnRequest(messages=[])))
        >>> turn.message.calls[0].name
        'add'
        >>> model.assert_complete()
        Traceback (most recent call last):
        ...
        AssertionError: 1 of 2 scripted turns was not used
    """

    def __init__(
        self, turns: Iterable[ScriptedTurn], *, context: int = 8192, seconds: float = 0.0, thinks: bool = True
    ) -> None:
        """Makes a model of turns.

        Args:
            turns: What it says, in order.
            context: Context size to report, in tokens; 0 for unknown.
            thinks: Whether planners should take it for a model that was trained to think.
            seconds: How long each turn takes, on the event loop's clock.
        """
        self._turns = list(turns)
        self._seconds = seconds
        self.requests: list[TurnRequest] = []
        """The requests so far."""
        self.info: ModelInfo = ModelInfo(name="scripted", kind="scripted", context=context, thinks=thinks)

    async def turn(self, request: TurnRequest, emit: Emit | None = None) -> Turn:
        """Returns the next scripted turn, with its words emitted one by one."""
        if len(self.requests) == len(self._turns):
            raise AssertionError(f"the script has {len(self._turns)} turns, and one more was asked for")
        scripted = self._turns[len(self.requests)]
        self.requests.append(request)
        await asyncio.sleep(self._seconds)
        while callable(scripted):
            scripted = scripted(request)
        if isinstance(scripted, Exception):
            raise scripted
        if isinstance(scripted, ScriptedParts):
            return self._make(request, await _say_parts(request, scripted, emit))
        turn = scripted if isinstance(scripted, Turn) else self._make(request, scripted)
        if emit is not None:
            for piece in turn.message.pieces:
                _emit_words(piece, emit)
        return turn

    async def count(self, request: TurnRequest) -> int:
        """Returns the number of words in the messages and tools."""
        tools = " ".join(f"{t.name} {t.description} {json.dumps(t.parameters)}" for t in request.tools)
        return _words(tools) + sum(_words(_content(m)) for m in request.messages)

    def close(self) -> None:
        """Does nothing: there is nothing to free."""

    def assert_complete(self) -> None:
        """Fails unless every scripted turn was asked for."""
        left = len(self._turns) - len(self.requests)
        verb = "was" if left == 1 else "were"
        assert left == 0, f"{left} of {len(self._turns)} scripted turns {verb} not used"

    def _make(self, request: TurnRequest, scripted: str | ToolCall | Sequence[Piece]) -> Turn:
        if isinstance(scripted, str):
            pieces: tuple[Piece, ...] = (Text(scripted),)
        elif isinstance(scripted, ToolCall):
            pieces = (scripted,)
        else:
            pieces = tuple(scripted)
        message = Assistant(pieces)
        usage = Usage(
            turns=1,
            prompt_tokens=sum(_words(_content(m)) for m in request.messages),
            output_tokens=_words(_content(message)),
            thought_tokens=sum(_words(p.text) for p in pieces if isinstance(p, Thought)),
            output_seconds=self._seconds,
        )
        return Turn(message=message, stop="calls" if message.calls else "answer", usage=usage)


async def _say_parts(request: TurnRequest, scripted: ScriptedParts, emit: Emit | None) -> Sequence[Piece]:
    """Says the parts one by one; each has to fit one of the choices that the request gives for it."""
    assert request.parts is not None, "the script has parts, and the request asks for none"
    done: list[JsonValue] = []
    whole = ""
    while choices := request.parts(done):
        left = scripted.parts[len(done) :]
        assert left, "the answer is not whole after the last part of the script"
        text, values = _chosen(choices, left, number=len(done) + 1)
        for value in values:
            await asyncio.sleep(scripted.seconds)
            if emit is not None:
                emit(Delta(kind="text", text=text))
                emit(Delta(kind="part", text=json.dumps(value), tokens=0))
            whole, text = whole + text, ""
        done += values
    left = scripted.parts[len(done) :]
    assert not left, f"the answer ended before part {len(done) + 1} of the script: {left[0]!r}"
    said = Text(whole.strip())
    return (Thought(scripted.thought), said) if scripted.thought else (said,)


def _chosen(choices: Sequence[Part], left: Sequence[JsonValue], *, number: int) -> tuple[str, list[JsonValue]]:
    """Returns how the next of the script's values is written, and all values that are said by that."""
    value, *rest = left
    problems = [validate(part.schema, value) for part in choices]
    assert not all(problems), f"part {number} of the script does not fit: {'; '.join(map(str, problems[0]))}"
    part = next(part for part, found in zip(choices, problems, strict=True) if not found)
    ends = ends_before(part, rest)
    assert ends, f"what follows part {number} of the script may not follow there: {rest[0]!r}"
    end, more = next(iter(ends.items()))
    return part_text(part, value, end), [value, *more]


def _emit_words(piece: Piece, emit: Emit) -> None:
    match piece:
        case ToolCall():
            emit(Delta(kind="call", text=f"{piece.name} {json.dumps(piece.arguments)}"))
        case Thought() | Text():
            for word in piece.text.split(" "):
                emit(Delta(kind="thought" if isinstance(piece, Thought) else "text", text=word + " "))


def _content(message: Message) -> str:
    match message:
        case Assistant():
            return " ".join(
                f"{p.name} {json.dumps(p.arguments)}" if isinstance(p, ToolCall) else p.text for p in message.pieces
            )
        case ToolResult():
            return json.dumps(message.value)
        case _:
            return message.text


def _words(text: str) -> int:
    return len(text.split())
