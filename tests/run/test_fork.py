"""A run may be forked at a step: a new run takes over what was done before, and goes its own way from there."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from agentkit import Agent, Result, ScriptedModel
from agentkit.errors import RunChanged, UsageError
from agentkit.events import StepAdded, StepFinished, StepReused, TurnFinished
from agentkit.journal import read_events
from agentkit.messages import Assistant, ToolCall
from agentkit.model_backend.scripted import ScriptedParts
from agentkit.planners.plan import Step, StepId, parse_refs
from tests.run.test_resume import PLAN, SCRIPT, TOOLS, call, count, cut, give, made, order, path_of, steps


@pytest.fixture(autouse=True)
def nothing_made() -> None:
    made.clear()


def other(turns: list[Any], *, thinks: bool = True) -> ScriptedModel:
    """Returns a model of another name."""
    model = ScriptedModel(turns, thinks=thinks)
    model.info = replace(model.info, name="other")
    return model


def forked(agent: Agent, run: Result, step: str, **options: Any) -> Result:
    made.clear()
    return asyncio.run(agent.fork(run.run_id, step, **options))


def short() -> list[str]:
    return [" ".join(m.split()[:2]) for m in made]


def test_what_was_done_before_the_step_is_taken_over_and_the_rest_is_decided_again() -> None:
    first = Agent(ScriptedModel(SCRIPT), TOOLS).run_sync("Buy it")
    before = path_of(first.run_id).read_bytes()
    model = ScriptedModel([[call("pay", 5)], "Done otherwise."])
    second = forked(Agent(model, TOOLS), first, "s3")
    assert second.output == "Done otherwise."
    assert short() == ["order 20", "pay 5"]
    assert [str(s.id) for s in second.plan] == ["s1", "s2", "s3", "s4"]
    assert len(model.requests) == 2, "two of the first run's turns are taken over"
    assert path_of(first.run_id).read_bytes() == before, "the first run stays as it is"
    stored, problems = read_events(path_of(second.run_id))
    assert (stored, problems) == (list(second.events), [])
    assert second.trace.start is not None
    assert second.trace.start.fork == {"run": first.run_id, "step": "s3", "args": {}}


def test_the_calls_of_the_new_run_have_keys_of_their_own() -> None:
    first = Agent(ScriptedModel(SCRIPT), TOOLS).run_sync("Buy it")
    (key,) = [m.split()[2] for m in made if m.startswith("order 20")]
    forked(Agent(ScriptedModel(["Done."]), TOOLS), first, "s3")
    (other,) = [m.split()[2] for m in made]
    assert key != other


def test_state_is_that_from_before_the_step() -> None:
    first = Agent(ScriptedModel(SCRIPT), TOOLS).run_sync("Buy it")
    for step, value in (("s5", "ordered 3, 2 so far"), ("s3", "ordered 20, 1 so far")):
        second = forked(Agent(ScriptedModel(["Done."]), TOOLS), first, step)
        assert [e.value for e in second.events if isinstance(e, StepFinished) and e.id == step] == [value]


def test_new_arguments_are_used_and_are_what_the_model_reads() -> None:
    first = Agent(ScriptedModel(SCRIPT), TOOLS).run_sync("Buy it")
    model = ScriptedModel(["Done."])
    second = forked(Agent(model, TOOLS), first, "s3", args={"x": 7})
    assert short() == ["order 7"]
    asked = [c for m in model.requests[0].messages if isinstance(m, Assistant) for c in m.calls]
    assert [(c.name, c.arguments) for c in asked][-1] == ("order", {"x": 7})
    added = next(e for e in second.events if isinstance(e, StepAdded) and e.id == "s3")
    assert added.args == {"x": 7}


def test_a_step_of_a_given_plan_is_run_with_new_arguments() -> None:
    plan = [
        Step(id=StepId("a"), tool="look", args={"x": 1}),
        Step(id=StepId("b"), tool="look", args={"x": 2}),
        Step(id=StepId("c"), tool="pay", args=parse_refs({"x": "$b"})),
    ]
    agent = Agent(None, TOOLS, planner=plan)
    first = agent.run_sync("Look")
    assert forked(agent, first, "b", args={"x": 9}).output == {"a": 10, "c": "paid 90"}
    assert made == ["look 9", "pay 90"]
    assert forked(agent, first, "b", args={"x": "$a"}).output == {"a": 10, "c": "paid 100"}


def test_a_fork_is_a_run_like_others() -> None:
    tools: list[Any] = [give, order, count]
    agent = Agent(None, tools, planner=steps())
    second = forked(agent, agent.run_sync("Order all"), "rows", args={"n": 3})
    assert second.output == 3
    assert asyncio.run(agent.replay(second.run_id)).whole
    events = list(second.events)
    for at in range(1, len(events), 4):
        cut(events[:at], second.run_id)
        assert agent.resume_sync(second.run_id).output == 3
    third = forked(agent, second, "all")
    assert (third.output, len(made)) == (3, 3), "a fork of the fork has its arguments"


def test_a_written_plan_is_forked_with_its_turn() -> None:
    first = Agent(ScriptedModel([ScriptedParts(parts=PLAN), "Paid."]), TOOLS, planner="graph").run_sync("Pay")
    second = forked(Agent(ScriptedModel(["Paid again."]), TOOLS, planner="graph"), first, "s2", args={"x": 8})
    assert second.output == "Paid again."
    assert short() == ["pay 8"]


def test_another_model_decides_on_the_step_itself_and_reads_messages_without_tokens() -> None:
    first = Agent(ScriptedModel(SCRIPT), TOOLS).run_sync("Buy it")
    model = other([[call("order", 4)], "Done by another."])
    second = forked(Agent(model, TOOLS), first, "s3")
    assert second.output == "Done by another."
    assert short() == ["order 4"]
    assert all(not e.tokens for e in second.events if isinstance(e, TurnFinished))
    with_args = other(["Done."])
    assert forked(Agent(with_args, TOOLS), first, "s3", args={"x": 6}).ok
    assert short() == ["order 6"]


def test_another_model_that_plans_anew_finds_the_results_of_the_same_calls() -> None:
    script: list[Any] = [[call("look", 1), call("look", 2)], "Done."]
    first = Agent(ScriptedModel(script), TOOLS).run_sync("Look")
    model = other(['[{"purpose": "look", "tool": "look"}]', call("look", 1), "Done."], thinks=False)
    second = forked(Agent(model, TOOLS), first, "s2")
    assert (second.output, made) == ("Done.", [])
    assert [e.run for e in second.events if isinstance(e, StepReused)] == [first.run_id]


def test_a_model_that_is_led_in_another_way_can_not_take_over_turns() -> None:
    first = Agent(ScriptedModel(SCRIPT), TOOLS).run_sync("Buy it")
    with pytest.raises(UsageError, match="is led in another way"):
        forked(Agent(other([], thinks=False), TOOLS), first, "s3")


def test_a_step_that_is_not_there_is_misuse() -> None:
    first = Agent(ScriptedModel(SCRIPT), TOOLS).run_sync("Buy it")
    with pytest.raises(UsageError, match="has no step 's9'; did you mean 's1'|has no step 's9'"):
        forked(Agent(ScriptedModel([]), TOOLS), first, "s9")


def test_another_agent_is_refused_with_the_differences() -> None:
    first = Agent(ScriptedModel(SCRIPT), TOOLS).run_sync("Buy it")
    with pytest.raises(RunChanged, match="be careful"):
        forked(Agent(ScriptedModel([]), TOOLS, instructions="be careful"), first, "s3")


def test_a_run_that_was_interrupted_in_a_payment_has_to_go_on_first() -> None:
    script: list[Any] = [call("look", 1), call("pay", 20), "Done."]
    first = Agent(ScriptedModel(script), TOOLS).run_sync("Buy it")
    begun = next(i for i, e in enumerate(first.events) if e.kind == "step_started" and getattr(e, "tool", "") == "pay")
    cut(list(first.events)[: begun + 1], first.run_id)
    with pytest.raises(UsageError, match=r"interrupted in step 's2' \(pay\).*agentkit resume"):
        forked(Agent(ScriptedModel([]), TOOLS), first, "s1")
    assert forked(Agent(ScriptedModel(["Done."]), TOOLS), first, "s2").ok, "here it is asked for"


def test_a_call_that_can_not_be_made_with_new_arguments_fails_as_any_call() -> None:
    first = Agent(ScriptedModel([ToolCall("look", {"x": 1}), "Done."]), TOOLS).run_sync("Look")
    second = forked(Agent(ScriptedModel(["It failed."]), TOOLS), first, "s1", args={"y": 1})
    assert second.output == "It failed."
    assert made == []
