"""Tells a model of tools in few tokens: signatures as in TypeScript, with results, as a plan has to know them.

The declarations of a chat format are JSON Schemas, three to five times as long, and leave out what a tool returns.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from agentkit.messages import JsonObject, is_object
from agentkit.model_backend.base import ToolSpec

__all__ = ["listed", "listing", "type_text"]

_NAMES = {"integer": "integer", "number": "number", "boolean": "boolean", "string": "string", "null": "null"}
_OTHERS = "\nOther tools, only for what those above can't do:\n"
_DEPTH = 3
"""Levels of objects and lists that are spelled out."""
_DOC = 160
"""Characters of a parameter's description."""


def listing(tool: ToolSpec, given_by: Mapping[str, Sequence[str]] = {}, *, is_brief: bool = False) -> str:
    """Returns a tool as a signature, its description, and a line for each parameter of which more is said.

    Args:
        tool: The tool.
        given_by: For some parameters, the tools whose results hold what is wanted.
        is_brief: Leaves out the lines for parameters.

    Example::

        search(query: string, limit?: integer) -> {title: string, url: string}[]
            Search the web.
            query: words to look for
    """
    required = tool.parameters.get("required", [])
    parameters: Mapping[str, Any] = tool.parameters.get("properties", {})
    inside = ", ".join(
        f"{name}{'' if name in required else '?'}: {type_text(schema)}" for name, schema in parameters.items()
    )
    result = "" if tool.returns is None else f" -> {type_text(tool.returns)}"
    lines = [
        f"{tool.name}({inside}){result}",
        *(f"    {line}" for line in tool.description.splitlines() if line.strip()),
    ]
    for name, schema in () if is_brief else parameters.items():
        givers = f"given by {', '.join(given_by[name])}" if name in given_by else ""
        if said := "; ".join(filter(None, (_doc(schema), givers))):
            lines.append(f"    {name}: {said}")
    return "\n".join(lines)


def listed(
    tools: Sequence[ToolSpec], likely: Collection[str], given_by: Mapping[str, Mapping[str, Sequence[str]]]
) -> str:
    """Returns what is told of tools: first those that are likely needed, and of the others only the signatures.

    A tool that gives what a likely one wants is likely, too.

    Args:
        tools: The tools.
        likely: The names of those that a task most likely needs.
        given_by: For each tool what `listing` takes.
    """
    near = {*likely, *(giver for name in likely for by in given_by.get(name, {}).values() for giver in by)}
    first = [listing(tool, given_by.get(tool.name, {})) for tool in tools if tool.name in near]
    others = [listing(tool, is_brief=True) for tool in tools if tool.name not in near]
    return "\n".join([*first, *([_OTHERS] if first and others else []), *others])


def type_text(schema: JsonObject | bool, depth: int = _DEPTH) -> str:
    """Returns a JSON Schema in the notation of TypeScript's types, as far as that says it."""
    if not is_object(schema) or not schema:
        return "any"
    if "const" in schema:
        return json.dumps(schema["const"], ensure_ascii=False)
    if "enum" in schema:
        return " | ".join(json.dumps(value, ensure_ascii=False) for value in schema["enum"])
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return " | ".join(dict.fromkeys(type_text(option, depth) for option in schema[key]))
    kind = schema.get("type")
    if isinstance(kind, list):
        return " | ".join(type_text({**schema, "type": one}, depth) for one in kind)  # pyright: ignore[reportUnknownVariableType]
    if kind == "array":
        items = type_text(schema.get("items", True), depth - 1) if depth else "any"
        return f"({items})[]" if " | " in items else f"{items}[]"
    if kind == "object" or "properties" in schema:
        return _object_text(schema, depth)
    return _NAMES.get(str(kind), "any")


def _object_text(schema: JsonObject, depth: int) -> str:
    properties: Mapping[str, Any] = schema.get("properties", {})
    if not properties and is_object(schema.get("additionalProperties")):
        return f"{{[key]: {type_text(schema['additionalProperties'], depth - 1) if depth else 'any'}}}"
    if not properties or not depth:
        return "object"
    required = schema.get("required", list(properties))
    fields = (f"{n}{'' if n in required else '?'}: {type_text(s, depth - 1)}" for n, s in properties.items())
    return f"{{{', '.join(fields)}}}"


def _doc(schema: Any) -> str:
    doc = " ".join(str(schema.get("description", "")).split()) if is_object(schema) else ""
    return doc if len(doc) <= _DOC else doc[: _DOC - 3] + "..."
