"""Words for what a JSON Schema allows, for people: "a whole number", "text or null", "a list"."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from agentkit.messages import JsonObject
from agentkit.planners.schema_cases import Case, cases

__all__ = ["any_of_words", "expected", "noun", "place_text", "shown"]

_NOUNS = {
    "integer": "a whole number", "number": "a number", "string": "text", "boolean": "true or false", "null": "null",
    "array": "a list", "object": "an object",
}  # fmt: skip
_FORMATS = {
    "date": "a date", "date-time": "a date and time", "time": "a time of day", "duration": "a duration",
    "uuid": "a UUID", "email": "an e-mail address", "uri": "a URI", "ipv4": "an IPv4 address",
    "ipv6": "an IPv6 address",
}  # fmt: skip
_MOST_WORDS = 6
_VALUE_CHARS = 40


def shown(value: Any) -> str:
    """Returns a JSON value, shortened."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _VALUE_CHARS else text[: _VALUE_CHARS - 3] + "..."


def any_of_words(words: Sequence[str]) -> str:
    """Returns "a, b or c", each once; a long list is cut."""
    each = list(dict.fromkeys(words))
    if len(each) > _MOST_WORDS:
        each = [*each[: _MOST_WORDS - 1], f"{len(each) - _MOST_WORDS + 1} more"]
    return f"{', '.join(each[:-1])} or {each[-1]}" if len(each) > 1 else "".join(each)


def noun(case: Case) -> str:
    """Returns what the values of a case are: "text", "a date", ""a" or "b""."""
    kind = case.get("type")
    values = case.get("enum")
    if values and kind != "null" and not (kind == "boolean" and len(values) > 1):
        return any_of_words([shown(v) for v in values])
    if kind == "string" and "format" in case:
        return _FORMATS.get(case["format"], f"text of the format {case['format']!r}")
    if kind == "string" and "contentEncoding" in case:
        return f"{case['contentEncoding']} text"
    return _NOUNS.get(str(kind), "anything")


def expected(schema: Any, root: JsonObject) -> str:
    """Returns what a parameter takes: "a whole number or null", ""a" or "b"", "a date"."""
    found = cases(schema, root)
    words: list[str] = []
    for case in found:
        words += [shown(v) for v in case["enum"]] if case.get("type") == "string" and "enum" in case else [noun(case)]
    return any_of_words(words) if words else "nothing"


def place_text(path: Sequence[str | int]) -> str:
    """Returns a path as it is written in references: ``rows[0].amount``; ``[]`` stands for each item."""
    text = "".join(f"[{part}]" if isinstance(part, int) else part if part == "[]" else f".{part}" for part in path)
    return "each item" if text == "[]" else text.removeprefix(".")
