"""What the doctor says: findings, each with what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Literal, TypeAlias

from agentkit.messages import JsonObject

__all__ = ["LEVELS", "Finding", "Level", "plural", "quoted", "shortened", "size_text"]

Level: TypeAlias = Literal["ok", "note", "warning", "problem"]
"""``ok``: as it should be; ``note``: good to know; ``warning``: something works less well than it could;
``problem``: runs with this file will go wrong."""

LEVELS: tuple[Level, ...] = ("ok", "note", "warning", "problem")
"""All levels, from harmless to bad."""

_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    topic: str
    """What was looked at, in a word or two, such as ``"stop tokens"``."""
    level: Level
    message: str
    """What was found, in a sentence or two."""
    advice: str = ""
    """What to do about it; for every warning and problem."""
    details: tuple[str, ...] = ()
    """Single lines that show it."""
    data: JsonObject = field(default_factory=dict[str, object])
    """The numbers and names in the message, for programs."""

    def to_json(self) -> JsonObject:
        """Returns the finding as a JSON object; `from_json` makes it a finding again."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: JsonObject) -> Finding:
        """Returns the finding that a JSON object stands for."""
        return cls(data["topic"], data["level"], data["message"], data["advice"], tuple(data["details"]), data["data"])


def quoted(text: str, limit: int = _SHOWN) -> str:
    """Returns text from a file in quotes, on one line and cut to `limit` characters."""
    return repr(shortened(text, limit))


def shortened(text: str, limit: int = _SHOWN) -> str:
    """Returns the beginning of a text, with dots where something is left out."""
    return text if len(text) <= limit else text[: max(limit - 3, 0)] + "..."


def plural(count: int, noun: str, more: Iterable[str] = ()) -> str:
    """Returns a number with its noun, as in ``1 call`` and ``2 calls``, and what is counted in brackets."""
    listed = ", ".join(more)
    return f"{count:,} {noun}{'' if count == 1 else 's'}" + (f" ({listed})" if listed else "")


def size_text(count: int) -> str:
    """Returns a number of bytes in GB, MB or kB."""
    for unit, name in ((1e9, "GB"), (1e6, "MB")):
        if count >= unit:
            return f"{count / unit:.2f} {name}"
    return f"{count / 1e3:.1f} kB"
