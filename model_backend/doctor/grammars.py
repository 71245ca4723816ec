"""Golden calls against the grammars that calls are decoded with, and how long a mask takes."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from agentkit.errors import AgentkitError
from agentkit.messages import User
from agentkit.model_backend.base import TurnRequest
from agentkit.model_backend.constraint import Constraints, Matcher
from agentkit.model_backend.doctor.findings import Finding, plural, quoted
from agentkit.model_backend.doctor.golden import GOLDEN, Golden
from agentkit.model_backend.doctor.script_start import script_start
from agentkit.model_backend.engine.vocab import Vocab
from agentkit.model_backend.formats.base import Format
from agentkit.model_backend.formats.chat_template import ChatTemplateFormat
from agentkit.model_backend.formats.gemma4 import Gemma4Format
from agentkit.model_backend.formats.gemma4_render import call_parts
from agentkit.model_backend.script import Constrained, Grammar

__all__ = ["call_text", "check_grammars"]

_SLOW = 0.05
"""Seconds of a mask from which decoding is slower for it on most machines."""


def check_grammars(form: Format, vocab: Vocab) -> Iterator[Finding]:
    """Yields whether each golden call passes its grammar token by token, and how long masks take."""
    start = time.perf_counter()
    constraints = Constraints(vocab.handle, eog=vocab.eog)
    prepared = time.perf_counter() - start
    walk = _Walk(constraints, vocab)
    faults = [fault for golden in GOLDEN if (fault := _try(walk, form, vocab, golden))]
    passed = len(GOLDEN) - len(faults)
    data = {"passed": passed, "tokens": len(walk.seconds), "faults": faults}
    if faults:
        yield Finding(
            "golden calls",
            "problem",
            f"{plural(len(faults), 'golden call')} of {len(GOLDEN)} refused by the grammar: calls can't be constrained",
            "please report this with the model's name; the vocabulary or the grammar is wrong",
            details=tuple(faults),
            data=data,
        )
    else:
        tokens = plural(len(walk.seconds), "token")
        message = f"{passed} of {len(GOLDEN)} pass their grammar token by token ({tokens})"
        if walk.spelled:
            listed = ", ".join(map(quoted, walk.spelled))
            message += f"; single tokens of this vocabulary that constrained text spells out: {listed}"
        yield Finding("golden calls", "ok", message, data=data)
    if walk.seconds:
        yield _masks(sorted(walk.seconds), prepared)


def call_text(form: ChatTemplateFormat, golden: Golden) -> str:
    """Returns a golden call as JSON in the style of the chat template."""
    name, arguments = (json.dumps(value, ensure_ascii=False) for value in (golden.call.name, golden.call.arguments))
    return f"{form.style.to_name}{name}{form.style.to_arguments}{arguments}{form.style.to_end}"


@dataclass(slots=True)
class _Walk:
    """Walks through grammars, with a look at the mask before each token."""

    constraints: Constraints
    vocab: Vocab
    spelled: list[str] = field(default_factory=list[str])
    """Texts of tokens that the grammar library takes for control tokens, and that had to be spelled out."""
    seconds: list[float] = field(default_factory=list[float])
    """How long each mask took."""

    def through(self, grammar: Grammar, tokens: Sequence[int]) -> int | None:
        """Returns the index of the first token that is refused; the length if the end is; None if none is."""
        matcher: Matcher = self.constraints.matcher(grammar)
        for index, token in enumerate(tokens):
            start = time.perf_counter()
            matcher.mask()
            self.seconds.append(time.perf_counter() - start)
            if matcher.allows(token):
                matcher.accept([token])
            elif not self._spell(matcher, token):
                return index
        return None if matcher.complete or matcher.accepting else len(tokens)

    def _spell(self, matcher: Matcher, token: int) -> bool:
        """Moves over a token's text in smaller tokens; says whether the grammar let it."""
        text = self.vocab.piece(token).decode("utf-8", "replace")
        parts = [self.vocab.tokenize(part, special=False) for part in (text[:1], text[1:]) if part]
        if self.vocab.special(text) is None:
            return False
        for smaller in itertools.chain.from_iterable(parts):
            if not matcher.allows(smaller):
                return False
            matcher.accept([smaller])
        self.spelled.append(text)
        return True


def _try(walk: _Walk, form: Format, vocab: Vocab, golden: Golden) -> str:
    """What is wrong with a golden call, in a line; empty when nothing is."""
    try:
        tokens = _tokens(form, vocab, golden)
        refused = walk.through(_grammar(form, vocab, golden), tokens)
    except AgentkitError as error:
        return f"{golden.call.name}: {error}"
    if refused is None:
        return ""
    shown = quoted(vocab.detokenize(tokens[: refused + 1]), 120)
    return f"{golden.call.name}: refused at the end of {shown}"


def _tokens(form: Format, vocab: Vocab, golden: Golden) -> list[int]:
    """The call as the model would write it."""
    if isinstance(form, Gemma4Format):
        return form.alphabet.encode(call_parts(golden.call))
    assert isinstance(form, ChatTemplateFormat)
    return vocab.tokenize(call_text(form, golden), special=False)


def _grammar(form: Format, vocab: Vocab, golden: Golden) -> Grammar:
    """The grammar of the turn that has to make the call."""
    request = TurnRequest(messages=[User(golden.question)], tools=[golden.tool], calls="required", max_calls=1)
    _, segment = script_start(form, request, vocab)
    assert isinstance(segment, Constrained)
    return segment.grammar


def _masks(seconds: Sequence[float], prepared: float) -> Finding:
    middle, high = (1000 * seconds[min(len(seconds) * share // 100, len(seconds) - 1)] for share in (50, 99))
    data = {"p50_ms": middle, "p99_ms": high, "prepare_seconds": prepared, "masks": len(seconds)}
    message = f"half take at most {middle:.2f} ms, 99 of 100 at most {high:.2f} ms; {prepared:.1f} s once to prepare"
    if high > 1000 * _SLOW:
        advice = "constrained decoding is slower than it should be; close what else uses the processor and try again"
        return Finding("masks", "warning", message, advice, data=data)
    return Finding("masks", "ok", message, data=data)
