"""Ways through a grammar of calls: random ones, and the one that the renderer writes."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np

from agentkit.messages import JsonObject, ToolCall
from agentkit.model_backend.constraint import Constraints
from agentkit.model_backend.constraint.gemma4 import CallGrammar, CallTokens, call_grammar
from agentkit.model_backend.engine import Vocab
from agentkit.model_backend.formats.gemma4_parse import parse
from agentkit.model_backend.formats.gemma4_pieces import Parsed
from agentkit.model_backend.formats.gemma4_render import call_parts
from agentkit.model_backend.formats.gemma4_tokens import GEMMA4, Alphabet, Mark
from agentkit.model_backend.script import Grammar

LONGEST = 400


class Ways:
    """Calls of one tool named f under any schema."""

    def __init__(self, vocab: Vocab) -> None:
        self.vocab = vocab
        self.alphabet = Alphabet(vocab, GEMMA4)
        self._constraints = Constraints(vocab.handle, eog=vocab.eog)
        self._tokens = CallTokens(*(self.alphabet.ids[mark] for mark in (Mark.CALL, Mark.CALL_END, Mark.QUOTE)))

    def grammar(self, schema: JsonObject) -> CallGrammar:
        return call_grammar({"f": schema}, self._tokens, max_calls=1)

    def allowed(self, grammar: Grammar, tokens: Sequence[int]) -> bool:
        """Whether the grammar takes the tokens and may end there."""
        matcher = self._constraints.matcher(grammar)
        for token in tokens:
            if matcher.complete or not matcher.allows(token):
                return False
            matcher.accept([token])
        return matcher.accepting

    def takes(self, schema: JsonObject, arguments: JsonObject) -> bool:
        """Whether the call may be written as the renderer writes it."""
        return self.allowed(self.grammar(schema).grammar, self.alphabet.encode(call_parts(ToolCall("f", arguments))))

    def random(self, grammar: Grammar, seed: int) -> Parsed | None:
        """What is read from a call that is written at random; None when it did not come to an end."""
        tokens = self.random_tokens(grammar, seed)
        return None if tokens is None else parse(self.alphabet, tokens)

    def random_tokens(self, grammar: Grammar, seed: int) -> list[int] | None:
        """Tokens drawn at random among those that are allowed."""
        choose = random.Random(seed)
        matcher = self._constraints.matcher(grammar)
        tokens: list[int] = []
        while len(tokens) < LONGEST and not matcher.complete:
            forced = matcher.forced()
            matcher.accept(forced)
            tokens += forced
            if matcher.complete:
                break
            bits = np.unpackbits(matcher.mask().view(np.uint8), bitorder="little")
            allowed = [int(token) for token in np.flatnonzero(bits)]
            if any(token in self.vocab.eog for token in allowed) and choose.random() < 0.6:
                break
            # What closes is preferred, or random texts, arrays and maps hardly ever end.
            closing = [t for t in allowed if self.vocab.piece(t) in (b'<|"|>', b'"', b"}", b"]")]
            others = [t for t in allowed if t not in self.vocab.eog]
            token = choose.choice(closing if closing and choose.random() < 0.4 else others)
            matcher.accept([token])
            tokens.append(token)
        return tokens if matcher.complete or matcher.accepting else None
