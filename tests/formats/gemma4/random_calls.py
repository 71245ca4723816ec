"""Random schemas, and calls and answers that random weights make of them."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jsonschema

from agentkit.messages import JsonObject, Text, ToolCall, User
from agentkit.model_backend.base import ToolSpec, TurnRequest
from agentkit.model_backend.constraint import validate
from agentkit.model_backend.engine import Engine, EngineSettings, Outcome
from agentkit.model_backend.engine.settings import ResolvedSampling
from agentkit.model_backend.formats.base import Draft
from agentkit.model_backend.formats.gemma4 import Gemma4Format
from tests.tiny_gguf import TinyKind, build_tiny_gguf

KINDS: tuple[TinyKind, ...] = ("dense", "moe", "ple")
SLOTS = 8
SETTINGS = EngineSettings(context=8192, slots=SLOTS, threads=1, flash_attention=False)
_NAMES = (
    "a",
    "city",
    "type",
    "description",
    "properties",
    "required",
    "nullable",
    "$id",
    "B b",
    "größe",
    "x-y.z",
    'q"q',
)


def random_schema(seed: int) -> JsonObject:
    """Returns the parameters of a made-up tool. Everything in it is small: random weights seldom come to an end.

    Equal seeds give equal schemas.
    """
    choose = random.Random(seed)
    schema = _object(choose, 2)
    if seed % 10 == 3:  # a tree
        schema["properties"]["tree"] = {"$ref": "#/$defs/tree"}
        leaf: JsonObject = {
            "type": "object",
            "properties": {"v": {"type": "boolean"}, "next": {"type": "null"}},
            "required": ["v"],
        }
        schema["$defs"] = {"tree": {**leaf, "properties": {**leaf["properties"], "next": {"$ref": "#/$defs/tree"}}}}
        schema["$defs"]["tree"]["additionalProperties"] = False
    return schema


def _object(choose: random.Random, depth: int) -> JsonObject:
    names = choose.sample(_NAMES, choose.randint(0 if depth == 2 else 1, 3))
    properties = {name: _value(choose, depth - 1) for name in names}
    required = [name for name in names if choose.random() < 0.6]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _value(choose: random.Random, depth: int) -> JsonObject:
    formats = ["date", "uuid", "ipv4", "time", "date-time"]
    short = {"type": "string", "maxLength": choose.randint(1, 6)}
    scalars: list[JsonObject] = [
        short,
        {"type": "string", "minLength": 2, "maxLength": 4},
        {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{1,3}$"},
        {"type": "string", "pattern": "b+", "maxLength": 5},
        {"type": "string", "format": choose.choice(formats)},
        {"type": "integer", "minimum": choose.randint(-99, 0), "maximum": choose.randint(0, 1000)},
        {"type": "number", "minimum": -2.5, "maximum": 10},
        {"type": "integer", "multipleOf": 5, "minimum": 0, "maximum": 100},
        {"type": "boolean"},
        {"type": ["boolean", "null"]},
        {"enum": ["red", 'a"b', "<|turn>", 3, None, [1, "x"], {"k": True}]},
        {"const": "it's"},
        {"anyOf": [{"type": "integer", "minimum": 0, "maximum": 9}, {"type": "null"}, short]},
        {"allOf": [short, {"type": "string", "minLength": 1}]},
    ]
    if depth <= 0 or choose.random() < 0.6:
        return choose.choice(scalars)
    inner = _value(choose, depth - 1)
    return choose.choice(
        [
            {"type": "array", "items": inner, "maxItems": 3},
            {"type": "array", "items": inner, "minItems": 1, "maxItems": 2},
            {"type": "array", "prefixItems": [inner, {"type": "boolean"}], "items": False, "minItems": 1},
            _object(choose, depth),
            {"type": "object", "additionalProperties": {"type": "boolean"}, "maxProperties": 2},
        ]
    )


def decode_all(kind: TinyKind, folder: Path, requests: Sequence[TurnRequest]) -> list[Outcome[Draft]]:
    """Returns what random weights of that kind make of the requests, at temperature 1."""
    engine = Engine.load(build_tiny_gguf(folder / f"{kind}.gguf", kind=kind), SETTINGS)
    form = Gemma4Format(engine.vocab)

    async def decode(seed: int, request: TurnRequest) -> Outcome[Draft]:
        sampling = ResolvedSampling(temperature=1.0, top_k=0, top_p=1.0, min_p=0.0, repeat_penalty=1.0, seed=seed)
        return await engine.run(form.prompt(request), form.script(request), sampling=sampling)

    async def together() -> list[Outcome[Draft]]:
        outcomes: list[Outcome[Draft]] = []
        for first in range(0, len(requests), SLOTS):
            batch = enumerate(requests[first : first + SLOTS], first)
            outcomes += await asyncio.gather(*(decode(seed, request) for seed, request in batch))
        return outcomes

    try:
        return asyncio.run(together())
    finally:
        engine.close()


def check_calls(kind: TinyKind, folder: Path, schemas: Sequence[JsonObject], times: int) -> int:
    """Has each schema called that many times; returns the number of calls. All must parse and fit."""
    tools = [ToolSpec(name=f"tool_{i}", description="", parameters=schema) for i, schema in enumerate(schemas)]
    asked = [
        TurnRequest(messages=[User("go")], tools=[tool], calls="required", max_calls=1, max_tokens=900)
        for tool in tools
        for _ in range(times)
    ]
    count = 0
    for request, outcome in zip(asked, decode_all(kind, folder, asked), strict=True):
        (tool,) = request.tools
        assert outcome.value.stop == "calls", (tool.parameters, outcome.value)
        assert all(note.startswith("checked after") for note in outcome.value.notes), outcome.value
        for piece in outcome.value.pieces:
            assert isinstance(piece, ToolCall) and piece.name == tool.name
            check_value(tool.parameters, piece.arguments)
            count += 1
    return count


def check_answers(kind: TinyKind, folder: Path, schemas: Sequence[JsonObject], times: int) -> int:
    """Has an answer given by each schema that many times; returns the number of answers."""
    asked = [
        TurnRequest(messages=[User("go")], output=schema, max_tokens=900) for schema in schemas for _ in range(times)
    ]
    for request, outcome in zip(asked, decode_all(kind, folder, asked), strict=True):
        assert outcome.value.stop == "answer", (request.output, outcome.value)
        (piece,) = outcome.value.pieces
        assert isinstance(piece, Text)
        check_value(request.output or {}, json.loads(piece.text))
    return len(asked)


def check_value(schema: JsonObject, value: Any) -> None:
    """Asks two validators."""
    jsonschema.validate(value, schema)
    assert not validate(schema, value)
