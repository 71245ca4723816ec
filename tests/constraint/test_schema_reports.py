"""Every keyword is enforced, relaxed and reported, or refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytest.importorskip("llguidance")

from agentkit.errors import SchemaError
from agentkit.model_backend.constraint import check_schema, validate

TEXT = {"type": "string"}
NODE = {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}

STRICT: dict[str, Any] = {
    "types": {"type": ["string", "integer", "boolean", "null"]},
    "enum": {"enum": ["a", 1, None, {"b": [2]}]},
    "const": {"const": {"a": [1, "b"]}},
    "string bounds": {"type": "string", "minLength": 2, "maxLength": 5},
    "pattern": {"type": "string", "pattern": "^[a-z]+-\\d{3}$"},
    "format": {"type": "string", "format": "date-time"},
    "number bounds": {"type": "number", "minimum": 0, "exclusiveMaximum": 1},
    "multiple": {"type": "integer", "multipleOf": 7},
    "items": {"type": "array", "items": TEXT, "minItems": 1, "maxItems": 3},
    "prefix items": {"type": "array", "prefixItems": [TEXT, {"type": "integer"}], "items": False},
    "nested objects": {"type": "object", "properties": {"a": {"type": "object", "properties": {"b": TEXT}}}},
    "map": {"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 1},
    "names by pattern": {"type": "object", "patternProperties": {"^x_": TEXT}},
    "union": {"anyOf": [TEXT, {"type": "array", "items": TEXT}]},
    "disjoint oneOf": {"oneOf": [TEXT, {"type": "integer"}]},
    "allOf": {"allOf": [{"type": "integer", "minimum": 1}, {"maximum": 3}]},
    "recursion": {"$ref": "#/$defs/node", "$defs": {"node": NODE}},
    "draft 4 bounds": {"type": "integer", "minimum": 3, "exclusiveMinimum": True},
    "anything": {},
    "true": True,
}

RELAXED: dict[str, tuple[Any, list[str]]] = {
    "not": ({"type": "string", "not": {"const": "x"}}, ["/not"]),
    "condition": (
        {"type": "object", "if": {"required": ["a"]}, "then": {"required": ["b"]}, "else": {"required": ["c"]}},
        ["/else", "/if", "/then"],
    ),
    "unique items": ({"type": "array", "uniqueItems": True}, ["/uniqueItems"]),
    "contains": ({"type": "array", "contains": TEXT, "minContains": 2}, ["/contains", "/minContains"]),
    "names": ({"type": "object", "propertyNames": {"pattern": "^a"}}, ["/propertyNames"]),
    "dependent required": ({"type": "object", "dependentRequired": {"a": ["b"]}}, ["/dependentRequired"]),
    "dependent schemas": ({"type": "object", "dependentSchemas": {"a": {"required": ["b"]}}}, ["/dependentSchemas"]),
    "unevaluated": ({"type": "object", "unevaluatedProperties": False}, ["/unevaluatedProperties"]),
    "look-ahead": (
        {"type": "object", "properties": {"a/b": {**TEXT, "pattern": "^(?!x)a"}}},
        ["/properties/a~1b/pattern"],
    ),
    "overlapping oneOf": ({"oneOf": [{**TEXT, "minLength": 3}, {**TEXT, "maxLength": 4}]}, ["/oneOf"]),
    "overlapping name patterns": (
        {"type": "object", "patternProperties": {"^a": {}, "b$": {"type": "integer"}}, "additionalProperties": False},
        ["/patternProperties"],
    ),
    "counted optional properties": (
        {"type": "object", "properties": {"a": TEXT}, "minProperties": 2},
        ["/minProperties"],
    ),
    "format without a grammar": ({"type": "string", "format": "idn-email"}, ["/format"]),
    "recursion with siblings": (
        {
            "$defs": {"n": {"type": "object", "properties": {"x": {"$ref": "#/$defs/n", "required": ["x"]}}}},
            "$ref": "#/$defs/n",
        },
        ["/$defs/n/properties/x/required"],
    ),
    "huge bound": ({"type": "integer", "minimum": 10**20}, ["/minimum"]),
    "tiny step": ({"type": "number", "multipleOf": 1e-20}, ["/multipleOf"]),
}

REFUSED: dict[str, tuple[Any, str]] = {
    "false": (False, ""),
    "no such type": ({"properties": {"a": {"type": "strin"}}}, "/properties/a/type"),
    "no value fits": ({"type": "object", "properties": {"a": {"enum": []}}, "required": ["a"]}, "/properties/a"),
    "contradiction": ({"type": "string", "minLength": 5, "maxLength": 2}, ""),
    "required but forbidden": ({"type": "object", "required": ["a"], "additionalProperties": False}, ""),
    "dangling reference": ({"properties": {"a": {"$ref": "#/$defs/b"}}}, "/properties/a/$ref"),
    "outside reference": ({"items": {"$ref": "https://example.org/s.json"}}, "/items/$ref"),
    "impossible step": ({"type": "number", "multipleOf": 0}, "/multipleOf"),
    "broken pattern": ({"type": "string", "pattern": "("}, "/pattern"),
}


@pytest.mark.parametrize("schema", STRICT.values(), ids=STRICT)
def test_what_the_grammar_enforces_is_not_reported(schema: Any) -> None:
    assert check_schema(schema).strict


@pytest.mark.parametrize(("schema", "pointers"), RELAXED.values(), ids=RELAXED)
def test_what_the_grammar_lacks_is_reported_by_pointer(schema: Any, pointers: list[str]) -> None:
    assert [relaxed.pointer for relaxed in check_schema(schema).relaxed] == pointers


@pytest.mark.parametrize(("schema", "pointer"), REFUSED.values(), ids=REFUSED)
def test_what_can_not_be_is_refused_with_its_pointer(schema: Any, pointer: str) -> None:
    with pytest.raises(SchemaError) as caught:
        check_schema(schema)
    assert caught.value.pointer == pointer


def test_only_the_branch_that_is_to_blame_is_relaxed() -> None:
    overlapping = {"oneOf": [{**TEXT, "minLength": 3}, {**TEXT, "maxLength": 4}]}
    schema = {"type": "object", "properties": {"a": {"type": "integer", "minimum": 5}, "b": overlapping}}
    report = check_schema(schema)
    assert [relaxed.pointer for relaxed in report.relaxed] == ["/properties/b/oneOf"]
    assert json.loads(report.grammar_text)["properties"]["a"]["minimum"] == 5


def test_keywords_that_json_schema_does_not_know_are_listed() -> None:
    assert check_schema({"type": "string", "minLenght": 3, "format": "colour"}).ignored == ("/minLenght", "/format")


def test_deep_nesting_is_refused_instead_of_ending_the_process() -> None:
    schema: dict[str, Any] = {}
    for _ in range(3000):
        schema = {"items": schema}
    with pytest.raises(SchemaError, match="deep|Recursion"):
        check_schema(schema)


def test_a_schema_that_explodes_is_relaxed_in_time() -> None:
    union = [{"properties": {f"p{j}": {"type": "integer"}}} for j in range(4)]
    schema = {"allOf": [{"anyOf": [{**branch, "title": str(i)} for branch in union]} for i in range(9)]}
    assert not check_schema(schema).strict


def test_validation_names_the_place_and_checks_formats() -> None:
    schema = {"type": "object", "properties": {"a": {"items": {"type": "string", "format": "email"}}}}
    (problem,) = validate(schema, {"a": ["x@y.org", "nobody"]})
    assert problem.pointer == "/a/1"
    assert "nobody" in str(problem)
    assert validate(schema, {"a": []}) == []


def test_older_drafts_are_validated_as_what_they_are() -> None:
    pair = {"type": "array", "items": [{"type": "string"}, {"type": "integer"}]}
    assert validate(pair, ["a", 1]) == []
    assert validate(pair, [1, "a"])
