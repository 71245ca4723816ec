r"""The control tokens of Gemma 4 and of FunctionGemma, and text that can never become one.

A prompt is made of parts: a `Mark` becomes a control token, a string becomes text. Nothing in a string can turn
into a control token, whoever wrote it: ``tokenize(special=False)`` alone does not give that, because llama.cpp
still finds the user-defined tokens (``<|tool_call>``, ``<|"|>``, ``<|channel>``, ...) in plain text. So text is cut
after the first character of every marker in it and the two sides are tokenised apart; they read the same.

Ids are looked up by text. They differ between files, and so do the attributes that the files give them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from agentkit.errors import ModelError, ModelUnavailable
from agentkit.messages import Media
from agentkit.model_backend.formats.base import Vocab

__all__ = ["FUNCTION_GEMMA", "GEMMA4", "Alphabet", "Mark", "Part", "TokenTable"]


class Mark(Enum):
    """What a control token is for."""

    TOOL = "tool"
    TOOL_END = "tool end"
    CALL = "call"
    CALL_END = "call end"
    RESPONSE = "response"
    RESPONSE_END = "response end"
    QUOTE = "quote"
    THINK = "think"
    CHANNEL = "channel"
    CHANNEL_END = "channel end"
    TURN = "turn"
    TURN_END = "turn end"


Part: TypeAlias = Mark | str
"""A control token, or text."""


@dataclass(frozen=True, slots=True)
class TokenTable:
    """How a family of models writes the marks, and what its system turn says."""

    name: str
    texts: Mapping[Mark, str]
    system_role: str
    tools_intro: str = ""
    """Text before the tool declarations."""
    media: Mapping[str, str] = field(default_factory=dict[str, str])
    """Placeholders by the kind of media that they stand for."""
    others: tuple[str, ...] = ()
    """Control tokens that the format has no use for, and that text must not become either."""

    @property
    def thinks(self) -> bool:
        """Whether the family has a thought channel."""
        return Mark.CHANNEL in self.texts


_ENDS = ("<bos>", "<eos>", "<pad>", "<unk>", "<mask>")

GEMMA4 = TokenTable(
    name="gemma4",
    system_role="system",
    texts={
        Mark.TOOL: "<|tool>",
        Mark.TOOL_END: "<tool|>",
        Mark.CALL: "<|tool_call>",
        Mark.CALL_END: "<tool_call|>",
        Mark.RESPONSE: "<|tool_response>",
        Mark.RESPONSE_END: "<tool_response|>",
        Mark.QUOTE: '<|"|>',
        Mark.THINK: "<|think|>",
        Mark.CHANNEL: "<|channel>",
        Mark.CHANNEL_END: "<channel|>",
        Mark.TURN: "<|turn>",
        Mark.TURN_END: "<turn|>",
    },
    media={"image": "<|image|>", "audio": "<|audio|>", "video": "<|video|>"},
    others=(*_ENDS, "<|image>", "<image|>", "<|image|>", "<|audio>", "<audio|>", "<|audio|>", "<|video|>"),
)

FUNCTION_GEMMA = TokenTable(
    name="functiongemma",
    system_role="developer",
    tools_intro="You can do function calling with the following functions:",
    texts={
        Mark.TOOL: "<start_function_declaration>",
        Mark.TOOL_END: "<end_function_declaration>",
        Mark.CALL: "<start_function_call>",
        Mark.CALL_END: "<end_function_call>",
        Mark.RESPONSE: "<start_function_response>",
        Mark.RESPONSE_END: "<end_function_response>",
        Mark.QUOTE: "<escape>",
        Mark.TURN: "<start_of_turn>",
        Mark.TURN_END: "<end_of_turn>",
    },
    others=(*_ENDS, "<start_of_image>", "<end_of_image>"),
)


@dataclass(slots=True)
class Alphabet:
    """A token table with the ids that a vocabulary gives it.

    Raises:
        ModelUnavailable: The vocabulary lacks one of the table's tokens.
    """

    vocab: Vocab
    table: TokenTable
    ids: dict[Mark, int] = field(init=False)
    marks: dict[int, Mark] = field(init=False)
    eos: int | None = field(init=False)
    _cut: re.Pattern[str] = field(init=False)

    def __post_init__(self) -> None:
        found = {mark: self.vocab.special(text) for mark, text in self.table.texts.items()}
        missing = [self.table.texts[mark] for mark, token in found.items() if token is None]
        if missing:
            raise ModelUnavailable(
                f"the model's vocabulary lacks {', '.join(map(repr, missing))}, which the {self.table.name!r} format "
                "needs: the file is damaged or was converted by an old tool; take one from its publisher"
            )
        self.ids = {mark: token for mark, token in found.items() if token is not None}
        self.marks = {token: mark for mark, token in self.ids.items()}
        self.eos = self.vocab.special("<eos>")
        rests = "|".join(re.escape(text[1:]) for text in (*self.table.texts.values(), *self.table.others))
        self._cut = re.compile(f"(?<=<)(?={rests})|(\u2581+)")

    def text(self, mark: Mark) -> str:
        """Returns how the mark is written."""
        return self.table.texts[mark]

    def placeholder(self, media: Media) -> int:
        """Returns the token that stands for media.

        Raises:
            ModelError: The format has none for that kind.
        """
        text = self.table.media.get(media.kind)
        token = self.vocab.special(text) if text else None
        if token is None:
            raise ModelError(f"the {self.table.name!r} format has no place for media of the kind {media.kind!r}")
        return token

    def encode(self, parts: Iterable[Part]) -> list[int]:
        """Returns the tokens of the parts. Neighbouring strings are tokenised as one, as the model saw them."""
        tokens: list[int] = []
        run: list[str] = []
        for part in parts:
            if isinstance(part, str):
                run.append(part)
                continue
            tokens += self.plain("".join(run))
            run.clear()
            tokens.append(self.ids[part])
        return tokens + self.plain("".join(run))

    def plain(self, text: str) -> list[int]:
        """Returns tokens that read as the text and hold no control token.

        Half surrogates, which no text can hold, become U+FFFD.
        """
        if not text:
            return []
        text = text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
        tokens: list[int] = []
        for chunk in self._cut.split(text):
            if not chunk:
                continue
            # U+2581 stands for the blank inside the vocabulary: only its bytes come back as what they were.
            tokens += self._bytes(chunk) if chunk[0] == "\u2581" else self.vocab.tokenize(chunk, special=False)
        return tokens

    def decode(self, tokens: Sequence[int]) -> str:
        """Returns the tokens as text, control tokens spelled out."""
        return b"".join(map(self.vocab.piece, tokens)).decode("utf-8", "replace")

    def _bytes(self, text: str) -> list[int]:
        first = self.vocab.tokenize("\0", special=False)[0]  # the byte tokens stand in order
        tokens = [first + byte for byte in text.encode()]
        if b"".join(map(self.vocab.piece, tokens)) != text.encode():
            return self.vocab.tokenize(text, special=False)
        return tokens
