"""Every keyword is enforced, relaxed and reported, or refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytest.importorskip("llguidance")

from agentkit.errors import SchemaError
from agentkit.model_backend.constraint import check_schema, validate
from tests.constraint.schema_cases import REFUSED, RELAXED, STRICT, TEXT


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
