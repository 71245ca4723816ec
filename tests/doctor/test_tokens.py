"""Control tokens and stop tokens that are not as they should be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agentkit.model_backend.doctor.findings import Finding
from agentkit.model_backend.doctor.tokens import (
    FileToken,
    check_control_tokens,
    check_stop_tokens,
    check_suppressed,
    file_tokens,
)
from agentkit.model_backend.engine.native import Model
from agentkit.model_backend.engine.vocab import Vocab
from agentkit.model_backend.formats.gemma4_tokens import FUNCTION_GEMMA, GEMMA4, Mark
from agentkit.model_backend.gguf_header import check_gguf
from tests.doctor.damage import Parts, numbers

CONTROL, USER, NORMAL = 3, 4, 1
IDS = {"<|tool>": 46, "<tool|>": 47, "<|tool_call>": 48, "<tool_call|>": 49, "<|tool_response>": 50,
       "<tool_response|>": 51, '<|"|>': 52, "<|think|>": 98, "<|channel>": 100, "<channel|>": 101, "<|turn>": 105,
       "<turn|>": 106}  # fmt: skip
USERS = ("<|tool_call>", "<tool_call|>", "<|tool_response>", "<tool_response|>", '<|"|>', "<|channel>", "<channel|>")


def tokens(**changes: FileToken | None) -> dict[str, FileToken]:
    """The control tokens of Google's files, with changes."""
    found = {text: FileToken(id, USER if text in USERS else CONTROL) for text, id in IDS.items()}
    others = {text: FileToken(1000 + i, CONTROL) for i, text in enumerate(GEMMA4.others)}
    every: dict[str, FileToken | None] = {**found, **others, **changes}
    return {text: token for text, token in every.items() if token is not None}


def said(found: dict[str, FileToken], size: int = 262_144) -> list[Finding]:
    return list(check_control_tokens(GEMMA4, found, size))


def test_googles_tokens_are_as_they_should_be() -> None:
    (finding,) = said(tokens())
    assert finding.level == "ok"
    assert "<|tool_call> 48" in finding.message


def test_a_missing_token_and_one_that_is_ordinary_text_are_a_problem() -> None:
    (finding,) = said(tokens(**{"<|turn>": None, "<channel|>": FileToken(101, NORMAL)}))
    assert finding.level == "problem"
    assert "missing: '<|turn>'; there as ordinary text: '<channel|>'" in finding.message


def test_another_type_than_googles_is_noted_only() -> None:
    _, finding = said(tokens(**{"<|tool_call>": FileToken(48, CONTROL), "<bos>": FileToken(2, NORMAL)}))
    assert finding.level == "note"
    assert "2 control tokens marked otherwise" in finding.message
    assert finding.data["types"] == {"<|tool_call>": "control", "<bos>": "normal"}


def test_tokens_that_agentkit_has_no_use_for_may_be_missing() -> None:
    _, finding = said(tokens(**{"<|image>": None}))
    assert (finding.level, "<|image>" in finding.message) == ("note", True)


def test_other_ids_are_a_warning_in_a_vocabulary_of_gemma_4s_size() -> None:
    moved = tokens(**{"<|tool_call>": FileToken(4800, USER)})
    _, finding = said(moved)
    assert (finding.level, finding.message) == ("warning", "not those of Gemma 4: <|tool_call> 4800")
    assert len(said(moved, size=418)) == 1


def test_the_tokens_of_function_gemma_are_looked_for_in_its_files() -> None:
    found = {text: FileToken(i, CONTROL) for i, text in enumerate(FUNCTION_GEMMA.texts.values())}
    (finding,) = check_control_tokens(FUNCTION_GEMMA, found, 262_144)
    assert finding.level == "ok"
    del found["<escape>"]
    (finding,) = check_control_tokens(FUNCTION_GEMMA, found, 262_144)
    assert "'<escape>'" in finding.message


def test_types_are_read_from_the_file_as_they_stand_there(parts: Parts, tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    kinds: list[float] = [NORMAL] * 418
    kinds[7], kinds[300] = CONTROL, USER
    key = "tokenizer.ggml.token_type"
    path.write_bytes(parts.with_pair(key, numbers(key, kinds)).assembled())
    found = file_tokens(path, check_gguf(path))
    assert found["<|tool_call>"] == FileToken(7, CONTROL)
    assert found["<|turn>"] == FileToken(15, NORMAL)
    assert [token.id for token in found.values() if token.kind == USER] == [300]


@pytest.fixture
def vocab(tiny: Path) -> Iterator[Vocab]:
    model = Model(tiny, vocabulary_only=True)
    yield Vocab(model)
    model.free()


def test_stop_tokens_have_to_be_those_of_the_format(vocab: Vocab) -> None:
    assert check_stop_tokens(vocab, GEMMA4).level == "ok"
    everything = vocab.eog
    response = vocab.special(GEMMA4.texts[Mark.RESPONSE])
    assert response is not None
    vocab.eog = everything - {response}
    finding = check_stop_tokens(vocab, GEMMA4)
    assert (finding.level, finding.data["missing"]) == ("problem", ["<|tool_response>"])
    vocab.eog = everything | {4}
    finding = check_stop_tokens(vocab, GEMMA4)
    assert (finding.level, finding.data["extra"]) == ("note", ["<mask>"])
    vocab.eog = frozenset()
    assert check_stop_tokens(vocab, None).level == "problem"


def test_what_must_never_be_sampled_is_listed(vocab: Vocab) -> None:
    assert check_suppressed(vocab) is None
    vocab.suppressed = frozenset({17, 18})
    finding = check_suppressed(vocab)
    assert finding and finding.message == "2 tokens never sampled, because the file says so: <|image>, <image|>"
