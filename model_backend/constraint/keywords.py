"""What the JSON Schema keywords are, as far as grammars are concerned."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeGuard
from urllib.parse import unquote

from agentkit.messages import JsonObject

__all__ = [
    "ANNOTATIONS",
    "CHECKED_FORMATS",
    "ENFORCED",
    "ENFORCED_FORMATS",
    "NOT_IN_GRAMMARS",
    "Path",
    "is_array",
    "is_object",
    "resolve",
    "subschemas",
]

Path = tuple[str | int, ...]
"""Where a value stands in a schema: keys and indexes from the root."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


ENFORCED = _words("""
    $ref type enum const allOf anyOf oneOf
    properties required additionalProperties patternProperties minProperties maxProperties
    items prefixItems additionalItems minItems maxItems
    minLength maxLength pattern format
    minimum maximum exclusiveMinimum exclusiveMaximum multipleOf
""")
"""Keywords that llguidance's JSON Schema compiler knows."""

NOT_IN_GRAMMARS = _words("""
    not if then else
    uniqueItems contains minContains maxContains unevaluatedItems
    propertyNames dependencies dependentRequired dependentSchemas unevaluatedProperties
    $dynamicRef $recursiveRef
""")
"""Keywords that restrict and that no grammar here expresses: left out of it and checked afterwards."""

ANNOTATIONS = _words("""
    $schema $id id $anchor $dynamicAnchor $recursiveAnchor $vocabulary $comment $defs definitions
    title description default examples example deprecated readOnly writeOnly
    contentMediaType contentEncoding contentSchema
""")
"""Keywords that restrict nothing by the specification."""

ENFORCED_FORMATS = _words("date-time time date duration email hostname ipv4 ipv6 uuid uri")
"""Formats that llguidance has a grammar for."""

CHECKED_FORMATS = ENFORCED_FORMATS | _words("""
    idn-email idn-hostname iri iri-reference uri-reference uri-template
    json-pointer relative-json-pointer regex
""")
"""Formats that jsonschema-rs checks."""

_BY_NAME = ("$defs", "definitions", "properties", "patternProperties", "dependentSchemas")
_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems", "items")
_SINGLE = ("items", "additionalItems", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames")


def is_object(node: object) -> TypeGuard[JsonObject]:
    """Returns whether a JSON value is an object."""
    return isinstance(node, dict)


def is_array(node: object) -> TypeGuard[list[Any]]:
    """Returns whether a JSON value is an array."""
    return isinstance(node, list)


def subschemas(node: JsonObject) -> Iterator[tuple[Path, Any]]:
    """Yields the schemas directly inside a schema, definitions first, with their path from it."""
    for key in _BY_NAME:
        if is_object(by_name := node.get(key)):
            for name, schema in by_name.items():
                yield (key, name), schema
    for key in _LISTS:
        if is_array(listed := node.get(key)):
            for i, schema in enumerate(listed):
                yield (key, i), schema
    for key in _SINGLE:
        single = node.get(key)
        if is_object(single) or isinstance(single, bool):
            yield (key,), single


def resolve(schema: JsonObject, ref: str) -> tuple[Path, Any] | None:
    """Returns the path and the node that a reference by JSON pointer stands for; None when it leads nowhere."""
    path: Path = ()
    node: Any = schema
    for part in unquote(ref).removeprefix("#").split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if is_object(node) and name in node:
            node, path = node[name], (*path, name)
        elif is_array(node) and name.isdecimal() and int(name) < len(node):
            node, path = node[int(name)], (*path, int(name))
        else:
            return None
    return path, node
