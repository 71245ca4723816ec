"""Keeps numbers finite: without bounds a model may write digits until its budget is gone."""

from __future__ import annotations

from typing import Any

from agentkit.messages import JsonObject
from agentkit.model_backend.constraint.keywords import ANNOTATIONS, is_array

__all__ = ["INTEGER_LIMIT", "NUMBER_LIMIT", "SMALLEST_STEP", "bound_number", "is_unbounded_number"]

INTEGER_LIMIT = 10**18 - 1
"""18 digits: every id that fits 64 bits, but the largest."""
NUMBER_LIMIT = 10**15
_ONLY_BOUNDS = {"type", "minimum", "maximum", "multipleOf"} | ANNOTATIONS
SMALLEST_STEP = 1e-9
"""Nine places after the point; llguidance refuses a `multipleOf` of many more."""


def bound_number(node: JsonObject) -> list[tuple[str, str]]:
    """Bounds the numbers that a schema node allows, in place.

    Bounds that the schema has are kept where the grammar can count that far.

    Returns:
        The keywords that had to be left out, each with the reason.
    """
    kinds = _kinds(node)
    if not kinds & {"integer", "number"} or "enum" in node or "const" in node:
        return []
    _boolean_exclusives(node)
    limit = NUMBER_LIMIT if "number" in kinds else INTEGER_LIMIT
    for keyword in ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"):
        sign = -1 if keyword.lower().endswith("minimum") else 1
        bound = sign * node.get(keyword, 0)
        if bound > limit:
            del node[keyword]  # the limit below is tighter
        elif bound < -limit:
            return [(keyword, f"{keyword} {node.pop(keyword)!r} is too large for a grammar")]
    if not {"minimum", "exclusiveMinimum"} & node.keys():
        node["minimum"] = -limit
    if not {"maximum", "exclusiveMaximum"} & node.keys():
        node["maximum"] = limit
    return _bound_fraction(node) if "number" in kinds else []


def is_unbounded_number(node: JsonObject) -> bool:
    """Returns whether a node is a number that has only the bounds that `bound_number` gave it."""
    bounds = (node.get("minimum"), node.get("maximum"), node.get("multipleOf"))
    return bounds == (-NUMBER_LIMIT, NUMBER_LIMIT, SMALLEST_STEP) and node.keys() <= _ONLY_BOUNDS


def _bound_fraction(node: JsonObject) -> list[tuple[str, str]]:
    step = node.get("multipleOf", SMALLEST_STEP)
    node["multipleOf"] = max(step, SMALLEST_STEP)
    if step < SMALLEST_STEP:
        return [("multipleOf", f"multipleOf {step!r} is too small for a grammar")]
    return []


def _kinds(node: JsonObject) -> set[Any]:
    kind = node.get("type")
    return set(kind) if is_array(kind) else {kind}


def _boolean_exclusives(node: JsonObject) -> None:
    """Draft 4 wrote `exclusiveMinimum: true` beside `minimum`."""
    for key in ("Minimum", "Maximum"):
        exclusive = node.get("exclusive" + key)
        if isinstance(exclusive, bool):
            del node["exclusive" + key]
            if exclusive and key.lower() in node:
                node["exclusive" + key] = node.pop(key.lower())
