"""Checks a model file before llama.cpp sees it, because some files make llama.cpp end the process."""

from __future__ import annotations

from pathlib import Path

from agentkit.errors import ModelUnavailable
from agentkit.model_backend.gguf_arrays import read_strings
from agentkit.model_backend.gguf_header import GgufHeader, check_gguf

__all__ = ["check_file"]

_TOKENS = "tokenizer.ggml.tokens"


def check_file(path: Path) -> None:
    """Checks that a path names a whole GGUF file that llama.cpp can be given.

    Raises:
        ModelUnavailable: It does not; the message says what it is instead.
    """
    header = check_gguf(path)
    if twice := _repeated_token(path, header):
        raise ModelUnavailable(
            f"{str(path)!r} has the token {twice!r} twice in its vocabulary, which llama.cpp can't load: "
            "get a corrected conversion of the model"
        )


def _repeated_token(path: Path, header: GgufHeader) -> str:
    """Returns a token that the vocabulary holds twice; empty when there is none.

    llama.cpp asserts that there is none. Official files with this fault exist (llama.cpp issue 25739).
    """
    array = header.arrays.get(_TOKENS)
    seen: set[bytes] = set()
    for text in read_strings(path, array) if array else ():
        token = text.partition(b"\0")[0]  # llama.cpp reads no further
        if token and token in seen:  # it gives empty ones names of their own
            return token[:80].decode("utf-8", "replace")
        seen.add(token)
    return ""
