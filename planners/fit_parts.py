"""Whether lists and objects fit a parameter: their sizes, and what is inside of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from agentkit.messages import JsonObject, is_object
from agentkit.planners.fit_rules import Degree, Outcome, clause, size_rules, worst
from agentkit.planners.schema_cases import Case

__all__ = ["Compare", "list_rules", "object_rules"]

Compare: TypeAlias = Callable[[Any, Any], Outcome]
"""Compares a part's schema in the result with its schema in the parameter."""


def list_rules(case: Case, parameter: JsonObject, compare: Compare) -> Outcome:
    """Compares lists: length, uniqueness, and the items by position."""
    most = _longest(case)
    sized = {**case, "maxItems": most} if most is not None else case
    few, many = "has fewer than {} item", "has more than {} item"
    return worst(
        (
            size_rules(sized, parameter, "Items", few, many),
            *_uniqueness(case, parameter, most),
            *_item_rules(case, parameter, most, compare),
        )
    )


def _longest(case: Case) -> int | None:
    """Returns the largest number of items; ``None`` when there is no limit."""
    limits: list[int] = [case["maxItems"]] if "maxItems" in case else []
    prefix: list[Any] = case.get("prefixItems", [])
    if False in prefix:
        limits.append(prefix.index(False))
    if case.get("items") is False:
        limits.append(len(prefix))
    return min(limits, default=None)


def _uniqueness(case: Case, parameter: JsonObject, most: int | None) -> Iterator[Outcome]:
    if not parameter.get("uniqueItems"):
        return
    if not case.get("uniqueItems") and (most is None or most > 1):
        yield clause(Degree.SOME, "may hold the same item twice")
    elif parameter.get("minItems", 0) > 1:
        # Items that differ as JSON can be one item of a set: 1 and true, "1.0" and "1" as decimals.
        yield clause(Degree.SOME, "may hold items that count as the same")


def _item_rules(case: Case, parameter: JsonObject, most: int | None, compare: Compare) -> Iterator[Outcome]:
    given: list[Any] = case.get("prefixItems", [])
    taken: list[Any] = parameter.get("prefixItems", [])
    positions = max(len(given), len(taken))
    least: int = case.get("minItems", 0)
    for i in range(positions + 1):
        if most is not None and i >= most:
            return
        have = given[i] if i < len(given) else case.get("items", True)
        want = taken[i] if i < len(taken) else parameter.get("items", True)
        rest = i == positions
        if want is False:
            yield size_rules({"minItems": least}, {"maxItems": i}, "Items", "", "has more than {} item")
            return
        found = compare(have, want).under("[]" if rest and not i else i)
        # Without the item, all is well.
        yield found if least > i else found.at_least(Degree.HARDLY if i == 0 else Degree.SOME)


def object_rules(case: Case, parameter: JsonObject, compare: Compare) -> Outcome:
    """Compares objects: the keys that are needed, the keys that are there, and how many."""
    return worst(
        (
            *_needed_keys(case, parameter),
            *_named_keys(case, parameter, compare),
            *_other_keys(case, parameter, compare),
            *_key_names(case, parameter, compare),
            size_rules(_counted(case), parameter, "Properties", "has fewer than {} key", "has more than {} key"),
        )
    )


def _needed_keys(case: Case, parameter: JsonObject) -> Iterator[Outcome]:
    named: JsonObject = case.get("properties", {})
    sure = set(case.get("required", ()))
    for key in parameter.get("required", ()):
        if key in sure:
            continue
        if named.get(key, False) is not False:
            yield clause(Degree.SOME, f"may be missing the key {key!r}")
            continue
        missing = f"has no key {key!r}"
        if key in named or (case.get("additionalProperties") is False and "patternProperties" not in case):
            yield clause(Degree.NONE, missing)
        elif named and "additionalProperties" not in case and "patternProperties" not in case:
            # Others are not forbidden; but who names keys and not this one can hardly mean it.
            yield clause(Degree.HARDLY, missing)
        else:
            yield clause(Degree.SOME, f"may be missing the key {key!r}")


def _named_keys(case: Case, parameter: JsonObject, compare: Compare) -> Iterator[Outcome]:
    """Yields an outcome for each key that the result's schema names."""
    sure = set(case.get("required", ()))
    needed = set(parameter.get("required", ()))
    named: JsonObject = case.get("properties", {})
    # A key can be required without being named.
    for key, have in {**dict.fromkeys(case.get("required", ()), _others(case)), **named}.items():
        if have is False:
            continue
        want = _wanted(parameter, key)
        if want is False:
            verb = "has" if key in sure else "may have"
            yield clause(Degree.NONE if key in sure else Degree.SOME, f"{verb} the key {key!r}, which is not taken")
            continue
        found = compare(have, want).under(key)
        yield found if key in sure or key in needed else found.at_least(Degree.SOME)


def _wanted(parameter: JsonObject, key: str) -> Any:
    """Returns what a parameter expects of a key, as far as it is not said by patterns."""
    if key in parameter.get("properties", {}):
        return parameter["properties"][key]
    if "patternProperties" in parameter:
        return True  # `_other_keys` says that it has patterns
    return parameter.get("additionalProperties", True)


def _others(case: Case) -> Any:
    """Returns the schema of the values of keys that a result's schema does not name; ``False`` for no such keys."""
    other = case.get("additionalProperties", True)
    patterns = list(case.get("patternProperties", {}).values())
    if not patterns:
        return other
    return {"anyOf": [other, *patterns]} if other is not False else {"anyOf": patterns}


def _other_keys(case: Case, parameter: JsonObject, compare: Compare) -> Iterator[Outcome]:
    """Yields outcomes for keys that the result's schema does not name."""
    if parameter.get("patternProperties"):
        yield clause(Degree.SOME, "may have keys that do not fit the expected pattern")
        return
    have = _others(case)
    if have is False:
        return
    named: JsonObject = case.get("properties", {})
    for key, want in parameter.get("properties", {}).items():
        if key not in named and key not in case.get("required", ()):
            found = compare(have, want).under(key)
            yield found if key in parameter.get("required", ()) else found.at_least(Degree.SOME)
    other = parameter.get("additionalProperties", True)
    if other is False:
        yield clause(Degree.SOME, "may have keys that are not taken")
    elif other is not True:
        empty = not named and not case.get("minProperties") and is_object(case.get("additionalProperties"))
        yield compare(have, other).under("*").at_least(Degree.HARDLY if empty else Degree.SOME)


def _key_names(case: Case, parameter: JsonObject, compare: Compare) -> Iterator[Outcome]:
    wanted = parameter.get("propertyNames", True)
    if wanted is True:
        return
    for key in {**dict.fromkeys(case.get("required", ())), **case.get("properties", {})}:
        found = compare({"const": key}, wanted)
        if found.degree is not Degree.ALL:
            yield clause(Degree.SOME, f"may have the key {key!r}, which is not taken")
    if _others(case) is not False:
        names: JsonObject = {"type": "string"}
        given = case.get("propertyNames")
        found = compare({"allOf": [names, given]} if is_object(given) else names, wanted)
        if found.degree is not Degree.ALL:
            yield clause(Degree.SOME, "may have keys that are not taken")


def _counted(case: Case) -> Case:
    """Returns the case with the bounds of its size that follow from its keys."""
    least = max(case.get("minProperties", 0), len(set(case.get("required", ()))))
    counted: Case = {**case, "minProperties": least}
    if _others(case) is False:
        most = sum(value is not False for value in case.get("properties", {}).values())
        counted["maxProperties"] = min(most, case.get("maxProperties", most))
    return counted
