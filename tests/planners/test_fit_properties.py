"""What the type check promises, over many pairs of types: a YES is never wrong, a NO never groundless."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agentkit.errors import ArgumentError, PlanError
from agentkit.messages import is_array, is_object
from agentkit.planners.fit import Fit, Verdict, doubt, fits, item_schema, list_of, paths, schema_at
from agentkit.planners.plan import Ref, StepId
from agentkit.tools.tool import FunctionTool
from tests.planners.schema_pairs import annotation, changed, schema, tool_of, values

COUNT = 8
"""Values for each pair."""


def taken_by_schema(parameter: Any) -> Any:
    return jsonschema_rs.Draft202012Validator(parameter, validate_formats=True)


def taken_by_tool(tool: FunctionTool[..., Any], value: Any) -> bool:
    try:
        tool.validate({"x": value})
    except ArgumentError:
        return False
    return True


def judge(verdict: Verdict, some: list[Any], by_schema: list[bool], by_tool: list[bool], counts: Counter[str]) -> str:
    """Counts a verdict on some values; returns what is wrong with it."""
    counts[verdict.fit.name] += 1
    if verdict.fit is Fit.YES:
        return "" if all(by_schema) and all(by_tool) and not verdict.reason else "a value that fits is refused"
    if not verdict.reason:
        return "no reason"
    if verdict.fit is Fit.UNKNOWN:
        counts["UNKNOWN, and some taken"] += any(by_tool)
        return ""
    counts["NO, and none taken"] += not any(by_schema) and not any(by_tool)
    telling = [taken for value, taken in zip(some, by_schema, strict=True) if not is_hollow(value)]
    return "all values fit" if telling and all(telling) else ""


def is_hollow(value: Any) -> bool:
    """Whether a value has nothing in it that could not fit."""
    inside = [*value.values()] if is_object(value) else value
    return is_array(inside) and all(map(is_hollow, inside))


def python_pairs(seed: int, size: int, counts: Counter[str]) -> Iterator[tuple[str, Any, Any, Verdict]]:
    """Yields what is wrong, among all pairs of some types as result and as parameter."""
    rng = random.Random(seed)
    tools = [tool_of(annotation(rng)) for _ in range(size)]
    results = [(t.returns, values({} if t.returns is None else t.returns, rng, COUNT)) for t in tools]
    for tool in tools:
        parameter = tool.parameters["properties"]["x"]
        validator = taken_by_schema({**parameter, "$defs": tool.parameters.get("$defs", {})})
        for result, some in results:
            verdict = fits(result, parameter, root=tool.parameters)
            by_schema, by_tool = [validator.is_valid(v) for v in some], [taken_by_tool(tool, v) for v in some]
            if wrong := judge(verdict, some, by_schema, by_tool, counts):
                yield wrong, result, parameter, verdict


def json_pairs(seed: int, size: int, counts: Counter[str]) -> Iterator[tuple[str, Any, Any, Verdict]]:
    """Yields what is wrong, among pairs of any JSON Schemas; half of the parameters are near the results."""
    rng = random.Random(seed)
    for _ in range(size):
        result = schema(rng)
        parameter = changed(rng, changed(rng, result)) if rng.random() < 0.6 else schema(rng)
        some = values(result, rng, COUNT)
        verdict = fits(result, parameter)
        taken = [taken_by_schema(parameter).is_valid(v) for v in some]
        if wrong := judge(verdict, some, taken, taken, counts):
            yield wrong, result, parameter, verdict


def test_a_verdict_on_python_types_holds_for_values() -> None:
    counts: Counter[str] = Counter()
    assert list(python_pairs(7, 70, counts)) == []
    assert counts.total() > 4900
    assert min(counts["YES"], counts["UNKNOWN"]) > 150, counts
    assert counts["NO, and none taken"] > 0.85 * counts["NO"]  # the others are accidents, such as empty lists


def test_a_verdict_on_json_schemas_holds_for_values() -> None:
    counts: Counter[str] = Counter()
    assert list(json_pairs(7, 4000, counts)) == []
    assert min(counts["YES"], counts["NO"], counts["UNKNOWN"]) > 400, counts


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 110))
def test_verdicts_hold_for_many_more_pairs(seed: int) -> None:
    counts: Counter[str] = Counter()
    assert [*python_pairs(seed, 150, counts), *json_pairs(seed, 20_000, counts)] == []


@pytest.mark.parametrize("seed", range(4))
def test_a_path_leads_where_its_schema_says(seed: int) -> None:
    rng = random.Random(seed)
    seen: Counter[str] = Counter()
    for _ in range(400):
        result = schema(rng) if rng.random() < 0.6 else tool_of(annotation(rng)).returns
        some = values({} if result is None else result, rng, 5)
        for path, part in paths(result, depth=2):
            check_path(path, part, doubt(result, path), some, seen)
            assert schema_at(result, path) == part
    assert min(seen["sure"], seen["there"], seen["missing"]) > 300, seen


def check_path(path: tuple[str | int, ...], part: Any, why: str, some: list[Any], seen: Counter[str]) -> None:
    validator = taken_by_schema({} if part is None else part)
    for value in some:
        try:
            inner = Ref(StepId("s"), path).resolve(value)
        except PlanError:
            assert why
            seen["missing"] += 1
        else:
            assert validator.is_valid(inner)
            seen["there" if why else "sure"] += 1


@pytest.mark.parametrize("seed", range(3))
def test_the_items_of_a_list_have_the_items_schema(seed: int) -> None:
    rng = random.Random(seed)
    seen: Counter[str] = Counter()
    for _ in range(400):
        result = schema(rng)
        some = values(result, rng, 5)
        assert all(taken_by_schema(list_of(result)).is_valid([v, v]) for v in some)
        assert item_schema(list_of(result)) is None or fits(item_schema(list_of(result)), result) == fits(
            result, result
        )
        lists = [v for v in some if is_array(v)]
        try:
            items = item_schema(result)
        except PlanError:
            assert not lists
            seen["no list"] += 1
        else:
            validator = taken_by_schema({} if items is None else items)
            assert all(validator.is_valid(item) for value in lists for item in value)
            seen["list"] += 1
    assert min(seen["list"], seen["no list"]) > 60, seen


KEYWORDS = ["type", "enum", "const", "$ref", "$defs", "anyOf", "oneOf", "allOf", "not", "properties", "required",
            "additionalProperties", "items", "prefixItems", "minimum", "maxLength", "pattern", "format", "multipleOf",
            "propertyNames", "patternProperties", "minItems", "maxProperties", "contains", "$schema"]  # fmt: skip
WORDS = ["string", "integer", "object", "array", "#", "#/properties", "#/$defs/a", "#/anyOf/0", "other.json", "(", "a"]
garbage = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats() | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*KEYWORDS, "a"]), inner, max_size=4),
    max_leaves=12,
)
objects = st.dictionaries(st.sampled_from(KEYWORDS), garbage, max_size=4)


@settings(max_examples=400, deadline=None)
@example({"pattern": "("}, {})
@given(objects, objects)
def test_what_is_no_schema_is_answered_and_not_raised(left: dict[str, Any], right: dict[str, Any]) -> None:
    for result, parameter in ((left, right), (left, {"type": "integer"}), ({"type": "array"}, right)):
        verdict = fits(result, parameter)
        assert bool(verdict.reason) == (verdict.fit is not Fit.YES)
    assert all(isinstance(doubt(left, path), str) for path, _ in paths(left, depth=2))
