"""The fields of a task file, each read from its YAML node or refused with a position."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from agentkit.limits import Limits
from agentkit.messages import JsonObject
from agentkit.task_inputs import did_you_mean
from agentkit.yaml_source import Node, Source

if TYPE_CHECKING:
    from agentkit.tools.access import SandboxMode

__all__ = [
    "duration",
    "mapping",
    "read_limits",
    "read_sandbox",
    "read_schema",
    "read_secrets",
    "read_texts",
    "read_thinking",
    "text",
]

_DURATION = re.compile(r"(\d+(?:\.\d+)?) ?(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def mapping(source: Source, node: Node, what: str, names: tuple[str, ...]) -> Mapping[str, Node]:
    """Returns the values of a mapping that has no other keys than `names`.

    Raises:
        agentkit.errors.TaskFileError: It is not a mapping, or has an unknown key.
    """
    if not isinstance(node.value, dict):
        raise source.error(node, f"{what} must be a mapping with the keys {', '.join(names)}, not {node.describe()}")
    for key, place in node.keys.items():
        if key not in names:
            raise source.error(place, f"unknown key {key!r} in {what}; {did_you_mean(key, names, 'keys')}")
    return node.value


def text(source: Source, node: Node, name: str, example: str) -> str:
    """Returns a text that is not blank.

    Raises:
        agentkit.errors.TaskFileError: It is something else.
    """
    if isinstance(node.value, str) and node.value.strip():
        return node.value
    found = "blank text" if isinstance(node.value, str) else node.describe()
    raise source.error(node, f"{name!r} must be text such as {example}, not {found}")


def read_texts(source: Source, node: Node | None, name: str, example: str) -> tuple[str, ...]:
    """Returns the texts of a list; one text alone may stand for a list of one."""
    if node is None:
        return ()
    items = [node] if isinstance(node.value, str) else node.value
    if not isinstance(items, list):
        raise source.error(node, f"{name!r} must be a list such as [{example}], not {node.describe()}")
    return tuple(text(source, item, f"{name}[{i}]", example) for i, item in enumerate(items))


def read_thinking(source: Source, node: Node | None) -> int | None:
    """Returns the thought budget in tokens: 0 for ``false``, ``None`` when the file does not say."""
    if node is None:
        return None
    if node.value is False:
        return 0
    if not isinstance(node.value, dict):
        raise source.error(node, f"'thinking' must be {{budget: 1024}} or false, not {node.describe()}")
    budget = mapping(source, node, "'thinking'", ("budget",)).get("budget")
    if budget is None:
        raise source.error(node, "'thinking' needs a budget in tokens; write {budget: 1024}, or false")
    return _count(source, budget, "thinking.budget", "tokens")


def read_limits(source: Source, node: Node | None) -> Limits:
    """Returns the limits; those that the file does not name keep their defaults."""
    if node is None:
        return Limits()
    units = {"calls": "tool calls", "tokens": "tokens", "turns": "model turns", "parallel": "calls at a time"}
    found = mapping(source, node, "'limits'", ("time", *units))
    values: dict[str, Any] = {
        name: duration(source, value, "limits.time")
        if name == "time"
        else _count(source, value, f"limits.{name}", units[name])
        for name, value in found.items()
    }
    return Limits(**values)


def read_schema(source: Source, node: Node) -> JsonObject:
    """Returns a JSON Schema, checked against the meta-schema."""
    import jsonschema_rs

    schema = node.plain()
    assert isinstance(schema, dict)
    try:
        jsonschema_rs.meta.validate(schema)
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
        place = node.find(tuple(getattr(error, "instance_path", ())))
        reason = getattr(error, "message", str(error))
        raise source.error(place, f"'output' is not a JSON Schema: {reason}; correct this keyword") from None
    return schema


def _count(source: Source, node: Node, name: str, unit: str) -> int:
    if isinstance(node.value, int) and not isinstance(node.value, bool) and 1 <= node.value < 10**12:
        return node.value
    raise source.error(node, f"{name!r} must be a whole number of {unit}, at least 1, not {node.describe()}")


def duration(source: Source, node: Node, name: str) -> float:
    """Returns a time in seconds.

    Raises:
        agentkit.errors.TaskFileError: It is something else, or not more than 0.
    """
    seconds: float | None = None
    if isinstance(node.value, int | float) and not isinstance(node.value, bool):
        seconds = float(node.value) if abs(node.value) < 10**12 else None
    elif isinstance(node.value, str) and (match := _DURATION.fullmatch(node.value)):
        seconds = float(match[1]) * _SECONDS[match[2]]
    if seconds is None or not 0 < seconds < 10**9:
        raise source.error(
            node, f"{name!r} must be a duration such as 120s, 2m or 500ms, more than 0, not {node.describe()}"
        )
    return seconds


def read_secrets(source: Source, node: Node | None) -> tuple[str, ...]:
    """Returns the names of environment variables, each of which is set."""
    names = read_texts(source, node, "secrets", "API_TOKEN")
    for i, name in enumerate(names):
        if name not in os.environ:
            place = _item(node, i)
            raise source.error(
                place, f"the environment variable {name!r} is not set; set it, or drop it from 'secrets'"
            )
    return names


def _item(node: Node | None, index: int) -> Node | None:
    """Returns an item of a list, or the text that stands for a list of one."""
    return node.value[index] if node is not None and isinstance(node.value, list) else node


def read_sandbox(source: Source, node: Node | None) -> SandboxMode:
    """Returns how tools are confined."""
    if node is None:
        return "auto"
    match node.value:
        case "auto" | "required" | "off" as mode:
            return mode
        case _:
            raise source.error(node, f"'sandbox' must be auto, required or off, not {node.describe()}")
