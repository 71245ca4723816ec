"""What a grammar lets through fits the schema, and what fits gets through."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentkit.model_backend.constraint import check_schema, json_schema_grammar
from tests.constraint.conftest import Accepts, Walk

POINT = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "x": {"type": "number"},
        "tags": {"type": "array", "items": {"type": "number"}, "maxItems": 2},
    },
    "required": ["x"],
}

COUNTED = {
    "type": "object",
    "properties": {"kind": {"const": "counted"}, "count": {"type": "number"}},
    "required": ["kind", "count"],
}
NAMED = {
    "type": "object",
    "properties": {"kind": {"const": "named"}, "name": {"type": "string"}},
    "required": ["kind", "name"],
}

CASES: list[tuple[Any, str, bool]] = [
    ({"anyOf": [COUNTED, NAMED]}, '{"kind": "counted", "count": 1e3}', True),
    ({"anyOf": [COUNTED, NAMED]}, '{"kind": "named", "name": "a"}', True),
    ({"anyOf": [NAMED, COUNTED]}, '{"kind": "named", "name": "a"}', True),
    (POINT, '{"name": "a", "x": 1.5}', True),
    (POINT, '{"x": 1e-9, "tags": [2E+3, -1]}', True),
    (POINT, '{"x": 1, "tags": []}', True),
    (POINT, '{"name": "a"}', False),
    (POINT, '{"x": 1, "name": "a"}', False),  # properties come in the schema's order
    (POINT, '{"x":1}', False),  # blanks are not the model's to choose
    (POINT, '{"x": 1, "y": 2}', False),
    (POINT, '{"x": 1, "tags": [1, 2, 3]}', False),
    (POINT, '{"x": 11111111111111111111}', False),  # a number can't grow without end
    (POINT, '{"x": 0.' + "3" * 40 + "}", False),
    ({"type": "integer"}, "1" * 20, False),
    ({"type": "integer"}, "1900000000000000000", True),
    ({"type": "number", "minimum": 0}, "-1", False),
    ({"type": ["number", "null"]}, "null", True),
    ({"type": "string"}, '"a \\"b\\" \\n ü {"', True),
    ({"type": "string", "pattern": "^a+$"}, '"aab"', False),
    ({"type": "string", "format": "date"}, '"2024-02-31x"', False),
    ({"type": "object", "properties": {"a": {"type": "number"}, "b": {"type": "number"}}}, "{}", True),
    ({"type": "object", "properties": {"a": {"type": "number"}, "b": {"type": "number"}}}, '{"b": 1}', True),
    ({"type": "object", "properties": {"a": {"type": "number"}, "b": {"type": "number"}}}, '{, "b": 1}', False),
]


@pytest.mark.parametrize(("schema", "text", "fits"), CASES)
def test_texts_by_hand(schema: Any, text: str, fits: bool, accepts: Accepts) -> None:
    assert accepts(json_schema_grammar(schema, closed=True), text) is fits


def test_closed_objects_still_combine(accepts: Accepts) -> None:
    schema = {
        "type": "object",
        "properties": {"kind": {"const": "a"}},
        "required": ["kind"],
        "anyOf": [{"properties": {"n": {"type": "integer"}}, "required": ["n"]}],
    }
    texts = '{"kind": "a", "n": 3}', '{"n": 3, "kind": "a"}'  # either order will do
    assert any(accepts(json_schema_grammar(schema, closed=True), text) for text in texts)


_scalars = st.sampled_from(
    [
        {"type": "string", "maxLength": 6},
        {"type": "string", "format": "date"},
        {"type": "string", "pattern": "^[a-c]{1,4}$"},
        {"type": "integer", "minimum": -5, "maximum": 120},
        {"type": "integer"},
        {"type": "number"},
        {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
        {"type": ["boolean", "null"]},
        {"type": ["number", "null"]},
        {"enum": ["a", 'quote "', 3, None, {"b": [1]}]},
        {"const": "fixed"},
    ]
)


def _containers(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    arrays = st.fixed_dictionaries(
        {"type": st.just("array"), "items": inner, "minItems": st.integers(0, 2), "maxItems": st.integers(2, 3)}
    )
    unions = st.fixed_dictionaries({"anyOf": st.lists(inner, min_size=1, max_size=3)})

    @st.composite
    def objects(draw: st.DrawFn) -> dict[str, Any]:
        names = draw(st.lists(st.sampled_from(["a", "b c", 'd"', "e"]), max_size=4, unique=True))
        required = draw(st.lists(st.sampled_from(names), unique=True)) if names else []
        properties = {name: draw(inner) for name in names}
        return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}

    return arrays | unions | objects()


_schemas = st.recursive(_scalars, _containers, max_leaves=6)


@given(schema=_schemas, seed=st.integers(0, 2**32))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_random_way_through_a_grammar_gives_a_valid_value(schema: dict[str, Any], seed: int, walk: Walk) -> None:
    text = walk(json_schema_grammar(schema), seed)
    if text is not None:
        formats = jsonschema.Draft202012Validator.FORMAT_CHECKER
        validator: Any = jsonschema.Draft202012Validator(schema, format_checker=formats)
        validator.validate(json.loads(text))
    assert check_schema(schema).strict


@given(choices=st.lists(_schemas, min_size=2, max_size=4), seed=st.integers(0, 2**32))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_union_allows_what_each_of_its_choices_allows(
    choices: list[dict[str, Any]], seed: int, walk: Walk, accepts: Accepts
) -> None:
    union = json_schema_grammar({"anyOf": choices})
    for choice in choices:
        text = walk(json_schema_grammar(choice), seed)
        assert text is None or accepts(union, text)


def test_random_ways_do_come_to_an_end(walk: Walk) -> None:
    grammar = json_schema_grammar(POINT, closed=True)
    ended = [text for seed in range(20) if (text := walk(grammar, seed)) is not None]
    assert len(ended) >= 10
