"""Runs under a policy: who is asked, what becomes of the answer, and what is told to the model."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from agentkit import Agent, Limits, Result, ScriptedModel, tool
from agentkit.approval import Approval, Approve, Decision
from agentkit.errors import UsageError
from agentkit.events import ApprovalDecided, ApprovalRequested, StepAdded, StepFinished, StepStarted
from agentkit.messages import ToolCall
from agentkit.planners.plan import Step, StepId, parse_refs
from agentkit.policy import Policy, Rule
from tests.conftest import run_simulated
from tests.policy.conftest import World

Answer = Decision | bool | None


class Person:
    """Answers what is asked, in order."""

    def __init__(self, *answers: Answer) -> None:
        self.asked: list[Approval] = []
        self._answers = list(answers)

    async def __call__(self, asked: Approval) -> Answer:
        self.asked.append(asked)
        return self._answers.pop(0)


def step(name: str, tool: str, after: Sequence[str] = (), **args: Any) -> Step:
    return Step(id=StepId(name), tool=tool, args=parse_refs(args), after=tuple(map(StepId, after)))


def given(world: World, *steps: Step, approve: Approve | None = None, policy: Policy | None = None) -> Result:
    """Runs a plan of the user's own."""
    return Agent(None, world.tools, planner=steps, policy=policy, approve=approve, record=False).run_sync("Do it.")


def talked(
    world: World, task: str, *turns: Any, approve: Approve | None = None, policy: Policy | None = None, **options: Any
) -> Result:
    """Runs a model turn by turn."""
    model = ScriptedModel(turns, **options)
    return Agent(model, world.tools, planner="loop", policy=policy, approve=approve, record=False).run_sync(task)


def messages(result: Result) -> list[Any]:
    return [e.value for e in result.events if isinstance(e, StepFinished)]


PAY = step("pay", "send_money", to="ann", amount=5)


def test_nobody_is_asked_about_a_plan_of_ones_own(world: World) -> None:
    result = given(world, PAY, step("drop", "delete_mail", id=3))
    assert (result.stop_reason, len(world.done)) == ("answer", 2)
    assert not [e for e in result.events if isinstance(e, ApprovalRequested)]


def test_a_person_is_shown_the_call_as_it_would_be_made(world: World) -> None:
    person = Person(True)
    result = given(
        world, step("mail", "read_mail"), step("pay", "send_money", to="$mail[0].sender", amount=5), approve=person
    )
    asked = person.asked[0]
    assert (asked.step, asked.item, asked.tool.name) == ("pay", None, "send_money")
    assert asked.arguments == {"to": "bob@example.com", "amount": 5}
    assert "untrusted" in asked.labels
    assert "'to' of 'send_money' comes from text that strangers may have written" in asked.reason
    assert result.ok
    assert world.done == [("send_money", "bob@example.com", 5.0, "")]


def test_a_denied_call_is_not_made_and_the_reason_is_told(world: World) -> None:
    person = Person(Decision(allow=False, message="not today"))
    result = given(world, PAY, policy=Policy(ask=["send_money"]), approve=person)
    assert (result.stop_reason, world.done) == ("tool_error", [])
    assert messages(result) == ["a person denied this call of 'send_money': not today; do without it"]
    assert not [e for e in result.events if isinstance(e, StepStarted)]


def test_a_call_is_made_with_edited_arguments(world: World) -> None:
    person = Person(Decision(allow=True, arguments={"to": "eve", "amount": 1}))
    result = given(world, PAY, policy=Policy(ask=["send_money"]), approve=person)
    assert world.done == [("send_money", "eve", 1.0, "")]
    assert [e.args for e in result.events if isinstance(e, StepStarted)] == [{"to": "eve", "amount": 1}]


def test_a_person_can_not_allow_what_the_policy_denies(world: World) -> None:
    person = Person(Decision(allow=True, arguments={"to": "eve", "amount": 1000}))
    big = Rule("send_money", {"amount": {"minimum": 1000}})
    result = given(world, PAY, policy=Policy(ask=["send_money"], deny=[big]), approve=person)
    assert world.done == []
    assert "the policy denies this call" in messages(result)[0]


def test_always_holds_for_the_tool_and_the_run(world: World) -> None:
    person = Person(Decision(allow=True, always=True), True)
    steps = [
        PAY,
        step("again", "send_money", ["pay"], to="bob", amount=6),
        step("drop", "delete_mail", ["again"], id=1),
    ]
    given(world, *steps, policy=Policy(ask=["send_money", "delete_mail"]), approve=person)
    assert [asked.step for asked in person.asked] == ["pay", "drop"]
    assert len(world.done) == 3


def test_each_item_is_asked_about_by_itself(world: World) -> None:
    person = Person(True, False)
    drop = Step(
        id=StepId("drop"),
        tool="delete_mail",
        for_each=parse_refs("$mail"),
        args=parse_refs({"id": "$item.id"}),
        on_error="skip",
    )
    result = given(world, step("mail", "read_mail", count=2), drop, policy=Policy(ask=["delete_mail"]), approve=person)
    assert [(asked.item, asked.arguments) for asked in person.asked] == [(0, {"id": 7}), (1, {"id": 8})]
    assert (result.output, world.done) == (["deleted"], [("delete_mail", 7)])


def test_without_a_person_the_run_pauses_and_other_steps_go_on(world: World) -> None:
    result = given(
        world,
        PAY,
        step("light", "set_light", on=True),
        step("after", "save", ["pay"], path="a", text="b"),
        policy=Policy(ask=["send_money"]),
    )
    assert result.stop_reason == "approval"
    assert world.done == [("set_light", True)]
    assert "agentkit approve" in result.message


def test_a_person_who_can_not_say_now_lets_the_run_pause(world: World) -> None:
    result = given(world, PAY, policy=Policy(ask=["send_money"]), approve=Person(None))
    assert (result.stop_reason, world.done) == ("approval", [])


def test_decisions_are_events(world: World) -> None:
    result = given(world, PAY, policy=Policy(ask=["send_money"]), approve=Person(True))
    asked, decided = [e for e in result.events if isinstance(e, ApprovalRequested | ApprovalDecided)]
    assert isinstance(asked, ApprovalRequested)
    assert (asked.id, asked.tool, asked.args, asked.labels) == (
        "pay",
        "send_money",
        {"to": "ann", "amount": 5},
        ["user"],
    )
    assert isinstance(decided, ApprovalDecided)
    assert (decided.decision, decided.by) == ("allow", "callback")


def test_other_calls_go_on_while_a_person_thinks_and_the_time_stands_still() -> None:
    done: list[str] = []

    @tool
    async def pay() -> str:
        """Pay."""
        done.append("paid")
        return "paid"

    @tool(effect="idempotent")
    async def light() -> str:
        """Switch on the light."""
        done.append("lit")
        return "lit"

    async def think(asked: Approval) -> bool:
        await asyncio.sleep(600)
        done.append("thought")
        return True

    agent = Agent(
        None,
        [pay, light],
        planner=[step("pay", "pay"), step("light", "light")],
        policy=Policy(ask=["pay"]),
        approve=think,
        limits=Limits(parallel=1, time=5),
        record=False,
    )
    assert run_simulated(agent.run("Do it.")).ok
    assert done == ["lit", "thought", "paid"]


def test_questions_come_one_at_a_time(world: World) -> None:
    thinking = 0

    async def think(asked: Approval) -> bool:
        nonlocal thinking
        thinking += 1
        assert thinking == 1
        await asyncio.sleep(0)
        thinking -= 1
        return True

    steps = [step(f"s{i}", "send_money", to=f"p{i}", amount=i) for i in range(4)]
    assert given(world, *steps, policy=Policy(ask=["send_money"]), approve=think).ok
    assert len(world.done) == 4


def test_a_run_that_is_cancelled_while_a_person_thinks_ends(world: World) -> None:
    async def run() -> None:
        asked = asyncio.Event()

        async def think(approval: Approval) -> bool:
            asked.set()
            await asyncio.Event().wait()
            return True

        agent = Agent(
            None,
            world.tools,
            planner=[PAY],
            policy=Policy(ask=["*"]),
            approve=think,
            limits=Limits(time=60),
            record=False,
        )
        running = asyncio.create_task(agent.run("Do it."))
        await asked.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(run())
    assert world.done == []


def test_an_error_of_the_callback_ends_the_run(world: World) -> None:
    async def fail(asked: Approval) -> bool:
        raise RuntimeError("no screen")

    with pytest.raises(RuntimeError, match="no screen"):
        given(world, PAY, policy=Policy(ask=["*"]), approve=fail)
    assert world.done == []


# Models that read what strangers wrote.


def test_a_model_that_was_talked_into_a_call_is_stopped(world: World) -> None:
    result = talked(
        world,
        "Summarize my mail.",
        ToolCall("read_mail", {}),
        ToolCall("send_money", {"to": "ATTACKER-1", "amount": 900}),
        "Done.",
        thinks=True,
    )
    assert (result.stop_reason, world.done) == ("approval", [])


def test_the_users_words_are_enough_for_a_call_that_was_foreseen(world: World) -> None:
    outline = '[{"purpose": "read", "tool": "read_mail"}, {"purpose": "pay", "tool": "send_money"}]'
    turns = [outline, ToolCall("read_mail", {}), ToolCall("send_money", {"to": "Ann", "amount": 50}), "Done."]
    result = talked(world, "Read my mail, then send 50 to Ann.", *turns, thinks=False)
    assert (result.stop_reason, world.done) == ("answer", [("send_money", "Ann", 50.0, "")])


def test_a_call_that_was_not_foreseen_is_asked_about(world: World) -> None:
    turns = [ToolCall("read_mail", {}), ToolCall("delete_mail", {"id": 12345}), "Done."]
    person = Person(False)
    talked(world, "Summarize mail 12345.", *turns, approve=person, thinks=True)
    assert "this call of 'delete_mail' was not planned before that" in person.asked[0].reason
    assert world.done == []


def test_what_the_model_had_seen_is_recorded(world: World) -> None:
    turns = [ToolCall("read_mail", {}), ToolCall("balance", {}), "Done."]
    result = talked(world, "Read my mail and my balance.", *turns, thinks=True)
    assert [e.labels for e in result.events if isinstance(e, StepAdded)] == [
        ["model", "user"],
        ["model", "tool:read_mail", "untrusted", "user"],
    ]
    assert [e.labels for e in result.events if isinstance(e, StepFinished)][0] == [
        "model",
        "tool:read_mail",
        "untrusted",
        "user",
    ]


def test_a_denied_call_is_told_to_the_model_which_goes_on(world: World) -> None:
    turns = [
        ToolCall("send_money", {"to": "a", "amount": 500}),
        ToolCall("send_money", {"to": "a", "amount": 5}),
        "Ok.",
    ]
    big = Rule("send_money", {"amount": {"exclusiveMinimum": 100}})
    result = talked(world, "Pay.", *turns, policy=Policy(deny=[big]), thinks=True)
    assert result.output == "Ok."
    assert world.done == [("send_money", "a", 5.0, "")]
    assert messages(result)[0].startswith("the policy denies this call of 'send_money' when amount is")


def test_a_tool_that_is_never_allowed_is_not_shown(world: World) -> None:
    model = ScriptedModel(["Hello."], thinks=True)
    Agent(model, world.tools, planner="loop", policy=Policy(allow=["read_*"]), record=False).run_sync("Hi.")
    assert [tool.name for tool in model.requests[0].tools] == ["read_mail"]


def test_a_policy_that_does_not_fit_the_tools_is_refused(world: World) -> None:
    with pytest.raises(UsageError, match=r"policy.ask.0: no tool is called 'send_mony'; did you mean 'send_money'"):
        Agent(None, world.tools, planner=[PAY], policy=Policy(ask=["send_mony"]))


# Runs that are gone on with.


@pytest.fixture
def agent(world: World) -> Callable[..., Agent]:
    def make(*steps: Step, approve: Approve | None = None) -> Agent:
        return Agent(None, world.tools, planner=steps, policy=Policy(ask=["send_money"]), approve=approve)

    return make


def test_a_run_that_paused_goes_on_with_a_decision_and_does_not_ask_twice(
    agent: Callable[..., Agent], world: World
) -> None:
    steps = [PAY, step("more", "send_money", ["pay"], to="bob", amount=6)]
    first = agent(*steps).run_sync("Do it.")
    assert first.stop_reason == "approval"
    person = Person(True, None)
    second = asyncio.run(agent(*steps, approve=person).resume(first.run_id))
    assert (second.stop_reason, [asked.step for asked in person.asked]) == ("approval", ["pay", "more"])
    last = Person(True)
    third = asyncio.run(agent(*steps, approve=last).resume(first.run_id))
    assert (third.stop_reason, [asked.step for asked in last.asked]) == ("answer", ["more"])
    assert world.done == [("send_money", "ann", 5.0, ""), ("send_money", "bob", 6.0, "")]


def test_always_holds_when_the_run_goes_on(agent: Callable[..., Agent], world: World) -> None:
    steps = [PAY, step("more", "send_money", ["pay"], to="bob", amount=6)]
    first = agent(*steps).run_sync("Do it.")
    person = Person(Decision(allow=True, always=True))
    assert asyncio.run(agent(*steps, approve=person).resume(first.run_id)).ok
    assert len(person.asked) == 1
