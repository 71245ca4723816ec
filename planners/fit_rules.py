"""Whether values of one JSON type fit a parameter: types, fixed values, numbers and text."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

from agentkit.messages import JsonObject
from agentkit.planners.schema_cases import Case, json_type, same
from agentkit.planners.schema_words import expected, noun, shown

__all__ = [
    "FITS",
    "Degree",
    "Outcome",
    "clause",
    "has_type",
    "mismatch",
    "number_rules",
    "size_rules",
    "text_rules",
    "type_rule",
    "types_of",
    "value_rule",
    "worst",
]


class Degree(IntEnum):
    """How many of a result's values fit a parameter."""

    NONE = 0
    HARDLY = 1
    """Only accidents: the empty list, a key that the result's schema does not name, text that is a number."""
    SOME = 2
    ALL = 3


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a comparison gave: a degree, and why it is not `Degree.ALL`."""

    degree: Degree
    text: str = ""
    """A clause about the value: "may be null, where text is expected"."""
    noun: str = ""
    """For a wrong type, instead of the clause: what the value is."""
    expected: str = ""
    """With `noun`: what it should be."""
    place: tuple[str | int, ...] = ()

    def under(self, part: str | int) -> Outcome:
        """Returns the outcome for a value that has this one's value inside, at `part`."""
        return self if self.degree is Degree.ALL else replace(self, place=(part, *self.place))

    def at_least(self, degree: Degree) -> Outcome:
        """Returns the outcome with a better degree, if `degree` is one."""
        if self.degree >= degree:
            return self
        return replace(self.as_possible(), degree=degree)

    def as_possible(self) -> Outcome:
        """Returns the outcome as one of several possible: "text, where ..." becomes "may be text, where ..."."""
        if not self.noun:
            return self
        return replace(self, text=f"may be {self.noun}, where {self.expected} is expected", noun="")


FITS = Outcome(Degree.ALL)

_DIGITS = ("0", "7", "42", "2026", "1.5", "-1")
_BOOLEAN_WORDS = {"true", "false", "yes", "no", "on", "off", "t", "f", "y", "n", "1", "0"}
_APART = {"date", "date-time", "time", "uuid", "email", "ipv4", "ipv6", "uri"}
"""Formats of which no text has two, but for dates."""
_TEXT_KEYWORDS = ("minLength", "maxLength", "pattern")
_ENCODINGS = ("contentEncoding", "contentMediaType", "contentSchema")


def clause(degree: Degree, text: str) -> Outcome:
    """Returns an outcome with a clause as its reason."""
    return Outcome(degree, text)


def mismatch(degree: Degree, case: Case, parameter: Any, root: JsonObject) -> Outcome:
    """Returns the outcome for a value of a wrong type."""
    return Outcome(degree, noun=noun(case), expected=expected(parameter, root))


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """Returns the outcome of rules that must all hold: the first of the lowest degree."""
    found = FITS
    for outcome in outcomes:
        if outcome.degree < found.degree:
            found = outcome
        if found.degree is Degree.NONE:
            break
    return found


def types_of(schema: JsonObject) -> set[str]:
    """Returns the types that a schema names itself; none when it leaves the type open."""
    types: str | list[str] = schema.get("type", [])
    return {types} if isinstance(types, str) else set(types)


def has_type(case: Case, types: set[str]) -> bool:
    """Returns whether the values of a case have one of some types."""
    kind = case["type"]
    return kind in types or (kind == "integer" and "number" in types) or (kind == "number" and "integer" in types)


def type_rule(case: Case, parameter: JsonObject, root: JsonObject) -> Outcome:
    """Compares types, and knows what `agentkit.tools.arguments` converts: never more than `Degree.SOME`."""
    types = types_of(parameter)
    kind = case["type"]
    if not types or kind in types or (kind == "integer" and "number" in types):
        return FITS
    if kind == "number" and "integer" in types:
        if _is_whole(case.get("multipleOf")):
            return FITS
        if "enum" in case:
            return mismatch(Degree.NONE, case, parameter, root)
        return clause(Degree.SOME, f"may have a fraction, where {expected(parameter, root)} is expected")
    degree = _converted(case, parameter, types)
    if degree is Degree.SOME:
        what, wanted = noun(case), expected(parameter, root)
        return clause(degree, f"is {what}, where {wanted} is expected; the tool may convert it")
    return mismatch(degree, case, parameter, root)


def _converted(case: Case, parameter: JsonObject, types: set[str]) -> Degree:
    """Returns how many values of another type a Python tool would convert."""
    kind = case["type"]
    values: list[Any] | None = case.get("enum")
    best = Degree.NONE
    if kind in ("integer", "number"):
        if "string" in types:
            best = Degree.HARDLY if parameter.keys() & {"format", *_ENCODINGS} else Degree.SOME
        if "boolean" in types:
            best = max(best, Degree.SOME if values and any(v in (0, 1) for v in values) else Degree.HARDLY)
    elif kind == "string":
        if types & {"integer", "number"}:
            best = Degree.SOME if _may_be_digits(case) else Degree.HARDLY
        if "boolean" in types:
            words = any(str(v).lower() in _BOOLEAN_WORDS for v in values or ())
            best = max(best, Degree.SOME if words else Degree.HARDLY)
    return best


def _may_be_digits(case: Case) -> bool:
    """Whether text is said to be such as numbers are; of just any text that is not expected."""
    if "enum" in case:
        return any(_is_number(v) for v in case["enum"])
    if "pattern" not in case or "format" in case:
        return False
    rules = {k: case[k] for k in _TEXT_KEYWORDS if k in case}
    return any(_valid(rules, text) for text in _DIGITS)


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _is_whole(value: Any) -> bool:
    return value is not None and json_type(value) == "integer"


def value_rule(case: Case, parameter: JsonObject, root: JsonObject) -> Outcome:
    """Compares with the fixed values that a parameter takes (``enum``, ``const``)."""
    for key in ("const", "enum"):
        if key not in parameter:
            continue
        taken: list[Any] = [parameter["const"]] if key == "const" else parameter["enum"]
        outcome = _among(case, taken, parameter, root)
        if outcome.degree is not Degree.ALL:
            return outcome
    return FITS


def _among(case: Case, taken: Sequence[Any], parameter: JsonObject, root: JsonObject) -> Outcome:
    if "enum" in case:
        keys = {same(v) for v in taken}
        wrong = [v for v in case["enum"] if same(v) not in keys]
        if not wrong:
            return FITS
        if len(wrong) == len(case["enum"]):
            what = shown(wrong[0]) + (f" and {len(wrong) - 1} others" if len(wrong) > 1 else "")
            return Outcome(Degree.NONE, noun=what, expected=expected(parameter, root))
        return clause(Degree.SOME, f"may be {shown(wrong[0])}, where {expected(parameter, root)} is expected")
    if not any(has_type(case, {json_type(v)}) for v in taken):
        return mismatch(Degree.NONE, case, parameter, root)
    return clause(Degree.SOME, f"may be other than {expected(parameter, root)}")


def number_rules(case: Case, parameter: JsonObject) -> Outcome:
    """Compares bounds and multiples."""
    if "enum" in case:
        keywords = ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum", "multipleOf")
        return _checked(case["enum"], {k: parameter[k] for k in keywords if k in parameter})
    low, low_open = _low(case)
    high, high_open = _high(case)
    if case["type"] == "integer":
        low, low_open = (math.floor(low) + 1 if low_open else math.ceil(low), False) if low > -math.inf else (low, True)
        high, high_open = (
            (math.ceil(high) - 1 if high_open else math.floor(high), False) if high < math.inf else (high, True)
        )
    least, least_open = _low(parameter)
    most, most_open = _high(parameter)
    found = FITS
    if high < least or (high == least and (high_open or least_open) and least > -math.inf):
        found = clause(Degree.NONE, f"is never {'above' if least_open else 'as high as'} {least}")
    elif low > most or (low == most and (low_open or most_open) and most < math.inf):
        found = clause(Degree.NONE, f"is never {'below' if most_open else 'as low as'} {most}")
    elif low < least or (low == least and least_open and not low_open):
        found = clause(Degree.SOME, f"may be {least} or less" if least_open else f"may be less than {least}")
    elif high > most or (high == most and most_open and not high_open):
        found = clause(Degree.SOME, f"may be {most} or more" if most_open else f"may be more than {most}")
    return worst((found, _multiple_rule(case, parameter)))


def _low(schema: JsonObject) -> tuple[float, bool]:
    """Returns the lower bound, and whether it is left out."""
    bounds = [(schema[k], k.startswith("ex")) for k in ("minimum", "exclusiveMinimum") if k in schema]
    return max(bounds, default=(-math.inf, True))


def _high(schema: JsonObject) -> tuple[float, bool]:
    bounds = [(schema[k], k.startswith("ex")) for k in ("maximum", "exclusiveMaximum") if k in schema]
    return min(bounds, key=lambda b: (b[0], not b[1]), default=(math.inf, True))


def _multiple_rule(case: Case, parameter: JsonObject) -> Outcome:
    wanted = parameter.get("multipleOf")
    step = case.get("multipleOf", 1 if case["type"] == "integer" else None)
    if wanted is None or wanted == step:
        return FITS
    if step is not None and _is_whole(step) and _is_whole(wanted) and step % wanted == 0:
        return FITS
    return clause(Degree.SOME, f"may be no multiple of {wanted}")


def text_rules(case: Case, parameter: JsonObject) -> Outcome:
    """Compares lengths, pattern, format and encoding."""
    rules = {k: parameter[k] for k in _TEXT_KEYWORDS if k in parameter}
    if "enum" in case:
        plain = _checked(case["enum"], rules)
    else:
        pattern = parameter.get("pattern")
        differs = pattern is not None and pattern != case.get("pattern")
        plain = worst(
            (
                size_rules(case, parameter, "Length", "is shorter than {} characters", "is longer than {} characters"),
                clause(Degree.SOME, f"may not match the pattern {pattern!r}") if differs else FITS,
            )
        )
    return worst((plain, _format_rule(case, parameter), *_encoding_rules(case, parameter)))


def _format_rule(case: Case, parameter: JsonObject) -> Outcome:
    wanted, given = parameter.get("format"), case.get("format")
    if wanted is None or wanted == given:
        return FITS
    wish = expected({"type": "string", "format": wanted}, {})
    wish = wish if wish != "text" else f"text of the format {wanted!r}"
    what = noun(case)
    if wanted in _APART and given in _APART and {wanted, given} != {"date", "date-time"}:
        return Outcome(Degree.HARDLY, noun=what, expected=wish)
    what = "any text" if what == "text" and "enum" not in case else what
    return clause(Degree.SOME, f"may be {what}, where {wish} is expected")


def _encoding_rules(case: Case, parameter: JsonObject) -> Iterable[Outcome]:
    for key in _ENCODINGS:
        wanted = parameter.get(key)
        if wanted is not None and (key == "contentSchema" or wanted != case.get(key)):
            how = f"{wanted} text" if key == "contentEncoding" else f"text of the kind {wanted!r}"
            yield clause(Degree.SOME, f"may be any text, where {how} is expected")


def size_rules(case: Case, parameter: JsonObject, suffix: str, short: str, long: str) -> Outcome:
    """Compares how long or large values are.

    Args:
        case: The result's values; 0 is their least size when nothing is said.
        parameter: What is expected.
        suffix: What follows ``min`` and ``max`` in the keywords: ``Length``.
        short: Clause with ``{}`` for the least size: ``has fewer than {} items``.
        long: The same for the largest size.
    """
    low, high = case.get(f"min{suffix}", 0), case.get(f"max{suffix}", math.inf)
    least, most = parameter.get(f"min{suffix}", 0), parameter.get(f"max{suffix}", math.inf)
    if high < least:
        return clause(Degree.NONE, short.format(least))
    if low > most:
        return clause(Degree.NONE, long.format(most))
    if low < least:
        return clause(Degree.SOME, _may(short).format(least))
    return clause(Degree.SOME, _may(long).format(most)) if high > most else FITS


def _may(text: str) -> str:
    verb, _, rest = text.partition(" ")
    return f"may {'be' if verb == 'is' else 'have'} {rest}"


def _checked(values: Sequence[Any], rules: JsonObject) -> Outcome:
    """Checks each of some fixed values."""
    wrong = [v for v in values if not _valid(rules, v)] if rules else []
    if not wrong:
        return FITS
    if len(wrong) == len(values):
        return clause(Degree.NONE, f"is {shown(wrong[0])}, which does not fit {shown(rules)}")
    return clause(Degree.SOME, f"may be {shown(wrong[0])}, which does not fit {shown(rules)}")


def _valid(rules: JsonObject, value: Any) -> bool:
    import jsonschema_rs

    return jsonschema_rs.is_valid(rules, value)
