"""How a model is loaded: context size, attention, threads, vocabulary."""

from __future__ import annotations

import os
from itertools import accumulate
from pathlib import Path

import pytest

from agentkit.model_backend.engine import Engine, EngineSettings
from agentkit.model_backend.engine.native import Model
from agentkit.model_backend.engine.settings import physical_cores
from agentkit.model_backend.engine.tuning import flash_is_faster
from tests.tiny_gguf import CONTROL_TOKENS, TinyKind, build_tiny_gguf


@pytest.mark.parametrize(("trained", "asked", "context"), [(4096, 0, 4096), (32768, 0, 8192), (4096, 512, 512)])
def test_the_context_is_what_was_asked_or_what_the_model_knows(
    tmp_path: Path, trained: int, asked: int, context: int
) -> None:
    engine = Engine.load(build_tiny_gguf(tmp_path / "t.gguf", context=trained), EngineSettings(context=asked))
    assert engine.context == context
    engine.close()


@pytest.mark.parametrize(("plain", "flash", "chosen"), [(1.0, 4.0, False), (4.0, 1.0, True), (0.9, 1.0, True)])
def test_flash_attention_is_left_off_only_where_that_is_clearly_faster(
    tiny: Path, plain: float, flash: float, chosen: bool
) -> None:
    model = Model(tiny)
    assert flash_is_faster(model, threads=1)  # too small to measure
    model.parameters = 10**9
    readings = accumulate([0.0, plain, 0.0, flash] * 3)
    assert flash_is_faster(model, threads=1, clock=lambda: next(readings)) is chosen
    model.free()


def test_threads_are_at_most_the_cores_there_are() -> None:
    assert 1 <= physical_cores() <= (os.cpu_count() or 1)


@pytest.mark.parametrize("kind", ["dense", "moe", "ple"])
def test_the_vocabulary_knows_its_control_tokens(tmp_path: Path, kind: TinyKind) -> None:
    engine = Engine.load(build_tiny_gguf(tmp_path / "t.gguf", kind=kind, template="{{ messages }}"))
    vocab = engine.vocab
    assert [vocab.special(text) for text in CONTROL_TOKENS] == list(range(len(CONTROL_TOKENS)))
    assert vocab.special("value") is None
    assert vocab.special("no such token") is None
    assert vocab.bos == vocab.special("<bos>")
    assert vocab.eog == {vocab.special(text) for text in ("<eos>", "<|tool_response>", "<turn|>")}
    assert vocab.metadata["tokenizer.chat_template"] == "{{ messages }}"
    assert vocab.metadata["general.architecture"] == "gemma4"
    engine.close()


@pytest.mark.parametrize("text", ["Hello, world!", "snö 日本語 🎈", "a\n\nb", "<turn|>"])
def test_text_becomes_tokens_and_text_again(engine: Engine, text: str) -> None:
    assert engine.vocab.detokenize(engine.vocab.tokenize(text, special=False)) == text


def test_a_control_token_in_untrusted_text_stays_text(engine: Engine) -> None:
    end = engine.vocab.special("<turn|>")
    assert engine.vocab.tokenize("<turn|>", special=True) == [end]
    assert end not in engine.vocab.tokenize("<turn|>", special=False)
