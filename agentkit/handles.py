"""Results that are too large for a prompt: a preview is shown, and parts are read by a handle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from agentkit.errors import ToolFailed
from agentkit.messages import JsonObject, JsonValue, is_array, is_object

__all__ = ["READ_RESULT", "preview", "read_part"]

READ_RESULT = "read_result"
"""Name of the tool that reads parts of a result by its handle."""

_SHOWN_ITEMS = 5
_SHOWN_CHARS = 400


def preview(handle: str, value: JsonValue, max_chars: int) -> tuple[JsonValue, bool]:
    """Returns what a model is shown of a result, and whether that is all of it.

    Args:
        handle: Name by which the rest can be read.
        value: The result.
        max_chars: Largest size, in characters of JSON, that is shown whole.
    """
    size = len(json.dumps(value, ensure_ascii=False))
    if size <= max_chars:
        return value, True
    shown: JsonObject = {
        "handle": handle,
        "note": f"too large to show ({size} characters); read parts with {READ_RESULT}",
    }
    match value:
        case list():
            shown |= {"items": len(value), "first": [_short(v) for v in value[:_SHOWN_ITEMS]]}
        case dict():
            shown |= {"keys": list(value)[:50], "first": {k: _short(v) for k, v in list(value.items())[:_SHOWN_ITEMS]}}
        case _:
            text = str(value)
            shown |= {"lines": text.count("\n") + 1, "first": text[:_SHOWN_CHARS]}
    return shown, False


def read_part(
    results: Mapping[str, JsonValue], handle: str, path: str = "", start: int = 0, count: int = 20
) -> JsonValue:
    """Returns a part of an earlier result.

    Args:
        results: The results by handle.
        handle: Which result.
        path: Keys and indices, joined with dots, that lead to the part.
        start: First item of a list, or first line of a text, counted from 0.
        count: How many items or lines.

    Raises:
        agentkit.errors.ToolFailed: There is no such handle or path; the message says what there is.
    """
    if handle not in results:
        raise ToolFailed(f"no result {handle!r}; there are {', '.join(results) or 'none'}")
    value = results[handle]
    for part in filter(None, path.split(".")):
        value = _child(value, part)
    if is_array(value):
        return value[start : start + count]
    if is_object(value):
        return dict(list(value.items())[start : start + count])
    return "\n".join(value.splitlines()[start : start + count]) if isinstance(value, str) else value


def _child(value: JsonValue, part: str) -> JsonValue:
    if is_object(value) and part in value:
        found: JsonValue = value[part]
        return found
    if is_array(value) and part.isdecimal() and int(part) < len(value):
        item: JsonValue = value[int(part)]
        return item
    have = list(value)[:20] if is_object(value) else f"a {type(value).__name__}"
    raise ToolFailed(f"no part {part!r}; there is {have}")


def _short(value: Any) -> JsonValue:
    text = json.dumps(value, ensure_ascii=False)
    return value if len(text) <= _SHOWN_CHARS else text[:_SHOWN_CHARS] + "…"
