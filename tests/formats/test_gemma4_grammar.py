"""The grammar of calls and the check afterwards mean the same, whatever the schema."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("llama_cpp")
pytest.importorskip("llguidance")

from agentkit.errors import SchemaError
from agentkit.messages import JsonObject, ToolCall
from agentkit.model_backend.constraint import check_schema, json_schema_grammar, validate
from agentkit.model_backend.engine import Engine
from tests.constraint.schema_cases import REFUSED, RELAXED, STRICT
from tests.formats.gemma4.random_calls import random_schema
from tests.formats.gemma4.ways import Ways

NUMBER: JsonObject = {"type": "number"}
WHOLE: JsonObject = {"type": "integer"}


@pytest.fixture(scope="module")
def ways(engine: Engine) -> Ways:
    return Ways(engine.vocab)


def parameters(schema: Any) -> JsonObject:
    """The schema of a tool with one parameter."""
    if isinstance(schema, bool):
        return {"type": "object", "properties": {"a": schema}, "required": ["a"]}
    inner = {key: value for key, value in schema.items() if key != "$defs"}
    defs = {"$defs": schema["$defs"]} if "$defs" in schema else {}
    return {"type": "object", "properties": {"a": inner}, "required": ["a"], "additionalProperties": False, **defs}


KEPT = {name: parameters(schema) for name, schema in STRICT.items()}
LOOSE = {name: parameters(schema) for name, (schema, _) in RELAXED.items()}
WRONG = {name: parameters(schema) for name, (schema, _) in REFUSED.items()}
RANDOM = {f"random {seed}": random_schema(seed) for seed in range(40)}


def test_there_are_a_hundred_schemas() -> None:
    assert len(KEPT) + len(LOOSE) + len(WRONG) >= 100


@pytest.mark.parametrize("schema", [*KEPT.values(), *LOOSE.values()], ids=[*KEPT, *LOOSE])
def test_both_syntaxes_leave_the_same_to_the_check(schema: JsonObject, ways: Ways) -> None:
    in_json = sorted(f"f: {relaxed}" for relaxed in check_schema(schema, closed=True).relaxed)
    assert sorted(ways.grammar(schema).relaxed) == in_json


@pytest.mark.parametrize("schema", WRONG.values(), ids=WRONG)
def test_both_syntaxes_refuse_the_same(schema: JsonObject, ways: Ways) -> None:
    with pytest.raises(SchemaError) as in_json:
        check_schema(schema, closed=True)
    with pytest.raises(SchemaError) as in_calls:
        ways.grammar(schema)
    assert str(in_calls.value) == str(in_json.value)


def read_back(ways: Ways, schema: JsonObject, seeds: range) -> Iterator[JsonObject]:
    grammar = ways.grammar(schema).grammar
    for seed in seeds:
        if parsed := ways.random(grammar, seed):
            (call,) = parsed.pieces
            assert isinstance(call, ToolCall)
            assert parsed.notes == ()
            yield call.arguments


@pytest.mark.parametrize("schema", [*KEPT.values(), *RANDOM.values()], ids=[*KEPT, *RANDOM])
def test_every_random_call_is_read_without_repairs_and_is_valid(schema: JsonObject, ways: Ways) -> None:
    values = list(read_back(ways, schema, range(8)))
    assert values
    for value in values:
        assert validate(schema, value) == []


@pytest.mark.parametrize("schema", LOOSE.values(), ids=LOOSE)
def test_calls_under_a_looser_grammar_are_read_without_repairs(schema: JsonObject, ways: Ways) -> None:
    assert list(read_back(ways, schema, range(8)))


OTHERWISE = {
    "quarters": "4.5 is written 4.50",
    "number bounds": "nine places after the point, or an exponent",
    "degrees": "the same",
    "required, not declared": "further keys come after those that are named",
    "map beside properties": "the same",
    "allOf of objects": "the same",
    "names by pattern": "JSON has the empty key",
}


@pytest.mark.parametrize("name", [name for name in [*KEPT, *RANDOM] if name not in OTHERWISE])
def test_what_the_json_grammar_gives_may_be_written_as_the_renderer_writes_it(name: str, ways: Ways) -> None:
    schema = {**KEPT, **RANDOM}[name]
    grammar = json_schema_grammar(schema, closed=True)
    for seed in range(6):
        if tokens := ways.random_tokens(grammar, seed):
            value = json.loads(b"".join(map(ways.vocab.piece, tokens)))
            assert validate(schema, value) == []
            assert ways.takes(schema, value), value


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (NUMBER, 0.1 + 0.2),
        (NUMBER, 1e-7),
        (NUMBER, 1e22),
        (NUMBER, -1.7976931348623157e275),
        (NUMBER, 123456789012345.67),
        (NUMBER, 9007199254740993),
        ({**NUMBER, "minimum": 0}, 1e-12),
        ({**NUMBER, "minimum": 0}, 5e22),
        ({**NUMBER, "exclusiveMinimum": 0}, 5e-299),
        ({**NUMBER, "minimum": -1, "maximum": 1}, -3e-9),
        ({**NUMBER, "minimum": 0, "maximum": 1}, 1.5e-12),
        ({**NUMBER, "multipleOf": 0.01}, 19.99),
        (WHOLE, 1_900_000_000_000_000_000),
        (WHOLE, -(2**53) - 1),
        ({"type": "object", "additionalProperties": NUMBER}, {"größe": 1e-30, "+": 2.0, "a b": 0.0}),
        ({}, {"größe": [1e-30, {"-": None}]}),
    ],
)
def test_values_are_written_without_loss(schema: JsonObject, value: Any, ways: Ways) -> None:
    assert ways.takes(parameters(schema), {"a": value})
    grammar = json_schema_grammar(parameters(schema), closed=True)
    text = json.dumps({"a": value}, ensure_ascii=False)
    assert ways.allowed(grammar, ways.vocab.tokenize(text, special=False))


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({**NUMBER, "minimum": 0}, "-1e-9"),
        ({**NUMBER, "minimum": 0, "maximum": 1}, "1e5"),
        ({**NUMBER, "minimum": 0, "maximum": 1}, "1.5"),
        ({**NUMBER, "minimum": 1}, "1e-5"),
        ({**NUMBER, "maximum": 1e20}, "1e30"),
        ({**NUMBER, "multipleOf": 0.5}, "1e-3"),
        ({**NUMBER, "multipleOf": 0.5}, "0.25"),
        ({**NUMBER, "exclusiveMinimum": 0}, "0.0"),
        (NUMBER, "1e999"),
        (NUMBER, "9" * 20),
        (NUMBER, "+1"),
        (NUMBER, ".5"),
        (NUMBER, "01"),
        (NUMBER, "NaN"),
        (WHOLE, "1.0"),
        (WHOLE, "1e5"),
        (WHOLE, "9" * 20),
    ],
)
def test_numbers_that_do_not_fit_or_are_no_json_can_not_be_written(schema: JsonObject, text: str, ways: Ways) -> None:
    grammar = ways.grammar(parameters(schema)).grammar
    call = ways.vocab.tokenize(f"<|tool_call>call:f{{a:{text}}}<tool_call|>", special=True)
    assert not ways.allowed(grammar, call)
    in_json = json_schema_grammar(parameters(schema), closed=True)
    assert not ways.allowed(in_json, ways.vocab.tokenize(f'{{"a": {text}}}', special=False))
