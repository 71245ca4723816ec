"""Closes the objects of a tool's parameters: a parameter that nobody declared is a mistake."""

from __future__ import annotations

from agentkit.messages import JsonObject
from agentkit.model_backend.constraint.keywords import is_object, subschemas

__all__ = ["close_objects"]

_OPENING = frozenset({"additionalProperties", "patternProperties", "unevaluatedProperties", "propertyNames"})
_IN_PLACE = frozenset({"allOf", "anyOf", "oneOf", "$ref", "if", "dependentSchemas", "dependencies"})


def close_objects(schema: JsonObject) -> None:
    """Sets ``additionalProperties: false``, in place, where it can't change what other keywords mean.

    An object is closed when it lists properties and says nothing about others. It stays open where another
    schema applies to the same value (`allOf`, a `$ref` or a union beside `properties`): closed, each of the two
    would refuse the other's properties.
    """
    if not _mentions(schema, "allOf"):
        _close(schema, alone=True)


def _close(node: object, *, alone: bool) -> None:
    if not is_object(node):
        return
    combined = bool(_IN_PLACE & node.keys())
    if alone and not combined and "properties" in node and not _OPENING & node.keys():
        node["additionalProperties"] = False
    pure_union = not {"properties", "required"} & node.keys()
    for path, inner in subschemas(node):
        in_place = path[0] in _IN_PLACE or path[0] in ("then", "else", "not")
        _close(inner, alone=(pure_union and alone and path[0] in ("anyOf", "oneOf")) if in_place else True)


def _mentions(node: object, keyword: str) -> bool:
    if not is_object(node):
        return False
    return keyword in node or any(_mentions(inner, keyword) for _, inner in subschemas(node))
