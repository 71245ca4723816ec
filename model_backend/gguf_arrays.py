"""Reads the metadata arrays of a GGUF file that `agentkit.model_backend.gguf_header` has found to be whole."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path

from agentkit.model_backend.gguf_header import GgufArray

__all__ = ["read_numbers", "read_strings"]

_STRING = 8
_CODES = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}


def read_strings(path: Path, array: GgufArray) -> list[bytes]:
    """Returns an array's strings; none when it is no array of strings."""
    if array.kind != _STRING:
        return []
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return list(_strings(data, array))


def _strings(data: mmap.mmap, array: GgufArray) -> Iterator[bytes]:
    at = array.offset
    for _ in range(array.count):
        (length,) = struct.unpack_from("<Q", data, at)
        yield data[at + 8 : at + 8 + length]
        at += 8 + length


def read_numbers(path: Path, array: GgufArray) -> list[float]:
    """Returns an array's numbers, truth values as 0 and 1; none when it is no array of numbers."""
    if array.kind not in _CODES:
        return []
    code = f"<{array.count}{_CODES[array.kind]}"
    with path.open("rb") as file:
        file.seek(array.offset)
        return list(struct.unpack(code, file.read(struct.calcsize(code))))
