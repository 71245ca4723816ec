"""A look at a GGUF file before llama.cpp sees it: is it one, is it whole, is it sane?

llama.cpp's own reader has had memory bugs on crafted headers (CVE-2024-21802, CVE-2026-27940) and ends
the process on some of them. This reader is a few hundred bounds checks in Python: it allocates nothing
that a count in the file asks for, and reads a header with a vocabulary of 262,144 tokens in tens of
milliseconds.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import mmap
import re
import stat
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agentkit.errors import ModelUnavailable

__all__ = ["GgufArray", "GgufHeader", "check_gguf"]

_MAX_TENSORS = 65_536
_MAX_KEYS = 65_536
_MAX_ARRAY = 1 << 24
_MAX_STRING = 1 << 24
_MAX_DIMENSIONS = 4
_MAX_NESTING = 4
_VERSIONS = (2, 3)
_SHOWN = 80
"""Characters of a name from the file that a message shows."""

_UINT32, _STRING, _ARRAY = 4, 8, 9
_SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_SIZES = {kind: struct.calcsize(code) for kind, code in _SCALARS.items()}

_TENSOR_BLOCKS = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34),
    10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292),
    16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18), 21: (256, 110), 22: (256, 82),
    23: (256, 136), 24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8), 28: (1, 8), 29: (256, 56), 30: (1, 2),
    34: (256, 54), 35: (256, 66), 39: (32, 17), 40: (64, 36), 41: (128, 18),
}  # fmt: skip
"""Numbers per block and bytes per block of each ggml tensor type. A type that is not here (newer than
this table) is only checked to start inside the file."""

_RUN = 256
_SHORT = b"|".join(re.escape(bytes([n])) + rb"\0{7}" + (b".{%d}" % n if n else b"") for n in range(64))
_SHORT_STRINGS = re.compile(rb"(?s:(?:%s){%d}+)" % (_SHORT, _RUN))
"""A run of strings shorter than 64 bytes. Stepping over a vocabulary and its merges one by one takes
Python 100 ms and more; the regex engine does it in a third of that."""

_FOREIGN = (
    (b"version https://git-lfs", "a Git LFS pointer, not the model: run git lfs pull, or download the file itself"),
    (b"PK\x03\x04", "a zip archive (a PyTorch checkpoint?), not GGUF"),
    (b"\x1f\x8b", "gzip-compressed: unpack it first"),
    *((magic, "in a GGML format from before GGUF: get a newer conversion") for magic in (b"lmgg", b"fmgg", b"tjgg")),
)


@dataclass(frozen=True, slots=True)
class GgufArray:
    """Where a metadata array stands in the file; `agentkit.model_backend.gguf_arrays` reads it."""

    kind: int
    """GGUF's number for the type of its values."""
    count: int
    offset: int
    """Byte at which the first value begins."""


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """What the header of a GGUF file says."""

    version: int
    tensors: int
    """Number of tensors."""
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])
    """Scalars and strings by key; of an array only its length."""
    arrays: dict[str, GgufArray] = field(default_factory=dict[str, GgufArray])
    """The metadata that is an array, by key."""
    parameters: int = 0
    """Numbers in all tensors together."""


def check_gguf(path: Path) -> GgufHeader:
    """Returns the header of a GGUF file after checking that the file is whole.

    Args:
        path: The file.

    Raises:
        ModelUnavailable: It is missing, foreign, truncated or not plausible; one line says which.
    """
    name = str(path) if str(path).isprintable() else repr(str(path))
    try:
        _require_regular(path)
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _Reader(data).header()
    except FileNotFoundError:
        raise ModelUnavailable(f"{name}: no such file") from None
    except OSError as error:
        raise ModelUnavailable(f"{name}: can't be read: {error.strerror or error}") from None
    except ValueError as error:  # a path that no system call takes
        raise ModelUnavailable(f"{name}: can't be read: {error}") from None
    except _Bad as bad:
        raise ModelUnavailable(f"{name}: {bad}") from None


def _require_regular(path: Path) -> None:
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        raise _Bad("is a folder; name the .gguf file in it")
    if not stat.S_ISREG(status.st_mode):
        raise _Bad("is not a regular file")  # opening a pipe would wait for its writer
    if status.st_size == 0:
        raise _Bad("is empty")


def _quoted(name: str) -> str:
    """Returns a name from the file for a message, at a length that fits one."""
    return repr(name if len(name) <= _SHOWN else name[:_SHOWN] + "...")


class _Bad(Exception):
    """The rest of the sentence that begins with the file's name."""


class _Reader:
    """Reads a header from front to back; every step is checked against the end of the file."""

    def __init__(self, data: mmap.mmap) -> None:
        self.data = data
        self.size = len(data)
        self.at = 0
        self.arrays: dict[str, GgufArray] = {}
        self.parameters = 0

    def header(self) -> GgufHeader:
        self._magic()
        version = self._number("<I")
        if int.from_bytes(version.to_bytes(4, "little"), "big") in _VERSIONS:
            raise _Bad("is a big-endian GGUF; get the little-endian conversion")
        if version not in _VERSIONS:
            raise _Bad(f"is GGUF version {version}; versions 2 and 3 can be read")
        tensors, keys = self._number("<Q"), self._number("<Q")
        if tensors > _MAX_TENSORS or keys > _MAX_KEYS:
            raise _Bad(f"claims {tensors} tensors and {keys} metadata keys: not a plausible model file")
        metadata = self._metadata(keys)
        if isinstance(part := metadata.get("split.no"), int) and part > 0:
            raise _Bad(f"is part {part + 1} of a split model; name the first part")
        if not isinstance(metadata.get("general.architecture"), str):
            raise _Bad("does not say its architecture (no general.architecture): not a model file")
        if not tensors:
            raise _Bad("has no tensors: a vocabulary alone, not a model")
        self._tensors(tensors, metadata.get("general.alignment", 32))
        return GgufHeader(version, tensors, metadata, self.arrays, self.parameters)

    def _metadata(self, count: int) -> dict[str, Any]:
        metadata: dict[str, Any] = {}
        for _ in range(count):
            key = self._string("a metadata key", limit=65_535)
            if key in metadata:
                raise _Bad(f"has the metadata key {_quoted(key)} twice")
            kind: int = self._number("<I")
            start = self.at
            metadata[key] = self._value(_quoted(key), kind)
            if kind == _ARRAY:
                inner, count = struct.unpack_from("<IQ", self.data, start)
                self.arrays[key] = GgufArray(inner, count, start + struct.calcsize("<IQ"))
            if key == "general.alignment" and kind != _UINT32:  # llama.cpp asserts it
                raise _Bad(f"has the alignment as a value of type {kind}; expected an unsigned 32-bit number")
        return metadata

    def _magic(self) -> None:
        head = self.data[:64]
        if head[:4] == b"GGUF":
            self.at = 4
            return
        for start, what in _FOREIGN:
            if head.startswith(start):
                raise _Bad(f"is {what}")
        if head.lstrip()[:5].lower() in (b"<!doc", b"<html", b"<?xml"):
            raise _Bad("is a web page, not a model: the download link gave an HTML answer")
        if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < self.size:
            raise _Bad("is a safetensors file; llama.cpp needs a GGUF conversion of it")
        raise _Bad(f"is not a GGUF file (it starts with {head[:4]!r}, expected b'GGUF')")

    def _take(self, count: int) -> int:
        """Steps over `count` bytes and returns where they start."""
        start = self.at
        if count > self.size - start:
            raise _Bad(f"is truncated: it ends inside the header, at byte {self.size}")
        self.at += count
        return start

    def _number(self, code: str) -> Any:
        return struct.unpack_from(code, self.data, self._take(struct.calcsize(code)))[0]

    def _string(self, what: str, limit: int = _MAX_STRING) -> str:
        length = self._number("<Q")
        if length > limit:
            raise _Bad(f"claims {length} bytes for {what}: damaged or not a model file")
        start = self._take(length)
        return self.data[start : self.at].decode("utf-8", "replace")

    def _value(self, what: str, kind: int) -> Any:
        if kind in _SCALARS:
            return self._number(_SCALARS[kind])
        if kind == _STRING:
            return self._string(what)
        if kind == _ARRAY:
            return self._skip_array(what)
        raise _Bad(f"has a value of unknown type {kind} for {what}: damaged, or newer than this version knows")

    def _skip_array(self, what: str, depth: int = 1) -> int:
        """Steps over an array and returns its length."""
        kind: int = self._number("<I")
        count: int = self._number("<Q")
        if count > _MAX_ARRAY or depth > _MAX_NESTING:
            raise _Bad(f"claims an array of {count} values, {depth} deep, for {what}: damaged or not a model file")
        if kind in _SIZES:
            self._take(count * _SIZES[kind])
        elif kind == _STRING:
            self._skip_strings(what, count)
        elif kind == _ARRAY:
            if count > _MAX_KEYS:
                raise _Bad(f"claims {count} arrays in {what}: damaged or not a model file")
            for _ in range(count):
                self._skip_array(what, depth + 1)
        else:
            raise _Bad(f"has an array of unknown type {kind} for {what}: damaged, or newer than this version knows")
        return count

    def _skip_strings(self, what: str, count: int) -> None:
        left = count
        while left:
            if left >= _RUN and (run := _SHORT_STRINGS.match(self.data, self.at)):
                self.at = run.end()
                left -= _RUN
                continue
            for _ in range(min(left, _RUN)):
                length = self._number("<Q")
                if length > _MAX_STRING:
                    raise _Bad(f"claims {length} bytes for a string in {what}: damaged or not a model file")
                self._take(length)
            left -= min(left, _RUN)

    def _tensors(self, count: int, alignment: int) -> None:
        if not 1 <= alignment <= 65_536 or alignment & (alignment - 1):
            raise _Bad(f"has the alignment {alignment!r}; expected a power of two up to 65536")
        names: set[str] = set()
        end = 0
        for _ in range(count):
            name = self._string("a tensor name", limit=4096)
            if name in names:
                raise _Bad(f"has the tensor {_quoted(name)} twice")
            names.add(name)
            offset, length = self._tensor(name)
            if offset % alignment:
                raise _Bad(f"has the tensor {_quoted(name)} at offset {offset}, which is not a multiple of {alignment}")
            end = max(end, offset + length)
        start = -(-self.at // alignment) * alignment
        if start + end > self.size:
            raise _Bad(
                f"is truncated: it has {self.size} bytes, its tensors end at byte {start + end}. Download it again"
            )

    def _tensor(self, name: str) -> tuple[int, int]:
        """Reads a tensor's description; returns its offset and its length in bytes."""
        dimensions = self._number("<I")
        if not 1 <= dimensions <= _MAX_DIMENSIONS:
            raise _Bad(f"has {dimensions} dimensions for the tensor {_quoted(name)}; expected 1 to {_MAX_DIMENSIONS}")
        shape = [self._number("<Q") for _ in range(dimensions)]
        kind, offset = self._number("<I"), self._number("<Q")
        elements = 1
        for size in shape:
            elements *= size
        if not 0 < elements < 1 << 48:
            raise _Bad(f"has the shape {shape} for the tensor {_quoted(name)}: damaged or not a model file")
        self.parameters += elements
        per_block, block_bytes = _TENSOR_BLOCKS.get(kind, (1, 0))
        if shape[0] % per_block:
            raise _Bad(
                f"has rows of {shape[0]} numbers in the tensor {_quoted(name)}; its type needs multiples of {per_block}"
            )
        return offset, elements // per_block * block_bytes
