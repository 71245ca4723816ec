"""The type check of a plan: does the result of one step fit the parameter of another?

- `Fit.YES`: every value that the result's schema allows is taken.
- `Fit.NO`: none is, or nothing but accidents: the empty list for a list of other things, a key that the result's
  schema does not name, text that happens to be a number.
- `Fit.UNKNOWN`: some may be taken; the tool's own check decides when the plan runs.

What counts as taken is strict for a ``YES`` (valid under the parameter's schema, and taken by the conversion of
`agentkit.tools.arguments`) and lenient for a ``NO``: a whole number for text is ``UNKNOWN``, because Python tools
convert it and others do not.

It judges by the schemas alone. What a schema does not say (validators in code, files that have to exist) shows when
the tool is called. Formats count as if they were always kept, and whole numbers as written without a fraction.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

from agentkit.messages import JsonObject, is_object
from agentkit.planners.fit_parts import list_rules, object_rules
from agentkit.planners.fit_rules import (
    FITS,
    Degree,
    Outcome,
    clause,
    has_type,
    mismatch,
    number_rules,
    text_rules,
    type_rule,
    types_of,
    value_rule,
    worst,
)
from agentkit.planners.schema_cases import ANYTHING, TYPES, Case, Schema, cases, checked, says_nothing, target
from agentkit.planners.schema_paths import doubt, item_schema, list_of, paths, schema_at

__all__ = ["Fit", "Verdict", "doubt", "fits", "item_schema", "list_of", "paths", "schema_at"]

_MOST_STEPS = 20_000
"""Comparisons of two schemas in one call: about 0.3 s."""
_MOST_DEPTH = 40
"""Schemas inside of schemas."""
_MOST_VALUES = 64
"""Fixed values that are looked at one by one."""
_TOO_LARGE = clause(Degree.SOME, "is too large to compare")
_NOTHING = Outcome(Degree.NONE, "is not taken at all")
_UNCHECKED = {
    "": ("if", "$dynamicRef", "$recursiveRef"),
    "object": ("dependentRequired", "dependentSchemas", "dependencies", "unevaluatedProperties"),
    "array": ("contains", "unevaluatedItems", "additionalItems"),
}
"""Keywords that are not looked into, by the type that they bind; of any type under ``""``."""


class Fit(Enum):
    """Whether a result fits a parameter."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


_FIT = {Degree.ALL: Fit.YES, Degree.SOME: Fit.UNKNOWN, Degree.HARDLY: Fit.NO, Degree.NONE: Fit.NO}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a result fits a parameter, and why not."""

    fit: Fit
    reason: str = ""
    """In words, with the place inside the value; empty for `Fit.YES`."""


def fits(result: Schema | None, parameter: Schema | None, *, root: JsonObject | None = None) -> Verdict:
    """Returns whether what has the schema `result` can be passed where `parameter` is expected.

    Args:
        result: JSON Schema of the result or a part of it (see `schema_at`); ``None`` when nothing is known.
        parameter: JSON Schema of the parameter; ``None`` when it takes anything.
        root: The schema that references in `parameter` point into, such as `Tool.parameters`; by default
            `parameter` itself.
    """
    if parameter is None or says_nothing(parameter):
        return Verdict(Fit.YES)
    if result is None:
        return Verdict(Fit.UNKNOWN, "nothing is known of the result")
    if checked(result) is None:
        return Verdict(Fit.UNKNOWN, "the result's type is not a valid JSON Schema (2020-12)")
    if checked(parameter) is None or (root is not None and checked(root) is None):
        return Verdict(Fit.UNKNOWN, "the parameter's type is not a valid JSON Schema (2020-12)")
    result_root = result if is_object(result) else {}
    parameter_root = root if root is not None else parameter if is_object(parameter) else {}
    if not cases(result, result_root):
        return Verdict(Fit.UNKNOWN, "no value is possible for the result")
    outcome = _Comparison(result_root, parameter_root).compare(result, parameter)
    return Verdict(_FIT[outcome.degree], "" if outcome.degree is Degree.ALL else outcome.reason(parameter_root))


class _Comparison:
    """One comparison, which goes down both schemas together.

    A pair of schemas that is met again inside of itself (both are recursive) is taken to fit: if it does not, the
    outer one says so.
    """

    def __init__(self, result_root: JsonObject, parameter_root: JsonObject) -> None:
        self._result_root = result_root
        self._parameter_root = parameter_root
        self._open: set[tuple[int, int]] = set()
        self._steps = 0

    def compare(self, result: Any, parameter: Any) -> Outcome:
        """Compares two schemas: all cases of the result against the parameter."""
        pair = (id(result), id(parameter))
        if says_nothing(parameter) or pair in self._open:
            return FITS
        if self._is_spent():
            return _TOO_LARGE
        if len(self._open) >= _MOST_DEPTH:
            return clause(Degree.SOME, "is nested too deeply to compare")
        self._open.add(pair)
        try:
            found = cases(result, self._result_root)
            if found == [ANYTHING]:
                return self._anything(parameter)
            return _of_cases([self._against(case, parameter) for case in found])
        finally:
            self._open.discard(pair)

    def _anything(self, parameter: Any) -> Outcome:
        outcomes = [self._against(case, parameter) for kind in TYPES for case in cases({"type": kind}, {})]
        degree = _of_cases(outcomes).degree
        return mismatch(degree, ANYTHING, parameter, possible=degree is Degree.SOME) if degree < Degree.ALL else FITS

    def _against(self, case: Case, parameter: Any, seen: frozenset[str] = frozenset()) -> Outcome:
        """Compares one case with all that a parameter asks for.

        Args:
            case: Of the result.
            parameter: A schema.
            seen: References that led here without going into the value.
        """
        if not is_object(parameter):
            return FITS if parameter else _NOTHING
        if self._is_spent():
            return _TOO_LARGE
        return worst(self._rules(case, parameter, seen))

    def _is_spent(self) -> bool:
        """Counts a step; returns whether it is one too many."""
        self._steps += 1
        return self._steps > _MOST_STEPS

    def _rules(self, case: Case, parameter: JsonObject, seen: frozenset[str]) -> Iterator[Outcome]:
        """Yields the outcome of each rule; lazily, because the first that is `Degree.NONE` decides."""
        yield type_rule(case, parameter)
        yield value_rule(case, parameter)
        kind = case["type"]
        if kind in ("integer", "number"):
            yield number_rules(case, parameter)
        elif kind == "string":
            yield text_rules(case, parameter)
        elif kind == "array":
            yield list_rules(case, parameter, self.compare)
        elif kind == "object":
            yield object_rules(case, parameter, self.compare)
        yield from self._combined(case, parameter, seen)
        yield from _unchecked(kind, parameter)

    def _combined(self, case: Case, parameter: JsonObject, seen: frozenset[str]) -> Iterator[Outcome]:
        ref = parameter.get("$ref")
        if ref is not None:
            known = None if ref in seen else target(ref, self._parameter_root)
            if known is None:
                yield clause(Degree.SOME, f"can't be compared: the reference {ref!r} leads nowhere")
            else:
                yield self._against(case, known, seen | {ref})
        for part in parameter.get("allOf", ()):
            yield self._against(case, part, seen)
        if "anyOf" in parameter:
            yield self._any_of(case, parameter["anyOf"], seen)
        if "oneOf" in parameter:
            yield self._one_of(case, parameter["oneOf"], seen)
        if "not" in parameter and not self._is_apart(case, parameter["not"], seen):
            yield clause(Degree.SOME, "may be what is expressly not taken")

    def _any_of(self, case: Case, branches: list[Any], seen: frozenset[str]) -> Outcome:
        best = _NOTHING
        for branch in branches:
            found = self._against(case, branch, seen)
            if found.degree is Degree.ALL and (tag := self._optional_tag(case, branch, branches)) is not None:
                found = clause(Degree.SOME, f"may be missing the key {tag!r}, which tells what it is")
            if found.degree is Degree.ALL and _is_decimal_text(branch) and _has_bounds(branches):
                found = clause(Degree.SOME, "may be out of the bounds that the number has to keep")
            if found.degree is Degree.ALL:
                return FITS
            if found.degree > best.degree or best is _NOTHING:
                best = found
        values: list[Any] = case.get("enum", [])
        if best.degree is Degree.SOME and 1 < len(values) <= _MOST_VALUES:
            singles: list[Case] = [{**case, "enum": [v]} for v in values]
            return _of_cases([self._any_of(single, branches, seen) for single in singles])
        return best._replace(wanted={"anyOf": branches}) if best.wrong and not best.place else best

    def _one_of(self, case: Case, branches: list[Any], seen: frozenset[str]) -> Outcome:
        best = self._any_of(case, branches, seen)
        if best.degree is not Degree.ALL:
            return best
        apart = sum(self._is_apart(case, branch, seen) for branch in branches)
        few = apart == len(branches) - 1
        return FITS if few else clause(Degree.SOME, "may fit several choices of which one is taken")

    def _is_apart(self, case: Case, schema: Any, seen: frozenset[str]) -> bool:
        """Returns whether surely no value of a case is valid under a schema; what tools convert does not count."""
        types = types_of(self._known(schema))
        if types and not has_type(case, types):
            return True
        return self._against(case, schema, seen).degree is Degree.NONE

    def _known(self, schema: Any) -> JsonObject:
        """Returns the schema that stands behind a plain reference."""
        found = target(schema["$ref"], self._parameter_root) if is_object(schema) and "$ref" in schema else schema
        return found if is_object(found) else {}

    def _optional_tag(self, case: Case, branch: Any, branches: list[Any]) -> str | None:
        """Returns a key that tells branches apart and may be missing; some tools ask for it though it has a default."""
        if case["type"] != "object":
            return None
        sure = {*case.get("required", ()), *self._known(branch).get("required", ())}
        others = [_constants(self._known(b)) for b in branches if b is not branch]
        tags = [key for key in _constants(self._known(branch)) if key not in sure and any(key in o for o in others)]
        return tags[0] if tags else None


def _of_cases(outcomes: list[Outcome]) -> Outcome:
    """Returns the outcome for a value that is one of several cases."""
    if not outcomes:
        return FITS
    low = min(outcomes, key=lambda o: o.degree)
    high = max(o.degree for o in outcomes)
    if len(outcomes) == 1 or high is Degree.ALL is low.degree:
        return low
    if high <= Degree.HARDLY:
        alike = all(o.wrong and not o.place for o in outcomes)
        return low._replace(degree=high, wrong=tuple(c for o in outcomes for c in o.wrong) if alike else low.wrong)
    return low.at_least(Degree.SOME)


def _unchecked(kind: str, parameter: JsonObject) -> Iterator[Outcome]:
    for key in (*_UNCHECKED[""], *_UNCHECKED.get(kind, ())):
        if key in parameter:
            yield clause(Degree.SOME, f"can't be compared: {key!r} is only checked when the tool is called")


def _constants(schema: JsonObject) -> list[str]:
    properties: JsonObject = schema.get("properties", {})
    return [key for key, value in properties.items() if is_object(value) and value.keys() & {"const", "enum"}]


def _is_decimal_text(branch: Any) -> bool:
    return is_object(branch) and branch.get("type") == "string" and "pattern" in branch


def _has_bounds(branches: list[Any]) -> bool:
    """Whether one of the branches is a number with bounds: so decimals are written, which keep them as text too."""
    return any(is_object(b) and b.get("type") in ("number", "integer") and len(b) > 1 for b in branches)
