"""The models that agentkit knows by name: where their file is, what it must be, what it needs.

The data is in ``catalog.toml`` beside this module.
"""

from __future__ import annotations

import difflib
import functools
import hashlib
import os
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, fields
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from agentkit.errors import ModelUnavailable, UsageError
from agentkit.model_backend.base import Sampling
from agentkit.paths import models_folder

__all__ = [
    "COMPUTE_BYTES",
    "Architecture",
    "BadFile",
    "CatalogEntry",
    "MemoryNeed",
    "PackageParts",
    "SideFile",
    "cache_bytes",
    "entries",
    "file_digest",
    "get",
    "local_path",
    "memory_needed",
    "physical_memory",
    "recorded_digest",
    "refuse_known_bad",
    "require",
]

COMPUTE_BYTES = 300_000_000
"""Bytes that computing takes besides weights and cache, roughly."""

_CELL = 256
"""llama.cpp rounds the cells of a sliding-window cache up to a multiple of this."""
_BATCH = 512
"""Tokens that one batch may add before a sliding window moves on (llama.cpp's ``n_ubatch``)."""
_F16 = 2
"""Bytes of a cached number. Quantised caches hurt Gemma 4 more than other models, so f16 it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """The numbers that the size of the K/V cache follows from."""

    full_layers: int
    """Layers that attend to the whole context and have a cache of their own."""
    full_kv_heads: int
    full_head_dim: int
    window_layers: int = 0
    """Layers that attend to a sliding window and have a cache of their own."""
    window_kv_heads: int = 0
    window_head_dim: int = 0
    window: int = 0
    """Tokens in the sliding window; 0 without one."""

    @property
    def full_bytes(self) -> int:
        """Bytes per token in the full layers, keys and values together."""
        return self.full_layers * self.full_kv_heads * self.full_head_dim * 2 * _F16

    @property
    def window_bytes(self) -> int:
        """Bytes per token in the sliding-window layers, keys and values together."""
        return self.window_layers * self.window_kv_heads * self.window_head_dim * 2 * _F16


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageParts:
    """A model file cut into parts, each inside a package on PyPI."""

    package: str
    """Name with ``{number}``, counted from 1."""
    version: str
    file: str
    """Path inside the package, with ``{number}``."""
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BadFile:
    """A published file that must not be loaded."""

    size: int
    """Bytes."""
    sha256_start: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SideFile:
    """A second file of a model, such as its image and audio encoder."""

    repo: str
    file: str
    size_about: int
    """Bytes, roughly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogEntry:
    """A model that has a name."""

    id: str
    name: str
    format: str
    """What the prompts look like; the file's own metadata decides in the end."""
    repo: str
    """Repository on the Hugging Face Hub."""
    file: str
    revision: str
    context: int
    """Tokens the model was trained for."""
    licence: str
    """SPDX id."""
    modalities: tuple[str, ...]
    thinking: bool
    """Whether the model can think before it acts."""
    thinking_off: Literal["nothing", "empty thought"]
    """What stands in the prompt when thinking is off."""
    sampling: Sampling
    architecture: Architecture
    size: int | None = None
    """Bytes of the file, where known exactly."""
    size_about: int | None = None
    """Bytes, roughly, where not."""
    sha256: str = ""
    sha256_start: str = ""
    """The beginning of the digest, where no more of it was published."""
    bad: tuple[BadFile, ...] = ()
    mmproj: SideFile | None = None
    parts: PackageParts | None = None

    @property
    def bytes(self) -> int:
        """Size of the file in bytes, exact where known."""
        return self.size or self.size_about or 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryNeed:
    """Memory for a model at a context size, in bytes. `COMPUTE_BYTES` come on top."""

    weights: int
    cache: int
    """K/V cache that keeps only the window of sliding-window layers."""
    cache_full: int
    """K/V cache that keeps every position, so that any prefix can be reused."""
    mmproj: int = 0
    """The image and audio encoder, where it is loaded too."""

    @property
    def total(self) -> int:
        """Weights and the smaller cache, in bytes."""
        return self.weights + self.cache


@functools.cache
def entries() -> tuple[CatalogEntry, ...]:
    """Returns all models of the catalog, in its order."""
    text = resources.files("agentkit.model_backend").joinpath("catalog.toml").read_text(encoding="utf-8")
    return tuple(_entry(id, data) for id, data in tomllib.loads(text).items())


def get(id: str) -> CatalogEntry:
    """Returns the entry with an id.

    Raises:
        UsageError: No such id; the message names the nearest ones.
    """
    known = {entry.id: entry for entry in entries()}
    if id in known:
        return known[id]
    near = difflib.get_close_matches(id.lower(), known, n=3, cutoff=0.5)
    meant = f"Did you mean {' or '.join(map(repr, near))}?" if near else f"Known: {', '.join(known)}."
    raise UsageError(
        f"no model {id!r} in the catalog. {meant} A file is named by its path (./model.gguf), a server by its URL."
    )


def memory_needed(entry: CatalogEntry, context: int) -> MemoryNeed:
    """Returns the memory that a model needs at a context size.

    Args:
        entry: The model.
        context: Tokens.
    """
    arch = entry.architecture
    return MemoryNeed(
        weights=entry.bytes,
        cache=cache_bytes(arch, context),
        cache_full=(arch.full_bytes + arch.window_bytes) * context,
        mmproj=entry.mmproj.size_about if entry.mmproj else 0,
    )


def cache_bytes(arch: Architecture, context: int, *, sequences: int = 1, batch: int = _BATCH) -> int:
    """Returns the bytes of a K/V cache that keeps only the window of sliding-window layers.

    Args:
        arch: The numbers of the model.
        context: Tokens.
        sequences: How many share the cache; each has a window of its own.
        batch: Tokens that one batch may add before a window moves on.
    """
    cells = -(-min(context, arch.window * sequences + batch) // _CELL) * _CELL
    return arch.full_bytes * context + arch.window_bytes * cells


def physical_memory() -> int:
    """Returns the bytes of memory this process may use: the machine's, or its container's limit."""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii").strip()
    except OSError:
        return total
    return min(total, int(limit)) if limit.isdigit() else total


def local_path(entry: CatalogEntry) -> Path:
    """Returns where the model's file is, or would be."""
    return models_folder() / entry.id / entry.file


def require(entry: CatalogEntry) -> Path:
    """Returns the path of a model's file that is there.

    Raises:
        ModelUnavailable: It is not; the message says which command gets it.
    """
    path = local_path(entry)
    if not path.is_file():
        raise ModelUnavailable(
            f"the model {entry.id!r} is not on this machine. Get it with: agentkit models pull {entry.id}"
            f"  ({entry.bytes / 1e9:.1f} GB)"
        )
    return path


def recorded_digest(path: Path) -> str:
    """Returns the sha256 that was verified when a file was pulled; empty for other files."""
    try:
        return path.with_name(path.name + ".sha256").read_text(encoding="ascii").split()[0]
    except (OSError, IndexError, UnicodeDecodeError):
        return ""


def refuse_known_bad(path: Path) -> None:
    """Checks that a file is not one that is known to be broken.

    Only a file of exactly the size of a bad one is read, so the check costs nothing otherwise.

    Raises:
        ModelUnavailable: It is; the message says why and what to get instead.
    """
    size = path.stat().st_size
    for entry in entries():
        for bad in entry.bad:
            if size == bad.size and file_digest(path).startswith(bad.sha256_start):
                raise ModelUnavailable(
                    f"{path}: this upload of {entry.name} is broken: {bad.reason}. "
                    f"Remove it and get the corrected one with: agentkit models pull {entry.id}"
                )


def file_digest(path: Path, advance: Callable[[int], None] | None = None) -> str:
    """Returns the sha256 of a file in hex.

    Args:
        path: The file.
        advance: Called with the number of bytes of each block that was read.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
            if advance:
                advance(len(block))
    return digest.hexdigest()


_NESTED: dict[str, Callable[[Any], Any]] = {
    "sampling": lambda data: Sampling(**data),
    "architecture": lambda data: Architecture(**data),
    "parts": lambda data: PackageParts(**data),
    "mmproj": lambda data: SideFile(**data),
    "bad": lambda data: tuple(BadFile(**item) for item in data),
    "modalities": tuple,
}


def _entry(id: str, data: dict[str, Any]) -> CatalogEntry:
    unknown = data.keys() - {field.name for field in fields(CatalogEntry)}
    if unknown:
        raise ValueError(f"catalog.toml: {id}: unknown keys {sorted(unknown)}")
    values = {key: _NESTED[key](value) if key in _NESTED else value for key, value in data.items()}
    return CatalogEntry(id=id, **values)
