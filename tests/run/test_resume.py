"""A run that was interrupted anywhere goes on where it was: nothing is lost, and nothing is done twice unasked."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from agentkit import Agent, Result, ScriptedModel, ToolContext, tool
from agentkit.errors import RunChanged, RunOwned, UsageError
from agentkit.events import Event, InDoubt, ItemFinished, RunPaused, RunResumed, StepFinished, TurnFinished, TurnPart
from agentkit.journal import SqliteJournal, read_events
from agentkit.limits import Limits
from agentkit.messages import ToolCall
from agentkit.model_backend.scripted import ScriptedParts
from agentkit.paths import runs_folder
from agentkit.planners.plan import Step, StepId, parse_refs
from agentkit.tools.reconcile import Done, NotDone
from agentkit.tools.tool import FunctionTool

made: list[str] = []
"""The outside world: what was done to it."""


@pytest.fixture(autouse=True)
def nothing_made() -> None:
    made.clear()


@tool(effect="pure")
def look(x: int) -> int:
    """Look something up."""
    made.append(f"look {x}")
    return x * 10


@tool(effect="keyed")
def order(x: int, context: ToolContext) -> str:
    """Order something."""
    made.append(f"order {x} {context.idempotency_key}")
    context.state["orders"] = [*context.state.get("orders", []), x]
    return f"ordered {x}, {len(context.state['orders'])} so far"


@tool
def pay(x: int) -> str:
    """Pay for something."""
    made.append(f"pay {x}")
    return f"paid {x}"


TOOLS: list[Any] = [look, order, pay]


def path_of(run_id: str) -> Path:
    return runs_folder() / f"{run_id}.sqlite"


def cut(events: Sequence[Event], run_id: str) -> None:
    """Makes the file that a process leaves that dies after these events."""
    path_of(run_id).unlink(missing_ok=True)
    journal = SqliteJournal(path_of(run_id))
    for event in events:
        journal.append(event)
    journal.close()


def resumed(agent: Agent, run_id: str, **options: Any) -> Result:
    return asyncio.run(agent.resume(run_id, **options))


def call(name: str, x: int) -> ToolCall:
    return ToolCall(name, {"x": x})


SCRIPT: list[Any] = [
    [call("look", 1), call("look", 2)],
    call("order", 20),
    [call("pay", 20), call("order", 3)],
    "All done.",
]


def left(events: Sequence[Event]) -> list[Any]:
    return SCRIPT[sum(isinstance(e, TurnFinished) for e in events) :]


def test_a_run_cut_after_any_event_comes_to_the_same_end() -> None:
    whole = Agent(ScriptedModel(SCRIPT), TOOLS).run_sync("Buy it")
    events = list(whole.events)
    assert len(events) > 20
    for at in range(1, len(events)):
        made.clear()
        cut(events[:at], whole.run_id)
        model = ScriptedModel(left(events[:at]))
        result = resumed(Agent(model, TOOLS), whole.run_id, assume="not-done")
        assert (result.output, result.stop_reason) == ("All done.", "answer"), f"cut after {at}: {events[at - 1]}"
        model.assert_complete()
        finished = [e.id for e in events[:at] if isinstance(e, StepFinished)]
        again = [e for e in result.events if isinstance(e, StepFinished)]
        assert sorted(e.id for e in again) == ["s1", "s2", "s3", "s4", "s5"]
        assert len(made) == 5 - len(finished)
        values = {e.id: e.value for e in again}
        assert values["s3"] == "ordered 20, 1 so far"
        assert values["s5"] == "ordered 3, 2 so far", "the shared state is there again"


def test_the_file_of_a_resumed_run_holds_everything_once() -> None:
    whole = Agent(ScriptedModel(SCRIPT), TOOLS).run_sync("Buy it")
    events = list(whole.events)
    cut(events[:10], whole.run_id)
    result = resumed(Agent(ScriptedModel(left(events[:10])), TOOLS), whole.run_id)
    stored, problems = read_events(path_of(whole.run_id))
    assert not problems
    assert stored == list(result.events)
    assert stored[:10] == events[:10]
    assert isinstance(stored[10], RunResumed)
    kinds = sorted(e.kind for e in stored if not isinstance(e, RunResumed))
    assert kinds == sorted(e.kind for e in events)
    assert [e.at for e in stored] == sorted(e.at for e in stored)


def test_a_keyed_call_is_made_again_under_the_same_key() -> None:
    whole = Agent(ScriptedModel(SCRIPT), TOOLS).run_sync("Buy it")
    (first,) = [m for m in made if m.startswith("order 20")]
    events = list(whole.events)
    begun = next(i for i, e in enumerate(events) if e.kind == "step_started" and getattr(e, "tool", "") == "order")
    made.clear()
    cut(events[: begun + 1], whole.run_id)
    resumed(Agent(ScriptedModel(left(events[: begun + 1])), TOOLS), whole.run_id)
    assert [m for m in made if m.startswith("order 20")] == [first]


def in_doubt() -> tuple[str, list[Event]]:
    """A run that died after it had begun to pay."""
    whole = Agent(ScriptedModel(SCRIPT), TOOLS).run_sync("Buy it")
    events = list(whole.events)
    begun = next(i for i, e in enumerate(events) if e.kind == "step_started" and getattr(e, "tool", "") == "pay")
    made.clear()
    cut(events[: begun + 1], whole.run_id)
    return whole.run_id, events[: begun + 1]


def test_a_call_that_may_have_been_made_is_not_made_again_and_the_run_asks() -> None:
    run_id, _ = in_doubt()
    result = resumed(Agent(ScriptedModel([]), TOOLS), run_id)
    assert (result.stop_reason, result.ok) == ("in_doubt", False)
    assert f"agentkit resume {run_id} --assume done" in result.message
    assert not [m for m in made if m.startswith("pay")]
    assert [m.split()[:2] for m in made] == [["order", "3"]], "what does not depend on the answer is done"
    (doubt,) = [e for e in result.events if isinstance(e, InDoubt)]
    assert (doubt.id, doubt.tool, doubt.args) == ("s4", "pay", {"x": 20})
    assert isinstance(result.events[-1], RunPaused)
    assert result.trace.stop_reason == "in_doubt"


@pytest.mark.parametrize(("assume", "pays"), [("done", 0), ("not-done", 1)])
def test_a_person_says_whether_it_was_made(assume: Any, pays: int) -> None:
    run_id, events = in_doubt()
    resumed(Agent(ScriptedModel([]), TOOLS), run_id)
    result = resumed(Agent(ScriptedModel(left(events)), TOOLS), run_id, assume=assume)
    assert result.output == "All done."
    assert len([m for m in made if m.startswith("pay")]) == pays
    value = next(e.value for e in result.events if isinstance(e, StepFinished) and e.id == "s4")
    assert value == ("paid 20" if pays else "done before the run was interrupted; its result is not known")
    assert len([e for e in result.events if isinstance(e, InDoubt)]) == 1


def test_of_several_calls_in_doubt_each_is_settled_on_its_own() -> None:
    plan = [Step(id=StepId(name), tool="pay", args={"x": x}) for name, x in (("a", 1), ("b", 2))]
    whole = Agent(None, TOOLS, planner=plan).run_sync("Pay both")
    begun = max(i for i, e in enumerate(whole.events) if e.kind == "step_started")
    made.clear()
    cut(list(whole.events)[: begun + 1], whole.run_id)
    agent = Agent(None, TOOLS, planner=plan)
    asked = resumed(agent, whole.run_id)
    assert "--assume a=done --assume b=done (or not-done)" in asked.message
    assert resumed(agent, whole.run_id, assume={"b": "not-done"}).stop_reason == "in_doubt"
    result = resumed(agent, whole.run_id, assume={"a": "done"})
    assert result.output == {"a": "done before the run was interrupted; its result is not known", "b": "paid 2"}
    assert made == ["pay 2"]


def test_a_call_that_was_said_not_to_be_made_and_is_interrupted_again_is_in_doubt_again() -> None:
    run_id, events = in_doubt()
    result = resumed(Agent(ScriptedModel(left(events)), TOOLS), run_id, assume="not-done")
    again = list(result.events)
    begun = [i for i, e in enumerate(again) if e.kind == "step_started" and getattr(e, "tool", "") == "pay"]
    assert len(begun) == 2
    cut(again[: begun[1] + 1], run_id)
    assert resumed(Agent(ScriptedModel([]), TOOLS), run_id).stop_reason == "in_doubt"


@pytest.mark.parametrize(("answer", "pays", "value"), [(Done("receipt 7"), 0, "receipt 7"), (NotDone(), 1, "paid 20")])
def test_a_tool_may_find_out_itself(answer: Any, pays: int, value: str) -> None:
    asked: list[Any] = []

    def reconcile(arguments: Any, key: str) -> Any:
        asked.append((arguments, len(key)))
        return answer

    careful: FunctionTool[..., Any] = tool(pay.function, name="pay", reconcile=reconcile)
    run_id, events = in_doubt()
    result = resumed(Agent(ScriptedModel(left(events)), [look, order, careful]), run_id)
    assert result.output == "All done."
    assert asked == [({"x": 20}, 64)]
    assert len([m for m in made if m.startswith("pay")]) == pays
    assert next(e.value for e in result.events if isinstance(e, StepFinished) and e.id == "s4") == value


def test_a_tool_that_can_not_tell_leaves_the_question_to_a_person() -> None:
    def reconcile(arguments: Any, key: str) -> None:
        raise OSError("no connection")

    careful: FunctionTool[..., Any] = tool(pay.function, name="pay", reconcile=reconcile)
    run_id, _ = in_doubt()
    assert resumed(Agent(ScriptedModel([]), [look, order, careful]), run_id).stop_reason == "in_doubt"


# Plans: the items of a list, and a turn that was cut while its steps were already running.


def steps() -> list[Step]:
    return [
        Step(id=StepId("rows"), tool="give", args={"n": 6}),
        Step(id=StepId("all"), tool="order", for_each=parse_refs("$rows"), args=parse_refs({"x": "$item"})),
        Step(id=StepId("end"), tool="count", args=parse_refs({"values": "$all"})),
    ]


@tool(effect="pure")
def give(n: int) -> list[int]:
    """Give numbers."""
    return list(range(n))


@tool(effect="pure")
def count(values: list[str]) -> int:
    """Count values."""
    return len(values)


def test_items_that_are_done_are_not_done_again() -> None:
    tools: list[Any] = [give, order, count]
    limits = Limits(parallel=2)
    whole = Agent(None, tools, planner=steps(), limits=limits).run_sync("Order all")
    events = list(whole.events)
    for at in range(1, len(events)):
        made.clear()
        cut(events[:at], whole.run_id)
        result = resumed(Agent(None, tools, planner=steps(), limits=limits), whole.run_id)
        assert result.output == 6
        done = [e.index for e in events[:at] if isinstance(e, ItemFinished)]
        assert sorted(int(m.split()[1]) for m in made) == sorted(set(range(6)) - set(done))
        assert sorted(e.index for e in result.events if isinstance(e, ItemFinished)) == list(range(6))


PLAN: list[Any] = [
    {"id": "s1", "tool": "look"},
    {"x": 1},
    {"id": "s2", "tool": "pay"},
    {"x": 7},
    {"id": "s3", "tool": "answer"},
]


def test_a_plan_that_was_cut_while_it_was_written_keeps_what_was_written() -> None:
    def agent(turns: list[Any]) -> Agent:
        return Agent(ScriptedModel(turns), TOOLS, planner="graph")

    parts = ScriptedParts(parts=PLAN)
    whole = agent([parts, "Paid."]).run_sync("Pay")
    events = list(whole.events)
    assert len([e for e in events if isinstance(e, TurnPart)]) == 5
    for at in range(1, len(events)):
        made.clear()
        cut(events[:at], whole.run_id)
        taken = sum(isinstance(e, TurnFinished) for e in events[:at])
        result = resumed(agent([parts, "Paid."][taken:]), whole.run_id, assume="done")
        assert result.output == "Paid."
        assert [e.value for e in result.events if isinstance(e, TurnPart)] == PLAN
        assert len([m for m in made if m.startswith("pay")]) <= 1
        begun = any(e.kind == "step_started" and getattr(e, "tool", "") == "pay" for e in events[:at])
        assert len([m for m in made if m.startswith("pay")]) == (0 if begun else 1)


def test_a_model_that_writes_something_else_the_second_time_is_held_to_what_was_written() -> None:
    parts = ScriptedParts(parts=PLAN)
    whole = Agent(ScriptedModel([parts, "Paid."]), TOOLS, planner="graph").run_sync("Pay")
    events = list(whole.events)
    second = [i for i, e in enumerate(events) if isinstance(e, TurnPart)][1]
    cut(events[: second + 1], whole.run_id)
    other = ScriptedParts(parts=[PLAN[0], {"x": 2}, *PLAN[2:]])
    agent = Agent(ScriptedModel([other]), TOOLS, planner="graph")
    with pytest.raises(AssertionError, match="part 2 of the script does not fit"):
        resumed(agent, whole.run_id)


# What can be gone on with, and by whom.


def test_limits_may_be_raised_and_the_run_goes_on() -> None:
    first = Agent(ScriptedModel(SCRIPT), TOOLS, limits=Limits(turns=2)).run_sync("Buy it")
    assert first.stop_reason == "turn_limit"
    made.clear()
    result = resumed(Agent(ScriptedModel(SCRIPT[2:]), TOOLS), first.run_id)
    assert (result.output, len(made)) == ("All done.", 2)
    assert result.usage.turns == 4


def test_a_given_plan_that_failed_goes_on_with_the_step_that_failed() -> None:
    broken = True

    @tool(effect="idempotent", name="fetch")
    def fetch(x: int) -> int:
        """Fetch something."""
        made.append(f"fetch {x}")
        if broken:
            raise OSError("no network")
        return x

    plan = [
        Step(id=StepId("a"), tool="order", args={"x": 1}),
        Step(id=StepId("b"), tool="fetch", args={"x": 2}),
        Step(id=StepId("c"), tool="look", args=parse_refs({"x": "$b"})),
    ]
    first = Agent(None, [fetch, look, order], planner=plan).run_sync("Fetch")
    assert first.stop_reason == "tool_error"
    broken = False
    made.clear()
    result = resumed(Agent(None, [fetch, look, order], planner=plan), first.run_id)
    assert result.output == {"a": "ordered 1, 1 so far", "c": 20}
    assert made == ["fetch 2", "look 2"]


def test_a_run_that_has_its_answer_is_not_gone_on_with() -> None:
    done = Agent(ScriptedModel(["Hi."])).run_sync("Hello")
    with pytest.raises(UsageError, match="has its answer"):
        resumed(Agent(ScriptedModel([])), done.run_id)


def test_an_agent_that_is_not_what_it_was_is_refused_with_the_differences() -> None:
    run_id, events = in_doubt()

    @tool(effect="keyed", name="order")
    def other(x: int, colour: str) -> str:
        """Order something."""
        return "ordered"

    agent = Agent(ScriptedModel(left(events)), [look, other, pay])
    with pytest.raises(RunChanged, match=r'(?s)\+.*"colour".*--force'):
        resumed(agent, run_id)
    assert resumed(agent, run_id, force=True, assume="done").ok


def test_a_prompt_that_tells_of_changed_tools_does_not_keep_a_forced_run_from_going_on() -> None:
    parts = ScriptedParts(parts=PLAN)
    whole = Agent(ScriptedModel([parts, "Paid."]), TOOLS, planner="graph").run_sync("Pay")
    cut(list(whole.events)[:-3], whole.run_id)
    changed: list[Any] = [look.replace(description="Look up."), order, pay]
    agent = Agent(ScriptedModel(["Paid."]), changed, planner="graph")
    with pytest.raises(RunChanged):
        resumed(agent, whole.run_id)
    assert resumed(agent, whole.run_id, force=True).output == "Paid."


def test_a_plan_that_is_not_what_it_was_is_refused_with_the_differences() -> None:
    tools: list[Any] = [give, order, count]
    whole = Agent(None, tools, planner=steps()).run_sync("Order all")
    cut(list(whole.events)[:5], whole.run_id)
    changed = [*steps()[:2], Step(id=StepId("end"), tool="count", args={"values": []})]
    with pytest.raises(RunChanged, match=r'(?s)-.*"values": "\$all".*\+.*"values": \[\]'):
        resumed(Agent(None, tools, planner=changed), whole.run_id)


def test_a_run_has_one_owner() -> None:
    run_id, _ = in_doubt()
    journal = SqliteJournal(path_of(run_id), resume=True)
    with pytest.raises(RunOwned, match="still going on in process"):
        resumed(Agent(ScriptedModel([]), TOOLS), run_id)
    journal.close()
    assert resumed(Agent(ScriptedModel([]), TOOLS), run_id).stop_reason == "in_doubt"


def test_a_resumed_conversation_has_its_history() -> None:
    agent = Agent(ScriptedModel(["I am Gem.", call("look", 1), "Ten."]), TOOLS)
    first = agent.run_sync("Who are you?")
    second = agent.run_sync("Look up 1", history=first.messages)
    cut(list(second.events)[:1], second.run_id)
    model = ScriptedModel([call("look", 1), "Ten."])
    assert resumed(Agent(model, TOOLS), second.run_id).output == "Ten."
    assert [m.role for m in model.requests[0].messages] == ["system", "user", "assistant", "user"]


def test_state_that_is_not_json_is_reported() -> None:
    @tool
    def keep(context: ToolContext) -> str:
        """Keep something."""
        context.state["handle"] = object()
        return "kept"

    result = Agent(ScriptedModel([ToolCall("keep", {}), "Done."]), [keep]).run_sync("Keep")
    assert [e.about for e in result.trace.warnings] == ["state_not_kept"]


def test_a_result_is_shown_as_it_was_though_the_limit_is_another_now() -> None:
    @tool(effect="pure")
    def numbers(x: int) -> list[int]:
        """Give numbers."""
        return list(range(100))

    script: list[Any] = [call("numbers", 1), call("look", 1), "Done."]
    whole = Agent(ScriptedModel(script), [numbers, look], limits=Limits(result_chars=50)).run_sync("Look")
    (handle,) = [e.handle for e in whole.events if isinstance(e, StepFinished) and e.handle]
    turns = [i for i, e in enumerate(whole.events) if isinstance(e, TurnFinished)]
    for chars in (5, 6_000):
        cut(list(whole.events)[: turns[1] + 1], whole.run_id)
        agent = Agent(ScriptedModel(["Done."]), [numbers, look], limits=Limits(result_chars=chars))
        assert resumed(agent, whole.run_id).output == "Done."
    assert handle == "s1"
