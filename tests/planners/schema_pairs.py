"""Types, schemas and values by chance: what results and parameters may look like, and what may come through."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Iterator
from dataclasses import make_dataclass
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, NotRequired, Optional, Union, cast
from uuid import UUID

import jsonschema_rs
from pydantic import UUID4, BaseModel, Field, create_model
from typing_extensions import TypedDict  # a pydantic model takes no other before Python 3.12

from agentkit.messages import is_object
from agentkit.planners.schema_cases import target
from agentkit.tools.schema import support_typed_dicts
from agentkit.tools.tool import FunctionTool
from tests.tools.kinds import Colour, Level, Loose, Node, Open, Pair, Person, Pet, Place, Point, Tree

KEYS = ("a", "b", "kind", "city")
PATTERNS = {
    "^a+$": ("a", "aaa"),
    "^[0-9]+$": ("0", "42", "007"),
    r"^-?[0-9]+(\.[0-9]+)?([Ee][+-]?[0-9]+)?$": ("0.10", "-1", "5", "1E5"),
}
FORMATS = {
    "date": ("2026-05-31", "0001-01-01"),
    "date-time": ("2026-05-31T14:30:00Z", "2026-05-31T14:30:00.5+02:00"),
    "time": ("14:30:00Z", "00:00:00+01:00"),
    "duration": ("PT1H30M", "P1D", "P1Y"),
    "uuid": ("12345678-1234-4678-9234-567812345678",),
    "email": ("ann@example.org",),
    "uri": ("https://example.org/a",),
}
WORDS = ("", "a", "abc", "5", "-1", "1.5", "true", "no", "2026-05-31", "naïve ☃", "city", "x" * 30)


class Small(Enum):
    ONE = 1
    WORD = "a"


class Tea(BaseModel):
    kind: Literal["tea"] = "tea"
    a: int = 0


class Milk(BaseModel):
    kind: Literal["milk"] = "milk"
    a: int = 0


LEAVES: list[Any] = [
    *(int, float, str, bool, None, Any, dt.date, dt.datetime, dt.time, dt.timedelta, UUID, UUID4, Decimal, bytes, Path),
    *(int, str, float, int, str),  # as in life
    *(Literal["a"], Literal["a", "b"], Literal["a", "b", "c"], Literal[1, 2], Literal["1", "2"], Literal["a", 1, None]),
    *(
        Literal[True],
        Literal["yes", "no"],
        Colour,
        Level,
        Small,
        Point,
        Person,
        Place,
        Loose,
        Open,
        Pair,
        Tree,
        Node,
        Pet,
    ),
    Annotated[Union[Tea, Milk], Field(discriminator="kind")],  # noqa: UP007
    Annotated[int, Field(ge=0)],
    Annotated[int, Field(gt=-1, le=100)],
    Annotated[int, Field(ge=1, lt=10)],
    Annotated[int, Field(multiple_of=2)],
    Annotated[int, Field(multiple_of=4, ge=0)],
    Annotated[float, Field(ge=0, le=1)],
    Annotated[float, Field(gt=0)],
    Annotated[str, Field(min_length=1)],
    Annotated[str, Field(min_length=2, max_length=4)],
    Annotated[str, Field(pattern="^a+$")],
    Annotated[str, Field(pattern="^[0-9]+$")],
    Annotated[Decimal, Field(ge=0)],
    Annotated[list[int], Field(min_length=1)],
    Annotated[list[str], Field(max_length=2)],
    Annotated[set[int], Field(min_length=2)],
]
for leaf in LEAVES:
    support_typed_dicts(leaf)
HASHABLE: list[Any] = [int, str, float, dt.date, Literal["a", "b"], Decimal, bool, int | str]


def annotation(rng: random.Random, depth: int = 2) -> Any:
    """Returns a type by chance."""
    if depth == 0 or rng.random() < 0.35:
        return rng.choice(LEAVES)

    def inner() -> Any:
        return annotation(rng, depth - 1)

    make: list[Callable[[], Any]] = [
        lambda: list[inner()],  # type: ignore[misc]
        lambda: set[rng.choice(HASHABLE)],  # type: ignore[misc]
        lambda: tuple[inner(), inner()],  # type: ignore[misc]
        lambda: tuple[inner(), ...],  # type: ignore[misc]
        lambda: dict[str, inner()],  # type: ignore[misc]
        lambda: dict[Literal["a", "b"], inner()],  # type: ignore[misc]
        lambda: Optional[inner()],  # noqa: UP045
        lambda: Union[inner(), inner()],  # noqa: UP007
        lambda: _object(rng, inner),
        lambda: _object(rng, inner),
        lambda: _object(rng, inner),
    ]
    return rng.choice(make)()


def _object(rng: random.Random, inner: Callable[[], Any]) -> Any:
    fields = {key: inner() for key in rng.sample(KEYS, rng.randint(1, 3))}
    kind = rng.choice(["dict", "dataclass", "model", "open"])
    if kind == "dict":
        wrapped = {k: NotRequired[v] if rng.random() < 0.3 else v for k, v in fields.items()}
        return cast("Any", TypedDict)("D", wrapped)
    if kind == "dataclass":
        return make_dataclass("C", fields.items())
    optional: dict[str, Any] = {
        k: (Optional[v], None) if rng.random() < 0.3 else (v, ...)  # noqa: UP045
        for k, v in fields.items()
    }
    return create_model("M", __config__={"extra": "allow"} if kind == "open" else None, **optional)


def tool_of(kind: Any) -> FunctionTool[..., Any]:
    """Returns a tool that takes the type as ``x`` and returns it."""

    def echo(x: Any) -> Any:
        return x

    echo.__annotations__ = {"x": kind, "return": kind}
    return FunctionTool(echo)


def schema(rng: random.Random, depth: int = 2) -> Any:
    """Returns a JSON Schema by chance, of kinds that Python types do not give."""
    kind = rng.choice(["integer", "number", "string", "array", "object", "mixed", "fixed", "any"])
    if kind in ("integer", "number"):
        return {"type": kind, **_number_keywords(rng)}
    if kind == "string":
        return {
            "type": kind,
            **_some(rng, minLength=rng.randint(0, 2), maxLength=rng.randint(2, 40), format=rng.choice([*FORMATS])),
        }
    if kind == "fixed":
        values = [None, True, False, 0, 1, 1.5, "a", "b", "1", [1], {"a": 1}]
        return rng.choice([{"const": rng.choice(values)}, {"enum": rng.sample(values, rng.randint(1, 4))}])
    if depth == 0 or kind == "any":
        return rng.choice([True, {}, {"type": ["string", "null"]}, {"type": ["integer", "string"]}, {"type": "null"}])
    parts = [schema(rng, depth - 1) for _ in range(rng.randint(1, 3))]
    if kind == "array":
        return {"type": kind, **_list_keywords(rng, parts)}
    if kind == "object":
        return _object_schema(rng, parts)
    plain = {"type": rng.choice(["integer", "string", "object"])}
    way = rng.choice(["anyOf", "oneOf", "allOf", "not", "$ref"])
    if way == "not":
        return {**plain, "not": parts[0]}
    if way == "$ref":
        tree = {"anyOf": [*parts, {"type": "array", "items": {"$ref": "#"}}]}
        return {"$ref": "#/$defs/T", "$defs": {"T": tree}} if depth == 2 else tree["anyOf"][0]
    if way == "allOf":
        parts = [parts[0], changed(rng, parts[0])]
    return {way: parts, **(plain if rng.random() < 0.2 else {})}


def _number_keywords(rng: random.Random) -> dict[str, Any]:
    low, high = rng.choice(["minimum", "exclusiveMinimum"]), rng.choice(["maximum", "exclusiveMaximum"])
    bounds = {low: rng.randint(-3, 3), high: rng.randint(4, 9), "multipleOf": rng.choice([1, 2, 4])}
    return _some(rng, **bounds)


def _list_keywords(rng: random.Random, parts: list[Any]) -> dict[str, Any]:
    return _some(
        rng,
        items=parts[0],
        prefixItems=parts[1:] or parts,
        minItems=rng.randint(0, 2),
        maxItems=rng.randint(2, 4),
        uniqueItems=rng.random() < 0.5,
        contains=parts[-1],
    )


def _object_schema(rng: random.Random, parts: list[Any]) -> dict[str, Any]:
    names = rng.sample(KEYS, len(parts))
    return {
        "type": "object",
        "properties": dict(zip(names, parts, strict=True)),
        **_some(
            rng,
            required=rng.sample(KEYS, rng.randint(0, 2)),
            additionalProperties=rng.choice([False, False, True, parts[0]]),
            minProperties=rng.randint(0, 2),
            maxProperties=rng.randint(2, 4),
        ),
        **_some(
            rng,
            0.1,
            patternProperties={"^a": parts[0]},
            propertyNames={"maxLength": rng.randint(1, 4)},
            dependentRequired={"a": ["b"]},
        ),
    }


def _some(rng: random.Random, chance: float = 0.4, **keywords: Any) -> dict[str, Any]:
    return {k: v for k, v in keywords.items() if rng.random() < chance}


def changed(rng: random.Random, node: Any) -> Any:
    """Returns a schema that is near another one: a keyword or a part of it differs."""
    if not is_object(node):
        return node if rng.random() < 0.5 else schema(rng, 1)
    if not node or rng.random() < 0.1:
        return {**node, "description": "the same"}
    key = rng.choice([*node])
    value: Any = node[key]
    if key == "type" and value == "integer":
        return {**node, "type": rng.choice(["number", ["integer", "null"]])}
    if key == "enum":
        return {**node, key: [*value, "other"]}
    if key in ("anyOf", "required"):
        return {**node, key: value[:1]}
    if key in ("items", "additionalProperties", "not"):
        return {**node, key: changed(rng, value)}
    if key == "properties":
        name = rng.choice([*value])
        return {**node, key: {**value, name: changed(rng, value[name])}}
    if type(value) is int and key not in ("const", "multipleOf"):
        return {**node, key: max(value + rng.choice([-1, 1]), 0)}
    kept = key in ("type", "const", "$ref", "$defs")
    return node if kept else {k: v for k, v in node.items() if k != key}


def values(node: Any, rng: random.Random, count: int) -> list[Any]:
    """Returns values that are valid under a schema, at most `count`."""
    validator: Any = jsonschema_rs.Draft202012Validator(node, validate_formats=True)
    found: list[Any] = []
    for _ in range(count * 3):
        value = _value(node, node, rng, 4)
        if validator.is_valid(value) and value not in found:
            found.append(value)
        if len(found) == count:
            break
    return found


def _value(node: Any, root: Any, rng: random.Random, depth: int) -> Any:
    """Returns a value that is likely to be valid."""
    if not is_object(node):
        return rng.choice([None, True, 0, 5, 1.5, "a", "city", [], [1, "a"], {}, {"a": 1}, {"x": "y"}])
    if "$ref" in node:
        return _value(target(node["$ref"], root), root, rng, depth)
    for key in ("anyOf", "oneOf"):
        if key in node:
            return _value(rng.choice(node[key][: None if depth else 1]), root, rng, depth)
    if "allOf" in node:
        both = [_value(part, root, rng, depth) for part in node["allOf"]]
        return {**both[0], **both[-1]} if all(map(is_object, both)) else rng.choice(both)
    if "const" in node or "enum" in node:
        return node["const"] if "const" in node else rng.choice(node["enum"])
    types: Any = node.get("type", ["null", "boolean", "integer", "number", "string", "array", "object"])
    kind = types if isinstance(types, str) else rng.choice(types)
    if kind in ("integer", "number"):
        return _number(node, kind, rng)
    if kind == "string":
        return _text(node, rng)
    if kind == "array":
        return _list(node, root, rng, depth)
    if kind == "object":
        return dict(_entries(node, root, rng, depth))
    return None if kind == "null" else rng.choice([True, False])


def _number(fields: dict[str, Any], kind: str, rng: random.Random) -> Any:
    low = fields.get("minimum", fields.get("exclusiveMinimum", -2))
    high = fields.get("maximum", fields.get("exclusiveMaximum", low + 5))
    step = fields.get("multipleOf", 1 if kind == "integer" else 0.25)
    some: list[Any] = [low, high, low + step, high - step, (low + step) // step * step, rng.randint(0, 9) * step]
    if "maximum" not in fields and "exclusiveMaximum" not in fields:
        some += [10**6 * step, 0]
    return rng.choice(some)


def _text(fields: dict[str, Any], rng: random.Random) -> str:
    if "contentEncoding" in fields:
        return rng.choice(["aGk=", ""])
    if "format" in fields:
        return rng.choice(FORMATS[str(fields["format"])])
    if "pattern" in fields:
        return rng.choice(PATTERNS[str(fields["pattern"])])
    short: str = "x" * fields.get("minLength", 0)
    long: str = "y" * fields.get("maxLength", 9)
    return rng.choice([*WORDS, short, long])


def _list(fields: dict[str, Any], root: Any, rng: random.Random, depth: int) -> list[Any]:
    least = fields.get("minItems", 0)
    count = least if depth <= 0 else rng.randint(least, max(least, fields.get("maxItems", least + 2)))
    prefix = fields.get("prefixItems", [])
    parts = [prefix[i] if i < len(prefix) else fields.get("items", True) for i in range(count)]
    return [_value(part, root, rng, depth - 1) for part in parts]


def _entries(fields: dict[str, Any], root: Any, rng: random.Random, depth: int) -> Iterator[tuple[str, Any]]:
    named = fields.get("properties", {})
    required = fields.get("required", [])
    other = fields.get("additionalProperties", True)
    for key in {**dict.fromkeys(required), **named}:
        if key in required or (depth > 0 and rng.random() < 0.6):
            yield key, _value(named.get(key, other), root, rng, depth - 1)
    if other is not False and depth > 0:
        names: list[str] = fields.get("propertyNames", {}).get("enum", ["a", "b", "city", "x"])
        for key in rng.sample(names, rng.choice([0, 1, 1, 2])):
            if key not in named:
                yield key, _value(other, root, rng, depth - 1)
