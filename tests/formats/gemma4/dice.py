"""An engine that throws dice: it gives what a script asks for, and any of it."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from agentkit.messages import ToolCall
from agentkit.model_backend.formats.base import Draft
from agentkit.model_backend.formats.gemma4_render import call_parts
from agentkit.model_backend.formats.gemma4_tokens import Alphabet, Mark
from agentkit.model_backend.script import Constrained, Decoded, Free, Literal, Script

WORDS = (
    "I'll look. ",
    "thought",
    "call",
    "response",
    "<|",
    '|"|>',
    "model\n",
    " ",
    "\n",
    "ü日🎉",
    "{a:1}",
    "x",
    "true",
)


@dataclass
class Dice:
    """Throws for one turn.

    Attributes:
        alphabet: The control tokens.
        throw: The dice.
        calls: What a constrained segment gives.
        tokens: All tokens of the turn.
    """

    alphabet: Alphabet
    throw: random.Random
    calls: list[ToolCall]
    tokens: list[int] = field(default_factory=list[int])

    def play(self, script: Script[Draft]) -> Draft:
        try:
            segment = next(script)
            while True:
                before = len(self.tokens)
                stop, matched = "complete", ""
                if isinstance(segment, Literal):
                    self.tokens += segment.tokens
                elif isinstance(segment, Free):
                    stop, matched = self._free(segment)
                else:
                    stop = self._constrained(segment)
                added = self.tokens[before:]
                said = self.alphabet.decode(added).removesuffix(matched)
                segment = script.send(Decoded(text=said, tokens=tuple(added), stop=stop, matched=matched))  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]  # a literal's words
        except StopIteration as end:
            draft: Draft = end.value
            return draft

    def _free(self, segment: Free) -> tuple[str, str]:
        if segment.kind == "control" and self.throw.random() < 0.9:  # after the call token
            self.tokens += self.alphabet.plain("call")
            return "length", ""
        eog = sorted(self.alphabet.vocab.eog.difference(segment.ban))
        stops = {self.alphabet.vocab.special(text): text for text in segment.stop}
        for _ in range(segment.max_tokens):
            dice = self.throw.random()
            if stops and dice < 0.15:
                token = self.throw.choice([token for token in stops if token is not None])
                self.tokens.append(token)
                return "stop", stops[token]
            if eog and dice < 0.3:
                self.tokens.append(self.throw.choice(eog))
                return "eog", ""
            self.tokens.append(self._token())
        return "length", ""

    def _token(self) -> int:
        """A token of plain text. Words come whole or byte by byte, however a tokeniser would cut them."""
        whole = self.alphabet.plain(self.throw.choice(WORDS))
        return self.throw.choice(self.odd(whole))

    def odd(self, tokens: list[int]) -> list[int]:
        """The same text, cut into tokens in another way."""
        odd: list[int] = []
        for token in tokens:
            text = self.alphabet.vocab.piece(token)
            if token in self.alphabet.marks or self.throw.random() < 0.5:
                odd.append(token)
            else:
                first = self.alphabet.vocab.tokenize("\0", special=False)[0]
                odd += [first + byte for byte in text]
        return odd

    def _constrained(self, segment: Constrained) -> str:
        calls = [part for call in self.calls for part in call_parts(call)]
        tokens = self.odd(self.alphabet.encode(calls)[len(segment.begun) :])
        self.tokens += tokens[: segment.max_tokens]
        if len(tokens) > segment.max_tokens:
            return "length"
        if self.throw.random() < 0.3:
            ends = [self.alphabet.ids[Mark.TURN_END], self.alphabet.ids[Mark.RESPONSE]]
            self.tokens.append(self.throw.choice(ends))
            return "eog"
        return "complete"
