r"""JSON values in Gemma's call syntax: ``{city:<|"|>Tokyo<|"|>,days:[1,2],exact:true}``.

Strings stand raw between two quote tokens; there is no escape, and none is needed, because text can't become a
quote token. Keys are bare where they can be, sorted without regard to case: so the chat template writes calls and
responses, and so the model was trained.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from agentkit.messages import JsonValue
from agentkit.model_backend.constraint.gemma4_strings import BARE_KEY
from agentkit.model_backend.formats.gemma4_tokens import Mark, Part

__all__ = ["by_key", "key_parts", "object_parts", "quoted", "value_parts"]


def by_key(items: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Returns the items in the order of the chat template: by key, without regard to case."""
    return sorted(items.items(), key=lambda item: item[0].lower())


def quoted(text: str) -> list[Part]:
    """Returns the parts of a string."""
    return [Mark.QUOTE, text, Mark.QUOTE]


def key_parts(key: str) -> list[Part]:
    """Returns the parts of a key, with its colon."""
    return [key, ":"] if BARE_KEY.fullmatch(key) else [*quoted(key), ":"]


def value_parts(value: JsonValue) -> list[Part]:
    """Returns the parts of any JSON value.

    Numbers that JSON does not have (infinities, not-a-number) become ``null``.
    """
    parts: list[Part] = []
    _value(value, parts)
    return parts


def object_parts(value: Mapping[str, Any]) -> list[Part]:
    """Returns the parts of an object."""
    parts: list[Part] = []
    _value(dict(value), parts)
    return parts


def _value(value: JsonValue, out: list[Part]) -> None:
    if isinstance(value, str):
        out += quoted(value)
    elif value is None or isinstance(value, bool):
        out.append({None: "null", True: "true", False: "false"}[value])
    elif isinstance(value, int):
        out.append(int.__repr__(value))
    elif isinstance(value, float):
        out.append(float.__repr__(value) if math.isfinite(value) else "null")
    elif isinstance(value, dict):
        _sequence(by_key(value), "{}", out)
    else:
        _sequence((("", item) for item in value), "[]", out)


def _sequence(items: Iterable[tuple[str, Any]], brackets: str, out: list[Part]) -> None:
    out.append(brackets[0])
    for i, (key, item) in enumerate(items):
        if i:
            out.append(",")
        if brackets == "{}":
            out += key_parts(key)
        _value(item, out)
    out.append(brackets[1])
