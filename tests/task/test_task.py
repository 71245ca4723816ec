from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from agentkit.errors import SchemaError, TaskFileError
from agentkit.limits import Limits
from agentkit.planners.plan import Ref, StepId
from agentkit.policy import Policy
from agentkit.task import Task, load_task

Load = Callable[..., Task]


def test_a_task_alone_is_a_whole_task_file(load: Load) -> None:
    task = load("task: Add up\n")
    assert (task.task, task.model, task.tools, task.planner, task.output) == ("Add up", None, (), "auto", None)
    assert task.limits == Limits()
    assert task.thinking is None


def test_every_key_of_the_format_is_read(load: Load, tmp_path: Path) -> None:
    task = load("""
task: Total the expenses in {{ file }}, in {{ currency }}.
inputs: {currency: EUR, file: expenses.csv}
model: gemma-4-e4b
tools: [./expense_tools.py, agentkit.tools.files]
planner: loop
thinking: {budget: 1024}
output: {type: object, properties: {total: {type: number}}, required: [total]}
limits: {time: 120s, calls: 50, tokens: 20000, turns: 9, parallel: 3}
policy: {allow: [read_*, total], deny: [read_secret]}
""")
    assert task.task == "Total the expenses in expenses.csv, in EUR."
    assert task.model == "gemma-4-e4b"
    assert task.tools == ("./expense_tools.py", "agentkit.tools.files")
    assert task.planner == "loop"
    assert task.thinking == 1024
    assert isinstance(task.output, dict)
    assert task.output["required"] == ["total"]
    assert task.limits == Limits(time=120.0, calls=50, tokens=20000, turns=9, parallel=3)
    assert task.policy == Policy(allow=("read_*", "total"), deny=("read_secret",))
    assert task.folder == tmp_path


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("120s", 120.0), ("2m", 120.0), ("1.5h", 5400.0), ("500ms", 0.5), ("30", 30.0), ("2.5", 2.5), ("'10 s'", 10.0)],
)
def test_a_duration_has_a_unit_or_is_in_seconds(load: Load, written: str, seconds: float) -> None:
    assert load(f"task: x\nlimits: {{time: {written}}}").limits.time == seconds


def test_thinking_false_is_a_budget_of_nothing(load: Load) -> None:
    assert load("task: x\nthinking: false").thinking == 0


def test_one_tool_needs_no_list(load: Load) -> None:
    assert load("task: x\ntools: ./a.py").tools == ("./a.py",)


@pytest.mark.parametrize(
    ("default", "given", "value"),
    [
        ("EUR", "USD", "USD"),
        ("EUR", "12", "12"),
        ("EUR", "", ""),
        ("''", "a=b", "a=b"),
        ("5", "-7", -7),
        ("0.5", "2", 2.0),
        ("true", "false", False),
        ("[1, 2]", "[3]", [3]),
        ("{a: 1}", '{"b": 2}', {"b": 2}),
        ("", "needed", "needed"),
        ("2026-01-31", "2026-02-28", "2026-02-28"),
        ("no", "yes", "yes"),
    ],
)
def test_a_given_input_takes_the_type_of_its_default(load: Load, default: str, given: str, value: Any) -> None:
    assert load(f"task: x\ninputs:\n  key: {default}\n", key=given).inputs == {"key": value}


def test_a_file_may_start_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "task.yaml"
    path.write_bytes(b"\xef\xbb\xbftask: x\nmodel: 5\n")
    with pytest.raises(TaskFileError, match=r"task.yaml:2:8: "):
        load_task(path)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ months }} {{all}} {{ top }}", '["jan", "feb"] true 2.5'),
        ("{{ name }}, {{- name }}{# nobody sees this #}", "{{ all }},{{ all }}"),
        ("{% raw %}{{ name }}{% endraw %} and {{ '{{' }}", "{{ name }} and {{"),
    ],
)
def test_inputs_are_put_in_as_text_or_json(load: Load, template: str, text: str) -> None:
    inputs = "{months: [jan, feb], all: true, top: 2.5, name: '{{ all }}'}"
    assert load(f'task: "{template}"\ninputs: {inputs}').task == text


def test_anchors_and_aliases_work(load: Load) -> None:
    task = load("task: x\ninputs: {a: &list [1, 2], b: *list}")
    assert task.inputs == {"a": [1, 2], "b": [1, 2]}


def test_an_output_may_be_a_pydantic_model_beside_the_file(load: Load, tmp_path: Path) -> None:
    (tmp_path / "report_types.py").write_text("import pydantic\nclass Report(pydantic.BaseModel):\n    total: float\n")
    output = load("task: x\noutput: report_types:Report").output
    assert isinstance(output, type)
    assert issubclass(output, BaseModel)
    assert output.model_json_schema()["properties"]["total"]["type"] == "number"


def test_an_output_may_be_a_pydantic_model_of_an_installed_module(load: Load) -> None:
    output = load("task: x\noutput: pydantic:BaseModel").output
    assert output is BaseModel


def test_given_steps_have_references(load: Load) -> None:
    task = load("""
task: total
inputs: {file: expenses.csv, column: $eur, top: 3}
planner:
  - {id: rows, tool: load_csv, args: {path: "{{ file }}", note: "from {{ file }}", price: $$5}, purpose: the rows}
  - {id: sum, tool: total, args: {rows: $rows, first: "$rows[0].eur", column: "{{ column }}", top: "{{ top }}"}}
  - {id: end, tool: done, after: [sum]}
""")
    assert isinstance(task.planner, tuple)
    rows, total, end = task.planner
    assert dict(rows.args) == {"path": "expenses.csv", "note": "from expenses.csv", "price": "$5"}
    assert rows.purpose == "the rows"
    assert total.refs == (Ref(StepId("rows")), Ref(StepId("rows"), (0, "eur")))
    assert total.args["top"] == 3, "an input that is the whole text keeps its type"
    assert total.args["column"] == "$eur", "an input is never a reference"
    assert end.needs == {"sum"}


def test_a_policy_allows_what_no_deny_pattern_forbids() -> None:
    policy = Policy(allow=("read_*", "total"), deny=("read_secret",))
    assert [policy.permits(n) for n in ("read_file", "total", "write_file", "read_secret")] == [
        True,
        True,
        False,
        False,
    ]
    assert Policy(deny=("write_*",)).permits("anything")
    assert Policy().permits("anything")


def test_a_schema_error_is_placed_in_the_file(load: Load) -> None:
    task = load("task: x\noutput:\n  type: object\n  properties:\n    a:\n      not: {}\n")
    placed = task.error_from(SchemaError("'not' can't be enforced", pointer="/properties/a/not"))
    assert str(placed).endswith("task.yaml:6:12: 'not' can't be enforced")


def test_a_model_file_is_relative_to_the_task_file(load: Load, tmp_path: Path) -> None:
    (tmp_path / "tiny.gguf").write_bytes(b"GGUF")
    assert load("task: x\nmodel: ./tiny.gguf").model == str(tmp_path / "tiny.gguf")
    assert load("task: x\nmodel: http://localhost:8080/v1").model == "http://localhost:8080/v1"


def test_a_name_that_is_only_a_little_like_another_is_not_proposed(tmp_path: Path) -> None:
    path = tmp_path / "task.yaml"
    path.write_text("task: Add\nsteps: []\n", encoding="utf-8")
    with pytest.raises(TaskFileError, match="unknown key 'steps' in the task file; keys: task, inputs"):
        load_task(path)
