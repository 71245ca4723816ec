"""How a model writes a call: learnt from what its chat template makes of one.

A template that knows calls renders past ones. So it is given a conversation with made-up calls, and the text
around the name and the arguments is the style: ``<tool_call>``, ``{"name": ..., "arguments": ...}`` and
``</tool_call>`` for Qwen and Hermes, ``{"name": ..., "parameters": ...}`` for Llama 3, and whatever the next
family does with JSON.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from agentkit.messages import JsonObject

__all__ = ["HERMES", "MISTRAL", "PROBE_CALLS", "PROBE_NAME", "CallStyle", "style_from_rendering"]

PROBE_NAME = "probe_of_style"
PROBE_CALLS: tuple[JsonObject, JsonObject] = ({"probe_argument": 71}, {"probe_argument": 72})
"""The arguments of the two made-up calls, before they are rendered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallStyle:
    """The text around calls in a model's turn."""

    opening: str = ""
    """Once, before the first call; control tokens may stand in it, and in all that follow."""
    before: str = ""
    """Before each call."""
    to_name: str = '{"name": '
    """From the start of the call's JSON to the quoted name."""
    to_arguments: str = ', "arguments": '
    """From the name to the arguments."""
    to_end: str = "}"
    """From the arguments to the end of the call's JSON."""
    after: str = ""
    """After each call."""
    between: str = ""
    """Between two calls."""
    closing: str = ""
    """Once, after the last call."""


HERMES = CallStyle(before="<tool_call>\n", after="\n</tool_call>", between="\n")
"""What most open models were taught; used when the template shows nothing else."""

MISTRAL = CallStyle(opening="[TOOL_CALLS] [", between=", ", closing="]")
"""One list of calls. Known by its control token: past calls carry ids, which a model does not write."""

_CALL = re.compile(
    r'(?P<to_name>\{[^{}]*?"name": ?)"' + PROBE_NAME + r'"(?P<to_arguments>, ?"(?:arguments|parameters)": ?)'
    r'\{"probe_argument": ?(?P<number>71|72)\}(?P<to_end>\s*\})'
)


def style_from_rendering(turn: str, ends: Collection[str]) -> CallStyle | None:
    """Returns the style of a rendered turn that makes the calls of `PROBE_CALLS`, one or both.

    Args:
        turn: The turn's text, from where a model would begin to write.
        ends: The texts of the tokens that end a turn.

    Returns:
        None when calls are not written as JSON with the name first.
    """
    calls = list(_CALL.finditer(turn))
    if not calls:
        return None
    first = calls[0]
    before, rest = turn[: first.start()], turn[first.end() :]
    if len(calls) == 1:
        return _style(before, first, _until_end(rest, ends), "\n")
    middle = turn[first.end() : calls[1].start()]
    after = _until_end(turn[calls[1].end() :], ends)
    if not middle.startswith(after) or not middle.endswith(before):
        return None
    return _style(before, first, after, middle[len(after) : len(middle) - len(before)])


def _style(before: str, call: re.Match[str], after: str, between: str) -> CallStyle:
    return CallStyle(
        before=before,
        to_name=call["to_name"],
        to_arguments=call["to_arguments"],
        to_end=call["to_end"],
        after=after,
        between=between,
    )


def _until_end(text: str, ends: Collection[str]) -> str:
    return text[: min((text.index(end) for end in ends if end in text), default=len(text))].rstrip("\n")
