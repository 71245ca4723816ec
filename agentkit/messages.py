"""What a conversation is made of: pieces, messages, and the count of what they cost.

These types pass through every layer, so this module imports nothing but the standard library.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Literal, TypeAlias, TypeGuard

__all__ = [
    "Assistant",
    "JsonObject",
    "JsonValue",
    "Media",
    "Message",
    "Piece",
    "System",
    "Text",
    "Thought",
    "ToolCall",
    "ToolResult",
    "Usage",
    "User",
    "is_array",
    "is_object",
]

JsonObject: TypeAlias = dict[str, Any]
"""A JSON object; a JSON Schema is one too."""

JsonValue: TypeAlias = "None | bool | int | float | str | list[Any] | dict[str, Any]"
"""Any JSON value. Not typed in depth: the schema that goes with it says what is inside."""


def is_object(value: object) -> TypeGuard[JsonObject]:
    """Returns whether a JSON value is an object; tells type checkers so."""
    return isinstance(value, dict)


def is_array(value: object) -> TypeGuard[list[Any]]:
    """Returns whether a JSON value is an array; tells type checkers so."""
    return isinstance(value, list)


@dataclass(frozen=True, slots=True)
class Thought:
    """What the model thought before it acted; shown to people, never parsed for calls."""

    text: str


@dataclass(frozen=True, slots=True)
class Text:
    """What the model says to the user."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that the model wants made."""

    name: str
    """The tool's name."""
    arguments: JsonObject
    """Its arguments as JSON, before conversion to Python types."""
    id: str = ""
    """What ties the call to its result; set by the run."""


Piece: TypeAlias = Thought | Text | ToolCall


@dataclass(frozen=True, slots=True)
class System:
    """Instructions from the developer."""

    text: str
    role: Literal["system"] = field(default="system", init=False)


@dataclass(frozen=True, slots=True)
class Media:
    """An image, a sound or a video that belongs to what the user asked."""

    kind: Literal["image", "audio", "video"]
    source: str
    """Path of a file, or a ``data:`` URL that holds it."""


@dataclass(frozen=True, slots=True)
class User:
    """What the user asked."""

    text: str
    media: tuple[Media, ...] = ()
    """Shown to the model before the text. Only models behind a URL can read it so far."""
    role: Literal["user"] = field(default="user", init=False)


@dataclass(frozen=True, slots=True)
class Assistant:
    """One turn of the model."""

    pieces: tuple[Piece, ...]
    tokens: tuple[int, ...] = ()
    """The token ids as decoded, so that the next prompt can repeat them exactly; empty when unknown."""
    role: Literal["assistant"] = field(default="assistant", init=False)

    @property
    def text(self) -> str:
        """The text pieces, joined."""
        return "".join(p.text for p in self.pieces if isinstance(p, Text))

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        """The calls, in order."""
        return tuple(p for p in self.pieces if isinstance(p, ToolCall))


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a call gave, on its way back to the model."""

    call_id: str
    name: str
    value: JsonValue
    """The result as JSON, or the error message when `is_error`."""
    is_error: bool = False
    role: Literal["tool"] = field(default="tool", init=False)


Message: TypeAlias = System | User | Assistant | ToolResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What model turns cost. Add two to get the sum."""

    turns: int = 0
    """Model turns."""
    prompt_tokens: int = 0
    """Tokens of the prompts, reused ones included."""
    reused_tokens: int = 0
    """Prompt tokens that were already in the cache and were not computed again."""
    output_tokens: int = 0
    """Tokens that the turns added, thoughts and forced ones included."""
    thought_tokens: int = 0
    """Output tokens that were thoughts."""
    forced_tokens: int = 0
    """Output tokens that the constraint left no choice about; they are not sampled."""
    prompt_seconds: float = 0.0
    """Seconds spent computing prompts."""
    output_seconds: float = 0.0
    """Seconds spent decoding."""

    def __add__(self, other: Usage) -> Usage:
        return Usage(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)})

    @property
    def tokens(self) -> int:
        """Prompt and output tokens together: what a token limit counts."""
        return self.prompt_tokens + self.output_tokens

    @property
    def tokens_per_second(self) -> float:
        """Output tokens per second of decoding; 0.0 when nothing was decoded."""
        return self.output_tokens / self.output_seconds if self.output_seconds else 0.0
