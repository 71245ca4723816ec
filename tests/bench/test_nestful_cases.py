import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from agentkit.bench.nestful_cases import load_nestful, tool_spec
from agentkit.bench.plan_check import plan_problems
from agentkit.errors import UsageError
from agentkit.planners.plan import Ref, StepId, Template
from tests.bench.plan_rows import GOLD, TOOLS, load, row, write_rows

S1, S2 = StepId("s1"), StepId("s2")


def args(tmp_path: Path, value: Any) -> Any:
    """Returns how the argument of a second step is read."""
    gold = [GOLD[0], {"id": "var2", "tool": "send", "args": {"text": value}}]
    return load(tmp_path, gold).gold[1].args["text"]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("$var1.product_id$", Ref(S1, ("product_id",))),
        ("$var1$", Ref(S1)),
        ("$var1.tags[0]$", Ref(S1, ("tags", 0))),
        ("$var1.maker.name$", Ref(S1, ("maker", "name"))),
        ("$var1.valid until$", Ref(S1, ("valid until",))),
        ("$var1.product_id", Ref(S1, ("product_id",))),
        (["a", "$var1.tags$"], ["a", Ref(S1, ("tags",))]),
        ({"a": {"b": "$var1$"}}, {"a": {"b": Ref(S1)}}),
        ("No. $var1.product_id$!", Template(("No. ", Ref(S1, ("product_id",)), "!"))),
        ("$var1.a$ - $var1.b$", Template((Ref(S1, ("a",)), " - ", Ref(S1, ("b",))))),
        ("$500-$1000", "$500-$1000"),
        ("$var12.a$", "$var12.a$"),
        ("var1", "var1"),
        (5, 5),
        (None, None),
    ],
)
def test_references_are_read_wherever_they_stand(tmp_path: Path, written: object, read: object) -> None:
    assert args(tmp_path, written) == read


def test_a_step_with_the_id_of_an_earlier_one_is_numbered_on_and_refers_to_the_earlier(tmp_path: Path) -> None:
    gold = [GOLD[0], {"id": "var1", "tool": "price", "args": {"product": "$var1.product_id$"}}]
    first, second = load(tmp_path, gold).gold
    assert (first.id, second.id) == ("s1", "s2")
    assert second.args["product"] == Ref(S1, ("product_id",))


def test_a_row_becomes_a_case_whose_category_is_the_beginning_of_its_id(tmp_path: Path) -> None:
    case = load(tmp_path)
    assert (case.id, case.category, case.task) == ("shop-1", "shop", "What do they cost?")
    assert [step.tool for step in case.gold] == ["Shop.Find", "Shop.Find", "price", "price", "send"]
    assert [tool.name for tool in case.tools] == ["Shop.Find", "price", "send"]


def test_the_dialect_becomes_json_schema_with_closed_parameters_and_results_that_hold_all_keys() -> None:
    spec = tool_spec(TOOLS[0])
    assert spec.parameters == {
        "type": "object",
        "properties": {"name": {"type": "string", "description": "Its name."}, "limit": {"type": "integer"}},
        "required": ["name"],
        "additionalProperties": False,
    }
    assert spec.returns == {
        "type": "object",
        "properties": {
            "product_id": {"type": "number", "description": "Its number."},
            "tags": {"type": "array"},
            "maker": {"type": "object"},
        },
        "required": ["product_id", "tags", "maker"],
        "additionalProperties": False,
    }
    assert tool_spec(TOOLS[2]).returns is None


@pytest.mark.parametrize(
    ("dialect", "expected"),
    [
        ({"type": "float"}, {"type": "number"}),
        ({"type": "list", "items": {"type": "str"}}, {"type": "array", "items": {"type": "string"}}),
        ({"type": "string", "enum": ["a"], "default": "a"}, {"type": "string", "enum": ["a"]}),
        ({"type": "string", "enum": []}, {"type": "string"}),
        ({"type": "Currency"}, {}),
        ({}, {}),
        (
            {"type": "object", "properties": {"b": {"type": "int"}}, "required": ["b", "gone"]},
            {
                "type": "object",
                "properties": {"b": {"type": "integer"}},
                "required": ["b"],
                "additionalProperties": False,
            },
        ),
    ],
)
def test_types_that_json_schema_has_are_kept_and_others_say_nothing(
    dialect: dict[str, Any], expected: dict[str, Any]
) -> None:
    spec = tool_spec({"name": "f", "parameters": {"type": "object", "properties": {"a": dialect}}})
    assert spec.parameters["properties"]["a"] == expected
    jsonschema_rs.validator_for(spec.parameters)


def test_a_tool_without_parameters_takes_none() -> None:
    spec = tool_spec({"name": "f", "parameters": {"type": "object", "properties": {}}})
    assert not jsonschema_rs.is_valid(spec.parameters, {"a": 1})
    assert jsonschema_rs.is_valid(spec.parameters, {})


def test_the_expected_plan_of_a_sound_row_is_valid_and_scores_full_marks(tmp_path: Path) -> None:
    case = load(tmp_path)
    scores = case.score(case.gold)
    assert (scores.tool_f1, scores.arg_f1, scores.edge_f1, scores.full_match) == (1.0, 1.0, 1.0, True)
    assert plan_problems(case.gold, case.tools) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "rows.jsonl:1: not a row of NESTFUL"),
        ('{"id": "x"}', "no 'tools' in it"),
        (json.dumps(row(gold=[{"id": "a", "tool": "f", "args": {}}])), "calls 'f', which is not among the tools"),
        (json.dumps(row(gold=[{"id": "a", "tool": "send"}])), "no 'args' in it"),
        (json.dumps(row() | {"gold": []}), "there is no expected step"),
        ("\n", "there are no rows in it"),
    ],
)
def test_what_is_not_a_row_is_refused_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        load_nestful(path)
    assert message in str(caught.value)


def test_the_limit_takes_the_first_rows(tmp_path: Path) -> None:
    path = write_rows(tmp_path, *(row(id=str(i)) for i in range(3)))
    assert [case.id for case in load_nestful(path, limit=2)] == ["0", "1"]
