import pytest

from agentkit.bench.bfcl_cases import Case
from agentkit.bench.bfcl_match import mismatch
from agentkit.messages import JsonObject, ToolCall, User

PROPERTIES = {
    "text": {"type": "string"},
    "count": {"type": "integer"},
    "size": {"type": "float"},
    "on": {"type": "boolean"},
    "words": {"type": "array", "items": {"type": "string"}},
    "points": {"type": "array", "items": {"type": "float"}},
    "pair": {"type": "tuple", "items": {"type": "integer"}},
    "rows": {"type": "array", "items": {"type": "dict"}},
    "grid": {"type": "array", "items": {"type": "array"}},
    "loose": {"type": "array"},
    "where": {"type": "dict"},
    "data": {"type": "any"},
}


def case(*answer: JsonObject, category: str = "simple_python", required: tuple[str, ...] = ()) -> Case:
    functions = tuple(
        {"name": name, "parameters": {"type": "dict", "properties": PROPERTIES, "required": list(required)}}
        for name in ("f", "g.h")
    )
    return Case(id="1", category=category, messages=(User("?"),), tools=(), functions=functions, answer=answer)


@pytest.mark.parametrize(
    ("name", "value", "allowed", "right"),
    [
        ("text", "Paris", ["Paris"], True),
        ("text", "paris", ["Paris"], True),
        ("text", "New-York, N.Y.", ["new york ny"], True),
        ("text", "it's", ['it"s'], True),
        ("text", "a(b)", ["ab"], False),
        ("text", "Rome", ["Paris", "Lyon"], False),
        ("text", "", ["Paris", ""], True),
        ("text", "", ["Paris"], False),
        ("text", 3, ["3"], False),
        ("text", 3, [3], True),
        ("text", None, ["x"], False),
        ("count", 3, [3], True),
        ("count", 3, [2, 3], True),
        ("count", 3.0, [3], False),
        ("count", 3.0, [3.0], True),
        ("count", 3, [3.0], True),
        ("count", "3", [3], False),
        ("count", True, [1], False),
        ("count", "n", ["n", ""], True),
        ("size", 2.5, [2.5], True),
        ("size", 2, [2.0], True),
        ("size", 2, [2], True),
        ("size", "2", [2.0], False),
        ("on", True, [True], True),
        ("on", False, [True], False),
        ("on", 1, [True], False),
        ("on", "true", [True], False),
        ("words", ["A b", "c"], [["ab", "C"]], True),
        ("words", ["c", "ab"], [["ab", "c"]], False),
        ("words", ["ab"], [["ab", "c"]], False),
        ("words", ["ab", 1], [["ab", "c"]], False),
        ("words", "ab", [["ab"]], False),
        ("words", [], [["ab"], ""], True),
        ("words", [], [["ab"]], False),
        ("points", [1.0, 2.0], [[1.0, 2.0]], True),
        ("points", [1, 2], [[1.0, 2.0]], False),
        ("points", [1, 2], [[1, 2]], True),
        ("pair", [1, 2], [[1, 2]], True),
        ("pair", [1, 2], [[2, 1], [1, 2]], True),
        ("grid", [[1], [2]], [[[1], [2]]], True),
        ("grid", [["A"]], [[["a"]]], False),
        ("loose", [1, "A"], [[1, "a"]], True),
        ("where", {"city": "Rome"}, [{"city": ["rome"]}], True),
        ("where", {"city": "Rome", "zip": 1}, [{"city": ["rome"]}], False),
        ("where", {}, [{"city": ["rome"]}], False),
        ("where", {}, [{"city": ["rome", ""]}], True),
        ("where", {"city": "Oslo"}, [{"city": ["rome"]}, {"city": ["oslo"]}], True),
        ("where", {"city": ["Rome"]}, [{"city": [["rome"]]}], False),
        ("where", {}, [""], False),
        ("rows", [{"a": 1}, {"a": 2}], [[{"a": [1]}, {"a": [2]}]], True),
        ("rows", [{"a": 2}, {"a": 1}], [[{"a": [1]}, {"a": [2]}]], False),
        ("rows", [{"a": 1}], [[{"a": [1]}, {"a": [2]}]], False),
        ("rows", [], [[{"a": [1]}], ""], True),
        ("rows", ["a"], [[{"a": [1]}], ""], False),
        ("data", "Table 1", ["table1"], True),
        ("data", [1], [[1]], True),
        ("data", [2], [[1]], False),
    ],
)
def test_a_value_is_right_or_wrong_as_bfcl_says(name: str, value: object, allowed: list[object], right: bool) -> None:
    found = mismatch(case({"f": {name: allowed}}), [ToolCall("f", {name: value})])
    assert (found is None) is right, found


def test_a_parameter_may_be_left_out_only_where_the_answer_says_so() -> None:
    assert mismatch(case({"f": {"text": ["a", ""]}}), [ToolCall("f", {})]) is None
    assert mismatch(case({"f": {"text": ["a"]}}), [ToolCall("f", {})]) == "the parameter 'text' is missing"


def test_a_required_parameter_is_needed_even_where_the_answer_allows_none() -> None:
    found = mismatch(case({"f": {"text": ["a", ""]}}, required=("text",)), [ToolCall("f", {})])
    assert found == "the required parameter 'text' is missing"


@pytest.mark.parametrize("name", ["unheard_of", "count"])
def test_a_parameter_that_the_answer_does_not_have_is_wrong(name: str) -> None:
    found = mismatch(case({"f": {"text": ["a"]}}), [ToolCall("f", {"text": "a", name: 1})])
    assert found == f"the parameter {name!r} is not expected"


def test_the_function_must_be_the_expected_one_dots_included() -> None:
    answer = case({"g.h": {"count": [1]}}, category="multiple")
    assert mismatch(answer, [ToolCall("g.h", {"count": 1})]) is None
    assert mismatch(answer, [ToolCall("g_h", {"count": 1})]) == "'g_h' was called instead of 'g.h'"


@pytest.mark.parametrize("calls", [0, 2])
def test_the_number_of_calls_must_be_right(calls: int) -> None:
    found = mismatch(case({"f": {"count": [1]}}), [ToolCall("f", {"count": 1})] * calls)
    assert found == f"{calls} calls instead of 1"


def test_parallel_calls_may_come_in_any_order() -> None:
    answer = case({"f": {"count": [1]}}, {"g.h": {"count": [2]}}, {"f": {"count": [3]}}, category="parallel_multiple")
    calls = [ToolCall("f", {"count": 3}), ToolCall("f", {"count": 1}), ToolCall("g.h", {"count": 2})]
    assert mismatch(answer, calls) is None


def test_one_call_does_not_answer_for_two() -> None:
    answer = case({"f": {"count": [1]}}, {"f": {"count": [2]}}, category="parallel")
    found = mismatch(answer, [ToolCall("f", {"count": 1}), ToolCall("f", {"count": 1})])
    assert found == "'count' is 1, expected one of [2]"
