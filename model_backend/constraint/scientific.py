"""Numbers with exponents, in a bounded form.

llguidance writes a number that has bounds without an exponent. A model that wants 1e-9 would then be led to
1.0: a wrong value that nobody notices. So where a schema has a number without bounds of its own, the objects
and arrays around it are written out as Lark, with a number that may have an exponent and can't grow without end.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from agentkit.messages import JsonObject
from agentkit.model_backend.constraint.compiling import json_rule
from agentkit.model_backend.constraint.keywords import ANNOTATIONS, is_array, is_object, subschemas
from agentkit.model_backend.constraint.numbers import is_unbounded_number

__all__ = ["NUMBER", "expression"]

NUMBER = r"/-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,15})?([eE][+-]?[0-9]{1,2})?/"

_OBJECT = {"type", "properties", "required", "additionalProperties"} | ANNOTATIONS
_ARRAY = {"type", "items", "minItems", "maxItems"} | ANNOTATIONS


def expression(schema: Any) -> str:
    """Returns the Lark expression for JSON that fits a schema, as `check_schema` left it."""
    if not is_object(schema) or not _has_number(schema) or _refers(schema):
        return _json(schema)
    return _value(schema)


def _value(node: Any) -> str:
    if not is_object(node) or not _has_number(node):
        return _json(node)
    if is_unbounded_number(node):
        kinds = node["type"] if is_array(node["type"]) else [node["type"]]
        others = [_json({"type": kind}) for kind in kinds if kind not in ("number", "integer")]
        return f"({' | '.join([NUMBER, *others])})"
    if node.get("type") == "object" and node.keys() <= _OBJECT and node.get("additionalProperties") is False:
        return _object(node)
    if node.get("type") == "array" and node.keys() <= _ARRAY and is_object(node.get("items")):
        return _array(node)
    if "anyOf" in node and node.keys() <= {"anyOf"} | ANNOTATIONS:
        return f"({' | '.join(map(_value, node['anyOf']))})"
    return _json(node)


def _object(node: JsonObject) -> str:
    """The properties in order; each that is not required may be missing, and commas stand only between two."""
    properties: JsonObject = node.get("properties", {})
    required = set(node.get("required", ()))
    if not required <= properties.keys():
        return _json(node)
    items = [f"{_quoted(json.dumps(name) + ': ')} {_value(inner)}" for name, inner in properties.items()]
    needed = [name in required for name in properties]
    if any(needed):
        first = needed.index(True)
        before = [f'({item} ", ")?' for item in items[:first]]
        return f'("{{" {" ".join(before)} {items[first]} {_rest(items, needed, first + 1)} "}}")'
    starts = [f"{item} {_rest(items, needed, i + 1)}" for i, item in enumerate(items)]
    return f'("{{" ({" | ".join(starts)})? "}}")'


def _rest(items: Sequence[str], needed: Sequence[bool], start: int) -> str:
    return " ".join(f'(", " {items[i]}){"" if needed[i] else "?"}' for i in range(start, len(items)))


def _array(node: JsonObject) -> str:
    item = _value(node["items"])
    low, high = node.get("minItems", 0), node.get("maxItems")
    if high == 0:
        return '"[]"'
    more = f'(", " {item}){{{max(low - 1, 0)},{"" if high is None else high - 1}}}'
    return f'("[" {item} {more} "]")' if low else f'("[" ({item} {more})? "]")'


def _has_number(node: Any) -> bool:
    return is_object(node) and (is_unbounded_number(node) or any(_has_number(inner) for inner in _inner(node)))


def _refers(node: Any) -> bool:
    return is_object(node) and ("$ref" in node or any(_refers(inner) for inner in _inner(node)))


def _inner(node: JsonObject) -> Iterable[Any]:
    return (inner for _, inner in subschemas(node))


def _json(schema: Any) -> str:
    return json_rule(json.dumps(schema))


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
