"""Which results fit which parameters, and what is said when they do not."""

from __future__ import annotations

import datetime as dt
import time
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, TypedDict
from uuid import UUID

import pytest
from pydantic import UUID4, BaseModel, Field

from agentkit.planners.fit import Fit, fits
from agentkit.tools.tool import FunctionTool
from tests.tools.kinds import Cat, Colour, Dog, Level, Line, Loose, Node, Open, Person, Pet, Place, Point, Tree, Unit

YES, NO, UNKNOWN = Fit.YES, Fit.NO, Fit.UNKNOWN

INT: dict[str, Any] = {"type": "integer"}
NUMBER: dict[str, Any] = {"type": "number"}
TEXT: dict[str, Any] = {"type": "string"}
LIST: dict[str, Any] = {"type": "array"}
OBJECT: dict[str, Any] = {"type": "object"}
NULL: dict[str, Any] = {"type": "null"}


def list_of(items: Any, **more: Any) -> dict[str, Any]:
    return {"type": "array", "items": items, **more}


def closed(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    return {**opened(required, **optional), "additionalProperties": False}


def opened(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {**required, **optional}, "required": list(required)}


def check(result: Any, parameter: Any, fit: Fit, reason: str) -> None:
    verdict = fits(result, parameter)
    assert (verdict.fit, verdict.reason) == (fit, reason)


Row: TypeAlias = tuple[Any, Any, Fit, str]

TYPES: list[Row] = [
    (INT, NUMBER, YES, ""),
    (NUMBER, INT, UNKNOWN, "may have a fraction, where a whole number is expected"),
    ({**NUMBER, "multipleOf": 2}, INT, YES, ""),
    (TEXT, INT, NO, "text, where a whole number is expected"),
    ({**TEXT, "pattern": "^[0-9]+$"}, INT, UNKNOWN, "text, where a whole number is expected; the tool may convert it"),
    ({**TEXT, "pattern": "^[a-z]+$"}, INT, NO, "text, where a whole number is expected"),
    (INT, TEXT, UNKNOWN, "a whole number, where text is expected; the tool may convert it"),
    (INT, {"type": "boolean"}, NO, "a whole number, where true or false is expected"),
    (
        {"enum": [0, 1]},
        {"type": "boolean"},
        UNKNOWN,
        "0 or 1, where true or false is expected; the tool may convert it",
    ),
    (
        {"enum": ["yes"]},
        {"type": "boolean"},
        UNKNOWN,
        '"yes", where true or false is expected; the tool may convert it',
    ),
    ({"type": "boolean"}, INT, NO, "true or false, where a whole number is expected"),
    ({"type": "boolean"}, TEXT, NO, "true or false, where text is expected"),
    (NULL, TEXT, NO, "null, where text is expected"),
    ({"type": ["integer", "number"]}, LIST, NO, "a number, where a list is expected"),
    (LIST, OBJECT, NO, "a list, where an object is expected"),
    (OBJECT, LIST, NO, "an object, where a list is expected"),
    (OBJECT, TEXT, NO, "an object, where text is expected"),
    (None, INT, UNKNOWN, "nothing is known of the result"),
    (None, {}, YES, ""),
    (None, {"description": "whatever"}, YES, ""),
    (INT, None, YES, ""),
    ({}, INT, UNKNOWN, "may be anything, where a whole number is expected"),
    ({}, {"type": ["null", "boolean", "number", "string", "array", "object"]}, YES, ""),
    (True, INT, UNKNOWN, "may be anything, where a whole number is expected"),
    (INT, True, YES, ""),
    (INT, False, NO, "is not taken at all"),
    (False, INT, UNKNOWN, "no value is possible for the result"),
    ({"minimum": 3}, INT, UNKNOWN, "may be null, where a whole number is expected"),
    (INT, {"minimum": 3}, UNKNOWN, "may be less than 3"),
    (TEXT, {"minimum": 3}, YES, ""),
    ({"type": "int"}, INT, UNKNOWN, "the result's type is not a valid JSON Schema (2020-12)"),
    (INT, {"type": "int"}, UNKNOWN, "the parameter's type is not a valid JSON Schema (2020-12)"),
]

FIXED_VALUES: list[Row] = [
    ({"enum": ["a", "b"]}, TEXT, YES, ""),
    ({"const": "a"}, {"enum": ["a", "b"]}, YES, ""),
    ({"enum": ["a", "b"]}, {"enum": ["b", "a", "c"]}, YES, ""),
    ({"enum": ["a", "b"]}, {"enum": ["a"]}, UNKNOWN, 'may be "b", where "a" is expected'),
    ({"enum": ["a", "b"]}, {"enum": ["x", "y"]}, NO, '"a" or "b", where "x" or "y" is expected'),
    ({"enum": ["a", "b"]}, {"anyOf": [{"const": "a"}, {"const": "b"}]}, YES, ""),
    ({"enum": ["a", "c"]}, {"anyOf": [{"const": "a"}, {"const": "b"}]}, UNKNOWN,
     'may be "c", where "a" or "b" is expected'),
    (TEXT, {"enum": ["a", "b"]}, UNKNOWN, 'may be text, where "a" or "b" is expected'),
    (INT, {"enum": ["a", "b"]}, NO, 'a whole number, where "a" or "b" is expected'),
    ({"enum": [1, 2]}, INT, YES, ""),
    ({"enum": [1, None]}, INT, UNKNOWN, "may be null, where a whole number is expected"),
    ({"const": True}, {"enum": ["1", 0]}, NO, 'true, where "1" or 0 is expected'),
    ({"const": 1}, {"const": 1.0}, YES, ""),
    ({"const": True}, {"const": 1}, UNKNOWN, "true, where 1 is expected; the tool may convert it"),
    ({"enum": ["1", "2"]}, {"enum": [1, 2], "type": "integer"}, UNKNOWN,
     '"1" or "2", where 1 or 2 is expected; the tool may convert it'),
    ({"enum": [5, 50]}, {**INT, "maximum": 9}, UNKNOWN, 'may be 50, which does not fit {"maximum": 9}'),
    ({"enum": [50, 51]}, {**INT, "maximum": 9}, NO, 'is 50, which does not fit {"maximum": 9}'),
    ({"const": [1, "a"]}, list_of(INT), NO, '[1]: "a", where a whole number is expected'),
    ({"const": {"a": 1}}, closed({"a": INT}), YES, ""),
    ({"enum": ["a", "b"], "type": ["string", "null"]}, {"enum": ["a", "b", None]}, YES, ""),
]  # fmt: skip

UNIONS: list[Row] = [
    ({"type": ["integer", "null"]}, INT, UNKNOWN, "may be null, where a whole number is expected"),
    ({"anyOf": [INT, NULL]}, {"type": ["integer", "null"]}, YES, ""),
    ({"type": ["integer", "null"]}, {"anyOf": [NULL, INT]}, YES, ""),
    (INT, {"type": ["integer", "null"]}, YES, ""),
    ({"type": ["string", "null"]}, INT, NO, "text or null, where a whole number is expected"),
    ({"type": ["string", "null"]}, {"type": ["integer", "null"]}, UNKNOWN,
     "may be text, where a whole number or null is expected"),
    ({"anyOf": [INT, TEXT]}, {"anyOf": [TEXT, INT, NULL]}, YES, ""),
    ({"oneOf": [INT, TEXT]}, {"oneOf": [TEXT, INT]}, YES, ""),
    (INT, {"oneOf": [INT, NUMBER]}, UNKNOWN, "may fit several choices of which one is taken"),
    (OBJECT, {"oneOf": [TEXT, LIST]}, NO, "an object, where text or a list is expected"),
    (INT, {"oneOf": [TEXT, NUMBER]}, YES, ""),
    (OBJECT, {"anyOf": [INT, LIST]}, NO, "an object, where a whole number or a list is expected"),
    ({"anyOf": [INT, TEXT], "type": "string"}, TEXT, YES, ""),
    ({"allOf": [{"type": ["integer", "null"]}, {"type": ["integer", "string"]}]}, INT, YES, ""),
    ({"allOf": [{"minimum": 3}, INT, {"minimum": 5}]}, {**INT, "minimum": 4}, YES, ""),
    (closed({"a": INT}), {"allOf": [opened({"a": NUMBER}), {"maxProperties": 1}]}, YES, ""),
    ({"allOf": [opened({"a": INT}), opened({"b": INT})]}, opened({"a": INT, "b": NUMBER}), YES, ""),
    ({"allOf": [closed({}, a=INT), opened({})]}, closed({}, a=NUMBER), YES, ""),
    ({"allOf": [{"type": "object", "additionalProperties": INT}, closed({}, a=INT)]}, closed({}, a=NUMBER), YES, ""),
    ({"allOf": [list_of({"minimum": 0}), list_of(INT)]}, list_of({**INT, "minimum": 0}), YES, ""),
    (opened({"a": INT}), {"allOf": [opened({"a": NUMBER}), opened({"b": INT})]}, NO, "has no key 'b'"),
    (INT, {"not": TEXT}, YES, ""),
    (INT, {"not": {"minimum": 3}}, UNKNOWN, "may be what is expressly not taken"),
    (INT, {"type": "integer", "if": {"minimum": 1}}, UNKNOWN,
     "can't be compared: 'if' is only checked when the tool is called"),
]  # fmt: skip

NUMBERS_AND_TEXT: list[Row] = [
    ({**INT, "minimum": 1}, {**INT, "minimum": 0}, YES, ""),
    ({**INT, "minimum": 0}, {**INT, "minimum": 1}, UNKNOWN, "may be less than 1"),
    ({**INT, "exclusiveMinimum": 0}, {**INT, "minimum": 1}, YES, ""),
    ({**NUMBER, "minimum": 0}, {**NUMBER, "exclusiveMinimum": 0}, UNKNOWN, "may be 0 or less"),
    ({**NUMBER, "maximum": 5}, {**NUMBER, "exclusiveMaximum": 5}, UNKNOWN, "may be 5 or more"),
    ({**NUMBER, "exclusiveMaximum": 5}, {**NUMBER, "maximum": 5}, YES, ""),
    (INT, {**INT, "maximum": 5}, UNKNOWN, "may be more than 5"),
    ({**INT, "minimum": 6}, {**INT, "maximum": 5}, NO, "is never as low as 5"),
    ({**INT, "maximum": 5}, {**NUMBER, "exclusiveMinimum": 5}, NO, "is never above 5"),
    ({**INT, "multipleOf": 4}, {**INT, "multipleOf": 2}, YES, ""),
    ({**INT, "multipleOf": 2}, {**INT, "multipleOf": 4}, UNKNOWN, "may be no multiple of 4"),
    ({**NUMBER, "multipleOf": 0.1}, {**NUMBER, "multipleOf": 0.1}, YES, ""),
    (INT, {**NUMBER, "multipleOf": 1}, YES, ""),
    ({**TEXT, "minLength": 2}, {**TEXT, "minLength": 1}, YES, ""),
    (TEXT, {**TEXT, "minLength": 1}, UNKNOWN, "may be shorter than 1 character"),
    (TEXT, {**TEXT, "maxLength": 5}, UNKNOWN, "may be longer than 5 characters"),
    ({**TEXT, "minLength": 9}, {**TEXT, "maxLength": 5}, NO, "is longer than 5 characters"),
    ({**TEXT, "pattern": "^a"}, {**TEXT, "pattern": "^a"}, YES, ""),
    (TEXT, {**TEXT, "pattern": "^a"}, UNKNOWN, "may not match the pattern '^a'"),
    ({"const": "abc"}, {**TEXT, "pattern": "^a", "maxLength": 3}, YES, ""),
    ({"const": "xyz"}, {**TEXT, "pattern": "^a"}, NO, 'is "xyz", which does not fit {"pattern": "^a"}'),
    ({**TEXT, "format": "date"}, {**TEXT, "format": "date"}, YES, ""),
    ({**TEXT, "format": "date"}, TEXT, YES, ""),
    ({**TEXT, "format": "date"}, {**TEXT, "minLength": 1}, YES, ""),
    (TEXT, {**TEXT, "format": "date"}, UNKNOWN, "may be text, where a date is expected"),
    ({**TEXT, "format": "uuid"}, {**TEXT, "format": "date"}, NO, "a UUID, where a date is expected"),
    ({**TEXT, "format": "date"}, {**TEXT, "format": "date-time"}, UNKNOWN,
     "may be a date, where a date and time is expected"),
    (TEXT, {**TEXT, "format": "regex"}, UNKNOWN, "may be text, where text of the format 'regex' is expected"),
    (INT, {**TEXT, "format": "date"}, NO, "a whole number, where a date is expected"),
    (TEXT, {**TEXT, "contentEncoding": "base64"}, UNKNOWN, "may be text, where base64 text is expected"),
    ({**TEXT, "contentEncoding": "base64"}, {**TEXT, "contentEncoding": "base64"}, YES, ""),
]  # fmt: skip

LISTS: list[Row] = [
    (list_of(INT), LIST, YES, ""),
    (list_of(INT), list_of(NUMBER), YES, ""),
    (list_of(TEXT), list_of(INT), NO, "each item: text, where a whole number is expected"),
    (list_of({"type": ["integer", "null"]}), list_of(INT), UNKNOWN,
     "each item: may be null, where a whole number is expected"),
    (LIST, list_of(INT), UNKNOWN, "each item: may be anything, where a whole number is expected"),
    (list_of(list_of(TEXT)), list_of(list_of(INT)), NO, "[][]: text, where a whole number is expected"),
    (list_of(INT, minItems=2), {**LIST, "minItems": 1}, YES, ""),
    (LIST, {**LIST, "minItems": 1}, UNKNOWN, "may have fewer than 1 item"),
    (LIST, {**LIST, "maxItems": 5}, UNKNOWN, "may have more than 5 items"),
    ({**LIST, "maxItems": 1}, {**LIST, "minItems": 2}, NO, "has fewer than 2 items"),
    (LIST, {**LIST, "uniqueItems": True}, UNKNOWN, "may hold the same item twice"),
    ({**LIST, "uniqueItems": True}, {**LIST, "uniqueItems": True}, YES, ""),
    ({**LIST, "maxItems": 1}, {**LIST, "uniqueItems": True}, YES, ""),
    ({**LIST, "uniqueItems": True, "minItems": 2}, {**LIST, "uniqueItems": True, "minItems": 2}, UNKNOWN,
     "may hold items that count as the same"),
    ({"type": "array", "prefixItems": [INT, TEXT], "items": False}, list_of({"type": ["integer", "string"]}), YES, ""),
    ({"type": "array", "prefixItems": [INT, TEXT], "minItems": 2}, list_of(INT), NO,
     "[1]: text, where a whole number is expected"),
    (list_of(INT, minItems=2, maxItems=2), {"type": "array", "prefixItems": [INT, INT], "items": False}, YES, ""),
    (list_of(INT, minItems=3), {"type": "array", "prefixItems": [INT, INT], "items": False}, NO,
     "has more than 2 items"),
    (list_of(INT), {"type": "array", "prefixItems": [INT, INT], "items": False}, UNKNOWN, "may have more than 2 items"),
    (LIST, {**LIST, "contains": INT}, UNKNOWN, "can't be compared: 'contains' is only checked when the tool is called"),
    (list_of(False), list_of(INT), YES, ""),
    ({"type": "array", "prefixItems": [INT], "items": False}, {**LIST, "maxItems": 1}, YES, ""),
    ({"type": "array", "prefixItems": [INT, False]}, {**LIST, "maxItems": 1}, YES, ""),
]  # fmt: skip

OBJECTS: list[Row] = [
    (closed({"a": INT}), OBJECT, YES, ""),
    (closed({"a": INT}), closed({"a": NUMBER}), YES, ""),
    (closed({"a": INT, "b": INT}), opened({"a": INT}), YES, ""),
    (closed({"a": INT, "b": INT}), closed({"a": INT}), NO, "has the key 'b', which is not taken"),
    (closed({"a": INT}, b=INT), closed({"a": INT}), UNKNOWN, "may have the key 'b', which is not taken"),
    (closed({"a": INT}), closed({"a": INT}, b=TEXT), YES, ""),
    (opened({"a": INT}), closed({"a": INT}), UNKNOWN, "may have keys that are not taken"),
    (opened({"a": INT}), opened({"a": INT}, b=TEXT), UNKNOWN, "b: may be anything, where text is expected"),
    (closed({"a": TEXT}), closed({"city": TEXT}), NO, "has no key 'city'"),
    (opened({"a": TEXT}), opened({"city": TEXT}), NO, "has no key 'city'"),
    ({**opened({"a": TEXT}), "additionalProperties": True}, opened({"city": TEXT}), UNKNOWN,
     "may be missing the key 'city'"),
    (closed({}, city=TEXT), closed({"city": TEXT}), UNKNOWN, "may be missing the key 'city'"),
    (OBJECT, opened({"city": TEXT}), UNKNOWN, "may be missing the key 'city'"),
    (closed({"a": closed({"b": list_of(TEXT)})}), closed({"a": closed({"b": list_of(INT)})}), NO,
     "a.b[]: text, where a whole number is expected"),
    (closed({}, a=TEXT), closed({}, a=INT), UNKNOWN, "a: may be text, where a whole number is expected"),
    (closed({}, a=TEXT), closed({"a": INT}), NO, "a: text, where a whole number is expected"),
    ({"type": "object", "required": ["a"], "additionalProperties": INT}, opened({"a": INT}), YES, ""),
    ({"type": "object", "additionalProperties": INT}, {"type": "object", "additionalProperties": NUMBER}, YES, ""),
    ({"type": "object", "additionalProperties": TEXT}, {"type": "object", "additionalProperties": INT}, NO,
     "*: text, where a whole number is expected"),
    ({"type": "object", "additionalProperties": TEXT}, opened({"a": INT}), NO,
     "a: text, where a whole number is expected"),
    (closed({"a": INT}), {"type": "object", "additionalProperties": INT}, YES, ""),
    ({"type": "object", "additionalProperties": INT}, closed({}, a=INT), UNKNOWN, "may have keys that are not taken"),
    ({"type": "object", "patternProperties": {"^x": INT}, "additionalProperties": False},
     {"type": "object", "additionalProperties": NUMBER}, YES, ""),
    (OBJECT, {"type": "object", "patternProperties": {"^x": INT}}, UNKNOWN,
     "may have keys that do not fit the expected pattern"),
    (closed({"a": INT}), {"type": "object", "propertyNames": {"enum": ["a", "b"]}}, YES, ""),
    (closed({"c": INT}), {"type": "object", "propertyNames": {"enum": ["a", "b"]}}, UNKNOWN,
     "may have the key 'c', which is not taken"),
    (OBJECT, {"type": "object", "propertyNames": {"enum": ["a", "b"]}}, UNKNOWN, "may have keys that are not taken"),
    ({"type": "object", "propertyNames": {"enum": ["a"]}}, {"type": "object", "propertyNames": {"enum": ["a", "b"]}},
     YES, ""),
    (closed({"a": INT, "b": INT}), {"type": "object", "minProperties": 2, "maxProperties": 2}, YES, ""),
    (closed({"a": INT}), {"type": "object", "minProperties": 2}, NO, "has fewer than 2 keys"),
    (closed({"a": INT}), {"type": "object", "dependentRequired": {"a": ["b"]}}, UNKNOWN,
     "can't be compared: 'dependentRequired' is only checked when the tool is called"),
    (closed({"a": False, "b": INT}), OBJECT, YES, ""),
]  # fmt: skip

TABLE = [*TYPES, *FIXED_VALUES, *UNIONS, *NUMBERS_AND_TEXT, *LISTS, *OBJECTS]


@pytest.mark.parametrize(("result", "parameter", "fit", "reason"), TABLE)
def test_schemas(result: Any, parameter: Any, fit: Fit, reason: str) -> None:
    check(result, parameter, fit, reason)


def tree(value: Any, name: str = "T") -> dict[str, Any]:
    node = closed({"value": value, "children": list_of({"$ref": f"#/$defs/{name}"})})
    return {"$ref": f"#/$defs/{name}", "$defs": {name: node}}


@pytest.mark.parametrize(
    ("result", "parameter", "fit", "reason"),
    [
        (tree(INT), tree(NUMBER, "Other"), YES, ""),
        (tree(TEXT), tree(INT), NO, "value: text, where a whole number is expected"),
        (tree(INT), list_of(INT), NO, "an object, where a list is expected"),
        (tree({"type": ["integer", "null"]}), tree(INT), UNKNOWN,
         "value: may be null, where a whole number is expected"),
        ({"type": "array", "items": {"$ref": "#"}}, {"type": "array", "items": list_of({})}, YES, ""),
        ({"$ref": "#/definitions/n", "definitions": {"n": INT}}, NUMBER, YES, ""),
        ({"$ref": "#/properties/a%20b", "properties": {"a b": INT}}, TEXT, UNKNOWN,
         "a whole number, where text is expected; the tool may convert it"),
        ({"$ref": "#/$defs/n", "minimum": 5, "$defs": {"n": INT}}, {**INT, "minimum": 4}, YES, ""),
        ({"$ref": "other.json"}, INT, UNKNOWN, "may be anything, where a whole number is expected"),
        (INT, {"$ref": "other.json"}, UNKNOWN, "can't be compared: the reference 'other.json' leads nowhere"),
        (INT, {"$ref": "#"}, UNKNOWN, "can't be compared: the reference '#' leads nowhere"),
        ({"$ref": "#"}, INT, UNKNOWN, "may be anything, where a whole number is expected"),
        (INT, {"anyOf": [{"$ref": "#"}, TEXT]}, UNKNOWN, "can't be compared: the reference '#' leads nowhere"),
        (INT, {"$ref": "#/default", "default": {"type": "nonsense"}}, UNKNOWN,
         "can't be compared: the reference '#/default' leads nowhere"),
    ],
)  # fmt: skip
def test_references_and_schemas_that_hold_themselves(result: Any, parameter: Any, fit: Fit, reason: str) -> None:
    check(result, parameter, fit, reason)


def test_references_of_a_parameter_point_into_the_tools_schema() -> None:
    tool = tool_of(Tree)
    parameter = tool.parameters["properties"]["x"]
    assert fits(tool.returns, parameter, root=tool.parameters).fit is YES
    assert fits(tool.returns, parameter).reason == "can't be compared: the reference '#/$defs/Tree' leads nowhere"


class City(TypedDict):
    name: str
    people: int


class Report(BaseModel):
    city: str
    note: str = ""
    score: float | None = None


class Sun(BaseModel):
    kind: Literal["sun"] = "sun"


class Rain(BaseModel):
    kind: Literal["rain"] = "rain"


Weather = Annotated[Sun | Rain, Field(discriminator="kind")]


def tool_of(annotation: Any) -> FunctionTool[..., Any]:
    def echo(x: Any) -> Any:
        return x

    echo.__annotations__ = {"x": annotation, "return": annotation}
    return FunctionTool(echo)


def fits_type(result: Any, parameter: Any) -> Fit:
    taker = tool_of(parameter)
    return fits(tool_of(result).returns, taker.parameters["properties"]["x"], root=taker.parameters).fit


SAME = [
    *(int, float, str, bool, None, bytes, Path, UUID, UUID4, Decimal, dt.date, dt.datetime, dt.time, dt.timedelta),
    *(Literal["a", "b"], Colour, Level, Unit, Point, Line, Place, Loose, Person, Open, Node, Tree, Pet, Cat | Dog),
    *(City, Report, Weather, list[Report], dict[str, Decimal], tuple[int, str], set[int], str | None, int | str),
]


@pytest.mark.parametrize("annotation", SAME, ids=str)
def test_what_a_tool_gives_another_can_take_with_the_same_type(annotation: Any) -> None:
    assert fits_type(annotation, annotation) is YES


@pytest.mark.parametrize(
    ("result", "parameter", "fit"),
    [
        (int, float, YES),
        (int, Decimal, YES),
        (Decimal, str, YES),
        (Decimal, float, UNKNOWN),
        (str, Decimal, UNKNOWN),
        (Decimal, Annotated[Decimal, Field(ge=0)], UNKNOWN),
        (Level, int, YES),
        (Colour, str, YES),
        (str, Colour, UNKNOWN),
        (dt.date, str, YES),
        (str, dt.date, UNKNOWN),
        (int, dt.date, NO),
        (str, bytes, UNKNOWN),
        (bool, int, NO),
        (set[int], list[int], YES),
        (list[int], set[int], UNKNOWN),
        (tuple[int, int], list[int], YES),
        (list[int], tuple[int, int], UNKNOWN),
        (list[City], list[dict[str, Any]], YES),
        (City, dict[str, int | str], YES),
        (list[City], dict[str, Any], NO),
        (City, list[City], NO),
        (dict[str, bool], City, NO),
        (dict[str, Any], City, UNKNOWN),
        (Point, City, NO),
        (Cat, Cat | Dog, YES),
        (Cat | Dog, Cat, UNKNOWN),
        (Report, Weather, NO),
        (Any, City, UNKNOWN),
        (City, Any, YES),
        (City | None, City, UNKNOWN),
    ],
)
def test_python_types(result: Any, parameter: Any, fit: Fit) -> None:
    assert fits_type(result, parameter) is fit


def test_a_key_that_tells_variants_apart_has_to_be_there() -> None:
    """Pydantic asks for it, though it has a default and the schema does not require it."""
    taker = tool_of(Weather)
    verdict = fits({**closed({}), "properties": {"kind": {"const": "sun"}}}, taker.parameters["properties"]["x"])
    assert (verdict.fit, verdict.reason) == (UNKNOWN, "may be missing the key 'kind', which tells what it is")


def test_many_choices_are_told_shortly() -> None:
    verdict = fits(OBJECT, {"enum": [f"choice {i}" for i in range(100)]})
    assert verdict.reason.endswith('"choice 4" or 95 more is expected')
    assert len(verdict.reason) < 120


def wide(keys: int, **of: Any) -> dict[str, Any]:
    return closed({f"key{i}": closed({"a": TEXT, "b": list_of(INT), **of}) for i in range(keys)})


def variants(count: int, *, of: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [closed({"kind": {"const": f"k{i}"}, "value": of, "more": wide(3)}) for i in range(count)]}


def tangled(names: int) -> dict[str, Any]:
    """A schema whose parts hold each other, all of them."""
    refs = [{"$ref": f"#/$defs/d{i}"} for i in range(names)]
    parts = {f"d{i}": closed({f"p{j}": {"anyOf": [NULL, *refs[j:]]} for j in range(names)}) for i in range(names)}
    return {"$ref": "#/$defs/d0", "$defs": parts}


@pytest.mark.parametrize(
    ("result", "parameter", "fit"),
    [
        (wide(200), wide(200), YES),
        (wide(200), wide(200, b=list_of({"type": "boolean"})), NO),
        (variants(20, of=INT), variants(20, of=NUMBER), YES),
        (variants(20, of=TEXT), variants(20, of=INT), NO),
        (tangled(12), tangled(12), UNKNOWN),
    ],
)
def test_large_schemas_take_a_bounded_time(result: Any, parameter: Any, fit: Fit) -> None:
    start = time.process_time()
    assert fits(result, parameter).fit is fit
    assert time.process_time() - start < 3  # a tenth of that on a quiet machine


def test_what_is_nested_too_deeply_is_left_open() -> None:
    deep: dict[str, Any] = INT
    for _ in range(60):
        deep = list_of(deep, minItems=1)
    assert fits(deep, deep).reason.endswith("is nested too deeply to compare")
