"""Whether values of one JSON type fit a parameter: types, fixed values, numbers and text."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import Any, NamedTuple

from agentkit.messages import JsonObject
from agentkit.planners.schema_cases import Case, json_type, same
from agentkit.planners.schema_words import any_of_words, expected, noun, place_text, shown

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


class Outcome(NamedTuple):
    """What a comparison gave: a degree, and what it takes to say why it is not `Degree.ALL`.

    The words are made at the end, because most outcomes are never told.
    """

    degree: Degree
    text: str = ""
    """A clause about the value: "may have a fraction"."""
    wrong: tuple[Case, ...] = ()
    """For a wrong type, instead of the clause: what the value is."""
    wanted: Any = None
    """Schema of what is expected instead, if that is worth telling."""
    possible: bool = False
    """Whether the value only may be `wrong`."""
    converted: bool = False
    """Whether some tools would take it all the same."""
    place: tuple[str | int, ...] = ()

    def under(self, part: str | int) -> Outcome:
        """Returns the outcome for a value that has this one's value inside, at `part`."""
        return self if self.degree is Degree.ALL else self._replace(place=(part, *self.place))

    def at_least(self, degree: Degree) -> Outcome:
        """Returns the outcome with a better degree, if `degree` is one."""
        if self.degree >= degree:
            return self
        return self._replace(degree=degree, possible=degree is Degree.SOME)

    def reason(self, root: JsonObject) -> str:
        """Returns the outcome in words.

        Args:
            root: The schema that references in the parameter's schema point into.
        """
        words = self.text or ("may be " if self.possible else "") + any_of_words([noun(case) for case in self.wrong])
        words += f", where {expected(self.wanted, root)} is expected" if self.wanted is not None else ""
        words += "; the tool may convert it" if self.converted else ""
        place = place_text(self.place)
        return f"{place}: {words}" if place else words


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


def mismatch(degree: Degree, case: Case, wanted: Any, *, possible: bool = False) -> Outcome:
    """Returns the outcome for a value of a wrong kind."""
    return Outcome(degree, wrong=(case,), wanted=wanted, possible=possible)


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


def type_rule(case: Case, parameter: JsonObject) -> Outcome:
    """Compares types, and knows what `agentkit.tools.arguments` converts: never more than `Degree.SOME`."""
    types = types_of(parameter)
    kind = case["type"]
    if not types or kind in types or (kind == "integer" and "number" in types):
        return FITS
    if kind == "number" and "integer" in types:
        if _is_whole(case.get("multipleOf")):
            return FITS
        if "enum" in case:
            return mismatch(Degree.NONE, case, parameter)
        return Outcome(Degree.SOME, "may have a fraction", wanted=parameter)
    degree = _converted(case, parameter, types)
    return mismatch(degree, case, parameter)._replace(converted=degree is Degree.SOME)


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
        return any(_as_number(v) is not None for v in case["enum"])
    if "pattern" not in case or "format" in case:
        return False
    rules = {k: case[k] for k in _TEXT_KEYWORDS if k in case}
    try:
        return any(_valid(rules, text) for text in _DIGITS)
    except ValueError:  # the pattern is none
        return False


def _as_number(value: Any) -> float | None:
    """Returns the number that a Python tool may take a value for."""
    try:
        number = float(value)
    except (ValueError, TypeError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _is_whole(value: Any) -> bool:
    return value is not None and json_type(value) == "integer"


def value_rule(case: Case, parameter: JsonObject) -> Outcome:
    """Compares with the fixed values that a parameter takes (``enum``, ``const``)."""
    const: list[Any] = [parameter["const"]] if "const" in parameter else []
    fixed = [taken for taken in (const, parameter.get("enum")) if taken]
    return worst(_among(case, taken, parameter) for taken in fixed)


def _among(case: Case, taken: Sequence[Any], parameter: JsonObject) -> Outcome:
    if "enum" not in case:
        some = any(has_type(case, {json_type(v)}) for v in taken)
        return mismatch(Degree.SOME if some else Degree.NONE, case, parameter, possible=some)
    keys = {same(v) for v in taken}
    wrong = [v for v in case["enum"] if same(v) not in keys]
    if not wrong:
        return FITS
    alike = {v for v in taken if json_type(v) in ("integer", "number")} & set(map(_as_number, wrong))
    whole = len(wrong) == len(case["enum"])
    degree = Degree.NONE if whole and not alike else Degree.SOME
    found = mismatch(degree, {**case, "enum": wrong}, parameter, possible=not whole)
    return found._replace(converted=whole and bool(alike))


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
                size_rules(
                    _not_empty(case), parameter, "Length", "is shorter than {} character", "is longer than {} character"
                ),
                clause(Degree.SOME, f"may not match the pattern {pattern!r}") if differs else FITS,
            )
        )
    return worst((plain, _format_rule(case, parameter), *_encoding_rules(case, parameter)))


def _not_empty(case: Case) -> Case:
    return {**case, "minLength": max(1, case.get("minLength", 0))} if case.get("format") in _APART else case


def _format_rule(case: Case, parameter: JsonObject) -> Outcome:
    wanted, given = parameter.get("format"), case.get("format")
    if wanted is None or wanted == given:
        return FITS
    apart = wanted in _APART and given in _APART and {wanted, given} != {"date", "date-time"}
    wish = {"type": "string", "format": wanted}
    return mismatch(Degree.HARDLY if apart else Degree.SOME, case, wish, possible=not apart)


def _encoding_rules(case: Case, parameter: JsonObject) -> Iterable[Outcome]:
    for key in _ENCODINGS:
        wanted = parameter.get(key)
        if wanted is not None and (key == "contentSchema" or wanted != case.get(key)):
            yield mismatch(Degree.SOME, case, {"type": "string", "contentEncoding": wanted}, possible=True)


def size_rules(case: Case, parameter: JsonObject, suffix: str, short: str, long: str) -> Outcome:
    """Compares how long or large values are.

    Args:
        case: The result's values; 0 is their least size when nothing is said.
        parameter: What is expected.
        suffix: What follows ``min`` and ``max`` in the keywords: ``Length``.
        short: Clause with ``{}`` for the least size, in the singular: ``has fewer than {} item``.
        long: The same for the largest size.
    """
    low, high = case.get(f"min{suffix}", 0), case.get(f"max{suffix}", math.inf)
    least, most = parameter.get(f"min{suffix}", 0), parameter.get(f"max{suffix}", math.inf)
    if high < least:
        return clause(Degree.NONE, _counted(short, least))
    if low > most:
        return clause(Degree.NONE, _counted(long, most))
    if low < least:
        return clause(Degree.SOME, _may(_counted(short, least)))
    return clause(Degree.SOME, _may(_counted(long, most))) if high > most else FITS


def _counted(text: str, number: int) -> str:
    return text.format(number) + ("" if number == 1 else "s")


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
