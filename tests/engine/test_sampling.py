"""Tokens are drawn as the settings say, and under a grammar as if what it refuses were not there."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from agentkit.errors import ModelError
from agentkit.model_backend.engine.sampling import Sampler, allowed_ids
from agentkit.model_backend.engine.settings import ResolvedSampling

LOGITS = np.array([2.0, 1.0, 0.5, 0.0, -1.0, -3.0], np.float32)
DRAWS = 4_000


class Only:
    """A matcher that allows a fixed set of tokens, and counts how often it was asked for all of them."""

    def __init__(self, *tokens: int, size: int = 6) -> None:
        self._tokens = tokens
        self._size = size
        self.masks = 0

    def forced(self) -> list[int]:
        return []

    def allows(self, token: int) -> bool:
        return token in self._tokens

    def mask(self) -> NDArray[np.uint32]:
        self.masks += 1
        words = np.zeros(-(-self._size // 32), np.uint32)
        for token in self._tokens:
            words[token // 32] |= np.uint32(1 << token % 32)
        return words

    def accept(self, tokens: list[int]) -> None:
        raise AssertionError("drawing does not move the grammar on")

    @property
    def complete(self) -> bool:
        return False


def frequencies(sampler: Sampler, matcher: Only | None = None) -> NDArray[np.float64]:
    drawn = Counter(
        sampler.free(LOGITS) if matcher is None else sampler.constrained(LOGITS, matcher) for _ in range(DRAWS)
    )
    return np.array([drawn[token] / DRAWS for token in range(len(LOGITS))])


def softmax(values: NDArray[np.float32], temperature: float = 1.0) -> NDArray[np.float64]:
    weights: NDArray[np.float64] = np.exp(values.astype(np.float64) / temperature)
    weights /= weights.sum()
    return weights


def restricted(probabilities: NDArray[np.float64], tokens: tuple[int, ...]) -> NDArray[np.float64]:
    kept = np.zeros_like(probabilities)
    kept[list(tokens)] = probabilities[list(tokens)]
    kept /= kept.sum()
    return kept


def test_zero_temperature_takes_the_likeliest() -> None:
    assert Sampler(ResolvedSampling()).free(LOGITS) == 0


def test_a_banned_or_suppressed_token_is_never_taken() -> None:
    assert Sampler(ResolvedSampling(), suppressed={0}).free(LOGITS, banned=(1,)) == 2
    drawn = frequencies(Sampler(ResolvedSampling(temperature=1.0), suppressed={0}))
    assert drawn[0] == 0
    np.testing.assert_allclose(drawn, restricted(softmax(LOGITS), (1, 2, 3, 4, 5)), atol=0.04)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_temperature_shapes_the_distribution(temperature: float) -> None:
    drawn = frequencies(Sampler(ResolvedSampling(temperature=temperature)))
    np.testing.assert_allclose(drawn, softmax(LOGITS, temperature), atol=0.04)


@pytest.mark.parametrize(
    ("sampling", "kept"),
    [
        (ResolvedSampling(temperature=1.0, top_k=2), (0, 1)),
        (ResolvedSampling(temperature=1.0, top_k=6), (0, 1, 2, 3, 4, 5)),
        (ResolvedSampling(temperature=1.0, top_p=0.5), (0,)),
        (ResolvedSampling(temperature=1.0, top_p=0.8), (0, 1, 2)),
        (ResolvedSampling(temperature=1.0, top_p=0.0), (0,)),
        (ResolvedSampling(temperature=1.0, min_p=0.3), (0, 1)),
        (ResolvedSampling(temperature=1.0, min_p=1.0), (0,)),
        (ResolvedSampling(temperature=1.0, top_k=4, top_p=0.9, min_p=0.2), (0, 1, 2)),
    ],
)
def test_unlikely_tokens_are_left_out(sampling: ResolvedSampling, kept: tuple[int, ...]) -> None:
    np.testing.assert_allclose(frequencies(Sampler(sampling)), restricted(softmax(LOGITS), kept), atol=0.04)


@pytest.mark.parametrize("allowed", [(0, 3), (1, 2, 5), (4, 5), (5,)])
def test_under_a_grammar_the_distribution_is_the_samplers_own_without_what_is_refused(allowed: tuple[int, ...]) -> None:
    drawn = frequencies(Sampler(ResolvedSampling(temperature=1.0)), Only(*allowed))
    np.testing.assert_allclose(drawn, restricted(softmax(LOGITS), allowed), atol=0.04)


@pytest.mark.parametrize(
    ("allowed", "expected"),
    [
        ((1, 2, 5), (1, 2)),  # of the three likeliest, those that are allowed
        ((4, 5), (4, 5)),  # none of them is: the likeliest of the allowed
    ],
)
def test_with_top_k_the_grammar_chooses_among_the_candidates(
    allowed: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    drawn = frequencies(Sampler(ResolvedSampling(temperature=1.0, top_k=3)), Only(*allowed))
    np.testing.assert_allclose(drawn, restricted(softmax(LOGITS), expected), atol=0.04)


def test_a_mask_is_computed_only_after_a_refusal() -> None:
    matcher = Only(0, 1)
    sampler = Sampler(ResolvedSampling())
    assert sampler.constrained(LOGITS, matcher) == 0
    assert matcher.masks == 0
    assert sampler.constrained(-LOGITS, matcher) == 1
    assert matcher.masks == 1


@given(st.data(), st.integers(1, 200))
def test_greedy_under_a_grammar_is_the_argmax_of_what_is_allowed(data: st.DataObject, size: int) -> None:
    values = data.draw(st.lists(st.floats(-50, 50, width=32), min_size=size, max_size=size))
    allowed = data.draw(st.sets(st.integers(0, size - 1), min_size=1))
    logits = np.array(values, np.float32)
    token = Sampler(ResolvedSampling()).constrained(logits, Only(*allowed, size=size))
    assert token in allowed
    assert logits[token] == max(logits[t] for t in allowed)


@given(st.sets(st.integers(0, 299)), st.integers(1, 300))
def test_a_masks_bits_are_token_ids(tokens: set[int], size: int) -> None:
    assert allowed_ids(Only(*tokens, size=300).mask(), size).tolist() == sorted(t for t in tokens if t < size)


def test_a_grammar_that_allows_nothing_is_an_error() -> None:
    with pytest.raises(ModelError, match="allows no token"):
        Sampler(ResolvedSampling()).constrained(LOGITS, Only())


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_logits_that_are_not_numbers_are_an_error(temperature: float) -> None:
    with pytest.raises(ModelError, match="no usable numbers"):
        Sampler(ResolvedSampling(temperature=temperature)).free(np.full(6, np.nan, np.float32))


def test_the_repeat_penalty_looks_back_64_tokens() -> None:
    sampler = Sampler(ResolvedSampling(repeat_penalty=4.0), seen=[0])
    assert sampler.free(LOGITS) == 1  # 2.0 / 4 is less than 1.0
    sampler.see([5] * 64)
    assert sampler.free(LOGITS) == 0


def test_the_repeat_penalty_lowers_negative_logits_too() -> None:
    assert Sampler(ResolvedSampling(repeat_penalty=2.0), seen=[0]).free(np.array([-1.0, -1.5], np.float32)) == 1


def test_a_large_vocabulary_gives_the_same_candidates_as_a_full_sort() -> None:
    random = np.random.default_rng(0)
    for spread in (0.5, 3.0, 10.0):
        logits = random.normal(0, spread, 50_000).astype(np.float32)
        best = set(np.argsort(-logits)[:40].tolist())
        sampler = Sampler(ResolvedSampling(temperature=3.0, top_k=40))
        assert {sampler.free(logits) for _ in range(200)} <= best
