"""A recorded run is repeated without a model and without a call, and every difference is found."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agentkit import Agent, Limits, Policy, Result, ScriptedModel, approval
from agentkit.errors import Diverged, UsageError
from agentkit.events import StepStarted
from agentkit.messages import Message, ToolCall, User
from agentkit.model_backend.scripted import ScriptedParts
from agentkit.planners.base import Decision, PlanningContext
from agentkit.planners.loop import LoopPlanner
from agentkit.planners.plan import Step, StepId, parse_refs
from agentkit.pytest_plugin import AgentkitReplay
from agentkit.replaying import Replayed
from tests.run.test_resume import PLAN, SCRIPT, TOOLS, count, cut, give, made, order, path_of, resumed, steps


def replayed(agent: Agent, run_id: str) -> Replayed:
    made.clear()
    done = asyncio.run(agent.replay(run_id))
    assert not made, "nothing is called"
    return done


def shapes() -> list[tuple[Result, Agent]]:
    """Runs of every shape, and an agent like that which made each, with a model that says nothing."""
    silent = ScriptedModel([])
    parts = ScriptedParts(parts=PLAN)
    limits = Limits(parallel=2)
    lists: list[Any] = [give, order, count]
    return [
        (Agent(ScriptedModel(SCRIPT), TOOLS).run_sync("Buy it"), Agent(silent, TOOLS)),
        (
            Agent(ScriptedModel([parts, "Paid."]), TOOLS, planner="graph").run_sync("Pay"),
            Agent(silent, TOOLS, planner="graph"),
        ),
        (
            Agent(None, lists, planner=steps(), limits=limits).run_sync("Order"),
            Agent(None, lists, planner=steps(), limits=limits),
        ),
    ]


def test_a_run_of_any_shape_is_repeated() -> None:
    for result, agent in shapes():
        before = path_of(result.run_id).read_bytes()
        done = replayed(agent, result.run_id)
        assert (done.whole, done.turns, done.steps) == (True, result.usage.turns, len(result.plan))
        assert str(done).endswith("everything is as recorded")
        assert path_of(result.run_id).read_bytes() == before, "the file stays as it is"


def test_a_run_that_was_cut_anywhere_is_repeated_as_far_as_it_goes() -> None:
    for result, agent in shapes():
        for at in range(1, len(result.events)):
            cut(list(result.events)[:at], result.run_id)
            done = replayed(agent, result.run_id)
            assert not done.whole
            assert "as far as it was recorded" in str(done)


def test_a_run_that_was_resumed_is_repeated() -> None:
    whole = Agent(ScriptedModel(SCRIPT), TOOLS).run_sync("Buy it")
    for at in range(5, len(whole.events), 3):
        cut(list(whole.events)[:at], whole.run_id)
        turns = sum(e.kind == "turn_finished" for e in list(whole.events)[:at])
        again = resumed(Agent(ScriptedModel(SCRIPT[turns:]), TOOLS), whole.run_id, assume="not-done")
        assert replayed(Agent(ScriptedModel([]), TOOLS), again.run_id).whole


def test_a_run_that_failed_is_repeated() -> None:
    failed = Agent(ScriptedModel(SCRIPT), TOOLS, limits=Limits(turns=2)).run_sync("Buy it")
    assert failed.stop_reason == "turn_limit"
    assert not replayed(Agent(ScriptedModel([]), TOOLS), failed.run_id).whole


class Chatty(LoopPlanner):
    """Asks in other words than the planner it is made of."""

    def _results(self, run: PlanningContext) -> list[Message]:
        return [*super()._results(run), User("Hurry.")]


def test_a_planner_that_asks_something_else_is_found() -> None:
    run_id = Agent(ScriptedModel(SCRIPT), TOOLS, planner=LoopPlanner).run_sync("Buy it").run_id
    assert replayed(Agent(ScriptedModel([]), TOOLS, planner=LoopPlanner), run_id).whole

    def chatty() -> LoopPlanner:
        return Chatty()

    Chatty.__name__ = "LoopPlanner"  # the name alone is no proof
    with pytest.raises(Diverged, match=r"turn 1 asks something else .* 'Hurry\.|Hurry"):
        replayed(Agent(ScriptedModel([]), TOOLS, planner=chatty), run_id)


class Eager(LoopPlanner):
    """Changes what the model wants."""

    async def next(self, run: PlanningContext) -> AsyncGenerator[Decision]:
        async for decision in super().next(run):
            if isinstance(decision, Step) and decision.id == "s3":
                decision = replace(decision, args={"x": 5})
            yield decision


def test_a_step_that_is_another_one_is_found() -> None:
    run_id = Agent(ScriptedModel(SCRIPT), TOOLS, planner=LoopPlanner).run_sync("Buy it").run_id
    Eager.__name__ = "LoopPlanner"
    with pytest.raises(Diverged, match="step 's3' is something else than what is recorded"):
        replayed(Agent(ScriptedModel([]), TOOLS, planner=Eager), run_id)


def test_a_call_with_something_else_is_found() -> None:
    plan = [
        Step(id=StepId("a"), tool="look", args={"x": 4}),
        Step(id=StepId("b"), tool="order", args=parse_refs({"x": "$a"})),
    ]
    first = Agent(None, TOOLS, planner=plan).run_sync("Order")
    cut(
        [replace(e, args={"x": 41}) if isinstance(e, StepStarted) and e.id == "b" else e for e in first.events],
        first.run_id,
    )
    with pytest.raises(Diverged, match=r"step 'b' is called with something else: .*41.* recorded, .*40.* now"):
        replayed(Agent(None, TOOLS, planner=plan), first.run_id)


def test_calls_for_items_with_something_else_are_found() -> None:
    agent = Agent(None, [give, order, count], planner=steps())
    first = agent.run_sync("Order")
    cut(
        [replace(e, args={"x": 1}) if isinstance(e, StepStarted) and e.items else e for e in first.events], first.run_id
    )
    with pytest.raises(Diverged, match="step 'all' is called with something else"):
        replayed(agent, first.run_id)


def test_arguments_that_a_person_changed_are_repeated() -> None:
    async def change(asked: approval.Approval) -> approval.Decision:
        return approval.Decision(allow=True, arguments={"x": 7})

    plan, policy = [Step(id=StepId("a"), tool="order", args={"x": 4})], Policy(ask=["order"])
    first = Agent(None, TOOLS, planner=plan, policy=policy, approve=change).run_sync("Order")
    assert made[-1].startswith("order 7")
    assert replayed(Agent(None, TOOLS, planner=plan, policy=policy), first.run_id).whole


def test_tools_and_tasks_that_are_not_what_they_were_are_found() -> None:
    run_id = Agent(ScriptedModel(SCRIPT), TOOLS).run_sync("Buy it").run_id
    changed: list[Any] = [TOOLS[0].replace(description="Find something."), *TOOLS[1:]]
    with pytest.raises(Diverged, match=r"(?s)-.*Look something up.*\+.*Find something"):
        replayed(Agent(ScriptedModel([]), changed), run_id)


def test_a_run_that_took_longer_than_the_limit_is_repeated() -> None:
    first = Agent(ScriptedModel(SCRIPT), TOOLS).run_sync("Buy it")
    cut([replace(e, at=1_000.0) for e in first.events], first.run_id)
    assert replayed(Agent(ScriptedModel([]), TOOLS), first.run_id).whole


def test_a_run_that_is_not_there_is_misuse() -> None:
    with pytest.raises(UsageError, match="no runs"):
        replayed(Agent(None, TOOLS, planner=steps()), "none")


def test_a_test_of_ones_own_repeats_a_run(agentkit_replay: AgentkitReplay) -> None:
    run_id = Agent(ScriptedModel([ToolCall("look", {"x": 1}), "Ten."]), TOOLS).run_sync("Look").run_id
    assert agentkit_replay(Agent(ScriptedModel([]), TOOLS), path_of(run_id)).whole
    with pytest.raises(pytest.fail.Exception, match="is not repeated as it was recorded"):
        agentkit_replay(Agent(ScriptedModel([]), TOOLS[:2]), path_of(run_id))


DOCS = Path(__file__).parents[2] / "docs" / "testing.md"
OWN = """
from agentkit import Agent, tool


@tool(effect="pure")
def add(a: int, b: int) -> int:
    \"\"\"{what}\"\"\"
    return a + b


def make_agent(model=None):
    return Agent(model, [add])


"""


def test_the_example_of_the_docs_passes_and_fails(tmp_path: Path) -> None:
    (example,) = re.findall(r"```text\n(def test_.*agentkit_replay.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    exec(OWN.format(what="Add."), names)
    run = names["make_agent"](ScriptedModel([ToolCall("add", {"a": 1, "b": 2}), "3"])).run_sync("Add")
    (tmp_path / "own/tests/runs").mkdir(parents=True)
    shutil.copy(path_of(run.run_id), tmp_path / "own/tests/runs/expenses.sqlite")

    def tested(what: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "own/tests/test_own.py").write_text(OWN.format(what=what) + example, encoding="utf-8")
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_own.py"]
        return subprocess.run(command, cwd=tmp_path / "own", capture_output=True, text=True, timeout=100)

    passed, failed = tested("Add."), tested("Add two numbers.")
    assert (passed.returncode, passed.stdout.splitlines()[-1].split(" in ")[0]) == (0, "1 passed")
    assert failed.returncode == 1
    assert "expenses.sqlite is not repeated as it was recorded" in failed.stdout
    assert re.search(r"\+ .*Add two numbers", failed.stdout)
