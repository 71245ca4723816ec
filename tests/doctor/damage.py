"""Takes a GGUF file apart and puts it together again with something wrong in it."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gguf
import numpy as np

from tests.catalog.crafted import array, scalar, string, tensor, text
from tests.catalog.crafted import gguf as assemble

__all__ = ["Parts", "numbers", "strings", "take_apart"]

_TEXT, _F32, _I32, _F16 = 8, 6, 5, 1


@dataclass(frozen=True)
class Parts:
    """A file in parts."""

    pairs: Mapping[str, bytes]
    """Metadata by key, each as it stands in the file, key included."""
    tensors: Mapping[str, tuple[tuple[int, ...], int, int]]
    """Shape as in the file, type and offset."""
    data: bytes

    def assembled(self, **header: Any) -> bytes:
        """The file; the arguments are those of `crafted.gguf`."""
        tensors = [tensor(name, *rest) for name, rest in self.tensors.items()]
        return assemble(*self.pairs.values(), tensors=tensors, data=0, **header) + self.data

    def with_pair(self, key: str, content: bytes | None) -> Parts:
        """The same with another value under a key, or without the key."""
        changed = dict(self.pairs)
        changed.pop(key, None)
        return replace(self, pairs=changed if content is None else {**changed, key: content})

    def with_text(self, key: str, value: str) -> Parts:
        return self.with_pair(key, text(key, value))

    def with_number(self, key: str, value: float, code: str = "<I", kind: int = 4) -> Parts:
        return self.with_pair(key, scalar(key, kind, code, value))

    def with_shape(self, name: str, shape: tuple[int, ...]) -> Parts:
        _, kind, offset = self.tensors[name]
        return replace(self, tensors={**self.tensors, name: (shape, kind, offset)})

    def renamed(self, name: str, other: str) -> Parts:
        """The same with another name for a tensor."""
        return replace(self, tensors={other if key == name else key: value for key, value in self.tensors.items()})

    def of_another_family(self) -> Parts:
        """The same as a file that is written by its chat template. Its weights can't be loaded."""
        context = self.with_text("general.architecture", "llama")
        return context.with_number("llama.context_length", 4096)

    def filled(self, name: str, value: float) -> Parts:
        """The same with one number all over a tensor of 16-bit floats."""
        shape, kind, offset = self.tensors[name]
        assert kind == _F16
        filling = np.full(int(np.prod(shape)), value, np.float16).tobytes()
        return replace(self, data=self.data[:offset] + filling + self.data[offset + len(filling) :])


def take_apart(path: Path) -> Parts:
    """Takes a file apart."""
    reader = gguf.GGUFReader(str(path))
    pairs = {
        key: b"".join(part.tobytes() for part in field.parts)
        for key, field in reader.fields.items()
        if not key.startswith("GGUF.")
    }
    start = reader.tensors[0].data_offset
    tensors = {
        each.name: (tuple(int(n) for n in each.shape), int(each.tensor_type), each.data_offset - start)
        for each in reader.tensors
    }
    return Parts(pairs, tensors, path.read_bytes()[start:])


def strings(key: str, values: list[str]) -> bytes:
    """A metadata array of texts."""
    return array(key, _TEXT, [string(value) for value in values])


def numbers(key: str, values: list[float], code: str = "<i", kind: int = _I32) -> bytes:
    """A metadata array of numbers."""
    return array(key, kind, [struct.pack(code, value) for value in values])
