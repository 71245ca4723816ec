"""The vocabulary of a model: text to token ids and back."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from agentkit.errors import ModelError, UsageError
from agentkit.model_backend.engine.native import Model, lib

__all__ = ["Vocab"]

_CONTROL, _USER_DEFINED = 8, 16  # bits of llama.cpp's token attributes


class Vocab:
    """A model's tokens. May be used from any thread, until its engine is closed.

    Attributes:
        size: Number of tokens.
        bos: Id of the token that begins a text; ``None`` when the model has none.
        eog: Ids of the tokens that end a generation.
        suppressed: Ids that the file says must never be sampled.
        metadata: The file's scalar metadata as text, such as ``general.architecture``.
    """

    def __init__(self, model: Model) -> None:
        self._pointer: Any = model.vocab
        # ctypes lets other threads run during a call, so closing has to wait for calls that are under way.
        self._lock = threading.Lock()
        self._pieces: dict[int, bytes] = {}
        self.size = model.vocab_size
        bos = int(lib.llama_vocab_bos(self._pointer))
        self.bos = bos if bos >= 0 else None
        self.eog = frozenset(token for token in range(self.size) if lib.llama_vocab_is_eog(self._pointer, token))
        self.suppressed = _suppressed(self._pointer)
        self.metadata: Mapping[str, str] = MappingProxyType(model.metadata())

    @property
    def handle(self) -> Any:
        """The ``llama_vocab`` pointer, for the constraint library; invalid once the engine is closed."""
        if self._pointer is None:
            raise ModelError("the model is closed")
        return self._pointer

    def tokenize(self, text: str, *, special: bool) -> list[int]:
        """Returns the token ids of a text. A begin-of-text token is not added.

        Args:
            text: The text. Lone surrogates, which have no UTF-8 form, become ``?``.
            special: Whether control tokens written in the text become those tokens. Never for text that
                comes from outside.

        Raises:
            ModelError: The engine is closed.
        """
        data = text.encode("utf-8", "replace")
        room = len(data) + 8
        with self._lock:
            buffer = (ctypes.c_int32 * room)()
            count = lib.llama_tokenize(self.handle, data, len(data), buffer, room, False, special)
            if count < 0:  # more tokens than bytes
                buffer = (ctypes.c_int32 * -count)()
                count = lib.llama_tokenize(self.handle, data, len(data), buffer, -count, False, special)
        return buffer[:count]

    def piece(self, token: int) -> bytes:
        """Returns the bytes a token stands for; control tokens give their text.

        Raises:
            UsageError: There is no such token.
            ModelError: The engine is closed.
        """
        found = self._pieces.get(token)
        if found is None:
            found = self._pieces[token] = self._render(token)
        return found

    def _render(self, token: int) -> bytes:
        self.check([token])
        room = 256
        while True:
            buffer = ctypes.create_string_buffer(room)
            with self._lock:
                count = lib.llama_token_to_piece(self.handle, token, buffer, room, 0, True)
            if count >= 0:
                return buffer.raw[:count]
            room = -count

    def detokenize(self, tokens: Iterable[int]) -> str:
        """Returns the text of tokens; bytes that are not UTF-8 become U+FFFD.

        Raises:
            UsageError: There is no such token.
            ModelError: The engine is closed.
        """
        return b"".join(map(self.piece, tokens)).decode("utf-8", "replace")

    def special(self, text: str) -> int | None:
        """Returns the id of the control token that is written like this; ``None`` when there is none."""
        tokens = self.tokenize(text, special=True)
        if len(tokens) != 1:
            return None
        with self._lock:
            attributes = lib.llama_vocab_get_attr(self.handle, tokens[0])
        is_special = attributes & (_CONTROL | _USER_DEFINED) and self.piece(tokens[0]) == text.encode()
        return tokens[0] if is_special else None

    def check(self, tokens: Iterable[int]) -> None:
        """Checks that ids are in the vocabulary: llama.cpp ends the process on others.

        Raises:
            UsageError: One is not.
        """
        for token in tokens:
            if not 0 <= token < self.size:
                raise UsageError(f"token id {token!r} is not in the vocabulary: expected 0 to {self.size - 1}")

    def close(self) -> None:
        """Makes every further use an error instead of a crash; called before the model is freed."""
        with self._lock:
            self._pointer = None


def _suppressed(pointer: Any) -> frozenset[int]:
    count = ctypes.c_int32(0)
    tokens = lib.llama_vocab_get_suppress_tokens(pointer, ctypes.byref(count))
    return frozenset(tokens[: count.value]) if tokens else frozenset()
