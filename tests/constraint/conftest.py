"""A vocabulary to match grammars against."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import TypeAlias

import pytest

pytest.importorskip("llama_cpp")
pytest.importorskip("llguidance")

import numpy as np

from agentkit.model_backend.constraint import Constraints
from agentkit.model_backend.engine import Engine, EngineSettings, Vocab
from agentkit.model_backend.script import Grammar
from tests.tiny_gguf import build_tiny_gguf

Accepts: TypeAlias = Callable[[Grammar, str], bool]
Walk: TypeAlias = Callable[[Grammar, int], "str | None"]


@pytest.fixture(scope="package")
def vocab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vocab]:
    engine = Engine.load(
        build_tiny_gguf(tmp_path_factory.mktemp("tiny") / "tiny.gguf"),
        EngineSettings(context=256, flash_attention=False),
    )
    yield engine.vocab
    engine.close()


@pytest.fixture(scope="package")
def constraints(vocab: Vocab) -> Constraints:
    return Constraints(vocab.handle, eog=vocab.eog)


@pytest.fixture(scope="package")
def accepts(vocab: Vocab, constraints: Constraints) -> Accepts:
    """Says whether a grammar accepts a whole text."""

    def accepts(grammar: Grammar, text: str) -> bool:
        matcher = constraints.matcher(grammar)
        for token in vocab.tokenize(text, special=False):
            if matcher.complete or not matcher.allows(token):
                return False
            matcher.accept([token])
        return matcher.accepting

    return accepts


@pytest.fixture(scope="package")
def walk(vocab: Vocab, constraints: Constraints) -> Walk:
    """Takes a random way through a grammar; None when it did not come to an end."""

    def walk(grammar: Grammar, seed: int) -> str | None:
        choose = random.Random(seed)
        matcher = constraints.matcher(grammar)
        tokens: list[int] = []
        for _ in range(400):
            forced = matcher.forced()
            matcher.accept(forced)
            tokens += forced
            if matcher.complete:
                break
            allowed = np.flatnonzero(np.unpackbits(matcher.mask().view(np.uint8), bitorder="little"))
            ends = [int(token) for token in allowed if int(token) in vocab.eog]
            if ends and choose.random() < 0.7:
                break
            # What closes is preferred, or random strings and arrays hardly ever end.
            closing = [int(t) for t in allowed if vocab.piece(int(t)) in (b'"', b"}", b"]")]
            others = [int(t) for t in allowed if int(t) not in vocab.eog]
            token = choose.choice(closing if closing and choose.random() < 0.5 else others)
            matcher.accept([token])
            tokens.append(token)
        if not matcher.complete and not matcher.accepting:
            return None
        return b"".join(map(vocab.piece, tokens)).decode("utf-8", "replace")

    return walk
