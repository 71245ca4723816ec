"""Checks a model file before llama.cpp sees it, because some files make llama.cpp end the process."""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

from agentkit.errors import ModelUnavailable
from agentkit.model_backend.gguf_header import check_gguf

__all__ = ["check_file"]

_KEY = b"tokenizer.ggml.tokens"
_ARRAY, _STRING = 9, 8  # GGUF's types


def check_file(path: Path) -> None:
    """Checks that a path names a whole GGUF file that llama.cpp can be given.

    Raises:
        ModelUnavailable: It does not; the message says what it is instead.
    """
    check_gguf(path)
    if twice := _repeated_token(path):
        raise ModelUnavailable(
            f"{str(path)!r} has the token {twice!r} twice in its vocabulary, which llama.cpp can't load: "
            "get a corrected conversion of the model"
        )


def _repeated_token(path: Path) -> str:
    """Returns a token that the vocabulary holds twice; empty when there is none.

    llama.cpp asserts that there is none. Official files with this fault exist (llama.cpp issue 25739).
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        key = struct.pack("<Q", len(_KEY)) + _KEY + struct.pack("<II", _ARRAY, _STRING)
        at = data.find(key)
        if at < 0:
            return ""
        at += len(key)
        (count,) = struct.unpack_from("<Q", data, at)
        at += 8
        seen: set[bytes] = set()
        for _ in range(count):
            (length,) = struct.unpack_from("<Q", data, at)
            token = data[at + 8 : at + 8 + length]
            at += 8 + length
            if token and token in seen:  # llama.cpp gives empty ones names of their own
                return token.decode("utf-8", "replace")
            seen.add(token)
    return ""
