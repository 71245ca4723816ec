r"""A turn of Gemma 4, decoded step by step: a thought, then text, calls, or an answer by schema.

Thoughts and text are free, calls are constrained. A call is begun by the model, with the call token and ``call``
after it: the token alone may stand in prose about the format.
"""

from __future__ import annotations

from collections.abc import Collection, Generator
from typing import TypeAlias

from agentkit.messages import JsonObject
from agentkit.model_backend.base import TurnRequest, TurnStop
from agentkit.model_backend.constraint.gemma4 import CallTokens, call_grammar
from agentkit.model_backend.constraint.grammar import json_schema_grammar
from agentkit.model_backend.formats.base import Draft
from agentkit.model_backend.formats.gemma4_parse import parse
from agentkit.model_backend.formats.gemma4_pieces import Parsed
from agentkit.model_backend.formats.gemma4_tokens import Alphabet, Mark
from agentkit.model_backend.formats.parts import joined, write_parts
from agentkit.model_backend.loops import TEXT_PATIENCE, runaway
from agentkit.model_backend.script import Constrained, Decoded, Free, Grammar, Kind, Literal, Script, Segment

__all__ = ["turn_script"]

THOUGHT_CHUNK = 48
"""Tokens of a thought between two looks for a loop."""
TEXT_CHUNK = 128
"""The same of an answer."""
GHOST_TOKENS = 32
"""What a thought may take that was not asked for."""
GHOSTS = 3
"""Thoughts in the middle of an answer, before no more may begin."""

_Steps: TypeAlias = Generator[Segment, Decoded, None]


def turn_script(alphabet: Alphabet, request: TurnRequest, *, small: bool) -> Script[Draft]:
    """Returns the script of a turn.

    Args:
        alphabet: The control tokens.
        request: What is asked.
        small: Whether the model is one of those that need no empty channel to keep from thinking.
    """
    return _Turn(alphabet, request, small).run()


class _Turn:
    def __init__(self, alphabet: Alphabet, request: TurnRequest, small: bool) -> None:
        self._alphabet, self._request, self._small = alphabet, request, small
        self._ids = alphabet.ids
        others = (alphabet.vocab.special(text) for text in alphabet.table.others)
        self._control = {*self._ids.values(), *alphabet.vocab.eog, *(token for token in others if token is not None)}
        self._tokens: list[int] = []
        self._notes: list[str] = []
        self._left = request.max_tokens
        self._thoughts_left = request.thinking
        self._cut = False

    def run(self) -> Script[Draft]:
        request = self._request
        if self._alphabet.table.thinks:
            yield from self._begin()
        if request.parts is not None:
            decoded = joined((yield from write_parts(request.parts, max_tokens=self._left)))
            self._tokens += decoded.tokens
            self._cut = decoded.stop == "length"
        elif request.calls == "required" and request.tools:
            yield from self._constrained(self._call_grammar())
        elif request.output is not None:
            yield from self._answer(request.output)
        else:
            yield from self._free()
        parsed = parse(self._alphabet, self._tokens, tools=[tool.name for tool in request.tools])
        if _ends_with_call(parsed, len(self._tokens)):
            yield Literal(tokens=(self._ids[Mark.RESPONSE],))
        calls = any(span.kind == "call" for span in parsed.spans)
        stop: TurnStop = "calls" if calls else "length" if self._cut else "answer"
        return Draft(pieces=parsed.pieces, stop=stop, notes=(*self._notes, *parsed.notes))

    def _take(self, segment: Segment) -> Generator[Segment, Decoded, Decoded]:
        decoded = yield segment
        self._tokens += decoded.tokens
        return decoded

    def _literal(self, *parts: Mark | str) -> _Steps:
        yield from self._take(Literal(tokens=tuple(self._alphabet.encode(parts))))

    def _all_but(self, allowed: Collection[int]) -> tuple[int, ...]:
        return tuple(sorted(self._control.difference(allowed)))

    # Thoughts

    def _begin(self) -> _Steps:
        after_tool = bool(self._request.messages) and self._request.messages[-1].role == "tool"
        if self._request.thinking:
            yield from self._literal(Mark.CHANNEL, "thought\n")
            yield from self._think(self._request.thinking)
        elif not self._small and not after_tool:
            yield from self._literal(Mark.CHANNEL, "thought\n", Mark.CHANNEL_END)

    def _think(self, budget: int) -> _Steps:
        """A thought, chunk by chunk, closed as the model would close it when it goes on too long or in circles."""
        closer = self._alphabet.text(Mark.CHANNEL_END)
        ban = self._all_but([self._ids[Mark.CHANNEL_END]])
        thought: list[int] = []
        why = f"the thought was cut at its budget of {budget} tokens"
        while len(thought) < budget:
            size = min(THOUGHT_CHUNK, budget - len(thought))
            decoded = yield from self._take(Free(stop=(closer,), max_tokens=size, kind="thought", ban=ban))
            thought += decoded.tokens
            if decoded.stop == "stop":
                self._thoughts_left -= len(thought)
                return
            if found := runaway(thought, self._alphabet.vocab.piece):
                why = f"the thought was cut: {found}"
                break
            if len(decoded.tokens) < size:
                break
        self._thoughts_left -= len(thought)
        self._notes.append(why)
        yield from self._literal("\n", Mark.CHANNEL_END)

    # Text, and calls when the model begins one

    def _free(self) -> _Steps:
        ghosts = 0
        # The first token may not end the turn: an empty turn helps nobody, and large models fall into it.
        begun = False
        said: list[int] = []
        while self._left > 0:
            stops = self._stops(ghosts)
            ends = [*self._alphabet.vocab.eog.difference([self._ids[Mark.RESPONSE]])] if begun else []
            ban = self._all_but([*ends, *(self._ids[mark] for mark in stops)])
            texts = tuple(map(self._alphabet.text, stops))
            size = min(TEXT_CHUNK, self._left) if begun else 1
            decoded = yield from self._take(Free(stop=texts, max_tokens=size, ban=ban))
            self._left -= len(decoded.tokens)
            said += decoded.tokens
            if decoded.stop == "eog":
                return
            if decoded.stop == "length":
                found = runaway(said, self._alphabet.vocab.piece, patience=TEXT_PATIENCE)
                self._notes += [f"the answer was cut: {found}"] if found else []
                if found or len(decoded.tokens) < size:
                    break
                begun = True
            elif decoded.matched == self._alphabet.table.texts.get(Mark.CHANNEL):
                ghosts, begun = ghosts + 1, False
                yield from self._think(max(self._thoughts_left, GHOST_TOKENS))
            elif opening := (yield from self._opening()):
                yield from self._constrained(self._call_grammar(), begun=opening)
                return
            else:
                begun = True
        self._cut = True

    def _stops(self, ghosts: int) -> list[Mark]:
        may_call = self._request.tools and self._request.calls != "none"
        may_think = self._alphabet.table.thinks and ghosts < GHOSTS
        return [*([Mark.CALL] if may_call else []), *([Mark.CHANNEL] if may_think else [])]

    def _opening(self) -> Generator[Segment, Decoded, tuple[int, ...]]:
        """Decodes what follows the call token; returns the beginning of a call, or nothing if it is prose."""
        decoded = yield from self._take(Free(max_tokens=1, kind="control", ban=self._all_but([])))
        self._left -= len(decoded.tokens)
        return (self._ids[Mark.CALL], *decoded.tokens) if decoded.text in ("call", "call:") else ()

    # Answers by schema, and calls that must come

    def _answer(self, output: JsonObject) -> _Steps:
        if not self._request.tools or self._request.calls == "none":
            yield from self._constrained(json_schema_grammar(output, closed=True), kind="text")
            return
        # The first token tells calls from an answer.
        grammar = self._call_grammar(answer=output)
        first = yield from self._take(Constrained(grammar=grammar, max_tokens=1, kind="control"))
        self._left -= 1
        kind: Kind = "call" if first.tokens == (self._ids[Mark.CALL],) else "text"
        self._cut = first.stop == "length"
        if self._cut and self._left > 0:
            yield from self._constrained(grammar, kind=kind, begun=first.tokens)

    def _constrained(self, grammar: Grammar, *, kind: Kind = "call", begun: tuple[int, ...] = ()) -> _Steps:
        segment = Constrained(grammar=grammar, max_tokens=max(self._left, 1), kind=kind, begun=begun)
        decoded = yield from self._take(segment)
        self._cut = decoded.stop == "length"

    def _call_grammar(self, answer: JsonObject | None = None) -> Grammar:
        tokens = CallTokens(self._ids[Mark.CALL], self._ids[Mark.CALL_END], self._ids[Mark.QUOTE])
        tools = {tool.name: tool.parameters for tool in self._request.callable_tools}
        calls = call_grammar(tools, tokens, max_calls=self._request.max_calls, answer=answer)
        self._notes += [f"checked after decoding: {what}" for what in calls.relaxed]
        return calls.grammar


def _ends_with_call(parsed: Parsed, length: int) -> bool:
    """Whether the last tokens are a whole call. After half a call, the response token would seem to close it."""
    return bool(parsed.spans) and parsed.spans[-1].kind == "call" and parsed.spans[-1].end == length
