"""Which objects of a schema stand alone, and closing those: a parameter that nobody declared is a mistake."""

from __future__ import annotations

from collections.abc import Iterator

from agentkit.messages import JsonObject
from agentkit.model_backend.constraint.keywords import ANNOTATIONS, is_object, subschemas

__all__ = ["close_objects", "lone_nodes"]

_OPENING = frozenset({"additionalProperties", "patternProperties", "unevaluatedProperties", "propertyNames"})
_IN_PLACE = frozenset({"allOf", "anyOf", "oneOf", "$ref", "if", "dependentSchemas", "dependencies"})


def close_objects(schema: JsonObject) -> None:
    """Sets ``additionalProperties: false``, in place, where it can't change what other keywords mean.

    An object is closed when it lists properties, says nothing about others, and stands alone.
    """
    for node in list(lone_nodes(schema)):
        if "properties" in node and not _OPENING & node.keys():
            node["additionalProperties"] = False


def lone_nodes(schema: object) -> Iterator[JsonObject]:
    """Yields the schema and those in it where no other schema applies to the same value.

    Where one does (`allOf`, a `$ref` or a union beside `properties`), each would refuse the other's properties if
    it allowed no more than its own.
    """
    if not _combines(schema):
        yield from _lone(schema, alone=True)


def _lone(node: object, *, alone: bool) -> Iterator[JsonObject]:
    if not is_object(node):
        return
    if alone and not _IN_PLACE & node.keys():
        yield node
    pure_union = not {"properties", "required"} & node.keys()
    for path, inner in subschemas(node):
        in_place = path[0] in _IN_PLACE or path[0] in ("then", "else", "not")
        yield from _lone(inner, alone=(pure_union and alone and path[0] in ("anyOf", "oneOf")) if in_place else True)


def _combines(node: object) -> bool:
    """Whether schemas are put together in a way that reaches beyond the place where it is written."""
    if not is_object(node):
        return False
    beside = isinstance(node.get("$ref"), str) and node.keys() - ANNOTATIONS - {"$ref"}
    return "allOf" in node or bool(beside) or any(_combines(inner) for _, inner in subschemas(node))
