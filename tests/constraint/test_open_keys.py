"""Keys that a schema does not name: they come to an end, are not the named ones, and none is lost."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agentkit.messages import is_object
from agentkit.model_backend.constraint import check_schema, json_schema_grammar, validate
from agentkit.model_backend.constraint.json_text import read_json
from tests.constraint.conftest import Accepts, Walk

WHOLE = {"type": "integer"}
NAMED = {"type": "object", "properties": {"ab": {"type": "boolean"}, "größe": WHOLE, 'q"': WHOLE}}
OPEN: list[Any] = [
    {"type": "object", "additionalProperties": WHOLE},
    {"type": "object", "additionalProperties": {"type": "number"}, "minProperties": 1, "maxProperties": 2},
    {"type": "object"},
    {**NAMED, "additionalProperties": WHOLE},
    {"type": "object", "additionalProperties": {"type": "object", "additionalProperties": WHOLE}},
    {"anyOf": [{"type": "object", "additionalProperties": WHOLE}, {"type": "null"}]},
    {"$ref": "#/$defs/map", "$defs": {"map": {"type": "object", "additionalProperties": WHOLE}}},
    {"type": "object", "additionalProperties": True, "title": "anything"},
    {},
]


def nested(key: str, depth: int) -> str:
    return f'{{"{key}": ' * depth + "1" + "}" * depth


@pytest.mark.parametrize("schema", OPEN)
def test_a_key_has_one_to_sixty_four_characters(schema: Any, accepts: Accepts) -> None:
    grammar = json_schema_grammar(schema)
    depth = 2 if "object" in json.dumps(schema.get("additionalProperties", "")) else 1
    assert accepts(grammar, nested("k" * 64, depth))
    assert accepts(grammar, nested('ü\\n日\\"', depth))
    assert not accepts(grammar, nested("k" * 65, depth))
    assert not accepts(grammar, nested("", depth))


@pytest.mark.parametrize("schema", [{}, {"type": "object"}, {"type": "array"}, {"type": "object", "properties": {}}])
def test_keys_end_at_every_depth_of_a_value_that_may_be_anything(schema: Any, accepts: Accepts) -> None:
    grammar = json_schema_grammar(schema)
    begin, end = ("[", "]") if schema.get("type") == "array" else ('{"a": ', "}")
    assert accepts(grammar, f'{begin}{{"a": [{{"b": 1e-12}}, "x", null]}}{end}')
    assert not accepts(grammar, f'{begin}{{"a": [{{"{"k" * 65}": 1}}]}}{end}')


def test_a_further_key_is_none_of_the_named_ones(accepts: Accepts) -> None:
    grammar = json_schema_grammar({**NAMED, "additionalProperties": WHOLE})
    for key in ("a", "abc", "b", "größ", "größer", 'q""', "q"):
        assert accepts(grammar, json.dumps({key: 1}, ensure_ascii=False)), key
    assert accepts(grammar, '{"ab": true, "x": 1}')
    assert not accepts(grammar, '{"ab": 1}')
    assert not accepts(grammar, '{"ab": true, "ab": 1}')


def test_random_ways_give_valid_objects(walk: Walk) -> None:
    for schema in OPEN:
        for seed in range(10):
            if (text := walk(json_schema_grammar(schema), seed)) is not None:
                value = json.loads(text)
                assert validate(schema, value) == []
                assert not is_object(value) or all(0 < len(key) <= 64 for key in value)


def test_very_many_or_very_long_names_leave_other_keys_open(accepts: Accepts) -> None:
    for names in ([f"name_{i}" for i in range(80)], ["n" * 60]):
        schema = {"type": "object", "properties": dict.fromkeys(names, WHOLE), "additionalProperties": WHOLE}
        assert check_schema(schema).strict
        assert accepts(json_schema_grammar(schema), json.dumps({names[0]: 1, "other": 2}))


def test_schemas_for_one_value_still_combine(accepts: Accepts) -> None:
    one = {"type": "object", "properties": {"a": WHOLE}, "required": ["a"]}
    two = {"type": "object", "properties": {"b": WHOLE}, "required": ["b"]}
    for schema in (
        {"allOf": [one, two]},
        {**two, "$ref": "#/$defs/one", "$defs": {"one": one}},
        {**two, "anyOf": [one]},
    ):
        texts = ['{"a": 1, "b": 2}', '{"b": 2, "a": 1}']
        assert any(accepts(json_schema_grammar(schema, closed=True), text) for text in texts)


# Reading


@pytest.mark.parametrize("text", ['{"a": 1, "a": 2}', '[{"a": {"b": 1, "b": true}}]', '{"a": 1, "b": 2, "a": 1.0}'])
def test_two_values_for_a_key_are_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="two values for"):
        read_json(text)


def test_the_same_value_twice_is_that_value() -> None:
    assert read_json('{"a": [1], "b": 2, "a": [1]}') == {"a": [1], "b": 2}


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", '{"a": -Infinity}', "{", ""])
def test_what_is_no_json_is_an_error(text: str) -> None:
    with pytest.raises(ValueError):
        read_json(text)
