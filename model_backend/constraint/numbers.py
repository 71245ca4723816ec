"""Keeps numbers finite: without bounds a model may write digits until its budget is gone."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from agentkit.messages import JsonObject
from agentkit.model_backend.constraint.keywords import is_array

__all__ = ["LIMIT", "SMALLEST_STEP", "bound_number", "bounds", "is_unbounded_number"]

LIMIT = 9 * 10**18
"""19 digits: nearly all that fits 64 bits. llguidance can't count further."""
LONGEST_STEP = 5000
"""A step without its point."""
SMALLEST_STEP = 1e-9
"""Nine places after the point; llguidance refuses a `multipleOf` of many more."""


def bound_number(node: JsonObject) -> list[tuple[str, str]]:
    """Bounds the numbers that a schema node allows, in place.

    Bounds that the schema has are kept where the grammar can count that far. A schema's own bound beyond the limit
    becomes an exclusive one: so a bound that equals `LIMIT` was put there where the schema has none.

    Returns:
        The keywords that had to be left out, each with the reason.
    """
    kinds = _kinds(node)
    if "enum" in node or "const" in node:
        return []
    relaxed = _drop_long_step(node)
    if not kinds & {"integer", "number"}:
        return relaxed
    _boolean_exclusives(node)
    limit = _limit(node, kinds)
    for keyword in ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"):
        sign = -1 if keyword.lower().endswith("minimum") else 1
        bound = sign * node.get(keyword, 0)
        if bound >= limit:
            del node[keyword]
            node.setdefault("exclusiveMinimum" if sign < 0 else "exclusiveMaximum", sign * limit)
        elif bound < -LIMIT:
            return [*relaxed, (keyword, f"{keyword} {node.pop(keyword)!r} is too large for a grammar")]
    if not {"minimum", "exclusiveMinimum"} & node.keys():
        node["minimum"] = -limit
    if not {"maximum", "exclusiveMaximum"} & node.keys():
        node["maximum"] = limit
    if "number" in kinds:
        node.setdefault("multipleOf", SMALLEST_STEP)
    return relaxed


def bounds(node: JsonObject) -> tuple[float, float]:
    """Returns the least and the greatest value that a bounded node allows, or the next ones where it excludes them."""
    low = max(node.get("minimum", -LIMIT), node.get("exclusiveMinimum", -LIMIT))
    return low, min(node.get("maximum", LIMIT), node.get("exclusiveMaximum", LIMIT))


def is_unbounded_number(node: JsonObject) -> bool:
    """Returns whether a node is a number that has only the bounds that `bound_number` gave it."""
    given = (node.get("minimum"), node.get("maximum"), node.get("multipleOf"))
    return given == (-LIMIT, LIMIT, SMALLEST_STEP) and not {"exclusiveMinimum", "exclusiveMaximum"} & node.keys()


def _limit(node: JsonObject, kinds: set[Any]) -> int:
    """Multiples of a step are checked as floats, which hold them exactly only so far."""
    step = node.get("multipleOf", 0)
    return int(min(LIMIT, 2**53, step * 1e14)) if "number" in kinds and step > SMALLEST_STEP else LIMIT


def _drop_long_step(node: JsonObject) -> list[tuple[str, str]]:
    """A grammar of multiples counts in states: a step of many digits makes it fail while it decodes."""
    step = node.get("multipleOf", 1)
    _, digits, exponent = Decimal(str(step)).normalize().as_tuple()
    size = int("".join(map(str, digits))) * 10 ** max(int(exponent), 0)
    # As small a step as the smallest would stand for none: see `scientific`.
    if step > SMALLEST_STEP and size <= LONGEST_STEP:
        return []
    del node["multipleOf"]
    return [("multipleOf", f"multipleOf {step!r} is too small or has too many digits for a grammar")]


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
