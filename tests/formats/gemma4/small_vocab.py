"""A vocabulary in a few lines: bytes, a few words, and the control tokens under ids of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from agentkit.model_backend.formats.gemma4_tokens import GEMMA4, Alphabet, Mark, TokenTable

_WORDS = (
    "thought",
    "call",
    "response",
    "system",
    "user",
    "model",
    "developer",
    "true",
    "false",
    "null",
    "value",
    "<|",
    "|>",
    '"|>',
)
_HIDDEN = (Mark.TOOL, Mark.TOOL_END, Mark.THINK, Mark.TURN, Mark.TURN_END)
_FIRST_SPECIAL = 7


@dataclass
class SmallVocab:
    """Like llama.cpp, it finds user-defined tokens in plain text too; only control tokens need ``special``."""

    table: TokenTable = GEMMA4
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        specials = [*self.table.others, *self.table.texts.values()]
        hidden = {*self.table.others, *(self.table.texts[mark] for mark in _HIDDEN if mark in self.table.texts)}
        pieces = [b""] * _FIRST_SPECIAL + [text.encode() for text in specials]
        self._specials = {text: _FIRST_SPECIAL + i for i, text in enumerate(specials)}
        self._always = {text: token for text, token in self._specials.items() if text not in hidden}
        self._first_byte = len(pieces)
        pieces += [bytes([byte]) for byte in range(256)]
        self._words = {word: len(pieces) + i for i, word in enumerate(_WORDS)}
        self._pieces = [*pieces, *(word.encode() for word in _WORDS)]
        self.bos: int | None = self._specials["<bos>"]
        ends = ("<eos>", self.table.texts[Mark.RESPONSE], self.table.texts[Mark.TURN_END])
        self.eog = frozenset(self._specials[text] for text in ends)

    def __len__(self) -> int:
        return len(self._pieces)

    def tokenize(self, text: str, *, special: bool) -> list[int]:
        known = self._specials if special else self._always
        tokens: list[int] = []
        for part in _split(text, known):
            if part in known:
                tokens.append(known[part])
                continue
            for piece in _split(part, self._words):
                word = self._words.get(piece)
                # As in the real vocabulary, U+2581 stands for the blank.
                plain = piece.replace("\u2581", " ").encode()
                tokens += [word] if word is not None else [self._first_byte + byte for byte in plain]
        return tokens

    def piece(self, token: int) -> bytes:
        return self._pieces[token]

    def special(self, text: str) -> int | None:
        return self._specials.get(text)

    def detokenize(self, tokens: Sequence[int]) -> str:
        return b"".join(self._pieces[token] for token in tokens).decode("utf-8", "replace")


def _split(text: str, words: Mapping[str, int]) -> list[str]:
    by_length = sorted(words, key=len, reverse=True)
    return [part for part in re.split("(" + "|".join(map(re.escape, by_length)) + ")", text) if part]


def small_alphabet(table: TokenTable = GEMMA4) -> Alphabet:
    return Alphabet(SmallVocab(table), table)


def marked(alphabet: Alphabet, text: str) -> list[int]:
    """The tokens of a text in which every marker is a control token.

    A backslash before a marker (``\\\\<|tool_call>``) makes it ordinary characters.
    """
    names = [*alphabet.table.texts.values(), "<eos>", "<bos>"]
    pattern = "(\\\\?(?:" + "|".join(map(re.escape, names)) + "))"
    tokens: list[int] = []
    for part in re.split(pattern, text):
        token = alphabet.vocab.special(part)
        tokens += (
            [token]
            if token is not None
            else alphabet.plain(part.removeprefix("\\") if re.fullmatch(pattern, part) else part)
        )
    return tokens
