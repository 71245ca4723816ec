"""Arrays of a GGUF file's metadata are read from where its header says they stand."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from agentkit.errors import ModelUnavailable
from agentkit.model_backend.engine.files import check_file
from agentkit.model_backend.gguf_arrays import read_numbers, read_strings
from agentkit.model_backend.gguf_header import check_gguf
from tests.catalog.crafted import ARCHITECTURE, array, gguf, string, tensor, text

TOKENS = "tokenizer.ggml.tokens"


def test_arrays_are_read_back(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(
        gguf(
            ARCHITECTURE,
            array("heads", 4, [struct.pack("<I", n) for n in (8, 1, 8)]),
            array("sliding", 7, [b"\1", b"\0", b"\1"]),
            array("words", 8, [string("a"), string(""), string(b"\xff")]),
            array("none", 4, []),
            tensors=[tensor("t", (32, 2)), tensor("u", (32,), offset=256)],
            data=384,
        )
    )
    header = check_gguf(path)
    assert read_numbers(path, header.arrays["heads"]) == [8, 1, 8]
    assert read_numbers(path, header.arrays["sliding"]) == [1, 0, 1]
    assert read_numbers(path, header.arrays["none"]) == []
    assert read_numbers(path, header.arrays["words"]) == []
    assert read_strings(path, header.arrays["words"]) == [b"a", b"", b"\xff"]
    assert read_strings(path, header.arrays["heads"]) == []
    assert header.parameters == 96


@pytest.mark.parametrize(
    "words",
    [
        pytest.param([string("a"), string("b"), string("a")], id="twice"),
        pytest.param([string("a\0b"), string("a\0c")], id="twice up to a NUL, where llama.cpp ends a string"),
    ],
)
def test_a_vocabulary_that_holds_a_token_twice_is_refused(tmp_path: Path, words: list[bytes]) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(gguf(ARCHITECTURE, array(TOKENS, 8, words)))
    with pytest.raises(ModelUnavailable, match="'a' twice"):
        check_file(path)


def test_a_text_that_looks_like_the_vocabulary_is_not_taken_for_it(tmp_path: Path) -> None:
    decoy = string(TOKENS) + struct.pack("<IIQ", 9, 8, 1 << 60)
    path = tmp_path / "model.gguf"
    path.write_bytes(gguf(ARCHITECTURE, text("note", decoy.decode("latin-1")), array(TOKENS, 8, [string("a")])))
    check_file(path)
