"""What details are made of: fields with a name, and blocks of text or JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from agentkit.messages import JsonValue
from agentkit.trace.facts import size_of
from agentkit.trace.pretty import pretty

__all__ = ["Block", "Entry", "Field", "json_block"]


@dataclass(frozen=True, slots=True)
class Field:
    """A name and a short text."""

    name: str
    text: str
    state: str = ""
    """A state that colours it, as in `agentkit.trace.facts.Facts`."""


@dataclass(frozen=True, slots=True)
class Block:
    """A heading and a text of any length."""

    title: str
    text: str = ""
    is_json: bool = False
    state: str = ""
    left: JsonValue = None
    """What stands for a large value that was left in the run's file; `text` is empty then."""


Entry: TypeAlias = Field | Block


def json_block(title: str, value: JsonValue, *, width: int = 100, state: str = "") -> Block:
    """Returns a block with a value: text as it is, everything else as JSON."""
    if size_of(value):
        return Block(title, is_json=True, left=value, state=state)
    if isinstance(value, str):
        return Block(title, value, state=state)
    return Block(title, pretty(value, width), is_json=True, state=state)
