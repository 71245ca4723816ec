"""Prefixes are reused, and what comes out is what a fresh computation gives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from agentkit.model_backend.engine.cache import PrefixCache, Reuse, Slot
from agentkit.model_backend.engine.native import Chunk, Context, Logits, Model, NoRoom
from tests.tiny_gguf import TinyKind, build_tiny_gguf

WINDOW, BATCH, SLOTS = 64, 32, 3
VOCABULARY = 400
NOISE = {"dense": 0.03, "ple": 0.03, "moe": 0.3}
"""Root of the mean squared difference of two logits, where they spread by 2.6. Keys and values are kept in 16 bits, and
the order of cells in the cache changes the last bits of sums: differences up to 0.011 have been measured. With experts
that may tip a choice, which has been seen to make 0.2. A wrong cache makes more than 1."""
EDITS = {"dense": 200, "ple": 30, "moe": 30}
LONGEST = 260


class Bench:
    """Computes prompts through the cache, and afresh in a context of its own."""

    def __init__(self, folder: Path, kind: TinyKind, *, full_window: bool) -> None:
        self.kind: TinyKind = kind
        self.noise = NOISE[kind]
        self.model = Model(build_tiny_gguf(folder / "tiny.gguf", kind=kind, window=WINDOW))
        self.context, self.fresh = (
            Context(self.model, context=1024, sequences=n, batch=BATCH, threads=1, full_window=full_window, flash=False)
            for n in (SLOTS, 1)
        )
        self.cache = PrefixCache(
            self.context, slots=SLOTS, window=self.model.window, checkpoints=not full_window, recurrent=False
        )

    def cached(self, prompt: list[int], *, marks: tuple[int, ...] = ()) -> tuple[Logits, int, Slot]:
        """Returns the logits after a prompt, how many tokens were reused, and the slot, which is freed."""
        slot = self.cache.take(prompt)
        assert slot is not None
        reused = len(slot.tokens)
        assert slot.tokens == prompt[:reused]
        logits = None
        while len(slot.tokens) < len(prompt):
            start = len(slot.tokens)
            end = min(start + BATCH, len(prompt), *(mark for mark in marks if mark > start))
            logits = self.decode(Chunk(slot.id, start, prompt[start:end], end == len(prompt)))
            slot.tokens += prompt[start:end]
            if end in marks:
                self.cache.checkpoint(slot)
        slot.free = True
        assert logits is not None
        return logits.copy(), reused, slot

    def decode(self, chunk: Chunk) -> Logits | None:
        while True:
            try:
                return self.context.decode([chunk])[0]
            except NoRoom:
                assert self.cache.evict()

    def afresh(self, prompt: list[int]) -> Logits:
        self.fresh.cut(0, 0)
        logits = None
        for start in range(0, len(prompt), BATCH):
            tokens = prompt[start : start + BATCH]
            (logits,) = self.fresh.decode([Chunk(0, start, tokens, start + BATCH >= len(prompt))])
        assert logits is not None
        return logits.copy()

    def close(self) -> None:
        self.context.free()
        self.fresh.free()
        self.model.free()


@pytest.fixture(params=["dense", "moe", "ple"])
def kind(request: pytest.FixtureRequest) -> TinyKind:
    kind: TinyKind = request.param
    return kind


@pytest.fixture(params=[False, True], ids=["window", "full"])
def bench(request: pytest.FixtureRequest, tmp_path: Path, kind: TinyKind) -> Iterator[Bench]:
    bench = Bench(tmp_path, kind, full_window=request.param)
    yield bench
    bench.close()


def distance(left: Logits, right: Logits) -> float:
    return float(np.sqrt(np.mean((left - right) ** 2)))


def edited(prompts: Sequence[list[int]], random: np.random.Generator) -> list[int]:
    """Returns one of the prompts, shortened, with a token replaced, longer, gone on with differently, or as it was."""
    prompt = list(prompts[int(random.integers(len(prompts)))])
    at = int(random.integers(1, len(prompt)))
    added: list[int] = random.integers(24, VOCABULARY, int(random.integers(1, 120))).tolist()
    how = random.integers(5)
    if how == 0:
        del prompt[at:]
    elif how == 1:
        prompt[at] = added[0]
    elif how == 2:
        prompt += added
    elif how == 3:
        prompt[at:] = added
    return prompt[:LONGEST]


def distances(bench: Bench, count: int) -> Iterator[float]:
    """How far what is computed through the cache is from a fresh computation, for prompts that grow out of others."""
    random = np.random.default_rng(7)
    prompts: list[list[int]] = [random.integers(24, VOCABULARY, LONGEST).tolist()]
    reused_in_all = 0
    for _ in range(count):
        prompt = edited(prompts, random)
        marks = tuple(random.integers(1, len(prompt) + 1, 2).tolist())
        logits, reused, _slot = bench.cached(prompt, marks=marks)
        yield distance(logits, bench.afresh(prompt))
        reused_in_all += reused
        prompts.append(prompt)
    assert reused_in_all > 20 * count


def test_logits_after_reuse_equal_a_fresh_computation_for_random_edits(bench: Bench) -> None:
    assert max(distances(bench, EDITS[bench.kind])) < bench.noise


def test_the_same_edits_without_the_guard_give_wrong_logits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shows that the test above can fail."""

    def unguarded(cache: PrefixCache, slot: Slot, length: int) -> Reuse | None:
        return Reuse(slot, length) if length > 0 else None

    monkeypatch.setattr(PrefixCache, "_reusable", unguarded)
    bench = Bench(tmp_path, "dense", full_window=False)
    assert any(distance > 1 for distance in distances(bench, EDITS["dense"]))
    bench.close()


def test_going_back_past_the_window_without_the_guard_gives_wrong_logits(tmp_path: Path) -> None:
    """This is what llama.cpp does when it is just told to."""
    bench = Bench(tmp_path, "dense", full_window=False)
    long = np.random.default_rng(1).integers(24, VOCABULARY, 900).tolist()
    _, _, slot = bench.cached(long)
    prompt = long[:301]
    assert bench.context.cut(slot.id, 300)
    (logits,) = bench.context.decode([Chunk(slot.id, 300, prompt[300:], True)])
    assert logits is not None
    assert distance(logits, bench.afresh(prompt)) > 1
    bench.close()


@pytest.mark.parametrize("kind", ["dense"], indirect=True)
def test_a_longer_prompt_is_computed_from_where_the_last_one_ended(bench: Bench) -> None:
    prompt = list(range(24, 324))
    bench.cached(prompt)
    _, reused, _ = bench.cached([*prompt, 30, 31])
    assert reused == 300


@pytest.mark.parametrize("kind", ["dense"], indirect=True)
def test_the_last_token_is_computed_again_when_the_prompt_is_the_same(bench: Bench) -> None:
    prompt = list(range(24, 324))
    first, _, _ = bench.cached(prompt)
    again, reused, _ = bench.cached(prompt)
    assert reused == 299
    assert distance(first, again) < bench.noise


@pytest.mark.parametrize("kind", ["dense"], indirect=True)
def test_a_checkpoint_lets_a_prompt_go_back_beyond_the_window(bench: Bench) -> None:
    shared = list(range(24, 324))
    bench.cached([*shared, *range(24, 400)], marks=(300,))
    prompt = [*shared, *range(100, 150)]
    logits, reused, _ = bench.cached(prompt)
    assert reused == 300
    assert distance(logits, bench.afresh(prompt)) < bench.noise


@pytest.mark.parametrize("kind", ["dense"], indirect=True)
def test_a_short_common_start_is_copied_and_the_long_one_kept(bench: Bench) -> None:
    long = list(range(24, 324))
    _, _, first = bench.cached(long)
    logits, reused, second = bench.cached([*long[:60], 399, 398])
    assert second is not first
    assert first.tokens == long
    assert reused in (0, 60)  # the window may be gone where only it is kept
    assert distance(logits, bench.afresh([*long[:60], 399, 398])) < bench.noise
