"""Whether text that strangers wrote may have decided a call, so that a person has to look at it.

Of a call with effects, two things count: who wrote it, and what its arguments are.

- An argument that decides what the call does must not come from untrusted results.
- A writer that has read untrusted text may have been talked into the call. It is let through only when its tool was
  wanted before anything untrusted was read, and all its arguments stand in the user's own words: then strangers can
  add nothing to what the user said.

Arguments that do not decide, such as the text of a mail whose receiver the user named, may come from anywhere as long
as the call itself was written before anything untrusted was read: in a plan.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from agentkit.labels import CallLabels, untrusted
from agentkit.messages import JsonObject, JsonValue, is_array, is_object

if TYPE_CHECKING:
    from agentkit.tools.tool import Sink, Tool

__all__ = ["stands_in", "why_ask"]

_NUMBER = re.compile(r"(?<![\w.,])(?<!\w[-./:])-?\d+(?:[ ,']\d{3})*(?:\.\d+)?(?![\w]|[-./:]\w)")
_JOINED = "[-./:@_]"
"""Between letters or digits, these make one word of two: ``13`` does not stand in ``2024-05-13``."""

_LONG = 5
"""Digits that a number must have to be the name of something, such as an account."""


def why_ask(tool: Tool, sink: Sink, values: JsonObject, labels: CallLabels, *, said: str) -> str:
    """Returns why a person has to look at a call; nothing when untrusted text can't have decided it.

    Args:
        tool: The tool.
        sink: In which arguments untrusted text must not decide.
        values: The arguments, with those that the tool adds.
        labels: Where the call comes from.
        said: What the user said.
    """
    if sink is False:
        return ""
    properties: Mapping[str, Any] = tool.parameters.get("properties", {})
    for name in values if sink is True else sink:
        if found := untrusted(labels.arguments.get(name, ())):
            what = f"the argument {name!r} of {tool.name!r}"
            return f"{what} comes from text that strangers may have written ({_words(found)})"
    read = untrusted(labels.writer)
    if not read:
        return ""
    why = f"the model had read text that strangers may have written ({_words(read)}) before it asked for this call"
    if not labels.foreseen:
        return f"{why}, and {tool.name!r} was not planned before that"
    given = {n: v for n, v in values.items() if v != properties.get(n, {}).get("default", ...)}
    new = [name for name, value in given.items() if not stands_in(value, said)]
    if not new and _has_text(list(given.values())):
        return ""
    return f"{why}, and {_words(map(repr, new)) if new else 'what it does'} does not stand in the user's words"


def stands_in(value: JsonValue, said: str) -> bool:
    """Returns whether the user wrote all that a value holds: each number, and each word of each text.

    A text of a few digits is an id rather than a word: that ``13`` stands in "June 13" says nothing of file 13.
    """
    if is_object(value):
        return all(stands_in(part, said) for item in value.items() for part in item)
    if is_array(value):
        return all(stands_in(part, said) for part in value)
    if isinstance(value, bool) or value is None:
        return False
    if isinstance(value, int | float):
        return value in _numbers(said)
    text = str(value).casefold()
    if text.isdecimal() and len(text) < _LONG:
        return False
    return all(re.search(_word(word), _folded(said)) for word in text.split())


def _has_text(value: JsonValue) -> bool:
    """Returns whether there is a word in a value; numbers alone do not say what they are numbers of."""
    if is_object(value) or is_array(value):
        return any(map(_has_text, value.values() if is_object(value) else value))
    return isinstance(value, str) and bool(value.strip())


def _word(word: str) -> str:
    return rf"(?<!\w)(?<!\w{_JOINED}){re.escape(word)}(?!\w)(?!{_JOINED}\w)"


@lru_cache(maxsize=64)
def _folded(said: str) -> str:
    return said.casefold()


@lru_cache(maxsize=64)
def _numbers(said: str) -> set[float]:
    return {float(re.sub(r"[ ,']", "", found)) for found in _NUMBER.findall(said)}


def _words(names: Any) -> str:
    return ", ".join(names)
