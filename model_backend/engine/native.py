"""The llama.cpp calls that the engine makes, and nothing else: a model, a context, a batch.

Nothing here is safe to use from two threads; `agentkit.model_backend.engine.worker` keeps it on one.
llama.cpp ends the process when it is misused (an unknown token id, an empty batch, a part of a sequence
copied between unconnected caches), so every call that can do that is checked before it is made.
"""

from __future__ import annotations

import ctypes
import os
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from agentkit.errors import ModelError, ModelUnavailable

__all__ = ["Chunk", "Context", "Logits", "Model", "NoRoom", "lib", "on_log", "recent_log"]

Logits: TypeAlias = NDArray[np.float32]
"""One number per token of the vocabulary; a view that is valid until the next decode."""


try:
    import llama_cpp.llama_cpp as _llama_cpp
except ImportError as error:
    raise ModelUnavailable("local models need llama-cpp-python: pip install 'agentkit-gemma[local]'") from error

lib: Any = _llama_cpp
"""llama.cpp's C functions. Typed as Any: the bindings' own types are made for their wrapper classes."""

_log: deque[str] = deque(maxlen=64)
_WARNING, _CONTINUED = 3, 5
_kept = False
_listeners: list[Callable[[str], None]] = []


def _keep_log(level: int, text: bytes, _data: object) -> None:
    """Keeps warnings and errors, and what continues one."""
    global _kept
    _kept = _kept if level == _CONTINUED else level >= _WARNING
    if _kept:
        line = text.decode("utf-8", "replace")
        _log.append(line)
        for tell in _listeners:
            tell(line)


def on_log(tell: Callable[[str], None]) -> None:
    """Has a function called with each warning and error as it comes, on whatever thread it comes from.

    For processes that llama.cpp may end: what `recent_log` keeps would be lost.
    """
    _listeners.append(tell)


# A module's variable, because llama.cpp keeps the pointer: a collected callback is a crash at the next message.
_log_callback = lib.llama_log_callback(_keep_log)
lib.llama_log_set(_log_callback, ctypes.c_void_p(0))
lib.llama_backend_init()

_COMPILED_FOR_AMX = b"AMX_INT8 = 1" in lib.llama_print_system_info()
"""GCC before 12.4 and 13.3 throws away what configures the tiles of AMX (its bug 114098), so that the first decode is
an illegal instruction. Which compiler built llama.cpp can't be seen; without AMX, a prompt takes a sixth longer."""


def recent_log() -> list[str]:
    """Returns llama.cpp's latest warnings and errors, oldest first, and forgets them."""
    lines = "".join(_log).splitlines()
    _log.clear()
    return [line.strip() for line in lines if line.strip()]


class NoRoom(Exception):
    """The cache has no place for the batch; nothing of it was computed."""


class Model:
    """The weights and the vocabulary of a GGUF file.

    Args:
        path: The file.
        gpu_layers: Layers computed on a GPU; -1 for all.
        vocabulary_only: Leave the weights alone; nothing can be computed then.
    """

    def __init__(self, path: Path, *, gpu_layers: int = -1, vocabulary_only: bool = False) -> None:
        recent_log()
        params = lib.llama_model_default_params()
        params.n_gpu_layers = gpu_layers
        params.vocab_only = vocabulary_only
        params.use_extra_bufts = not _COMPILED_FOR_AMX
        self.pointer: Any = lib.llama_model_load_from_file(os.fsencode(path), params)
        if not self.pointer:
            raise ModelUnavailable(f"{str(path)!r} can't be loaded: {_reason(recent_log())}")
        self.vocab: Any = lib.llama_model_get_vocab(self.pointer)
        self.vocab_size = int(lib.llama_vocab_n_tokens(self.vocab))
        self.window = int(lib.llama_model_n_swa(self.pointer))
        self.trained_context = int(lib.llama_model_n_ctx_train(self.pointer))
        self.parameters = int(lib.llama_model_n_params(self.pointer))
        self.recurrent = bool(lib.llama_model_is_recurrent(self.pointer) or lib.llama_model_is_hybrid(self.pointer))
        self.generates = bool(
            lib.llama_model_has_decoder(self.pointer)
            and not lib.llama_model_has_encoder(self.pointer)
            and not lib.llama_model_is_diffusion(self.pointer)
        )

    def metadata(self) -> dict[str, str]:
        """Returns all scalar metadata of the file, as text."""
        count: int = lib.llama_model_meta_count(self.pointer)
        return {
            self._string(lib.llama_model_meta_key_by_index, index): self._string(
                lib.llama_model_meta_val_str_by_index, index
            )
            for index in range(count)
        }

    def _string(self, read: Callable[..., int], index: int) -> str:
        size = 1024
        while True:
            buffer = ctypes.create_string_buffer(size)
            length = read(self.pointer, index, buffer, size)
            if length < size:
                return buffer.value.decode("utf-8", "replace")
            size = length + 1

    def free(self) -> None:
        """Frees the weights; contexts must be freed before."""
        if self.pointer:
            lib.llama_model_free(self.pointer)
            self.pointer = self.vocab = None


def _reason(log: list[str]) -> str:
    """Returns the line of llama.cpp's log that says why; the first error names the cause."""
    errors = [line for line in log if "error" in line.lower() or "failed" in line.lower()]
    line = (errors or log or ["llama.cpp gives no reason"])[0]
    return line.removeprefix("llama_model_load: ").removeprefix("error loading model: ")


@dataclass(frozen=True, slots=True)
class Chunk:
    """Tokens to compute for one sequence."""

    sequence: int
    start: int
    """Position of the first token."""
    tokens: Sequence[int]
    logits: bool
    """Whether the logits after the last token are wanted: on small models they are most of the cost."""


class Context:
    """The cache and the compute buffers for a number of sequences that decode together."""

    def __init__(
        self, model: Model, *, context: int, sequences: int, batch: int, threads: int, full_window: bool, flash: bool
    ) -> None:
        params = lib.llama_context_default_params()
        params.n_ctx = context
        params.n_batch = params.n_ubatch = batch
        params.n_seq_max = sequences
        params.n_threads = params.n_threads_batch = threads
        params.kv_unified = True  # else a part of a sequence can't be copied: llama.cpp aborts
        params.swa_full = full_window
        params.flash_attn_type = 1 if flash else 0
        params.no_perf = True
        self.pointer: Any = lib.llama_init_from_model(model.pointer, params)
        if not self.pointer:
            raise ModelUnavailable(
                f"no context of {context} tokens can be made: {_reason(recent_log())}; ask for a smaller one"
            )
        self._memory: Any = lib.llama_get_memory(self.pointer)
        self.size = batch
        self._vocab_size = model.vocab_size
        self._sequences = sequences
        self._context = context
        self._allocate(batch)

    def _allocate(self, size: int) -> None:
        """Makes the one batch that all decodes use, over arrays that numpy can fill in slices."""
        self._tokens = np.zeros(size, np.int32)
        self._positions = np.zeros(size, np.int32)
        self._ids = np.zeros(size, np.int32)
        self._counts = np.ones(size, np.int32)
        self._wanted = np.zeros(size, np.int8)
        pointer = ctypes.POINTER(ctypes.c_int32)
        self._id_pointers = (pointer * size)(
            *(ctypes.cast(self._ids.ctypes.data + 4 * i, pointer) for i in range(size))
        )
        self._batch = lib.llama_batch(
            0,
            ctypes.cast(self._tokens.ctypes.data, pointer),
            None,
            ctypes.cast(self._positions.ctypes.data, pointer),
            ctypes.cast(self._counts.ctypes.data, pointer),
            self._id_pointers,
            ctypes.cast(self._wanted.ctypes.data, ctypes.POINTER(ctypes.c_int8)),
        )

    def decode(self, chunks: Sequence[Chunk]) -> list[Logits | None]:
        """Computes all chunks in one batch.

        Returns:
            For each chunk the logits after its last token, where they were wanted.

        Raises:
            NoRoom: The cache is full.
            ModelError: llama.cpp failed, or the chunks do not fit what the context was made for.
        """
        used = 0
        last: list[int] = []
        for chunk in chunks:
            used = self._place(chunk, used)
            last.append(used - 1)
        if not used:
            raise ModelError("an empty batch was to be decoded")
        self._batch.n_tokens = used
        status = lib.llama_decode(self.pointer, self._batch)
        if status == 1:
            raise NoRoom
        if status != 0:
            raise ModelError(f"llama.cpp could not decode (status {status}): {_reason(recent_log())}")
        return [self._logits(i) if chunk.logits else None for i, chunk in zip(last, chunks, strict=True)]

    def _place(self, chunk: Chunk, used: int) -> int:
        """Writes a chunk into the batch after `used` tokens; returns how many are used then."""
        end = used + len(chunk.tokens)
        if not chunk.tokens or end > self.size:
            raise ModelError(f"a batch holds 1 to {self.size} tokens, not {end}")
        if not 0 <= chunk.sequence < self._sequences or chunk.start + len(chunk.tokens) > self._context:
            raise ModelError(f"sequence {chunk.sequence} leaves its context of {self._context} tokens")
        self._tokens[used:end] = chunk.tokens
        self._positions[used:end] = np.arange(chunk.start, chunk.start + len(chunk.tokens))
        self._ids[used:end] = chunk.sequence
        self._wanted[used:end] = 0
        self._wanted[end - 1] = chunk.logits
        window = self._tokens[used:end]
        if window.min() < 0 or window.max() >= self._vocab_size:
            raise ModelError(f"a token id is outside of the vocabulary of {self._vocab_size}")
        return end

    def _logits(self, index: int) -> Logits:
        pointer = lib.llama_get_logits_ith(self.pointer, index)
        if not pointer:
            raise ModelError("llama.cpp gave no logits")
        # A view: copying a vocabulary of 262,144 takes longer than finding its maximum.
        row: Any = (ctypes.c_float * self._vocab_size).from_address(ctypes.addressof(pointer.contents))
        return np.frombuffer(row, np.float32)

    def first_position(self, sequence: int) -> int:
        """Returns the lowest position that is kept for a sequence in every layer; -1 when it is empty."""
        return int(lib.llama_memory_seq_pos_min(self._memory, sequence))

    def cut(self, sequence: int, length: int) -> bool:
        """Forgets a sequence from a position on; False where the model can't forget a part."""
        return bool(lib.llama_memory_seq_rm(self._memory, sequence, length, -1))

    def share(self, source: int, target: int, length: int) -> None:
        """Lets an empty sequence start with the first tokens of another, without computing them."""
        lib.llama_memory_seq_cp(self._memory, source, target, 0, length)

    def save_window(self, sequence: int) -> bytes:
        """Returns the sliding-window layers' part of a sequence; what full layers hold is not in it."""
        size = lib.llama_state_seq_get_size_ext(self.pointer, sequence, 1)
        buffer = (ctypes.c_uint8 * size)()
        written = lib.llama_state_seq_get_data_ext(self.pointer, buffer, size, sequence, 1)
        return bytes(buffer[:written]) if written == size else b""

    def load_window(self, sequence: int, state: bytes) -> bool:
        """Puts back what `save_window` gave; False when llama.cpp refuses it."""
        buffer = (ctypes.c_uint8 * len(state)).from_buffer_copy(state)
        read = lib.llama_state_seq_set_data_ext(self.pointer, buffer, len(state), sequence, 1)
        return bool(0 < read == len(state))

    def free(self) -> None:
        """Frees the context. Only after its last decode has returned: else the process crashes."""
        if self.pointer:
            lib.llama_free(self.pointer)
            self.pointer = None
