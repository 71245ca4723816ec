r"""Tools to declarations: ``declaration:NAME{description:<|"|>...<|"|>,parameters:{...}}``.

Gemma's declarations know descriptions, string enums, items, nullable, properties, required and one type. The chat
template drops the rest of a JSON Schema without a word, and with it what the model has to keep to. Here references
are inlined, "X or null" becomes ``nullable``, and all other keywords are said in the description.

Keys stand in the order of the template, which is that of the alphabet.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from agentkit.model_backend.base import ToolSpec
from agentkit.model_backend.formats.gemma4_schema import Flat, flatten
from agentkit.model_backend.formats.gemma4_tokens import Mark, Part
from agentkit.model_backend.formats.gemma4_values import by_key, key_parts, quoted

__all__ = ["declaration_parts"]


def declaration_parts(tool: ToolSpec) -> list[Part]:
    """Returns the parts of a tool's declaration."""
    root = flatten(tool.parameters)
    description = " ".join(filter(None, [tool.description, _sentence(root, with_own=False)]))
    fields: list[tuple[str, list[Part]]] = [("description", quoted(description))]
    parameters: list[tuple[str, list[Part]]] = []
    if root.properties:
        parameters.append(("properties", _properties(root)))
    if root.required:
        parameters.append(("required", _strings(root.required)))
    parameters.append(("type", quoted("OBJECT")))
    fields.append(("parameters", _braced(parameters)))
    if tool.returns and (said := _said_of_result(tool.returns)):
        fields.append(("response", _braced([("description", quoted(said)), ("type", quoted("OBJECT"))])))
    return [Mark.TOOL, f"declaration:{tool.name}", *_braced(fields), Mark.TOOL_END]


def _properties(node: Flat) -> list[Part]:
    # A loop of its own: a parameter's key may need quotes, a keyword's never does.
    parts: list[Part] = ["{"]
    for i, (name, schema) in enumerate(by_key(node.properties)):
        parts += [*([","] if i else []), *key_parts(name), *_braced(_fields(schema))]
    return [*parts, "}"]


def _fields(node: Flat) -> list[tuple[str, list[Part]]]:
    fields: list[tuple[str, list[Part]]] = []
    if description := _sentence(node):
        fields.append(("description", quoted(description)))
    if node.type == "string" and node.enum:
        fields.append(("enum", _strings(node.enum)))
    if node.type == "array" and node.items:
        fields.append(("items", _braced(_fields(node.items))))
    if node.nullable:
        fields.append(("nullable", ["true"]))
    if node.type == "object":
        fields.append(("properties", _properties(node)))
        if node.required:
            fields.append(("required", _strings(node.required)))
    fields.append(("type", quoted(node.type.upper())))
    return fields


def _sentence(node: Flat, *, with_own: bool = True) -> str:
    """The description, and after it what the declaration has no place for."""
    own = node.description.strip() if with_own else ""
    extra = "; ".join(node.extras)
    if not extra:
        return own
    said = extra[0].upper() + extra[1:] + "."
    return f"{own.rstrip('.')}. {said}" if own else said


def _said_of_result(schema: Mapping[str, Any]) -> str:
    """A result in words. What is no object comes back under ``value``."""
    node = flatten(schema)
    if node.type == "object" and node.properties:
        fields = ", ".join(f"{name} ({_short(field)})" for name, field in by_key(node.properties))
        return f"{node.description.strip()} {fields}".strip()
    said = node.description.strip() or (node.type if node.type != "object" else "")
    return f"value: {said}" if said and node.type != "object" else said


def _short(node: Flat) -> str:
    kind = f"array of {_short(node.items)}" if node.items else node.type
    return f"{kind}: {node.description.strip()}" if node.description.strip() else kind


def _braced(fields: Iterable[tuple[str, list[Part]]]) -> list[Part]:
    parts: list[Part] = ["{"]
    for i, (key, value) in enumerate(fields):
        parts += ["," if i else "", f"{key}:", *value]
    return [*parts, "}"]


def _strings(values: Iterable[Any]) -> list[Part]:
    parts: list[Part] = ["["]
    for i, value in enumerate(values):
        parts += ["," if i else "", *quoted(value if isinstance(value, str) else json.dumps(value))]
    return [*parts, "]"]
