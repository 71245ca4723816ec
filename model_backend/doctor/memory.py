"""What context fits this machine: weights, and the K/V cache as the engine makes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from agentkit.model_backend import catalog
from agentkit.model_backend.catalog import Architecture
from agentkit.model_backend.doctor.findings import Finding, quoted, size_text
from agentkit.model_backend.gguf_arrays import read_numbers
from agentkit.model_backend.gguf_header import GgufHeader

__all__ = ["architecture_of", "check_memory", "largest_context"]

USUAL_CONTEXT = 8192
"""What the engine asks for unless told otherwise."""
SLOTS, BATCH = 4, 256
"""The engine's defaults (`agentkit.model_backend.engine.settings.EngineSettings`), which can't be imported without
llama.cpp; a test compares them."""

_PERIODS = {"gemma2": 2, "gemma3": 6}
"""Every how many layers one is full, in families whose files do not say it."""
_STEP = 256
_MOST_LAYERS = 4096
_MOST_CONTEXT = 1 << 27


def check_memory(header: GgufHeader, path: Path, memory: int) -> Finding:
    """Returns how much context fits.

    Args:
        header: The file's header.
        path: The file.
        memory: Bytes that this process may use.
    """
    weights = path.stat().st_size
    data: dict[str, Any] = {"weights": weights, "memory": memory}
    free = memory - weights - catalog.COMPUTE_BYTES
    if free <= 0:
        return Finding(
            "memory",
            "problem",
            f"the weights take {size_text(weights)} and this machine has {size_text(memory)}: they would be read from "
            "disk again for every token",
            "take a smaller model or a stronger quantisation; `agentkit models list` says what fits. "
            "What needs the weights was not tried",
            data=data,
        )
    trained = _Keys(header, path).number("context_length")
    if not 0 < trained <= _MOST_CONTEXT:
        key = f"{header.metadata['general.architecture']}.context_length"
        said = quoted(str(header.metadata.get(key, "nothing")), 40)
        message = f"the file says {said} about the context that it was trained for; expected a number of tokens"
        return Finding("memory", "problem", message, "get another conversion", data=data)
    arch = architecture_of(header, path)
    if arch is None:
        message = (
            f"weights {size_text(weights)} of {size_text(memory)}; what the context takes can't be told from this file"
        )
        return Finding("memory", "note", message, data=data)
    fits = largest_context(arch, trained, free)
    usual = min(trained, USUAL_CONTEXT)
    cache = _cache(arch, usual)
    data |= {"trained_context": trained, "fitting_context": fits, "usual_context": usual, "usual_cache": cache}
    message = (
        f"weights {size_text(weights)}, K/V cache {size_text(cache)} for {usual:,} tokens; this machine has "
        f"{size_text(memory)}. A context of {fits:,} tokens fits, the model was trained for {trained:,}"
    )
    if fits >= usual:
        return Finding("memory", "ok", message, data=data)
    advice = f"open it with a smaller one: open_model(..., context={fits}); or take a smaller model"
    return Finding("memory", "problem" if fits < 1024 else "warning", message, advice, data=data)


def largest_context(arch: Architecture, trained: int, memory: int) -> int:
    """Returns the largest context, in steps of 256 tokens and no larger than trained for, that fits.

    Args:
        arch: What the cache's size follows from.
        trained: Tokens that the model was trained for.
        memory: Bytes for the cache.
    """
    if _cache(arch, trained) <= memory:
        return trained
    low, high = 0, trained // _STEP
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _cache(arch, middle * _STEP) <= memory else (low, middle - 1)
    return low * _STEP


def architecture_of(header: GgufHeader, path: Path) -> Architecture | None:
    """Returns what the size of the cache follows from, read from any GGUF; ``None`` when the file does not say it.

    Where a family has sliding windows and its files do not say in which layers, all count as full: too much rather
    than too little.
    """
    keys = _Keys(header, path)
    layers = keys.number("block_count")
    heads = keys.each("attention.head_count", layers)
    kv_heads = keys.each("attention.head_count_kv", layers) or heads
    if not 0 < layers <= _MOST_LAYERS or not heads or len(kv_heads) != layers or not max(kv_heads):
        return None
    usual = keys.number("embedding_length") // max(heads)
    full_dim = _mean(keys.number("attention.key_length") or usual, keys.number("attention.value_length") or usual)
    window_dim = _mean(
        keys.number("attention.key_length_swa") or full_dim, keys.number("attention.value_length_swa") or full_dim
    )
    window = keys.number("attention.sliding_window")
    own = layers - min(layers, keys.number("attention.shared_kv_layers"))
    sliding = keys.sliding(layers) if window else [False] * layers
    full = [kv for kv, slides in zip(kv_heads[:own], sliding, strict=False) if not slides]
    windowed = [kv for kv, slides in zip(kv_heads[:own], sliding, strict=False) if slides]
    return Architecture(
        full_layers=len(full),
        full_kv_heads=max(full, default=0),
        full_head_dim=full_dim,
        window_layers=len(windowed),
        window_kv_heads=max(windowed, default=0),
        window_head_dim=window_dim,
        window=window,
    )


class _Keys:
    """The numbers under an architecture's keys; what is missing or of another type is 0 or empty."""

    def __init__(self, header: GgufHeader, path: Path) -> None:
        self._header = header
        self._path = path
        self._prefix = f"{header.metadata['general.architecture']}."

    def number(self, key: str) -> int:
        value = self._header.metadata.get(self._prefix + key)
        if self._prefix + key in self._header.arrays or not isinstance(value, int) or not 0 <= value < 1 << 32:
            return 0
        return value

    def each(self, key: str, layers: int) -> list[int]:
        """A number for each layer, from one for all or from a list."""
        if array := self._header.arrays.get(self._prefix + key):
            return [int(value) for value in read_numbers(self._path, array)] if array.count <= _MOST_LAYERS else []
        value = self.number(key)
        return [value] * layers if value and layers <= _MOST_LAYERS else []

    def sliding(self, layers: int) -> list[bool]:
        """Which layers slide."""
        key = "attention.sliding_window_pattern"
        if self._prefix + key in self._header.arrays:
            return [bool(value) for value in self.each(key, layers)]
        period = self.number(key) or _PERIODS.get(self._prefix[:-1], 0)
        return [period > 0 and (layer + 1) % period != 0 for layer in range(layers)]


def _cache(arch: Architecture, context: int) -> int:
    return catalog.cache_bytes(arch, context, sequences=SLOTS, batch=BATCH)


def _mean(keys: int, values: int) -> int:
    return (keys + values) // 2
