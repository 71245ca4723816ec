"""The text of an answer in parts: how values stand in it, and how they are read from it."""

from __future__ import annotations

import json
from collections.abc import Sequence

from agentkit.messages import JsonValue
from agentkit.model_backend.base import Part

__all__ = ["ends_before", "part_text", "read_part"]


def part_text(part: Part, value: JsonValue, end: str) -> str:
    """Returns a part as it is written.

    Args:
        part: What it may be.
        value: Its value.
        end: One of `Part.ends`.
    """
    text = json.dumps(value, ensure_ascii=False)
    return part.before + (text.removesuffix("}") if part.is_open else text) + end


def ends_before(part: Part, following: Sequence[JsonValue]) -> dict[str, Sequence[JsonValue]]:
    """Returns those of `Part.ends` that a part had when some values came after it; all when nothing did."""
    if not following:
        return {**part.ends}
    fitting = {end: more for end, more in part.ends.items() if [*more] == [*following[: len(more)]]}
    most = max(map(len, fitting.values()), default=0)
    return {end: more for end, more in fitting.items() if len(more) == most}


def read_part(choices: Sequence[Part], text: str) -> list[JsonValue]:
    """Returns the values that a part's text stands for: its own, and those that its end says.

    Args:
        choices: What the part may be.
        text: The whole of it.

    Raises:
        ValueError: It is none of the choices.
    """
    for part in choices:
        for end, more in part.ends.items():
            if text.startswith(part.before) and text.endswith(end):
                inside = text[len(part.before) : len(text) - len(end)]
                try:
                    return [json.loads(f"{inside}}}" if part.is_open else inside), *more]
                except ValueError:
                    continue
    raise ValueError(f"{text!r} is none of the {len(choices)} choices for the next part")
