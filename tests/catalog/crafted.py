"""Builds GGUF files byte by byte, right and wrong ones, which the official writer can't do."""

from __future__ import annotations

import struct
from collections.abc import Sequence

__all__ = ["ARCHITECTURE", "array", "gguf", "pair", "scalar", "string", "tensor", "text"]

U8, U32, I32, F32, BOOL, STRING, ARRAY, U64 = 0, 4, 5, 6, 7, 8, 9, 10


def string(value: str | bytes) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return struct.pack("<Q", len(data)) + data


def pair(key: str | bytes, kind: int, value: bytes) -> bytes:
    """A metadata key and its value."""
    return string(key) + struct.pack("<I", kind) + value


def text(key: str, value: str) -> bytes:
    return pair(key, STRING, string(value))


def scalar(key: str, kind: int, code: str, value: float) -> bytes:
    return pair(key, kind, struct.pack(code, value))


def array(key: str, kind: int, items: Sequence[bytes], *, count: int | None = None) -> bytes:
    length = len(items) if count is None else count
    return pair(key, ARRAY, struct.pack("<IQ", kind, length) + b"".join(items))


def tensor(
    name: str, shape: Sequence[int] = (32,), kind: int = 0, offset: int = 0, *, dims: int | None = None
) -> bytes:
    """A tensor's description."""
    count = len(shape) if dims is None else dims
    return string(name) + struct.pack(f"<I{len(shape)}QIQ", count, *shape, kind, offset)


ARCHITECTURE = text("general.architecture", "llama")


def gguf(
    *pairs: bytes,
    tensors: Sequence[bytes] = (tensor("t"),),
    data: int = 128,
    magic: bytes = b"GGUF",
    version: int = 3,
    pair_count: int | None = None,
    tensor_count: int | None = None,
    alignment: int = 32,
) -> bytes:
    """A file: the header, its metadata, tensor descriptions, and `data` bytes of tensors.

    The counts in the header are the true ones unless told otherwise.
    """
    keys = len(pairs) if pair_count is None else pair_count
    count = len(tensors) if tensor_count is None else tensor_count
    head = magic + struct.pack("<IQQ", version, count, keys) + b"".join(pairs) + b"".join(tensors)
    return head + bytes(-len(head) % alignment) + bytes(data)
