"""Matchers move forward, say what is forced, and never end the process."""

from __future__ import annotations

import numpy as np
import pytest

from agentkit.errors import ModelError
from agentkit.model_backend.constraint import Constraints
from agentkit.model_backend.engine import Vocab
from agentkit.model_backend.script import Grammar

YES_NO = Grammar('start: "answer: " ("yes" | "no")')


def test_forced_tokens_are_what_must_come(vocab: Vocab, constraints: Constraints) -> None:
    matcher = constraints.matcher(YES_NO)
    assert vocab.detokenize(matcher.forced()) == "answer: "


def test_forced_tokens_are_not_yet_accepted(constraints: Constraints) -> None:
    matcher = constraints.matcher(YES_NO)
    assert matcher.forced() == matcher.forced()


def test_the_mask_allows_what_allows_says(vocab: Vocab, constraints: Constraints) -> None:
    matcher = constraints.matcher(YES_NO)
    matcher.accept(matcher.forced())
    bits = np.unpackbits(matcher.mask().view(np.uint8), bitorder="little")[: vocab.size]
    allowed = np.flatnonzero(bits)
    assert {vocab.piece(int(token))[:1] for token in allowed} == {b"y", b"n"}
    assert all(bool(bits[token]) == matcher.allows(token) for token in range(0, vocab.size, 7))


def test_a_finished_grammar_is_complete(vocab: Vocab, constraints: Constraints) -> None:
    matcher = constraints.matcher(YES_NO)
    matcher.accept(vocab.tokenize("answer: no", special=False))
    assert matcher.complete


def test_a_grammar_that_may_go_on_lets_the_end_token_choose(vocab: Vocab, constraints: Constraints) -> None:
    matcher = constraints.matcher(Grammar("start: /[0-9]{1,3}/"))
    matcher.accept(vocab.tokenize("1", special=False))
    assert not matcher.complete
    assert matcher.accepting
    assert all(matcher.allows(token) for token in vocab.eog)


def test_a_refused_token_is_an_error_and_no_crash(vocab: Vocab, constraints: Constraints) -> None:
    matcher = constraints.matcher(YES_NO)
    with pytest.raises(ModelError, match="refuses"):
        matcher.accept(vocab.tokenize("maybe", special=False))
    with pytest.raises(ModelError):
        matcher.mask()


@pytest.mark.parametrize("lark", ["", "start: missing", 'start: "unclosed', 'start: %json {"type": 3}'])
def test_a_broken_grammar_is_an_error(lark: str, constraints: Constraints) -> None:
    with pytest.raises(ModelError, match="can't be compiled"):
        constraints.matcher(Grammar(lark))


def test_a_value_that_can_not_end_is_an_error(constraints: Constraints) -> None:
    endless = Grammar('start: %json {"$defs": {"a": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}')
    with pytest.raises(ModelError):
        constraints.matcher(endless).mask()


def test_matchers_of_one_grammar_do_not_disturb_each_other(vocab: Vocab, constraints: Constraints) -> None:
    first, second = constraints.matcher(YES_NO), constraints.matcher(YES_NO)
    first.accept(vocab.tokenize("answer: yes", special=False))
    assert vocab.detokenize(second.forced()) == "answer: "
