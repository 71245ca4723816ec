"""Decodes a script, segment by segment, as a generator that knows nothing of llama.cpp.

It yields the tokens to add to the context and receives the logits after them. What is yielded are all tokens that
came together since the last time: a sampled token, the literal after it and the tokens a grammar forces go through
the model in one batch, and logits are computed only where one is sampled.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Sequence
from typing import Generic, TypeAlias, TypeVar
from typing import Literal as OneOf

from agentkit.errors import LimitReached
from agentkit.model_backend.base import Delta
from agentkit.model_backend.engine.native import Logits
from agentkit.model_backend.engine.sampling import Matcher, Sampler
from agentkit.model_backend.engine.text import TextStream
from agentkit.model_backend.engine.vocab import Vocab
from agentkit.model_backend.loops import TEXT_PATIENCE, runaway
from agentkit.model_backend.script import Constrained, Decoded, Free, Grammar, Kind, Literal, Script, Segment

__all__ = ["Decoder", "Feed"]

T = TypeVar("T")

Feed: TypeAlias = Generator[list[int], Logits, T]
"""Yields tokens to add to the context, receives the logits after them."""

_LOOK_FOR_LOOPS = 64
"""Sampled tokens after which a constrained segment is looked at: a grammar lets text go on in circles for ever."""

Stop: TypeAlias = OneOf["complete", "stop", "eog", "length"]


class Decoder(Generic[T]):
    """Decodes one script.

    Attributes:
        tokens: All tokens added after the prompt.
        thought_tokens: How many of them were thoughts.
        forced_tokens: How many of them were not sampled.
    """

    def __init__(
        self,
        script: Script[T],
        *,
        vocab: Vocab,
        sampler: Sampler,
        matcher: Callable[[Grammar], Matcher],
        room: int,
        emit: Callable[[Delta], None],
    ) -> None:
        """Prepares to decode.

        Args:
            script: The segments.
            vocab: The model's tokens.
            sampler: Draws the tokens.
            matcher: Compiles a grammar.
            room: Tokens that fit the context after the prompt.
            emit: Called with each bit of text.
        """
        self._script = script
        self._vocab = vocab
        self._sampler = sampler
        self._matcher = matcher
        self._room = room
        self._emit = emit
        self._pending: list[int] = []
        self._unshown = 0  # tokens that no delta has spoken for
        self._half = b""  # of a character, when a free segment has ended in it
        self.tokens: list[int] = []
        self.thought_tokens = 0
        self.forced_tokens = 0

    def run(self) -> Feed[T]:
        """Decodes all segments; returns the script's value.

        Raises:
            LimitReached: A literal does not fit the context.
            ModelError: The model or the grammar failed.
        """
        try:
            segment = next(self._script)
            while True:
                decoded = yield from self._segment(segment)
                segment = self._script.send(decoded)
        except StopIteration as end:
            value: T = end.value
            return value
        finally:
            self._script.close()

    def _segment(self, segment: Segment) -> Feed[Decoded]:
        match segment:
            case Literal():
                return self._literal(segment)
            case Free():
                return (yield from self._free(segment))
            case Constrained():
                return (yield from self._constrained(segment))

    def _literal(self, segment: Literal) -> Decoded:
        self._half = b""
        tokens = list(segment.tokens) or self._vocab.tokenize(segment.text, special=True)
        self._vocab.check(tokens)
        if len(tokens) > self._left():
            raise LimitReached(
                f"the context is full: {len(tokens)} more tokens are to be added and {self._left()} fit",
                reason="context_full",
            )
        self._add(tokens, segment.kind, forced=True)
        text = segment.text or self._vocab.detokenize(tokens)
        self._show(segment.kind, text)
        return Decoded(text=text, tokens=tuple(tokens), stop="complete")

    def _free(self, segment: Free) -> Feed[Decoded]:
        first = len(self.tokens)
        self._vocab.check(segment.ban)
        special = {text: self._vocab.special(text) for text in segment.stop}
        ends = {token: text for text, token in special.items() if token is not None}
        stream = TextStream([text for text, token in special.items() if token is None], begun=self._half)
        self._half = b""
        stop: Stop = "length"
        matched = ""
        for _ in range(min(segment.max_tokens, self._left())):
            token = self._sampler.free((yield self._take()), segment.ban)
            self._add([token], segment.kind)
            if token in ends:
                stop, matched = "stop", ends[token]
                break
            if token in self._vocab.eog:
                stop = "eog"
                break
            self._show(segment.kind, stream.feed(self._vocab.piece(token)))
            if stream.matched:
                stop, matched = "stop", stream.matched
                self._cut_last(stream.surplus)
                break
        if stop == "length":
            rest, self._half = stream.pause()
            self._show(segment.kind, rest)
        else:
            self._show(segment.kind, stream.finish())
        return Decoded(text=stream.text, tokens=tuple(self.tokens[first:]), stop=stop, matched=matched)

    def _constrained(self, segment: Constrained) -> Feed[Decoded]:
        self._half = b""
        first = len(self.tokens)
        matcher = self._matcher(segment.grammar)
        stream = TextStream()
        if segment.begun:
            matcher.accept(list(segment.begun))
            self._show(segment.kind, "".join(stream.feed(self._vocab.piece(token)) for token in segment.begun))
        budget = min(segment.max_tokens, self._left())
        stop: Stop = "length"
        sampled = 0
        while (left := budget - len(self.tokens) + first) > 0:
            if forced := matcher.forced()[:left]:
                matcher.accept(forced)
                self._add(forced, segment.kind, forced=True)
                self._show(segment.kind, "".join(stream.feed(self._vocab.piece(token)) for token in forced))
            if matcher.complete:
                stop = "complete"
                break
            if len(forced) == left:
                break
            sampled += 1
            if sampled % _LOOK_FOR_LOOPS == 0 and runaway(
                self.tokens[first:], self._vocab.piece, patience=TEXT_PATIENCE
            ):
                break
            token = self._sampler.constrained((yield self._take()), matcher)
            self._add([token], segment.kind)
            if token in self._vocab.eog:
                stop = "eog"
                break
            matcher.accept([token])
            self._show(segment.kind, stream.feed(self._vocab.piece(token)))
        if stop == "length" and matcher.complete:
            stop = "complete"
        self._show(segment.kind, stream.finish())
        if segment.values is not None and stop == "complete":
            for value in segment.values(stream.text):
                self._emit(Delta(kind="part", text=json.dumps(value), tokens=0))
        return Decoded(text=stream.text, tokens=tuple(self.tokens[first:]), stop=stop)

    def _left(self) -> int:
        """Returns how many more tokens fit the context."""
        return self._room - len(self.tokens)

    def _take(self) -> list[int]:
        pending, self._pending = self._pending, []
        return pending

    def _add(self, tokens: Sequence[int], kind: Kind, *, forced: bool = False) -> None:
        self.tokens += tokens
        self._pending += tokens
        self._unshown += len(tokens)
        self._sampler.see(tokens)
        self.thought_tokens += len(tokens) if kind == "thought" else 0
        self.forced_tokens += len(tokens) if forced else 0

    def _cut_last(self, surplus: int) -> None:
        """Takes off the last token what it holds beyond a stop string.

        The token has not been through the model yet, so nothing has to be undone.
        """
        kept = self._vocab.piece(self.tokens[-1])[:-surplus] if surplus else b""
        # Empty when nothing is to be cut; undecodable when the token begins inside a character. Then it stays whole.
        text = kept.decode("utf-8", "ignore")
        if kept and text.encode() == kept:
            tokens = self._vocab.tokenize(text, special=False)
            self.tokens[-1:] = tokens
            self._pending[-1:] = tokens

    def _show(self, kind: Kind, text: str) -> None:
        if text and kind != "control":
            self._emit(Delta(kind=kind, text=text, tokens=self._unshown))
            self._unshown = 0
