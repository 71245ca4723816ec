"""When a plan is valid."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from agentkit.bench.plan_check import DeclaredTool, plan_problems
from agentkit.errors import ArgumentError, ToolFailed
from agentkit.planners.plan import ITEM, Ref, Step, StepId, Template
from tests.bench.plan_rows import load


def find(number: int = 1, **args: Any) -> Step:
    return Step(id=StepId(f"s{number}"), tool="Shop.Find", args={"name": "Lamp"} | args)


def price(*path: str | int, number: int = 2, of: int = 1, **args: Any) -> Step:
    return Step(id=StepId(f"s{number}"), tool="price", args={"product": Ref(StepId(f"s{of}"), path)} | args)


def send(value: object, **args: Any) -> Step:
    return Step(id=StepId("s2"), tool="send", args={"text": value} | args)


@pytest.mark.parametrize(
    "plan",
    [
        [find()],
        [find(limit=3), price("product_id", currency="EUR")],
        [find(), send(Ref(StepId("s1"), ("tags", 0)))],  # what is in the list is not known
        [find(), send(Ref(StepId("s1"), ("maker", "name")))],  # nor what is in the object
        [find(), send(Template(("No. ", Ref(StepId("s1"), ("product_id",)))))],
        [find(), send("$5", urgent=True)],
        [find(), Step(id=StepId("s2"), tool="send", for_each=Ref(StepId("s1"), ("tags",)), args={"text": Ref(ITEM)})],
    ],
)
def test_a_plan_that_could_be_started_is_valid(tmp_path: Path, plan: list[Step]) -> None:
    assert plan_problems(plan, load(tmp_path).tools) == []


@pytest.mark.parametrize(
    ("plan", "problem"),
    [
        ([], "no steps"),
        ([find(), find()], "'s1'"),
        ([price("product_id", of=2, number=1), find(2)], "'s1'"),
        ([find(), price("product_id", of=9)], "'s9'"),
        ([Step(id=StepId("s1"), tool="buy")], "there is no tool 'buy'"),
        ([find(limit="3")], "'limit' does not fit"),
        ([find(color="red")], "'color'"),
        ([Step(id=StepId("s1"), tool="Shop.Find")], "'name'"),
        ([find(), price("product_id", currency="GBP")], "'currency' does not fit"),
        ([find(), price("id")], "leads nowhere"),
        ([find(), price("tags")], "a list, where a number is expected"),
        ([find(), send("a", urgent=Ref(StepId("s1"), ("tags",)))], "a list"),
        ([find(), send(Template(("No. ", Ref(StepId("s1"), ("id",)))))], "leads nowhere"),
        ([find(), find(2, limit=Template(("1", Ref(StepId("s1"), ("product_id",)))))], "text, where a whole number"),
        ([find(), send([Ref(StepId("s1"), ("product_id",))])], "a list, where text is expected"),
        (
            [find(), Step(id=StepId("s2"), tool="send", for_each=Ref(StepId("s1"), ("maker", "name")), args={})],
            "'text'",
        ),
        ([find(), Step(id=StepId("s2"), tool="send", for_each=Ref(StepId("s1"), ("product_id",)))], "list"),
    ],
)
def test_what_keeps_a_plan_from_being_started_is_named(tmp_path: Path, plan: list[Step], problem: str) -> None:
    found = plan_problems(plan, load(tmp_path).tools)
    assert problem in "\n".join(found)


def test_a_declared_tool_checks_arguments_exactly_and_can_not_be_called(tmp_path: Path) -> None:
    tool = DeclaredTool(load(tmp_path).tools[0])
    assert tool.validate({"name": "Lamp", "limit": 3}) == {"name": "Lamp", "limit": 3}
    with pytest.raises(ArgumentError) as caught:
        tool.validate({"name": 5, "limit": "3"})
    assert {place for place, _ in caught.value.problems} == {("name",), ("limit",)}
    with pytest.raises(ToolFailed, match=r"'Shop.Find' can't be called"):
        asyncio.run(tool.invoke({"name": "Lamp"}))
