"""Two JSON Schemas for one value, made into one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentkit.messages import JsonObject
from agentkit.model_backend.constraint.keywords import ANNOTATIONS, is_array, is_object

__all__ = ["merged", "resolve"]

_TIGHTER_IS_MORE = frozenset(["minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"])
_TIGHTER_IS_LESS = frozenset(["maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"])


def resolve(root: Mapping[str, Any], ref: str) -> JsonObject:
    """Returns what a reference within the schema stands for; the empty schema where it is no object."""
    found: Any = root
    for name in ref.removeprefix("#").split("/")[1:]:
        key = name.replace("~1", "/").replace("~0", "~")
        found = found[int(key)] if is_array(found) else found.get(key, {}) if is_object(found) else {}
    return dict(found) if is_object(found) else {}


def merged(root: JsonObject, one: JsonObject, other: JsonObject, relaxed: list[str]) -> JsonObject:
    """Returns a schema for what fits both.

    Args:
        root: Where references begin.
        one: A schema.
        other: A schema.
        relaxed: Receives what the result does not keep to.
    """
    if isinstance(ref := other.get("$ref"), str):
        rest = {k: v for k, v in other.items() if k != "$ref"}
        if not one.keys() - ANNOTATIONS and not rest.keys() - ANNOTATIONS:
            return other
        other = {**resolve(root, ref), **rest}
    result = dict(one)
    for key, value in other.items():
        result[key] = _both(root, key, result[key], value, relaxed) if key in result else value
    return result


def _both(root: JsonObject, key: str, a: Any, b: Any, relaxed: list[str]) -> Any:
    if a == b or key in ANNOTATIONS:
        return a
    if key in _TIGHTER_IS_MORE:
        return max(a, b)
    if key in _TIGHTER_IS_LESS:
        return min(a, b)
    if key == "required":
        return [*a, *(name for name in b if name not in a)]
    if key == "enum":
        return [value for value in a if value in b]
    if key == "allOf":
        return [*a, *b]
    if key == "type":
        return _common_types(a, b)
    if key in ("properties", "patternProperties"):
        shared: JsonObject = {name: {"allOf": [a[name], b[name]]} for name in a.keys() & b.keys()}
        return {**a, **b, **shared}
    if key in ("additionalProperties", "items") and is_object(a) and is_object(b):
        return {"allOf": [a, b]}
    if key in ("additionalProperties", "items") and False in (a, b):
        return False
    relaxed.append(f"{key} stands in two schemas for one value; one of them is not in the grammar")
    return a


def _common_types(a: Any, b: Any) -> Any:
    one, two = ([kind] if isinstance(kind, str) else list(kind) for kind in (a, b))
    common = [kind for kind in one if kind in two]
    if "integer" in (one + two) and "number" in (one + two) and "integer" not in common:
        common.append("integer")
    return common[0] if len(common) == 1 else common or a
