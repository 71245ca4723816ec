"""Text from models and tools, made safe to print and short enough to read."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

from agentkit.events import PlanChanged
from agentkit.messages import JsonObject, JsonValue, is_array, is_object

__all__ = ["call_text", "change_text", "counted", "one_line", "plan_text", "shorten", "value_text", "visible"]

_JOINERS = "\u200c\u200d"
"""Format characters that ordinary text needs: they join letters and emoji."""


def visible(text: str) -> str:
    r"""Returns `text` with everything that could move the cursor or hide text written as an escape.

    Control characters, direction marks, and lone surrogates become ``\x1b``, ``\u202e`` and so on; line
    ends stay, tabs become spaces.
    """
    text = text.replace("\r\n", "\n").expandtabs(4)
    return text if text.isascii() and text.isprintable() else "".join(map(_visible, text))


def _visible(character: str) -> str:
    if character == "\n" or character in _JOINERS or unicodedata.category(character) not in _HIDDEN:
        return character
    return character.encode("unicode_escape").decode("ascii")


_HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def change_text(change: PlanChanged) -> str:
    """Returns why and how a plan was changed, in words."""
    why = f"{', '.join(change.failed)} failed" if change.failed else "the results were looked at"
    return f"{why}; added {', '.join(change.added) or 'nothing'}"


def plan_text(text: str) -> str | None:
    """Returns what a model wrote to its planner, and not to the user, in words; ``None`` for any other text.

    That is a plan, line by line, or an outline as one list; the steps that come of it are shown on their own.

    Example:
        >>> plan_text('[{"purpose": "load the table", "tool": "load_csv"}, {"purpose": "add up", "tool": "total"}]')
        'load_csv, total'
        >>> plan_text("All done.")
    """
    try:
        lines = [text] if text.lstrip().startswith("[") else text.splitlines()
        values = [json.loads(line) for line in lines if line.strip()]
    except ValueError:
        return None
    if len(values) == 1 and is_array(values[0]):
        values = values[0]
    tools = [v["tool"] for v in values if is_object(v) and isinstance(v.get("tool"), str)]
    return ", ".join(tools) if tools else None


def one_line(text: str, limit: int) -> str:
    """Returns `text` on one line, cut to `limit` characters."""
    return shorten(" ".join(visible(text).split()), limit)


def shorten(text: str, limit: int) -> str:
    """Returns `text`, or its beginning and how much is left out."""
    if len(text) <= limit:
        return text
    rest = f" ... ({len(text) - limit:,} characters more)"
    return text[:limit].rstrip() + rest


def value_text(value: JsonValue) -> str:
    """Returns a JSON value as text: text as it is, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def counted(count: int, noun: str) -> str:
    """Returns a number with its noun, as in ``1 call`` and ``2 calls``."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def call_text(tool: str, args: JsonObject, limit: int) -> str:
    """Returns a call the way Python writes it, on one line, cut to `limit` characters."""
    return one_line(f"{tool}({', '.join(f'{k}={_argument(v)}' for k, v in args.items())})", limit)


def _argument(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
