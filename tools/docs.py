"""What a docstring says about a function: Google, NumPy and reST styles, found by docstring-parser."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field

import docstring_parser

__all__ = ["Docs", "parse_docs"]


@dataclass(frozen=True, slots=True)
class Docs:
    """The parts of a docstring that a model is shown."""

    description: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])
    returns: str = ""


def parse_docs(text: str | None) -> Docs:
    """Returns what a docstring says; one that fits no style is all description."""
    if not text or not text.strip():
        return Docs()
    text = inspect.cleandoc(text)
    if "\n" not in text:
        return Docs(text)
    try:
        parsed = docstring_parser.parse(text)
    except docstring_parser.ParseError:
        return Docs(text)
    return Docs(
        description="\n\n".join(filter(None, (parsed.short_description, parsed.long_description))),
        parameters={p.arg_name.lstrip("*"): _one_line(p.description) for p in parsed.params if p.description},
        returns=_one_line(parsed.returns.description if parsed.returns else None),
    )


def _one_line(text: str | None) -> str:
    """Returns the text without the line breaks that only the source's width asked for."""
    return " ".join((text or "").split())
