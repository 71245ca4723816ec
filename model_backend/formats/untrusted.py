"""Keeps text from outside from becoming control tokens.

A template is rendered with a stand-in for each piece of untrusted text. The result is cut at the stand-ins: the
template's own text is tokenised with control tokens on, the untrusted text with control tokens off. So a user,
a file or a tool result can write ``<|im_end|>`` and it stays seven harmless tokens.
"""

from __future__ import annotations

import json
import re
import secrets
from typing import Any

from agentkit.errors import ModelError
from agentkit.model_backend.constraint.keywords import is_array, is_object
from agentkit.model_backend.formats.base import Vocab

__all__ = ["StandIns", "tokenize_untrusted"]


class StandIns:
    """Stand-ins for the untrusted texts of one prompt.

    Args:
        vocab: What the prompt is tokenised with.
    """

    def __init__(self, vocab: Vocab) -> None:
        self._vocab = vocab
        # Letters only, so that no template's escaping touches it, and not to be guessed by who writes the text.
        self._mark = "".join(chr(ord("g") + int(digit, 16)) for digit in secrets.token_hex(8))
        self._texts: list[str] = []

    def put(self, text: str) -> str:
        """Returns a stand-in for the text. Empty text stays empty, as templates ask whether there is any."""
        if not text:
            return text
        self._texts.append(text)
        return f"{self._mark}x{len(self._texts) - 1}x"

    def put_risky(self, value: Any) -> Any:
        """Returns the JSON value with stand-ins for only those strings that hold a control token.

        For schemas and arguments: templates look at what is in them (``type``, names).
        """
        if isinstance(value, str):
            return self.put(value) if self._is_risky(value) else value
        if is_array(value):
            return [self.put_risky(item) for item in value]
        if is_object(value):
            return {self.put_risky(key): self.put_risky(item) for key, item in value.items()}
        return value

    def _is_risky(self, text: str) -> bool:
        return self._vocab.tokenize(text, special=True) != tokenize_untrusted(self._vocab, text)

    def tokens(self, rendered: str) -> list[int]:
        """Returns the tokens of a rendered template.

        Raises:
            ModelError: The template did something to an untrusted text other than to copy it.
        """
        parts = re.split(f'("?){self._mark}x([0-9]+)x', rendered)
        tokens: list[int] = []
        trusted = parts[0]
        for i in range(1, len(parts), 3):
            quote, text, after = parts[i], self._texts[int(parts[i + 1])], parts[i + 2]
            if quote and after.startswith('"'):  # inside JSON
                text = json.dumps(text, ensure_ascii=False)[1:-1]
            tokens += self._vocab.tokenize(trusted + quote, special=True) if trusted + quote else []
            tokens += tokenize_untrusted(self._vocab, text)
            trusted = after
        if self._has_remains("\n".join(parts[0::3])):
            raise ModelError("the model's chat template changes the messages' text, so it can't be used safely")
        return tokens + (self._vocab.tokenize(trusted, special=True) if trusted else [])

    def _has_remains(self, text: str) -> bool:
        """Whether a part of a mark is left: a template cut a stand-in up, or wrote it in capitals."""
        text = text.lower()
        return any(self._mark[i : i + 6] in text for i in range(len(self._mark) - 5))


def tokenize_untrusted(vocab: Vocab, text: str) -> list[int]:
    """Returns the tokens of a text, none of which is a control token.

    llama.cpp finds tokens that a vocabulary calls user-defined (Qwen's ``<tool_call>``) even when control tokens
    are off; those are taken apart after their first character.
    """
    tokens: list[int] = []
    for token in vocab.tokenize(text, special=False):
        piece = vocab.piece(token)
        if len(piece) > 2 and _is_special(vocab, piece):
            written = piece.decode("utf-8")
            tokens += vocab.tokenize(written[0], special=False) + tokenize_untrusted(vocab, written[1:])
        else:
            tokens.append(token)
    return tokens


def _is_special(vocab: Vocab, piece: bytes) -> bool:
    # A word of a text is rarely anything else than a word: the vocabulary is asked only about pieces that
    # are not letters all through.
    try:
        text = piece.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return not text.strip().isalnum() and vocab.special(text) is not None
