import json
from pathlib import Path
from typing import Any

import pytest

from agentkit.bench.bfcl_cases import json_schema, load_cases
from agentkit.errors import UsageError
from agentkit.messages import User

ROW: dict[str, Any] = {
    "id": "simple_1",
    "category": "simple_python",
    "question": [[{"role": "user", "content": "Factorial of 5?"}]],
    "function": [
        {
            "name": "math.factorial",
            "description": "Factorial.",
            "parameters": {"type": "dict", "properties": {"number": {"type": "integer"}}, "required": ["number"]},
        }
    ],
    "possible_answer": [{"math.factorial": {"number": [5]}}],
}


def test_a_row_becomes_a_case_with_its_tools_named_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(ROW) + "\n\n" + json.dumps(ROW | {"id": "simple_2"}) + "\n", encoding="utf-8")
    first, second = load_cases(path)
    assert (first.id, second.id) == ("simple_1", "simple_2")
    assert first.messages == (User("Factorial of 5?"),)
    assert first.tools[0].name == "math.factorial"
    assert first.tools[0].parameters == {
        "type": "object",
        "properties": {"number": {"type": "integer"}},
        "required": ["number"],
        "additionalProperties": False,
    }


def test_the_limit_takes_the_first_rows(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(json.dumps(ROW | {"id": str(i)}) for i in range(5)), encoding="utf-8")
    assert [case.id for case in load_cases(path, limit=2)] == ["0", "1"]


@pytest.mark.parametrize(
    ("dialect", "expected"),
    [
        ({"type": "float", "description": "d"}, {"type": "number", "description": "d"}),
        ({"type": "any"}, {}),
        ({"type": "tuple", "items": {"type": "float"}}, {"type": "array", "items": {"type": "number"}}),
        ({"type": "string", "enum": ["a"], "default": "a"}, {"type": "string", "enum": ["a"], "default": "a"}),
        ({"type": "integer", "maximum": 4, "optional": True}, {"type": "integer", "maximum": 4}),
        ({"type": "dict"}, {"type": "object"}),
        (
            {"type": "dict", "properties": {"a": {"type": "dict", "properties": {"b": {"type": "boolean"}}}}},
            {
                "type": "object",
                "properties": {
                    "a": {
                        "type": "object",
                        "properties": {"b": {"type": "boolean"}},
                        "required": [],
                        "additionalProperties": False,
                    }
                },
                "required": [],
                "additionalProperties": False,
            },
        ),
    ],
)
def test_the_dialect_becomes_json_schema(dialect: dict[str, Any], expected: dict[str, Any]) -> None:
    assert json_schema(dialect) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "rows.jsonl:1: not a row of BFCL"),
        ("[]", "rows.jsonl:1: not a row of BFCL"),
        ('{"id": "x"}', "no 'question' in it"),
        (json.dumps(ROW | {"question": []}), "not a row of BFCL"),
        (
            json.dumps(ROW | {"possible_answer": [{"other": {}}]}),
            "the expected call 'other' is not among the functions",
        ),
        (json.dumps(ROW).replace('"integer"', '"long"'), "the type 'long' is not one of string, integer"),
        ("\n \n", "there are no rows in it"),
    ],
)
def test_what_is_not_a_row_is_refused_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        load_cases(path)
    assert message in str(caught.value)


def test_a_file_that_is_missing_or_binary_is_named(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for name in ("missing", "binary"):
        with pytest.raises(UsageError, match=name):
            load_cases(tmp_path / name)
