"""Strings of a JSON Schema as regular expressions over raw text, which is how Gemma's call syntax writes them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from agentkit.model_backend.constraint.text_formats import FORMATS

__all__ = ["ANY_TEXT", "BARE", "BARE_KEY", "anchored", "string_terms"]

ANY_TEXT = "(?s:.)*"

_NEVER_BARE = r"{}\[\]:=,\"'<>\\\x{ffff}\x{0}-\x{1f}\x{85}\x{2028}\x{2029}"
BARE = rf"[^\s{_NEVER_BARE}]([^{_NEVER_BARE}]{{0,62}}[^\s{_NEVER_BARE}])?"
"""A key that needs no quotes, as a grammar writes it. Blanks may stand inside, as the template has them."""
BARE_KEY = re.compile(re.sub(r"\\x\{(\w+)\}", lambda code: f"\\u{code[1]:0>4}", BARE).replace("{0,62}", "*"))
"""The same for Python, and of any length."""


def string_terms(node: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Returns a keyword and an expression for each thing the schema asks of a string; all must match."""
    terms: list[tuple[str, str]] = []
    if isinstance(pattern := node.get("pattern"), str):
        terms.append(("pattern", anchored(pattern)))
    if (name := node.get("format")) in FORMATS:
        terms.append(("format", FORMATS[str(name)]))
    low, high = node.get("minLength", 0), node.get("maxLength")
    if low or high is not None:
        terms.append(("minLength" if high is None else "maxLength", f"(?s:.){{{low},{'' if high is None else high}}}"))
    return terms


def anchored(pattern: str) -> str:
    """Returns an expression that matches a whole text wherever the pattern is found in it.

    JSON Schema's patterns may match anywhere; a grammar's expressions match everything. Character classes mean
    ASCII, as they do in ECMA 262.
    """
    alternatives: list[str] = []
    for part in _alternatives(_ascii_classes(pattern)):
        begin, end = part.startswith("^"), part.endswith("$") and not part.endswith("\\$")
        core = part[1 if begin else 0 : len(part) - 1 if end else None]
        alternatives.append(("" if begin else ANY_TEXT) + f"({core})" + ("" if end else ANY_TEXT))
    return "|".join(alternatives) if len(alternatives) == 1 else "(" + "|".join(alternatives) + ")"


_CLASSES = {"d": "0-9", "w": "A-Za-z0-9_"}


def _ascii_classes(pattern: str) -> str:
    result, in_class = "", False
    for token in re.findall(r"\\.|[^\\]", pattern, re.DOTALL):
        if token[0] == "\\" and token[1:] in _CLASSES:
            token = _CLASSES[token[1]] if in_class else f"[{_CLASSES[token[1]]}]"
        elif token[0] == "\\" and token[1:].lower() in _CLASSES and not in_class:
            token = f"[^{_CLASSES[token[1].lower()]}]"
        elif token in "[]":
            in_class = token == "[" or (in_class and token != "]")
        result += token
    return result


def _alternatives(pattern: str) -> list[str]:
    """The pattern cut at the bars that stand in no group and no class."""
    parts, depth, in_class = [""], 0, False
    for token in re.findall(r"\\.|[^\\]", pattern, re.DOTALL):
        if token == "|" and not depth and not in_class:
            parts.append("")
            continue
        in_class = token != "]" if in_class else token == "["
        depth += 0 if in_class else (token == "(") - (token == ")")
        parts[-1] += token
    return parts
