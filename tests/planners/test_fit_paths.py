"""The parts of a result: what is known of them, whether they are there, and what is said when they are not."""

from __future__ import annotations

from itertools import islice
from typing import Any, NotRequired

import jsonschema_rs
import pytest
from pydantic import BaseModel
from typing_extensions import TypedDict  # a pydantic model takes no other before Python 3.12

from agentkit.errors import PlanError
from agentkit.planners.fit import doubt, item_schema, list_of, paths, schema_at
from agentkit.tools.tool import FunctionTool
from tests.tools.kinds import Node, Tree


class Row(TypedDict):
    city: str
    amount: float
    note: NotRequired[str]


class Table(BaseModel):
    rows: list[Row]
    title: str = ""
    owner: Row | None = None
    pair: tuple[int, str] = (0, "")
    totals: dict[str, float] = {}


def result_of(annotation: Any) -> dict[str, Any]:
    def give() -> Any: ...

    give.__annotations__ = {"return": annotation}
    returns = FunctionTool(give).returns
    assert returns is not None
    return returns


TABLE = result_of(Table)
INT: dict[str, Any] = {"type": "integer"}
TEXT: dict[str, Any] = {"type": "string"}


@pytest.mark.parametrize(
    ("path", "expected", "why"),
    [
        ((), TABLE, ""),
        (("title",), {"type": "string", "default": ""}, ""),
        (("rows", 0), TABLE["properties"]["rows"]["items"], "rows: may be empty"),
        (("rows", 2, "city"), TEXT, "rows: may have fewer than 3 items"),
        (("rows", 0, "note"), TEXT, "rows: may be empty"),
        (("owner", "city"), TEXT, "owner: may be null"),
        (("pair", 1), TEXT, ""),
        (("totals", "any_key"), {"type": "number"}, "totals: may be missing the key 'any_key'"),
    ],
)
def test_a_part_has_a_schema_and_may_be_in_doubt(path: tuple[str | int, ...], expected: Any, why: str) -> None:
    assert schema_at(TABLE, path) == expected
    assert doubt(TABLE, path) == why


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (("titel",), "the result has no key 'titel'; did you mean 'title'?"),
        (("xyz",), "the result has no key 'xyz'; its keys are 'rows', 'title', 'owner', 'pair', 'totals'"),
        (("rows", 0, "ammount"), "'rows[0]' has no key 'ammount'; did you mean 'amount'?"),
        (
            ("rows", "city"),
            "'rows' is a list, which has no key 'city'; write an index first, such as [0], or use 'for_each'",
        ),
        ((0,), "the result is an object and not a list, so it has no item [0]; "
               "its keys are 'rows', 'title', 'owner', 'pair', 'totals'"),
        (("title", "length"), "'title' is text, which has no parts; refer to all of it instead of 'length' in it"),
        (("pair", 2), "'pair' has no item [2]; it has at most 2 items"),
        (("owner", "ctiy"), "'owner' has no key 'ctiy'; did you mean 'city'?"),
        (("totals", "a", "b"), "'totals.a' is a number, which has no parts; refer to all of it instead of 'b' in it"),
    ],
)  # fmt: skip
def test_a_path_that_leads_nowhere_is_refused_with_what_is_near(path: tuple[str | int, ...], message: str) -> None:
    for ask in (schema_at, doubt):
        with pytest.raises(PlanError) as caught:
            ask(TABLE, path)
        assert str(caught.value) == message


def test_a_long_list_of_keys_is_cut() -> None:
    wide = {"type": "object", "properties": {f"key{i:03}": TEXT for i in range(100)}}
    with pytest.raises(PlanError, match=r"its keys are 'key000', .*'key007' and 92 more$"):
        schema_at(wide, ("other",))


@pytest.mark.parametrize(
    "schema",
    [None, {}, True, {"type": "object"}, {"type": "object", "additionalProperties": True}, {"type": "nonsense"}],
)
def test_nothing_is_known_of_parts_that_no_schema_tells_of(schema: Any) -> None:
    assert schema_at(schema, ("a",)) is None
    assert doubt(schema, ("a",)) != ""
    assert doubt(schema, ()) == ""


def test_keys_that_are_not_named_may_be_there_when_the_schema_says_so() -> None:
    named = {"type": "object", "properties": {"a": INT}}
    assert schema_at({**named, "additionalProperties": TEXT}, ("b",)) == TEXT
    assert schema_at({**named, "patternProperties": {"^b": TEXT}}, ("b",)) is None
    assert schema_at({**named, "required": ["b"]}, ("b",)) is None
    with pytest.raises(PlanError, match="no key 'b'"):
        schema_at(named, ("b",))


def test_a_part_of_a_union_is_that_of_any_of_its_choices() -> None:
    def one(schema: Any) -> dict[str, Any]:
        return {"type": "object", "properties": {"a": schema}, "required": ["a"]}

    union = {"anyOf": [one(INT), one(TEXT), {"type": "null"}]}
    assert schema_at(union, ("a",)) == {"anyOf": [INT, TEXT]}
    assert doubt(union, ("a",)) == "may be null"
    assert schema_at({"allOf": [one(INT), one({"minimum": 3})]}, ("a",)) == {"allOf": [INT, {"minimum": 3}]}


def test_a_part_takes_along_the_definitions_it_needs() -> None:
    tree = result_of(Tree)
    part = schema_at(tree, ("children", 0))
    assert part == tree
    assert schema_at(tree, ("value",)) == INT
    nested = {"type": "object", "properties": {"kids": {"type": "array", "items": {"$ref": "#"}}, "n": INT}}
    inner = schema_at(nested, ("kids",))
    assert inner is not None
    validator = jsonschema_rs.Draft202012Validator(inner)
    assert validator.is_valid([{"kids": [{"n": 1}]}])
    assert not validator.is_valid([{"kids": [{"n": "x"}]}])


def test_the_parts_are_given_the_shallowest_first() -> None:
    assert [path for path, _ in paths(TABLE)] == [
        (),
        ("rows",),
        ("title",),
        ("owner",),
        ("pair",),
        ("totals",),
        ("rows", 0),
        ("owner", "city"),
        ("owner", "amount"),
        ("owner", "note"),
        ("pair", 0),
        ("pair", 1),
        ("rows", 0, "city"),
        ("rows", 0, "amount"),
        ("rows", 0, "note"),
    ]
    assert all(part == schema_at(TABLE, path) for path, part in paths(TABLE))


def test_depth_bounds_the_paths_of_what_holds_itself() -> None:
    assert [path for path, _ in paths(result_of(Node), depth=2)] == [
        (), ("value",), ("next",), ("next", "value"), ("next", "next"),
    ]  # fmt: skip
    assert max(len(path) for path, _ in paths(result_of(Tree), depth=5)) == 5
    assert len(list(islice(paths(result_of(Tree), depth=10**6), 100))) == 100


def test_parts_that_no_reference_can_name_are_left_out() -> None:
    schema = {
        "type": "object",
        "properties": {"first name": TEXT, "a.b": TEXT, "": TEXT, "a-b": TEXT, "it's": TEXT, "gone": False},
    }
    assert [path for path, _ in paths(schema)] == [(), ("first name",), ("a.b",), ("a-b",)]


@pytest.mark.parametrize("schema", [None, True, {}, {"type": "array"}, {"type": "object"}, {"type": "nonsense"}])
def test_where_nothing_is_known_only_the_whole_is_offered(schema: Any) -> None:
    assert [path for path, _ in paths(schema)] == [()]


def test_a_part_of_which_nothing_is_known_is_offered_without_a_schema() -> None:
    assert list(paths({"type": "object", "properties": {"data": {}}}))[1] == (("data",), None)


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (result_of(list[int]), INT),
        (result_of(list[int] | None), INT),
        (result_of(tuple[int, str]), {"anyOf": [INT, TEXT]}),
        (result_of(list[Tree]), result_of(Tree)),
        ({"type": "array"}, None),
        ({"anyOf": [{"type": "array", "items": INT}, {"type": "array"}]}, None),
        ({"type": "array", "prefixItems": [INT, TEXT], "maxItems": 1}, INT),
        ({"type": "array", "items": False}, {"not": {}}),
        (None, None),
        ({}, None),
    ],
)
def test_the_items_of_a_list_have_a_schema(schema: Any, expected: Any) -> None:
    assert item_schema(schema) == expected


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        (TEXT, "a list is expected, and this is text"),
        ({"type": ["string", "null"]}, "a list is expected, and this is text or null"),
        (TABLE, "a list is expected, and this is an object; of its parts, these are lists: 'rows', 'pair'"),
    ],
)
def test_what_is_no_list_is_refused_with_the_lists_inside_of_it(schema: Any, message: str) -> None:
    with pytest.raises(PlanError) as caught:
        item_schema(schema)
    assert str(caught.value) == message


def test_a_list_of_results_keeps_their_definitions() -> None:
    tree = result_of(Tree)
    assert list_of(tree) == {"type": "array", "items": {"$ref": "#/$defs/Tree"}, "$defs": tree["$defs"]}
    assert item_schema(list_of(tree)) == tree
    assert list_of(None) == {"type": "array"}
    assert list_of({**INT, "$defs": {"of_no_use": TEXT}}) == {"type": "array", "items": INT}
    own = {"type": "object", "properties": {"self": {"$ref": "#"}}}
    assert schema_at(list_of(own), (0, "self")) == schema_at(own, ("self",))
