"""Every type, as a parameter and as a result: its schema, and a value that survives the way through a tool."""

# ruff: noqa: UP006, UP007, UP035, UP045 - users write the old spellings too

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, List, Literal, Optional, Union, cast
from uuid import UUID

import pytest
from jsonschema import Draft202012Validator
from pydantic import UUID4, Field

from agentkit.tools.tool import FunctionTool
from tests.tools.kinds import (
    Box,
    Cat,
    Colour,
    Dog,
    Home,
    Level,
    Line,
    Loose,
    Node,
    Open,
    Pair,
    Person,
    Pet,
    Place,
    Point,
    Tree,
    Unit,
    UserId,
    fits,
)

SAME: Any = object()
"""The schema of the result is that of the parameter."""
WHOLE: Any = object()
"""The same, with every key required: in a result, those with a default are always there."""

TYPES: list[tuple[Any, dict[str, Any], Any, Any]] = [
    # annotation, schema as a parameter, schema as a result, JSON that comes back as it went in
    (str, {"type": "string"}, SAME, "a"),
    (int, {"type": "integer"}, SAME, 5),
    (float, {"type": "number"}, SAME, 1.5),
    (bool, {"type": "boolean"}, SAME, True),
    (None, {"type": "null"}, SAME, None),
    (Any, {}, None, {"a": [1]}),
    (object, {}, None, "x"),
    (Literal["a", "b"], {"type": "string", "enum": ["a", "b"]}, SAME, "b"),
    (Literal[1, 2], {"type": "integer", "enum": [1, 2]}, SAME, 2),
    (Literal["only"], {"type": "string", "const": "only"}, SAME, "only"),
    (Literal["a", 1, None], {"enum": ["a", 1, None]}, SAME, 1),
    (Colour, {"type": "string", "enum": ["red", "blue"]}, SAME, "red"),
    (Level, {"type": "integer", "enum": [1, 2]}, SAME, 2),
    (Unit, {"type": "string", "enum": ["m", "ft"]}, SAME, "ft"),
    (str | None, {"type": ["string", "null"]}, SAME, None),
    (Optional[int], {"type": ["integer", "null"]}, SAME, 3),
    (int | str, {"type": ["integer", "string"]}, SAME, "5"),
    (int | float, {"type": ["number"]}, SAME, 1.5),
    (Union[int, bool, None], {"type": ["integer", "boolean", "null"]}, SAME, True),
    (Literal["a", "b"] | None, {"type": ["string", "null"], "enum": ["a", "b", None]}, SAME, None),
    (list, {"type": "array"}, SAME, [1, "a"]),
    (list[int], {"type": "array", "items": {"type": "integer"}}, SAME, [1, 2]),
    (List[str], {"type": "array", "items": {"type": "string"}}, SAME, ["a"]),
    (list[list[float]], {"type": "array", "items": {"type": "array", "items": {"type": "number"}}}, SAME, [[1.5]]),
    (list[str] | None, {"type": ["array", "null"], "items": {"type": "string"}}, SAME, ["a"]),
    (
        list[int] | dict[str, int],
        {
            "anyOf": [
                {"type": "array", "items": {"type": "integer"}},
                {"type": "object", "additionalProperties": {"type": "integer"}},
            ]
        },
        SAME,
        {"a": 1},
    ),
    (Sequence[int], {"type": "array", "items": {"type": "integer"}}, SAME, [1]),
    (Iterable[int], {"type": "array", "items": {"type": "integer"}}, SAME, [1]),
    (
        tuple[int, str],
        {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}], "minItems": 2, "maxItems": 2},
        SAME,
        [1, "a"],
    ),
    (tuple[int, ...], {"type": "array", "items": {"type": "integer"}}, SAME, [1, 2]),
    (tuple[()], {"type": "array", "minItems": 0, "maxItems": 0}, SAME, []),
    (set[int], {"type": "array", "items": {"type": "integer"}, "uniqueItems": True}, SAME, [1]),
    (frozenset[str], {"type": "array", "items": {"type": "string"}, "uniqueItems": True}, SAME, ["a"]),
    (dict, {"type": "object"}, SAME, {"a": 1}),
    (dict[str, int], {"type": "object", "additionalProperties": {"type": "integer"}}, SAME, {"a": 1}),
    (dict[int, str], {"type": "object", "additionalProperties": {"type": "string"}}, SAME, {"1": "a"}),
    (
        dict[Literal["x", "y"], float],
        {"type": "object", "additionalProperties": {"type": "number"}, "propertyNames": {"enum": ["x", "y"]}},
        SAME,
        {"x": 1.5},
    ),
    (
        Mapping[str, list[int]],
        {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "integer"}}},
        SAME,
        {"a": [1]},
    ),
    (
        dict[str, Point],
        {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "properties": {"x": {"type": "integer"}, "y": {"type": "integer", "default": 0}},
                "required": ["x"],
                "additionalProperties": False,
            },
        },
        WHOLE,
        {"a": {"x": 1, "y": 2}},
    ),
    (
        Place,
        {
            "type": "object",
            "properties": {"name": {"type": "string"}, "zip": {"type": "integer"}},
            "required": ["name"],
            "additionalProperties": False,
        },
        SAME,
        {"name": "Rome"},
    ),
    (
        Loose,
        {
            "type": "object",
            "properties": {"a": {"type": "integer"}, "b": {"type": "string"}},
            "required": ["a"],
            "additionalProperties": False,
        },
        SAME,
        {"a": 1},
    ),
    (
        Tree,
        {
            "$ref": "#/$defs/Tree",
            "$defs": {
                "Tree": {
                    "type": "object",
                    "properties": {
                        "value": {"type": "integer"},
                        "children": {"type": "array", "items": {"$ref": "#/$defs/Tree"}},
                    },
                    "required": ["value", "children"],
                    "additionalProperties": False,
                }
            },
        },
        SAME,
        {"value": 1, "children": [{"value": 2, "children": []}]},
    ),
    (
        list[Place],
        {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"name": {"type": "string"}, "zip": {"type": "integer"}},
                "required": ["name"],
                "additionalProperties": False,
            },
        },
        SAME,
        [{"name": "Rome", "zip": 5}],
    ),
    (
        Place | None,
        {
            "type": ["object", "null"],
            "properties": {"name": {"type": "string"}, "zip": {"type": "integer"}},
            "required": ["name"],
            "additionalProperties": False,
        },
        SAME,
        None,
    ),
    (
        Point,
        {
            "type": "object",
            "properties": {"x": {"type": "integer"}, "y": {"type": "integer", "default": 0}},
            "required": ["x"],
            "additionalProperties": False,
        },
        WHOLE,
        {"x": 1, "y": 2},
    ),
    (
        Line,
        {
            "type": "object",
            "properties": {
                "start": {
                    "type": "object",
                    "properties": {"x": {"type": "integer"}, "y": {"type": "integer", "default": 0}},
                    "required": ["x"],
                    "additionalProperties": False,
                },
                "end": {
                    "type": "object",
                    "properties": {"x": {"type": "integer"}, "y": {"type": "integer", "default": 0}},
                    "required": ["x"],
                    "additionalProperties": False,
                },
                "tags": {"type": "array", "items": {"type": "string"}},
            },
            "required": ["start", "end"],
            "additionalProperties": False,
        },
        WHOLE,
        {"start": {"x": 1, "y": 2}, "end": {"x": 3, "y": 4}, "tags": ["a"]},
    ),
    (
        Home,
        {
            "type": "object",
            "properties": {
                "place": {
                    "type": "object",
                    "properties": {"name": {"type": "string"}, "zip": {"type": "integer"}},
                    "required": ["name"],
                    "additionalProperties": False,
                },
                "since": {"type": ["integer", "null"], "default": None},
            },
            "required": ["place"],
            "additionalProperties": False,
        },
        {
            "type": "object",
            "properties": {
                "place": {
                    "type": "object",
                    "properties": {"name": {"type": "string"}, "zip": {"type": "integer"}},
                    "required": ["name"],
                    "additionalProperties": False,
                },
                "since": {"type": ["integer", "null"], "default": None},
            },
            "required": ["place", "since"],
            "additionalProperties": False,
        },
        {"place": {"name": "Rome"}, "since": None},
    ),
    (
        Pair,
        {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}], "minItems": 2, "maxItems": 2},
        SAME,
        [1, "a"],
    ),
    (
        Person,
        {
            "type": "object",
            "description": "Someone.",
            "properties": {
                "name": {"type": "string", "description": "Full name"},
                "age": {"type": "integer", "minimum": 0},
                "nick": {"type": ["string", "null"], "default": None},
            },
            "required": ["name", "age"],
            "additionalProperties": False,
        },
        WHOLE,
        {"name": "Ann", "age": 5, "nick": None},
    ),
    (
        list[Person],
        {
            "type": "array",
            "items": {
                "type": "object",
                "description": "Someone.",
                "properties": {
                    "name": {"type": "string", "description": "Full name"},
                    "age": {"type": "integer", "minimum": 0},
                    "nick": {"type": ["string", "null"], "default": None},
                },
                "required": ["name", "age"],
                "additionalProperties": False,
            },
        },
        WHOLE,
        [{"name": "Ann", "age": 5, "nick": None}],
    ),
    (
        Cat | Dog,
        {
            "anyOf": [
                {
                    "type": "object",
                    "properties": {"kind": {"type": "string", "const": "cat"}, "lives": {"type": "integer"}},
                    "required": ["kind", "lives"],
                    "additionalProperties": False,
                },
                {
                    "type": "object",
                    "properties": {
                        "kind": {"type": "string", "const": "dog"},
                        "tricks": {"type": "array", "items": {"type": "string"}},
                    },
                    "required": ["kind", "tricks"],
                    "additionalProperties": False,
                },
            ]
        },
        SAME,
        {"kind": "dog", "tricks": []},
    ),
    (
        Pet,
        {
            "anyOf": [
                {
                    "type": "object",
                    "properties": {"kind": {"type": "string", "const": "cat"}, "lives": {"type": "integer"}},
                    "required": ["kind", "lives"],
                    "additionalProperties": False,
                },
                {
                    "type": "object",
                    "properties": {
                        "kind": {"type": "string", "const": "dog"},
                        "tricks": {"type": "array", "items": {"type": "string"}},
                    },
                    "required": ["kind", "tricks"],
                    "additionalProperties": False,
                },
            ]
        },
        SAME,
        {"kind": "cat", "lives": 9},
    ),
    (
        list[Pet],
        {
            "type": "array",
            "items": {
                "anyOf": [
                    {
                        "type": "object",
                        "properties": {"kind": {"type": "string", "const": "cat"}, "lives": {"type": "integer"}},
                        "required": ["kind", "lives"],
                        "additionalProperties": False,
                    },
                    {
                        "type": "object",
                        "properties": {
                            "kind": {"type": "string", "const": "dog"},
                            "tricks": {"type": "array", "items": {"type": "string"}},
                        },
                        "required": ["kind", "tricks"],
                        "additionalProperties": False,
                    },
                ]
            },
        },
        SAME,
        [{"kind": "cat", "lives": 9}],
    ),
    (
        Open,
        {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": True},
        SAME,
        {"a": 1, "b": 2},
    ),
    (
        Node,
        {
            "$ref": "#/$defs/Node",
            "$defs": {
                "Node": {
                    "type": "object",
                    "properties": {
                        "value": {"type": "integer"},
                        "next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}], "default": None},
                    },
                    "required": ["value"],
                    "additionalProperties": False,
                }
            },
        },
        WHOLE,
        {"value": 1, "next": {"value": 2, "next": None}},
    ),
    (
        Box[int],
        {
            "type": "object",
            "properties": {"item": {"type": "integer"}},
            "required": ["item"],
            "additionalProperties": False,
        },
        SAME,
        {"item": 1},
    ),
    (UserId, {"type": "integer"}, SAME, 7),
    (Annotated[int, Field(ge=0, le=10)], {"type": "integer", "minimum": 0, "maximum": 10}, SAME, 10),
    (Annotated[float, Field(gt=0, lt=1)], {"type": "number", "exclusiveMaximum": 1, "exclusiveMinimum": 0}, SAME, 0.5),
    (Annotated[int, Field(multiple_of=5)], {"type": "integer", "multipleOf": 5}, SAME, 10),
    (
        Annotated[str, Field(min_length=1, max_length=3)],
        {"type": "string", "minLength": 1, "maxLength": 3},
        SAME,
        "abc",
    ),
    (Annotated[str, Field(pattern="^[a-z]+$")], {"type": "string", "pattern": "^[a-z]+$"}, SAME, "abc"),
    (
        Annotated[list[int], Field(min_length=1, max_length=3)],
        {"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 3},
        SAME,
        [1],
    ),
    (Annotated[int | None, Field(ge=0)], {"type": ["integer", "null"], "minimum": 0}, SAME, None),
    (Annotated[str, "what it is"], {"type": "string", "description": "what it is"}, SAME, "a"),
    (Annotated[str, Field(description="what it is")], {"type": "string", "description": "what it is"}, SAME, "a"),
    (datetime, {"type": "string", "format": "date-time"}, SAME, "2026-05-31T14:30:00Z"),
    (date, {"type": "string", "format": "date"}, SAME, "2026-05-31"),
    (time, {"type": "string", "format": "time"}, SAME, "14:30:00"),
    (timedelta, {"type": "string", "format": "duration"}, SAME, "PT1H30M"),
    (UUID, {"type": "string", "format": "uuid"}, SAME, "12345678-1234-5678-1234-567812345678"),
    (UUID4, {"type": "string", "format": "uuid"}, SAME, "12345678-1234-4678-9234-567812345678"),
    (
        Decimal,
        {"type": ["number", "string"], "pattern": "^-?[0-9]+(\\.[0-9]+)?([Ee][+-]?[0-9]+)?$"},
        {"type": "string", "pattern": "^-?[0-9]+(\\.[0-9]+)?([Ee][+-]?[0-9]+)?$"},
        "0.10",
    ),
    (
        Annotated[Decimal, Field(ge=0)],
        {
            "anyOf": [
                {"type": "number", "minimum": 0},
                {"type": "string", "pattern": "^-?[0-9]+(\\.[0-9]+)?([Ee][+-]?[0-9]+)?$"},
            ]
        },
        {"type": "string", "pattern": "^-?[0-9]+(\\.[0-9]+)?([Ee][+-]?[0-9]+)?$"},
        "1.5",
    ),
    (Path, {"type": "string"}, SAME, "a/b.txt"),
    (bytes, {"type": "string", "contentEncoding": "base64"}, SAME, "aGk="),
    (date | None, {"type": ["string", "null"], "format": "date"}, SAME, None),
    (list[date], {"type": "array", "items": {"type": "string", "format": "date"}}, SAME, ["2026-05-31"]),
    (
        dict[str, Decimal],
        {
            "type": "object",
            "additionalProperties": {
                "type": ["number", "string"],
                "pattern": "^-?[0-9]+(\\.[0-9]+)?([Ee][+-]?[0-9]+)?$",
            },
        },
        {
            "type": "object",
            "additionalProperties": {"type": "string", "pattern": "^-?[0-9]+(\\.[0-9]+)?([Ee][+-]?[0-9]+)?$"},
        },
        {"a": "1"},
    ),
    (
        tuple[date, UUID],
        {
            "type": "array",
            "prefixItems": [{"type": "string", "format": "date"}, {"type": "string", "format": "uuid"}],
            "minItems": 2,
            "maxItems": 2,
        },
        SAME,
        ["2026-05-31", "12345678-1234-5678-1234-567812345678"],
    ),
]
IDS = [str(row[0]) for row in TYPES]


def tool_for(annotation: Any) -> FunctionTool[..., Any]:
    def echo(x: Any) -> Any:
        return x

    echo.__annotations__ = {"x": annotation, "return": annotation}
    return FunctionTool(echo)


def whole(schema: Any) -> Any:
    if isinstance(schema, list):
        return [whole(part) for part in schema]  # pyright: ignore[reportUnknownVariableType]
    if not isinstance(schema, dict):
        return schema
    changed: dict[str, Any] = {key: whole(part) for key, part in cast("dict[str, Any]", schema).items()}
    named = changed.get("properties")
    return changed if named is None else {**changed, "required": list(named)}


def of_parameter(tool: FunctionTool[..., Any]) -> dict[str, Any]:
    defs = {"$defs": tool.parameters["$defs"]} if "$defs" in tool.parameters else {}
    return {**tool.parameters["properties"]["x"], **defs}


@pytest.mark.parametrize(("annotation", "expected"), [row[:2] for row in TYPES], ids=IDS)
def test_a_parameter_has_this_schema(annotation: Any, expected: dict[str, Any]) -> None:
    tool = tool_for(annotation)
    assert of_parameter(tool) == expected
    assert tool.parameters["required"] == ["x"]
    assert tool.parameters["additionalProperties"] is False
    Draft202012Validator.check_schema(tool.parameters)


@pytest.mark.parametrize(("annotation", "parameter", "expected"), [row[:3] for row in TYPES], ids=IDS)
def test_a_result_has_this_schema(annotation: Any, parameter: dict[str, Any], expected: Any) -> None:
    tool = tool_for(annotation)
    assert tool.returns == (parameter if expected is SAME else whole(parameter) if expected is WHOLE else expected)
    Draft202012Validator.check_schema(tool.returns or {})


@pytest.mark.parametrize(("annotation", "value"), [(row[0], row[3]) for row in TYPES], ids=IDS)
def test_a_value_survives_the_way_through_a_tool(annotation: Any, value: Any) -> None:
    tool = tool_for(annotation)
    assert asyncio.run(tool.invoke({"x": value})) == value
    assert fits(tool.parameters, {"x": value})
    assert fits(tool.returns or {}, value)


@pytest.mark.parametrize(("annotation", "value"), [(row[0], row[3]) for row in TYPES], ids=IDS)
def test_a_default_makes_a_parameter_optional(annotation: Any, value: Any) -> None:
    given = tool_for(annotation).validate({"x": value})["x"]

    def echo(x: Any = given) -> Any:
        return x

    echo.__annotations__ = {"x": annotation, "return": annotation}
    tool = FunctionTool(echo)
    assert "required" not in tool.parameters
    assert asyncio.run(tool.invoke({})) == value
    Draft202012Validator.check_schema(tool.parameters)
