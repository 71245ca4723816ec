"""JSON laid out for people: what fits on a line stays on it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import StringIO

from agentkit.messages import JsonValue, is_array, is_object

__all__ = ["beginning", "pretty"]

_PLAIN = 200_000
"""Longer JSON is laid out the plain way, a value on each line, which takes a tenth of the time."""


def pretty(value: JsonValue, width: int = 100) -> str:
    """Returns JSON over several lines, none longer than `width` where it can be helped."""
    text = json.dumps(value, ensure_ascii=False)
    if len(text) <= width:
        return text
    if len(text) > _PLAIN:
        return json.dumps(value, ensure_ascii=False, indent=2)
    return "\n".join(_lines(value, width, 0))


def beginning(value: JsonValue, most: int) -> str:
    """Returns text, or JSON a value on each line, up to so many characters; the rest is not even laid out."""
    if isinstance(value, str):
        return value[:most]
    text = StringIO()
    for part in json.JSONEncoder(ensure_ascii=False, indent=2).iterencode(value):
        if text.tell() >= most:
            break
        text.write(part)
    return text.getvalue()[:most]


def _lines(value: JsonValue, width: int, depth: int, before: str = "", after: str = "") -> Iterator[str]:
    indent = "  " * depth
    text = json.dumps(value, ensure_ascii=False)
    if len(indent) + len(before) + len(text) + len(after) <= width or not (is_object(value) or is_array(value)):
        yield f"{indent}{before}{text}{after}"
        return
    parts = [(f"{json.dumps(k, ensure_ascii=False)}: ", v) for k, v in value.items()] if is_object(value) else []
    if is_array(value):
        parts = [("", v) for v in value]
    opened, closed = "{}" if is_object(value) else "[]"
    yield f"{indent}{before}{opened}"
    for number, (name, part) in enumerate(parts, start=1):
        yield from _lines(part, width, depth + 1, name, "," if number < len(parts) else "")
    yield f"{indent}{closed}{after}"
