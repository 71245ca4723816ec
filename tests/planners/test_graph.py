"""The graph planner: steps run while the plan is written, failures are planned again, results become the answer."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from agentkit import Agent, Result, ScriptedModel, ToolFailed, tool
from agentkit.events import PlanChanged, StepFinished, StepStarted, Warned
from agentkit.messages import Assistant, JsonValue, Message, System, Text, Thought, User
from agentkit.model_backend.base import ModelInfo, ToolSpec
from agentkit.model_backend.scripted import ScriptedParts
from agentkit.planners.graph import write_plan
from agentkit.planners.plan import Ref, StepId
from tests.conftest import run_simulated


@tool(effect="pure")
async def size(city: str) -> int:
    """People who live in a city."""
    await asyncio.sleep(1)
    if city == "Atlantis":
        raise ToolFailed("there is no such city; ask for 'Rome'")
    return len(city) * 1000


@tool(effect="pure")
def add(numbers: list[int]) -> int:
    """Add numbers up."""
    return sum(numbers)


@tool
def note(text: str) -> str:
    """Write something down."""
    return f"noted: {text}"


def plan(*steps: tuple[str, Any], end: str = "answer", first: int = 1) -> list[JsonValue]:
    """Returns the lines of a plan whose steps are numbered."""
    lines: list[JsonValue] = []
    for number, (name, arguments) in enumerate(steps, start=first):
        lines += [{"id": f"s{number}", "tool": name}, arguments]
    return [*lines, {"id": f"s{first + len(steps)}", "tool": end}] if end else lines


def run(turns: list[Any], task: str = "How many people?", **options: Any) -> tuple[Result, ScriptedModel]:
    model = ScriptedModel(turns)
    result = run_simulated(Agent(model, [size, add, note], planner="graph", record=False, **options).run(task))
    model.assert_complete()
    return result, model


SUM = plan(("size", {"city": "Rome"}), ("size", {"city": "Oslo!"}), ("add", {"numbers": ["$s1", "$s2"]}))


def test_a_plan_is_written_in_one_turn_and_its_results_become_the_answer() -> None:
    result, model = run([ScriptedParts(parts=SUM), "9,000 people."])
    assert result.output == "9,000 people."
    assert [(s.id, s.tool) for s in result.plan] == [("s1", "size"), ("s2", "size"), ("s3", "add")]
    assert result.plan["s3"].args == {"numbers": [Ref(StepId("s1")), Ref(StepId("s2"))]}
    asked = model.requests[1].messages[-1]
    assert isinstance(asked, User)
    assert 's3 add({"numbers": ["$s1", "$s2"]}): 9000' in asked.text


def test_results_are_told_in_the_order_of_the_plan_however_long_they_took() -> None:
    result, model = run([ScriptedParts(parts=plan(("size", {"city": "Rome"}), ("add", {"numbers": [1, 2]}))), "4,003"])
    assert [e.id for e in result.events if isinstance(e, StepFinished)] == ["s2", "s1"]
    asked = model.requests[1].messages[-1]
    assert isinstance(asked, User)
    assert asked.text.index("s1 size") < asked.text.index("s2 add"), "a run that goes on may not ask anything else"


def test_the_model_may_think_before_it_plans() -> None:
    result, model = run([ScriptedParts(parts=SUM, thought="Two cities."), "9,000"], thinking=100)
    assert model.requests[0].thinking == 100
    (message,) = [m for m in result.messages if m.role == "assistant" and m.text.startswith("[")]
    assert message.pieces[0] == Thought("Two cities.")


def test_a_step_starts_while_later_ones_are_still_being_written() -> None:
    result, _ = run([ScriptedParts(parts=SUM, seconds=0.5), "9,000"])
    started = {e.id: e.at for e in result.events if isinstance(e, StepStarted)}
    done = {e.id: e.at for e in result.events if isinstance(e, StepFinished)}
    assert started == pytest.approx({"s1": 1.0, "s2": 2.0, "s3": 3.0})
    assert done["s1"] == pytest.approx(2.0)  # long before the plan was whole, at 3.5


def test_steps_that_may_change_something_keep_the_order_in_which_they_were_written() -> None:
    lines = plan(
        ("size", {"city": "Rome"}), ("note", {"text": "a"}), ("size", {"city": "Bonn"}), ("note", {"text": "b"})
    )
    result, _ = run([ScriptedParts(parts=lines), "Done."])
    assert {str(s.id): s.after for s in result.plan} == {"s1": (), "s2": ("s1",), "s3": ("s2",), "s4": ("s3",)}


def test_a_failed_step_is_planned_again_and_finished_ones_stay() -> None:
    first = plan(("size", {"city": "Rome"}), ("size", {"city": "Atlantis"}), ("add", {"numbers": ["$s1", "$s2"]}))
    again = plan(("size", {"city": "Oslo!"}), ("add", {"numbers": ["$s1", "$s4"]}), first=4)
    result, model = run([ScriptedParts(parts=first), ScriptedParts(parts=again), "9,000"])
    assert result.output == "9,000"
    (changed,) = [e for e in result.events if isinstance(e, PlanChanged)]
    assert (changed.reason, changed.failed, changed.added) == ("repair", ["s2", "s3"], ["s4", "s5"])
    assert [r.id for r in result.plan if r.tool == "size"] == ["s1", "s2", "s4"]
    told = model.requests[1].messages[-1]
    assert isinstance(told, User)
    assert "FAILED: there is no such city" in told.text


def test_a_repair_may_change_something_though_what_was_to_be_changed_before_failed() -> None:
    first = plan(("size", {"city": "Atlantis"}), ("note", {"text": "a"}))
    again = plan(("note", {"text": "b"}), first=3)
    result, _ = run([ScriptedParts(parts=first), ScriptedParts(parts=again), "Noted."])
    assert result.output == "Noted."
    ends = {e.id: e.value for e in result.events if isinstance(e, StepFinished)}
    assert (ends["s2"], ends["s3"]) == ("not run, because step 's1' failed", "noted: b")


def test_a_repair_can_not_refer_to_what_failed() -> None:
    first = plan(("size", {"city": "Atlantis"}))
    wrong = plan(("add", {"numbers": ["$s1"]}), first=2)
    with pytest.raises(AssertionError, match="part 2 of the script does not fit"):
        run([ScriptedParts(parts=first), ScriptedParts(parts=wrong)])


def test_what_keeps_failing_is_planned_again_only_so_often() -> None:
    attempts = [ScriptedParts(parts=plan(("size", {"city": "Atlantis"}), first=n)) for n in (1, 2, 3)]
    result, _ = run([*attempts, "I can't find out."])
    assert result.output == "I can't find out."
    assert [e.about for e in result.events if isinstance(e, Warned)][-1] == "repairs_used_up"


def test_a_plan_goes_on_after_the_model_has_looked_at_results() -> None:
    result, model = run(
        [
            ScriptedParts(parts=plan(("size", {"city": "Rome"}), end="look")),
            ScriptedParts(parts=plan(("add", {"numbers": ["$s1", 1]}), first=2)),
            "4,001",
        ]
    )
    assert result.output == "4,001"
    assert [e.reason for e in result.events if isinstance(e, PlanChanged)] == ["look"]
    assert [m.role for m in model.requests[2].messages] == ["system", "user", "assistant", "user", "assistant", "user"]


def test_a_plan_without_steps_is_answered_at_once() -> None:
    result, model = run([ScriptedParts(parts=plan()), "Hello!"], task="Hello")
    assert result.output == "Hello!"
    assert len(result.plan) == 0
    assert isinstance(last := model.requests[1].messages[-1], User)
    assert last.text == "Hello"


def test_the_typed_answer_is_asked_for_with_its_schema() -> None:
    schema = {"type": "object", "properties": {"people": {"type": "integer"}}, "required": ["people"]}
    result, model = run([ScriptedParts(parts=SUM), json.dumps({"people": 9000})], output=schema)
    assert result.output == {"people": 9000}
    assert model.requests[1].output == schema


def test_tools_named_like_the_ends_of_a_plan_can_be_called() -> None:
    @tool(effect="pure")
    def answer(question: str) -> str:
        """Answer a question."""
        return question

    lines = plan(("answer", {"question": "why"}), end="answer_now")
    model = ScriptedModel([ScriptedParts(parts=lines), "Because."])
    assert Agent(model, [answer], planner="graph", record=False).run_sync("Why?").output == "Because."


SPECS = [
    ToolSpec(name=t.name, description=t.description, parameters=t.parameters, returns=t.returns) for t in (size, add)
]


class Server(ScriptedModel):
    """A model that takes no answers in parts."""

    def __init__(self, turns: list[Any]) -> None:
        super().__init__(turns)
        self.info = ModelInfo(name="server", kind="remote", context=8192)


def as_value(*steps: tuple[str, Any]) -> str:
    numbered = [{"id": f"s{n}", "tool": t, "args": a} for n, (t, a) in enumerate(steps, start=1)]
    return json.dumps({"steps": numbered})


GOOD = as_value(("size", {"city": "Rome"}), ("add", {"numbers": ["$s1", 2]}), ("answer", {}))


def test_a_server_is_asked_for_the_plan_as_one_value() -> None:
    written = asyncio.run(write_plan(Server([GOOD]), "How many?", SPECS))
    assert [s.args for s in written.steps] == [{"city": "Rome"}, {"numbers": [Ref(StepId("s1")), 2]}]
    assert written.problems == ()


@pytest.mark.parametrize(
    "bad",
    [
        as_value(("size", {"town": "Rome"}), ("answer", {})),
        as_value(("add", {"numbers": ["$s4"]}), ("answer", {})),
        as_value(("destroy", {}), ("answer", {})),
        '{"steps": [',
        '{"plan": []}',
        '{"steps": [7]}',
    ],
)
def test_a_servers_plan_that_does_not_fit_is_asked_for_once_more(bad: str) -> None:
    model = Server([bad, GOOD])
    written = asyncio.run(write_plan(model, "How many?", SPECS))
    assert len(written.steps) == 2
    told = model.requests[1].messages[-1]
    assert isinstance(told, User)
    assert "does not fit" in told.text


def test_a_servers_plan_that_does_not_fit_twice_ends_the_run() -> None:
    model = Server(["{}", "{}"])
    result = Agent(model, [size, add], planner="graph", record=False).run_sync("How many?")
    assert result.stop_reason == "no_answer"
    assert "does not fit, twice" in result.message


def test_cancelling_while_a_plan_is_written_leaves_nothing_running() -> None:
    async def main() -> set[str]:
        model = ScriptedModel([ScriptedParts(parts=SUM, seconds=5)])
        going = asyncio.create_task(Agent(model, [size, add, note], planner="graph", record=False).run("How many?"))
        await asyncio.sleep(11)
        going.cancel()
        await asyncio.gather(going, return_exceptions=True)
        return {t.get_name() for t in asyncio.all_tasks() if t is not asyncio.current_task()}

    assert run_simulated(main()) == set()


def others(count: int) -> list[Any]:
    """Returns tools that have nothing to do with the size of cities."""

    def named(name: str) -> Any:
        @tool(name=name, effect="pure")
        def other(x: int) -> int:
            """Something else."""
            return x

        return other

    return [named(f"other_{i}") for i in range(count)]


def told_first(model: ScriptedModel) -> tuple[str, str]:
    """Returns what the first request tells of likely tools, and of others."""
    system = model.requests[0].messages[0]
    assert isinstance(system, System)
    likely, _, others = system.text.partition("Other tools, only for what those above can't do:")
    return likely, others


def test_of_many_tools_the_plan_may_call_those_that_the_task_seems_to_need() -> None:
    parts = ScriptedParts(parts=plan(("size", {"city": "Rome"})))
    model = ScriptedModel([parts, "4,000"])
    many = [*others(199), size]
    result = run_simulated(Agent(model, many, planner="graph", record=False).run("What is the size of the city Rome?"))
    assert result.output == "4,000"
    likely, rest = told_first(model)
    assert "size(city: string)" in likely
    assert rest.count("(x: integer)") == 19
    assert [e.about for e in result.events if isinstance(e, Warned)] == ["tools_chosen"]


def test_what_was_asked_before_tells_what_tools_are_needed_too() -> None:
    model = ScriptedModel([ScriptedParts(parts=plan(("size", {"city": "Oslo"}))), "4,000"])
    agent = Agent(model, [*others(30), size], planner="graph", record=False)
    asked: list[Message] = [User("What is the size of the city Rome?"), Assistant((Text("4,000"),))]
    assert run_simulated(agent.run("And that of Oslo?", history=asked)).output == "4,000"
    assert "size(city: string)" in told_first(model)[0]


@tool(effect="pure")
def read_notes() -> str:
    """Read the notes."""
    return "The trip in May\nis 42 km long."


@tool(effect="pure")
def in_metres(km: float) -> float:
    """Convert kilometres."""
    return km * 1000


def test_a_plan_waits_for_what_has_to_be_read() -> None:
    """The task tells no distance, so that it is not made up: whoever names the tool that wants it has to look first."""
    model = ScriptedModel(
        [
            ScriptedParts(parts=[*plan(("read_notes", {}), end=""), {"id": "s2", "tool": "in_metres"}]),
            ScriptedParts(parts=plan(("in_metres", {"km": 42}), first=2)),
            "42,000 m",
        ]
    )
    agent = Agent(model, [read_notes, in_metres], planner="graph", record=False)
    result = run_simulated(agent.run("How many metres is the trip in the notes?"))
    assert result.output == "42,000 m"
    assert [(s.id, s.tool) for s in result.plan] == [("s1", "read_notes"), ("s2", "in_metres")]
    assert [e.reason for e in result.events if isinstance(e, PlanChanged)] == ["look"]
    seen = model.requests[1].messages[-1]
    assert isinstance(seen, User)
    assert seen.text.startswith(
        'Results so far:\ns1 read_notes({}):\n"""\nThe trip in May\nis 42 km long.\n"""\n\nNow you have'
    )


def test_a_text_that_was_read_is_not_passed_on_for_a_date() -> None:
    @tool(effect="pure")
    def days_until(date: str) -> int:
        """Count the days until a date."""
        return len(date)

    def attempt(date: str) -> Result:
        model = ScriptedModel(
            [
                ScriptedParts(parts=plan(("read_notes", {}), end="look")),
                ScriptedParts(parts=plan(("days_until", {"date": date}), first=2)),
                "10 days.",
            ]
        )
        return run_simulated(Agent(model, [read_notes, days_until], planner="graph", record=False).run("How long?"))

    assert attempt("2027-05-01").output == "10 days."
    with pytest.raises(AssertionError, match="does not fit"):
        attempt("$s1")


@tool(effect="pure")
def pay_invoice(amount: int) -> str:
    """Pay an invoice."""
    return f"paid {amount}"


def test_of_many_tools_those_that_results_tell_of_can_be_called_when_they_were_seen() -> None:
    @tool(effect="pure")
    def read_letter() -> str:
        """Read the letter."""
        return "Please pay the invoice.\nThe amount is 42."

    model = ScriptedModel(
        [
            ScriptedParts(parts=plan(("read_letter", {}), end="look")),
            ScriptedParts(parts=plan(("pay_invoice", {"amount": 42}), first=2)),
            "Paid.",
        ]
    )
    agent = Agent(model, [*others(40), read_letter, pay_invoice], planner="graph", record=False)
    result = run_simulated(agent.run("Do what the letter says."))
    assert result.output == "Paid."
    asked = [str(message) for message in model.requests[1].messages]
    assert "pay_invoice(amount: integer)" not in asked[0]
    assert "pay_invoice(amount: integer)" in asked[-1]
