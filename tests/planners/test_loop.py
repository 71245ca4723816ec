"""The loop planner: free turns for a model that thinks, an outline for one that does not."""

from __future__ import annotations

import json
from typing import Any

from agentkit import Agent, Result, ScriptedModel, ToolFailed, tool
from agentkit.messages import ToolCall, User

ANSWER = {"type": "object", "properties": {"total": {"type": "integer"}}, "required": ["total"]}


@tool(effect="pure")
def load(path: str) -> list[int]:
    """Load numbers from a file."""
    if not path.endswith(".csv"):
        raise ToolFailed(f"{path!r} is no table; the file is numbers.csv")
    return [1, 2, 3]


@tool(effect="pure")
def total(numbers: list[int]) -> int:
    """Add numbers up."""
    return sum(numbers)


def outline(*entries: tuple[str, str]) -> str:
    return json.dumps([{"purpose": purpose, "tool": tool} for purpose, tool in entries])


STEPS = outline(("Load the numbers", "load"), ("Add them up", "total"))
LOAD = ToolCall("load", {"path": "numbers.csv"})
TOTAL = ToolCall("total", {"numbers": [1, 2, 3]})


def run(turns: list[Any], **options: Any) -> tuple[Result, ScriptedModel]:
    model = ScriptedModel(turns, thinks=False)
    result = Agent(model, [load, total], **options).run_sync("Total the numbers.")
    model.assert_complete()
    return result, model


def cues(model: ScriptedModel) -> list[str]:
    """What the model was told last, turn by turn."""
    return [m.text if isinstance(m := r.messages[-1], User) else m.role for r in model.requests]


def test_a_model_that_does_not_think_is_asked_for_an_outline_and_led_along_it() -> None:
    result, model = run([STEPS, LOAD, TOTAL, "It is 6."])
    assert result.output == "It is 6."
    assert cues(model)[1:] == [
        "Step 1 of 2: Load the numbers. Call load with values from above.",
        "Step 2 of 2: Add them up. Call total with values from above.",
        "tool",
    ]
    assert [(r.calls, r.only) for r in model.requests[1:]] == [
        ("required", ("load",)),
        ("required", ("total",)),
        ("auto", ()),
    ]


def test_the_outline_names_only_tools_that_there_are() -> None:
    _, model = run([STEPS, LOAD, TOTAL, "It is 6."])
    schema = model.requests[0].output
    assert schema is not None
    assert schema["items"]["properties"]["tool"] == {"enum": ["load", "total"]}


def test_the_outline_is_not_part_of_the_conversation() -> None:
    _, model = run([STEPS, LOAD, TOTAL, "It is 6."])
    assert "which tool calls" not in str(model.requests[1].messages)


def test_a_call_of_the_outline_that_failed_is_made_again_before_the_next() -> None:
    result, model = run([STEPS, ToolCall("load", {"path": "numbers"}), LOAD, TOTAL, "It is 6."])
    assert result.ok
    assert cues(model)[2] == "That failed. Mend the arguments and call load again."
    assert cues(model)[3] == "Step 2 of 2: Add them up. Call total with values from above."


def test_a_call_that_keeps_failing_is_left_behind() -> None:
    wrong = [ToolCall("load", {"path": f"x{i}"}) for i in range(3)]
    result, model = run([STEPS, *wrong, TOTAL, "I can't."])
    assert result.ok
    assert cues(model)[4] == "Step 2 of 2: Add them up. Call total with values from above."


def test_after_the_outline_the_model_may_call_more() -> None:
    result, _ = run([outline(("Load the numbers", "load")), LOAD, TOTAL, "It is 6."])
    assert [s.tool for s in result.plan] == ["load", "total"]


def test_an_empty_outline_leaves_the_model_free() -> None:
    result, model = run(["[]", "Hello."])
    assert result.output == "Hello."
    assert model.requests[1].calls == "auto"


def test_the_typed_answer_is_a_turn_of_its_own_without_the_words_before_it() -> None:
    result, model = run([STEPS, LOAD, TOTAL, "About six.", '{"total": 6}'], output=ANSWER)
    assert result.output == {"total": 6}
    last = model.requests[-1]
    assert (last.calls, last.output) == ("none", ANSWER)
    assert "About six." not in str(last.messages)
    assert model.requests[-2].output is None


def test_a_model_that_thinks_is_not_asked_for_an_outline() -> None:
    model = ScriptedModel([LOAD, TOTAL, "It is 6."])
    assert Agent(model, [load, total]).run_sync("Total the numbers.").ok
    assert [r.calls for r in model.requests] == ["auto", "auto", "auto"]


def test_every_prompt_begins_with_the_one_before() -> None:
    model = ScriptedModel([LOAD, TOTAL, "It is 6."])
    Agent(model, [load, total]).run_sync("Total the numbers.")
    for before, after in zip(model.requests, model.requests[1:], strict=False):
        assert after.messages[: len(before.messages)] == before.messages
