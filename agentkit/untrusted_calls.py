"""Whether text that strangers wrote may have decided a call, so that a person has to look at it.

Of a call with effects, two things count: who wrote it, and what its arguments are.

- An argument that decides what the call does must not come from untrusted results.
- A writer that has read untrusted text may have been talked into the call. It is let through only when such a call was
  wanted before anything untrusted was read and has not been made yet, and all its arguments stand in the user's own
  words (`agentkit.said`): then strangers can add nothing to what the user said, and have nothing done twice.

Arguments that do not decide, such as the text of a mail whose receiver the user named, may come from anywhere as long
as the call itself was written before anything untrusted was read: in a plan.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from agentkit.labels import CallLabels, untrusted
from agentkit.messages import JsonObject, JsonValue, is_array, is_object
from agentkit.said import stands_in

if TYPE_CHECKING:
    from agentkit.tools.tool import Sink, Tool

__all__ = ["why_ask"]


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
        return f"{why}, and this call of {tool.name!r} was not planned before that"
    given = {n: v for n, v in values.items() if v != properties.get(n, {}).get("default", ...)}
    new = [name for name, value in given.items() if not stands_in(value, said)]
    if not new and _has_text(list(given.values())):
        return ""
    return f"{why}, and {_words(map(repr, new)) if new else 'what it does'} does not stand in the user's words"


def _has_text(value: JsonValue) -> bool:
    """Returns whether there is a word in a value; numbers alone do not say what they are numbers of."""
    if is_object(value) or is_array(value):
        return any(map(_has_text, value.values() if is_object(value) else value))
    return isinstance(value, str) and bool(value.strip())


def _words(names: Any) -> str:
    return ", ".join(names)
