"""The JSON Schemas of a server's tools, made such that models and grammars here can use them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from agentkit.errors import SchemaError
from agentkit.messages import JsonObject, is_array, is_object
from agentkit.tools.json_schema import JsonSchema
from agentkit.tools.mcp.text import clean, hidden_characters
from agentkit.tools.schema import compact, map_subschemas, subschemas

__all__ = ["MAX_BYTES", "usable_schema"]

MAX_BYTES = 32 * 1024
"""Largest schema, as JSON: a model reads all of it before each call."""
_MAX_NODES = 2000
"""Most schemas in a schema, references followed: a few lines of them can stand for millions."""
_MAX_DESCRIPTION = 500
_TOLD_TO_NOBODY = ("title", "$comment", "examples")


def usable_schema(schema: JsonObject) -> tuple[JsonObject, list[str]]:
    """Returns a schema that accepts the same, with references only to ``$defs``, and notes for the user.

    Args:
        schema: As the server sent it.

    Raises:
        agentkit.errors.SchemaError: It is not valid, too large, refers to something outside, or hides something.
    """
    try:
        size = len(json.dumps(schema))
        if size > MAX_BYTES:
            raise SchemaError(f"is {size:,} bytes long; the most is {MAX_BYTES:,}")
        JsonSchema(schema)  # from here on it is known to be well-formed
        notes: list[str] = []
        plain = _cleaned(_with_definitions(schema), notes)
        if hiding := next(filter(hidden_characters, _texts(plain)), None):
            raise SchemaError(f"has hidden characters in {json.dumps(hiding[:80])}")
        _check_size(plain)
        return compact(plain), notes
    except RecursionError:
        raise SchemaError("is nested too deeply") from None


def _cleaned(node: Any, notes: list[str]) -> Any:
    """Returns a schema whose descriptions are cleaned."""
    if not is_object(node):
        return node
    told = {k: v for k, v in node.items() if k not in _TOLD_TO_NOBODY}
    if isinstance(description := told.get("description"), str):
        told["description"], said = clean(description, _MAX_DESCRIPTION)
        notes += [f"description of a parameter: {note}" for note in said]
    return map_subschemas(told, lambda sub: _cleaned(sub, notes))


def _texts(value: Any) -> Iterator[str]:
    """Yields every text in a JSON value, keys too."""
    if isinstance(value, str):
        yield value
    elif is_object(value):
        for key, part in value.items():
            yield key
            yield from _texts(part)
    elif is_array(value):
        for part in value:
            yield from _texts(part)


def _with_definitions(schema: JsonObject) -> JsonObject:
    """Returns a schema in which each reference leads to a name under ``$defs``.

    Older drafts write ``definitions``, and some generators refer to whatever place had the same type first.
    """
    defs: JsonObject = {}
    names: dict[str, str] = {}

    def visit(node: Any) -> Any:
        if not is_object(node):
            return node
        fields = {k: v for k, v in node.items() if k not in ("$defs", "definitions")}
        ref = fields.get("$ref")
        if isinstance(ref, str):
            fields = fields | {"$ref": f"#/$defs/{name_of(ref)}"}
        return map_subschemas(fields, visit)

    def name_of(ref: str) -> str:
        if ref not in names:
            last = re.sub(r"\W", "", ref.rpartition("/")[2])
            name = names[ref] = f"{last or 'root'}_{len(names)}"
            defs[name] = visit(_target(schema, ref))
        return names[ref]

    result: JsonObject = visit(schema)
    return result | ({"$defs": defs} if defs else {})


def _target(schema: JsonObject, ref: str) -> Any:
    node: Any = schema if ref == "#" or ref.startswith("#/") else None
    for part in ref.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        try:
            node = node[int(key)] if is_array(node) else node[key]
        except (LookupError, TypeError, ValueError):
            node = None
    if not is_object(node):
        raise SchemaError(f"refers to {ref[:80]!r}, and only places in itself, such as '#/$defs/Name', are followed")
    return node


def _check_size(schema: JsonObject) -> None:
    """Refuses a schema that becomes huge when its references are followed."""
    defs: JsonObject = schema.get("$defs", {})
    sizes: dict[str, int] = {}

    def size(node: Any) -> int:
        if not is_object(node):
            return 1
        total = 1 + sum(map(size, subschemas({k: v for k, v in node.items() if k != "$defs"})))
        ref = node.get("$ref")
        if isinstance(ref, str):
            name = ref.removeprefix("#/$defs/")
            if name not in sizes:
                sizes[name] = 1  # what leads back to itself is not followed again
                sizes[name] = size(defs[name])
            total += sizes[name]
        return total

    if (total := size(schema)) > _MAX_NODES:
        raise SchemaError(f"stands for {total:,} schemas when its references are followed; the most is {_MAX_NODES:,}")
