"""Numbers with exponents, in a bounded form.

llguidance writes a number that has bounds without an exponent. A model that wants 1e-12 would then be led to
1.0: a wrong value that nobody notices. So where the schema's bounds leave room for very small or very large numbers,
the number may also be written with an exponent, and the objects and arrays around it are written out as Lark.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from agentkit.messages import JsonObject
from agentkit.model_backend.constraint.compiling import json_rule
from agentkit.model_backend.constraint.keywords import ANNOTATIONS, is_array, is_object, subschemas
from agentkit.model_backend.constraint.narrowing import LONGEST_KEY
from agentkit.model_backend.constraint.numbers import LIMIT, SMALLEST_STEP, bounds, is_unbounded_number

__all__ = ["NUMBER", "expression", "number"]

_EXPONENT = "([0-9]{1,2}|[12][0-8][0-9])"
NUMBER = rf"/-?(0|[1-9][0-9]{{0,18}})(\.[0-9]{{1,20}})?([eE][+-]?{_EXPONENT})?/"
"""Any number: all that Python writes of a float but the very smallest and largest, and integers of 64 bits."""

_BELOW_ONE = r"[1-9](\.[0-9]{1,20})?[eE]-(0?[1-9]|[1-9][0-9]|[12][0-9]{2})"
_FROM_ONE = rf"[1-9](\.[0-9]{{1,20}})?[eE]\+?{_EXPONENT}"
_RANGE = {"type", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}

_OBJECT = {"type", "properties", "required", "additionalProperties"} | ANNOTATIONS
_MAP = {"type", "additionalProperties", "minProperties", "maxProperties"} | ANNOTATIONS
_ARRAY = {"type", "items", "minItems", "maxItems"} | ANNOTATIONS


def expression(schema: Any) -> str:
    """Returns the Lark expression for JSON that fits a schema, as `check_schema` left it."""
    if not is_object(schema) or not _has_number(schema) or _refers(schema):
        return _json(schema)
    return _value(schema)


def number(node: JsonObject) -> str:
    """Returns the Lark expression for a number, as `bound_number` left it; empty where JSON's own is as good."""
    kinds = node["type"] if is_array(node.get("type")) else [node.get("type")]
    if "number" not in kinds or node.keys() - _RANGE - ANNOTATIONS or node.get("multipleOf") != SMALLEST_STEP:
        return ""
    others = [_json({"type": kind}) for kind in kinds if kind not in ("number", "integer")]
    if is_unbounded_number(node):
        return f"({' | '.join([NUMBER, *others])})"
    low, high = bounds(node)
    forms = [
        _BELOW_ONE if low <= 0 and high >= 1 else "",
        f"-{_BELOW_ONE}" if low <= -1 and high >= 0 else "",
        _FROM_ONE if low < 1 and node.get("maximum") == LIMIT else "",
        f"-{_FROM_ONE}" if high > -1 and node.get("minimum") == -LIMIT else "",
    ]
    allowed = [f"/{form}/" for form in forms if form]
    plain = _json({**{key: node[key] for key in _RANGE & node.keys()}, "type": "number"})
    return f"({' | '.join([plain, *allowed, *others])})" if allowed else ""


def _value(node: Any) -> str:
    if not is_object(node) or not _has_number(node):
        return _json(node)
    if written := number(node):
        return written
    if node.get("type") == "object" and node.keys() <= _OBJECT and node.get("additionalProperties") is False:
        return _object(node)
    if node.get("type") == "object" and node.keys() <= _MAP and is_object(node.get("additionalProperties")):
        key = _json({"type": "string", "minLength": 1, "maxLength": LONGEST_KEY})
        pair = f'{key} ": " {_value(node["additionalProperties"])}'
        return _several("{", pair, "}", node.get("minProperties", 0), node.get("maxProperties"))
    if node.get("type") == "array" and node.keys() <= _ARRAY and is_object(node.get("items")):
        return _several("[", _value(node["items"]), "]", node.get("minItems", 0), node.get("maxItems"))
    if "anyOf" in node and node.keys() <= {"anyOf"} | ANNOTATIONS:
        return f"({' | '.join(map(_value, node['anyOf']))})"
    return _json(node)


def _object(node: JsonObject) -> str:
    """The properties in order; each that is not required may be missing, and commas stand only between two.

    A name and its colon are two lexemes, as in llguidance's own JSON. As one, it would be the longest match wherever
    another choice of a union has the same key, and that choice could not be written.
    """
    properties: JsonObject = node.get("properties", {})
    required = set(node.get("required", ()))
    if not required <= properties.keys():
        return _json(node)
    items = [f'{_quoted(json.dumps(name))} ": " {_value(inner)}' for name, inner in properties.items()]
    needed = [name in required for name in properties]
    if any(needed):
        first = needed.index(True)
        before = [f'({item} ", ")?' for item in items[:first]]
        return f'("{{" {" ".join(before)} {items[first]} {_rest(items, needed, first + 1)} "}}")'
    starts = [f"{item} {_rest(items, needed, i + 1)}" for i, item in enumerate(items)]
    return f'("{{" ({" | ".join(starts)})? "}}")'


def _rest(items: Sequence[str], needed: Sequence[bool], start: int) -> str:
    return " ".join(f'(", " {items[i]}){"" if needed[i] else "?"}' for i in range(start, len(items)))


def _several(begin: str, item: str, end: str, low: int, high: int | None) -> str:
    """Items between brackets, with commas."""
    if high == 0:
        return f'"{begin}{end}"'
    more = f'(", " {item}){{{max(low - 1, 0)},{"" if high is None else high - 1}}}'
    return f'("{begin}" {item} {more} "{end}")' if low else f'("{begin}" ({item} {more})? "{end}")'


def _has_number(node: Any) -> bool:
    return is_object(node) and (bool(number(node)) or any(_has_number(inner) for inner in _inner(node)))


def _refers(node: Any) -> bool:
    return is_object(node) and ("$ref" in node or any(_refers(inner) for inner in _inner(node)))


def _inner(node: JsonObject) -> Iterable[Any]:
    return (inner for _, inner in subschemas(node))


def _json(schema: Any) -> str:
    return json_rule(json.dumps(schema))


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
