"""The automatic planner: what the model does says how the task is gone about."""

from __future__ import annotations

from typing import Any

from agentkit import Agent, Result, ScriptedModel, tool
from agentkit.events import PlannerChosen
from agentkit.messages import ToolCall
from agentkit.model_backend.scripted import ScriptedParts
from agentkit.planners.auto import MAKE_PLAN


@tool(effect="pure")
def double(number: int) -> int:
    """Double a number."""
    return 2 * number


PLAN = ScriptedParts(
    parts=[
        {"id": "s1", "tool": "double"},
        {"number": 2},
        {"id": "s2", "tool": "double"},
        {"number": "$s1"},
        {"id": "s3", "tool": "answer"},
    ]
)
WANTED = ToolCall(MAKE_PLAN, {"why": "two calls in a row"})


def run(turns: list[Any], tools: Any = (double,), *, thinks: bool = True) -> tuple[Result, ScriptedModel, list[str]]:
    model = ScriptedModel(turns, thinks=thinks)
    result = Agent(model, tools).run_sync("Double 2 twice.")
    model.assert_complete()
    return result, model, [f"{e.planner}: {e.reason}" for e in result.events if isinstance(e, PlannerChosen)]


def test_an_answer_without_a_call_is_the_answer() -> None:
    result, _, chosen = run(["8"])
    assert result.output == "8"
    assert chosen == ["direct: the model answered without a call"]


def test_without_tools_there_is_nothing_to_choose() -> None:
    _, model, chosen = run(["8"], ())
    assert chosen == ["direct: there are no tools"]
    assert model.requests[0].tools == ()


def test_a_call_makes_it_go_on_turn_by_turn() -> None:
    result, _, chosen = run([ToolCall("double", {"number": 2}), ToolCall("double", {"number": 4}), "8"])
    assert result.output == "8"
    assert chosen == ["loop: the model called a tool"]


def test_a_call_for_a_plan_makes_one() -> None:
    result, model, chosen = run([WANTED, PLAN, "8"])
    assert result.output == "8"
    assert chosen == ["graph: two calls in a row"]
    assert [s.id for s in result.plan] == ["s1", "s2"]
    assert [len(r.tools) for r in model.requests] == [2, 0, 0]


def test_a_plan_asked_for_after_some_calls_knows_their_results() -> None:
    later = ScriptedParts(
        parts=[
            {"id": "s2", "tool": "double"},
            {"number": "$s1"},
            {"id": "s3", "tool": "answer"},
        ]
    )
    result, _, chosen = run([[ToolCall("double", {"number": 2}), WANTED], later, "8"])
    assert result.output == "8"
    assert chosen == ["loop: the model called a tool", "graph: two calls in a row"]
    assert [s.id for s in result.plan] == ["s1", "s2"]


def test_a_model_that_was_not_trained_to_think_is_led() -> None:
    outline = '[{"purpose": "double it", "tool": "double"}]'
    result, model, chosen = run([outline, ToolCall("double", {"number": 2}), "4"], thinks=False)
    assert result.output == "4"
    assert chosen[0].startswith("loop: the model was not trained to think")
    assert [len(r.tools) for r in model.requests] == [1, 1, 1]


def test_a_tool_of_the_users_may_have_the_name_of_the_one_that_plans() -> None:
    @tool(name=MAKE_PLAN, effect="pure")
    def plan(days: int) -> str:
        """Plan some days."""
        return f"{days} days"

    result, _, _ = run([ToolCall(MAKE_PLAN, {"days": 3}), "Planned."], (plan,))
    assert result.output == "Planned."
    assert [s.tool for s in result.plan] == [MAKE_PLAN]
