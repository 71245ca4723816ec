"""A run may take results of an earlier one, and makes only those calls again that are not what they were."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from agentkit import Agent, Result, ScriptedModel, ToolContext, tool
from agentkit.errors import Retry, UsageError
from agentkit.events import Event, ItemFinished, StepFinished, StepReused
from agentkit.messages import ToolCall
from agentkit.planners.plan import Step, StepId, parse_refs
from agentkit.reuse import Reuse
from agentkit.tools import code
from agentkit.tools.dates import current_time
from tests.run.test_resume import cut, path_of

made: list[str] = []
"""The outside world: which calls were made."""


@pytest.fixture(autouse=True)
def nothing_made() -> None:
    made.clear()


@tool(effect="pure")
def double(x: int) -> int:
    """Double a number."""
    made.append(f"double {x}")
    return x * 2


@tool(effect="idempotent")
def store(x: int, context: ToolContext) -> int:
    """Keep a number."""
    made.append(f"store {x}")
    context.state["kept"] = x
    return x


@tool(effect="idempotent")
def kept(context: ToolContext) -> int:
    """Return what is kept."""
    made.append("kept")
    if "kept" not in context.state:
        raise Retry("nothing is kept")
    value: int = context.state["kept"]
    return value


@tool(effect="pure")
def read(file: str, context: ToolContext) -> str:
    """Read a file."""
    made.append(f"read {file}")
    return (context.workspace / file).read_text()


@tool(effect="keyed")
def order(x: int) -> int:
    """Order something."""
    made.append(f"order {x}")
    return x


@tool
def pay(x: int) -> int:
    """Pay for something."""
    made.append(f"pay {x}")
    return x


@tool(effect="pure")
def numbers(n: int) -> list[int]:
    """Give numbers."""
    made.append(f"numbers {n}")
    return list(range(n))


TOOLS: list[Any] = [double, store, kept, read, order, pay, numbers]


def step(name: str, tool: str, **args: Any) -> Step:
    return Step(id=StepId(name), tool=tool, args=parse_refs(args))


def run(*plan: Step, reuse: Reuse | None = None, workspace: Path | None = None) -> Result:
    made.clear()
    agent = Agent(None, TOOLS, planner=plan, workspace=workspace)
    return agent.run_sync("Do it", reuse=reuse)


def again(first: Result, *plan: Step, **options: Any) -> Result:
    return run(*plan, reuse=Reuse.of(first.run_id, **options.pop("how", {})), **options)


def reused(events: Sequence[Event]) -> list[str]:
    return [e.id for e in events if isinstance(e, StepReused)]


def test_nothing_is_done_again_where_nothing_has_changed() -> None:
    plan = [step("a", "double", x=1), step("b", "double", x="$a")]
    first = run(*plan)
    second = again(first, *plan)
    assert (second.output, made, reused(second.events)) == (first.output, [], ["a", "b"])
    assert {e.run for e in second.events if isinstance(e, StepReused)} == {first.run_id}
    assert second.run_id != first.run_id


def test_a_changed_argument_makes_its_step_and_what_depends_on_it_run_again() -> None:
    first = run(step("a", "double", x=1), step("b", "double", x="$a"), step("c", "double", x=10))
    second = again(first, step("a", "double", x=3), step("b", "double", x="$a"), step("c", "double", x=10))
    assert second.output == {"b": 12, "c": 20}
    assert made == ["double 3", "double 6"]


def test_a_changed_step_whose_result_is_the_same_leaves_what_depends_on_it_alone() -> None:
    first = run(step("a", "numbers", n=2), step("b", "double", x="$a[1]"))
    second = again(first, step("a", "numbers", n=5), step("b", "double", x="$a[1]"))
    assert (second.output, made) == (2, ["numbers 5"])


def test_a_step_with_another_name_or_place_is_known_by_its_call() -> None:
    first = run(step("a", "double", x=1))
    second = again(first, step("z", "double", x=5), step("other", "double", x=1))
    assert (second.output, made) == ({"z": 10, "other": 2}, ["double 5"])


def test_changed_code_of_a_tool_makes_its_calls_again(monkeypatch: pytest.MonkeyPatch) -> None:
    first = run(step("a", "double", x=1))
    monkeypatch.setattr(code, "_digest", lambda file: "changed")  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    again(first, step("a", "double", x=1))
    assert made == ["double 1"]


def test_a_tool_whose_code_is_not_known_is_always_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code, "_digest", lambda file: "")  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    again(run(step("a", "double", x=1)), step("a", "double", x=1))
    assert made == ["double 1"]


def test_calls_that_change_something_outside_are_made_again_unless_a_person_says_otherwise() -> None:
    plan = [step("a", "order", x=1), step("b", "pay", x=2), step("c", "double", x=3)]
    first = run(*plan)
    again(first, *plan)
    assert sorted(made) == ["order 1", "pay 2"]
    again(first, *plan, how={"effects": True})
    assert made == []


def test_a_tool_that_says_that_its_results_do_not_last_is_called_again() -> None:
    @tool(effect="idempotent", reuse=False)
    def clock() -> int:
        """Tell the time."""
        made.append("clock")
        return 12

    steps = (Step(id=StepId("now"), tool="clock"), Step(id=StepId("later"), tool="current_time"))
    for reuse in (None, lambda: Reuse.of()):
        agent = Agent(None, [clock, current_time], planner=steps)
        events = agent.run_sync("Tell", reuse=reuse() if reuse else None).events
        assert not reused(events)
    assert made == ["clock", "clock"]


def test_what_tools_share_is_there_again_and_counts_as_an_input() -> None:
    plan = [step("a", "store", x=1), Step(id=StepId("b"), tool="kept", after=(StepId("a"),))]
    first = run(*plan)
    second = again(first, *plan, Step(id=StepId("c"), tool="pay", args={"x": 1}))
    assert (second.output, made) == ({"b": 1, "c": 1}, ["pay 1"])
    third = again(first, step("a", "store", x=2), plan[1])
    assert (third.output, made) == (2, ["store 2", "kept"])


def test_a_step_that_reads_shared_state_finds_what_a_reused_step_left() -> None:
    first = run(step("a", "store", x=1))
    second = again(first, step("a", "store", x=1), Step(id=StepId("b"), tool="kept", after=(StepId("a"),)))
    assert (second.output, made) == (1, ["kept"])


def test_state_that_is_not_json_is_not_trusted() -> None:
    @tool(effect="idempotent")
    def open_it(context: ToolContext) -> str:
        """Open something."""
        made.append("open")
        context.state["handle"] = object()
        return "open"

    agent = Agent(None, [open_it], planner=[step("a", "open_it")])
    first = agent.run_sync("Open")
    agent.run_sync("Open", reuse=Reuse.of(first.run_id))
    assert made == ["open", "open"]


def test_a_file_that_was_changed_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "notes" / "a.txt"
    file.parent.mkdir()
    file.write_text("old")
    past = file.stat().st_mtime - 60
    for path in (file, file.parent):
        os.utime(path, (past, past))
    plan = step("a", "read", file="notes/a.txt")
    first = run(plan, workspace=tmp_path)
    assert (again(first, plan, workspace=tmp_path).output, made) == ("old", [])
    file.write_text("new")
    future = file.stat().st_mtime + 60
    os.utime(file, (future, future))
    assert (again(first, plan, workspace=tmp_path).output, made) == ("new", ["read notes/a.txt"])


def test_the_same_call_with_two_results_is_made_again(tmp_path: Path) -> None:
    values = iter([1, 2, 3, 4])

    @tool(effect="idempotent")
    def tick() -> int:
        """Return the next number."""
        return next(values)

    plan = [
        Step(id=StepId("a"), tool="tick"),
        step("b", "store", x="$a"),
        Step(id=StepId("c"), tool="tick", after=(StepId("b"),)),
    ]
    agent = Agent(None, [tick, store], planner=plan)
    first = agent.run_sync("Tick")
    assert first.output == 2
    assert agent.run_sync("Tick", reuse=Reuse.of(first.run_id)).output == 4


def test_of_the_items_of_a_list_only_new_ones_are_done() -> None:
    def plan(n: int) -> list[Step]:
        each = Step(id=StepId("each"), tool="double", for_each=parse_refs("$all"), args=parse_refs({"x": "$item"}))
        return [step("all", "numbers", n=n), each]

    first = run(*plan(3))
    second = again(first, *plan(5))
    assert second.output == [0, 2, 4, 6, 8]
    assert sorted(made) == ["double 3", "double 4", "numbers 5"]
    assert sorted(e.item for e in second.events if isinstance(e, StepReused) and e.item is not None) == [0, 1, 2]
    third = again(second, *plan(5))
    assert (third.output, made) == ([0, 2, 4, 6, 8], []), "results may be handed on from run to run"
    assert len([e for e in third.events if isinstance(e, ItemFinished)]) == 5


def test_a_call_that_failed_is_made_again() -> None:
    first = run(Step(id=StepId("a"), tool="kept"))
    assert first.stop_reason == "tool_error"
    again(first, Step(id=StepId("a"), tool="kept"))
    assert made == ["kept"]


def test_calls_of_a_model_are_known_by_what_they_say() -> None:
    script: list[Any] = [[ToolCall("double", {"x": 1}), ToolCall("pay", {"x": 2})], "Done."]
    first = Agent(ScriptedModel(script), TOOLS).run_sync("Do it")
    made.clear()
    script[0] = [ToolCall("pay", {"x": 2}), ToolCall("double", {"x": 1}), ToolCall("double", {"x": 4})]
    second = Agent(ScriptedModel(script), TOOLS).run_sync("Do it", reuse=Reuse.of(first.run_id))
    assert second.ok
    assert sorted(made) == ["double 4", "pay 2"]


def test_a_run_that_reuses_results_goes_on_doing_so_after_a_crash() -> None:
    plan = [step("a", "double", x=1), step("b", "pay", x="$a"), step("c", "double", x="$b")]
    first = run(*plan)
    second = again(first, *plan)
    events = list(second.events)
    for at in range(1, len(events)):
        cut(events[:at], second.run_id)
        made.clear()
        result = Agent(None, TOOLS, planner=plan).resume_sync(second.run_id, assume="not-done")
        assert result.output == 4
        paid = any(isinstance(e, StepFinished) and e.id == "b" for e in events[:at])
        assert made == ([] if paid else ["pay 2"])
        assert reused(result.events) == ["a", "c"]
    path_of(first.run_id).unlink()
    cut(events[:2], second.run_id)
    assert Agent(None, TOOLS, planner=plan).resume_sync(second.run_id).output == 4, (
        "without the earlier run, all is done"
    )


def test_a_run_that_reused_results_is_replayed() -> None:
    plan = [step("a", "double", x=1), step("b", "pay", x="$a")]
    second = again(run(*plan), *plan)
    assert asyncio.run(Agent(None, TOOLS, planner=plan).replay(second.run_id)).whole


def test_a_run_that_is_not_there_is_misuse() -> None:
    run(step("a", "double", x=1))
    with pytest.raises(UsageError, match="there is no run 'other'"):
        Reuse.of("other")
