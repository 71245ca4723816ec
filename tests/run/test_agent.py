"""A task goes in, tools are called, an answer comes out: run, stream, iter, and every way to stop."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pydantic
import pytest

from agentkit import Agent, Limits, Result, Retry, ScriptedModel, ToolContext, ToolFailed, tool
from agentkit.errors import ModelError, UsageError
from agentkit.events import Event, PieceDelta, RunFinished, RunStarted, StepFinished, StepProgress, TurnStarted, Warned
from agentkit.journal import read_events
from agentkit.messages import Assistant, Text, Thought, ToolCall, ToolResult, Usage
from agentkit.model_backend.base import Turn, TurnRequest
from agentkit.paths import runs_folder
from agentkit.planners.plan import Step, StepId, parse_refs
from tests.conftest import run_simulated


@tool(effect="pure")
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@tool(effect="pure")
async def wait(seconds: float) -> str:
    """Wait a while."""
    await asyncio.sleep(seconds)
    return f"waited {seconds}"


@tool
def big(size: int) -> list[int]:
    """Give a large list."""
    return list(range(size))


def call(name: str, **args: Any) -> ToolCall:
    return ToolCall(name, args)


def of(result: Result, kind: type[Event]) -> list[Any]:
    return [e for e in result.events if isinstance(e, kind)]


def last_results(request: TurnRequest) -> list[ToolResult]:
    return [m for m in request.messages if isinstance(m, ToolResult)]


def test_a_call_is_made_and_its_result_reaches_the_model() -> None:
    model = ScriptedModel([call("add", a=20, b=22), "It is 42."])
    result = Agent(model, [add]).run_sync("What is 20 + 22?")
    assert (result.output, result.stop_reason, result.ok) == ("It is 42.", "answer", True)
    assert last_results(model.requests[1]) == [ToolResult(call_id="s1", name="add", value=42)]
    assert [s.tool for s in result.plan] == ["add"]
    model.assert_complete()


def test_a_run_without_tools_is_a_plain_answer() -> None:
    model = ScriptedModel(["Hello."])
    assert Agent(model).run_sync("Hi").output == "Hello."
    assert model.requests[0].calls == "none"


def test_usage_is_the_sum_of_the_turns() -> None:
    model = ScriptedModel([call("add", a=1, b=2), "Three."])
    result = Agent(model, [add], instructions="Do it.").run_sync("Add 1 and 2")
    assert (result.usage.turns, result.usage.output_tokens) == (2, 6)


def test_several_calls_of_one_turn_run_at_the_same_time() -> None:
    model = ScriptedModel([[call("wait", seconds=3.0), call("wait", seconds=2.0)], "Done."])

    async def main() -> tuple[Result, float]:
        result = await Agent(model, [wait], record=False).run("Wait twice")
        return result, asyncio.get_running_loop().time()

    result, seconds = run_simulated(main())
    assert result.output == "Done."
    assert seconds == pytest.approx(3.0)
    assert [r.value for r in last_results(model.requests[1])] == ["waited 3.0", "waited 2.0"]


def test_no_more_calls_run_at_once_than_the_limit_allows() -> None:
    calls = [call("wait", seconds=1.0 + i / 1000) for i in range(6)]

    async def main() -> float:
        await Agent(ScriptedModel([calls, "Done."]), [wait], limits=Limits(parallel=2), record=False).run("Wait")
        return asyncio.get_running_loop().time()

    assert run_simulated(main()) == pytest.approx(3.0, abs=0.1)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"a": "x", "b": 1}, "a"),
        ({"a": 1}, "b"),
        ({"a": 1, "b": 2, "c": 3}, "c"),
    ],
)
def test_wrong_arguments_become_a_result_that_names_the_parameter(arguments: dict[str, Any], says: str) -> None:
    model = ScriptedModel([ToolCall("add", arguments), "Sorry."])
    result = Agent(model, [add]).run_sync("Add")
    (shown,) = last_results(model.requests[1])
    assert shown.is_error
    assert f"- {says}: " in str(shown.value)
    assert result.ok


def test_an_unknown_tool_becomes_a_result_that_names_the_nearest() -> None:
    model = ScriptedModel([call("ad", a=1, b=2), "Sorry."])
    assert Agent(model, [add]).run_sync("Add").ok
    (shown,) = last_results(model.requests[1])
    assert shown.is_error
    assert "no tool 'ad'; did you mean 'add'?" in str(shown.value)


def raising(error: BaseException) -> Any:
    @tool
    def fail() -> str:
        """Fail."""
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (Retry("use another date"), "use another date"),
        (ToolFailed("the shop is closed"), "the shop is closed"),
        (ZeroDivisionError("by zero"), "ZeroDivisionError: by zero"),
        (SystemExit(3), "SystemExit"),
    ],
)
def test_a_tool_that_raises_becomes_a_result_for_the_model(error: BaseException, says: str) -> None:
    model = ScriptedModel([call("fail"), "I see."])
    assert Agent(model, [raising(error)]).run_sync("Try").ok
    (shown,) = last_results(model.requests[1])
    assert shown.is_error
    assert says in str(shown.value)


def test_a_repeated_call_is_not_made_again_and_its_result_is_shown_again() -> None:
    made: list[str] = []

    @tool
    def pay(to: str) -> str:
        """Pay someone."""
        made.append(to)
        return "paid"

    model = ScriptedModel([call("pay", to="x"), call("pay", to="x"), "Paid."])
    result = Agent(model, [pay]).run_sync("Pay x")
    assert made == ["x"]
    assert result.output == "Paid."
    assert [w.about for w in of(result, Warned)] == ["repeated_call"]
    again = last_results(model.requests[2])[-1].value
    assert isinstance(again, dict)
    assert again["result"] == "paid"


def test_a_call_repeated_within_one_turn_is_made_once() -> None:
    made: list[str] = []

    @tool
    async def pay(to: str) -> str:
        """Pay someone."""
        await asyncio.sleep(0)
        made.append(to)
        return "paid"

    model = ScriptedModel([[call("pay", to="x"), call("pay", to="x")], "Paid."])
    assert Agent(model, [pay]).run_sync("Pay x").ok
    assert made == ["x"]


def stopped(model: ScriptedModel, *tools: Any, **limits: Any) -> Result:
    return Agent(model, tools, limits=Limits(**limits)).run_sync("Do it")


def test_a_model_that_repeats_itself_is_stopped() -> None:
    result = stopped(ScriptedModel([call("add", a=1, b=1)] * 4), add, repeats=3)
    assert (result.stop_reason, result.output) == ("repeated_calls", None)
    assert "'add' 4 times" in result.message


def test_the_limit_on_calls_stops_the_run() -> None:
    calls = [call("add", a=1, b=i) for i in range(3)]
    assert stopped(ScriptedModel([calls]), add, calls=2).stop_reason == "call_limit"


def test_the_limit_on_turns_stops_the_run() -> None:
    turns = [call("add", a=1, b=i) for i in range(3)]
    assert stopped(ScriptedModel(turns), add, turns=3).stop_reason == "turn_limit"


def test_the_limit_on_tokens_stops_the_run_before_the_turn() -> None:
    model = ScriptedModel([])
    assert stopped(model, tokens=50).stop_reason == "token_limit"
    assert model.requests == []


def test_a_prompt_that_does_not_fit_stops_the_run_before_the_turn() -> None:
    model = ScriptedModel([], context=70)
    assert stopped(model).stop_reason == "context_full"


def test_the_limit_on_time_stops_a_slow_tool_and_a_slow_model() -> None:
    async def main(model: ScriptedModel) -> tuple[Result, float]:
        result = await Agent(model, [wait], limits=Limits(time=5), record=False).run("Wait")
        return result, asyncio.get_running_loop().time()

    for model in (ScriptedModel([call("wait", seconds=60.0)]), ScriptedModel(["Late."], seconds=60)):
        result, seconds = run_simulated(main(model))
        assert result.stop_reason == "time_limit"
        assert seconds == pytest.approx(5)


def test_a_failing_backend_is_a_stop_reason_with_its_message() -> None:
    result = Agent(ScriptedModel([ModelError("out of memory")])).run_sync("Hi")
    assert (result.stop_reason, result.message) == ("model_error", "out of memory")


def test_an_empty_turn_is_asked_again_once() -> None:
    result = Agent(ScriptedModel(["", "Here."])).run_sync("Hi")
    assert result.output == "Here."
    assert Agent(ScriptedModel(["", " "])).run_sync("Hi").stop_reason == "no_answer"


def test_an_answer_that_was_cut_off_is_not_an_answer() -> None:
    cut = Turn(message=Assistant((Text("The total is"),)), stop="length", usage=Usage(turns=1))
    result = Agent(ScriptedModel([cut])).run_sync("Total?")
    assert (result.stop_reason, result.output) == ("no_answer", None)


class Total(pydantic.BaseModel):
    currency: str
    amount: float


def test_the_answer_has_the_type_that_was_asked_for() -> None:
    model = ScriptedModel(['{"currency": "EUR", "amount": 12.5}'])
    result = Agent(model, output=Total).run_sync("Total?")
    assert result.output == Total(currency="EUR", amount=12.5)
    assert model.requests[0].output is not None
    assert model.requests[0].output["required"] == ["currency", "amount"]


def test_a_json_schema_gives_json() -> None:
    model = ScriptedModel(["[1, 2]"])
    schema = {"type": "array", "items": {"type": "integer"}}
    assert Agent(model, output=schema).run_sync("Numbers?").output == [1, 2]


@pytest.mark.parametrize("text", ["not json", '{"currency": "EUR"}'])
def test_an_answer_that_does_not_fit_is_not_an_answer(text: str) -> None:
    result = Agent(ScriptedModel([text]), output=Total).run_sync("Total?")
    assert (result.stop_reason, result.output) == ("no_answer", None)
    assert result.message


def test_a_large_result_is_previewed_and_can_be_read_by_its_handle() -> None:
    model = ScriptedModel(
        [call("big", size=5000), call("read_result", handle="s1", start=4990, count=2), "It is 4991."]
    )
    result = Agent(model, [big]).run_sync("What is near the end?")
    assert result.ok
    preview = last_results(model.requests[1])[0].value
    assert isinstance(preview, dict)
    assert (preview["handle"], preview["items"]) == ("s1", 5000)
    assert "read_result" not in [t.name for t in model.requests[0].tools]
    assert "read_result" in [t.name for t in model.requests[1].tools]
    assert last_results(model.requests[2])[1].value == [4990, 4991]
    assert of(result, StepFinished)[0].value == list(range(5000))


def test_tools_share_state_and_report_progress_through_their_context(tmp_path: Path) -> None:
    @tool
    def put(key: str, context: ToolContext) -> str:
        """Put something away."""
        context.state[key] = str(context.workspace)
        context.progress(f"putting {key}")
        return context.step_id

    @tool
    def get(key: str, context: ToolContext) -> str:
        """Get it back."""
        return str(context.state[key])

    model = ScriptedModel([call("put", key="k"), call("get", key="k"), "Done."])
    result = Agent(model, [put, get], workspace=tmp_path).run_sync("Put and get")
    assert [r.value for r in last_results(model.requests[2])] == ["s1", str(tmp_path)]
    assert [(e.id, e.message) for e in of(result, StepProgress)] == [("s1", "putting k")]


def test_state_is_not_shared_between_runs() -> None:
    @tool
    def count(context: ToolContext) -> int:
        """Count calls."""
        context.state["n"] = context.state.get("n", 0) + 1
        return int(context.state["n"])

    for _ in range(2):
        model = ScriptedModel([call("count"), "Done."])
        Agent(model, [count]).run_sync("Count")
        assert last_results(model.requests[1])[0].value == 1


def test_a_conversation_goes_on_from_its_messages() -> None:
    model = ScriptedModel(["I am Gem.", "Gem, as I said."])
    agent = Agent(model)
    first = agent.run_sync("Who are you?")
    agent.run_sync("Who?", history=first.messages)
    assert [m.role for m in model.requests[1].messages] == ["system", "user", "assistant", "user"]


def test_every_event_is_in_the_runs_file_in_order() -> None:
    result = Agent(ScriptedModel([[Thought("hm"), call("add", a=1, b=2)], "3"]), [add]).run_sync("Add")
    events, problems = read_events(runs_folder() / f"{result.run_id}.sqlite")
    assert not problems
    assert events == list(result.events)
    assert [e.kind for e in events] == [
        "run_started",
        "turn_started",
        "turn_finished",
        "planner_chosen",
        "step_added",
        "step_started",
        "step_finished",
        "turn_started",
        "turn_finished",
        "run_finished",
    ]


def test_the_run_is_on_disk_before_the_first_model_call() -> None:
    seen: list[list[Event]] = []

    def look(request: TurnRequest) -> str:
        (path,) = runs_folder().glob("*.sqlite")
        seen.append(read_events(path)[0])
        return "Done."

    Agent(ScriptedModel([look])).run_sync("Hi")
    assert isinstance(seen[0][0], RunStarted)


def test_a_run_that_is_not_recorded_leaves_no_file() -> None:
    assert Agent(ScriptedModel(["Hi."]), record=False).run_sync("Hi").ok
    assert not runs_folder().exists() or not list(runs_folder().iterdir())


def test_a_turn_records_only_the_messages_that_are_new() -> None:
    result = Agent(ScriptedModel([call("add", a=1, b=2), "3"]), [add]).run_sync("Add")
    roles = [[m["role"] for m in e.messages] for e in of(result, TurnStarted)]
    assert roles == [["system", "user"], ["tool"]]


def test_streaming_yields_each_event_as_it_happens() -> None:
    async def main() -> list[Event]:
        return [e async for e in Agent(ScriptedModel(["Hello you."])).stream("Hi")]

    events = asyncio.run(main())
    assert "".join(e.text for e in events if isinstance(e, PieceDelta)).split() == ["Hello", "you."]
    assert isinstance(events[0], RunStarted)
    assert isinstance(events[-1], RunFinished)


def test_leaving_a_stream_early_cancels_the_run() -> None:
    async def main() -> list[Event]:
        stream = Agent(ScriptedModel([call("wait", seconds=1000.0)]), [wait]).stream("Wait")
        async for event in stream:
            if event.kind == "step_started":
                break
        await stream.aclose()  # type: ignore[attr-defined]
        assert len(asyncio.all_tasks()) == 1
        (path,) = runs_folder().glob("*.sqlite")
        return read_events(path)[0]

    end = asyncio.run(main())[-1]
    assert isinstance(end, RunFinished)
    assert end.stop_reason == "cancelled"


def test_cancelling_a_run_leaves_nothing_behind_and_records_it() -> None:
    async def main() -> None:
        task = asyncio.create_task(Agent(ScriptedModel([call("wait", seconds=1000.0)]), [wait]).run("Wait"))
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(main())
    (path,) = runs_folder().glob("*.sqlite")
    end = read_events(path)[0][-1]
    assert isinstance(end, RunFinished)
    assert end.stop_reason == "cancelled"


def test_a_run_can_be_taken_round_by_round() -> None:
    async def main() -> None:
        agent = Agent(ScriptedModel([call("add", a=1, b=2), call("add", a=3, b=3), "6"]), [add])
        async with agent.iter("Add") as rounds:
            with pytest.raises(UsageError, match="has not ended"):
                _ = rounds.result
            values = [[r.value for r in results] async for results in rounds]
        assert values == [[3], [6], []]
        assert rounds.result.output == "6"

    asyncio.run(main())


def test_leaving_the_rounds_early_ends_the_run() -> None:
    async def main() -> Result:
        async with Agent(ScriptedModel([call("add", a=1, b=2)]), [add]).iter("Add") as rounds:
            await anext(rounds)
        return rounds.result

    assert asyncio.run(main()).stop_reason == "cancelled"


def test_several_runs_of_one_agent_go_on_at_the_same_time() -> None:
    def answer(request: TurnRequest) -> str:
        last = request.messages[-1]
        return last.text if last.role == "user" else ""

    async def main() -> list[Result]:
        agent = Agent(ScriptedModel([answer] * 8, seconds=1), record=False)
        return await asyncio.gather(*(agent.run(f"task {i}") for i in range(8)))

    results = run_simulated(main())
    assert [r.output for r in results] == [f"task {i}" for i in range(8)]
    assert len({r.run_id for r in results}) == 8


GIVEN = [
    Step(id=StepId("x"), tool="add", args={"a": 1, "b": 2}),
    Step(id=StepId("y"), tool="add", args=parse_refs({"a": "$x", "b": 10})),
]


def test_a_given_plan_runs_without_a_model_and_passes_values_on() -> None:
    result = Agent(None, [add], planner=GIVEN).run_sync("Add")
    assert (result.output, result.stop_reason) == (13, "answer")


def test_a_given_plan_with_several_ends_answers_with_all_of_them() -> None:
    steps = [*GIVEN, Step(id=StepId("z"), tool="add", args=parse_refs({"a": "$x", "b": 1}))]
    assert Agent(None, [add], planner=steps).run_sync("Add").output == {"y": 13, "z": 4}


def test_a_given_plan_stops_where_a_step_fails_and_says_which() -> None:
    steps = [Step(id=StepId("x"), tool="add", args={"a": "no", "b": 2}), GIVEN[1]]
    result = Agent(None, [add], planner=steps).run_sync("Add")
    assert result.stop_reason == "tool_error"
    assert "step 'x' (add) failed" in result.message
    assert [e.value for e in of(result, StepFinished)][1] == "not run, because step 'x' failed"


def test_steps_that_do_not_make_a_graph_are_refused_when_the_agent_is_made() -> None:
    with pytest.raises(UsageError, match="needs 'x'"):
        Agent(None, [add], planner=[GIVEN[1]])


def test_an_unknown_planner_is_refused() -> None:
    with pytest.raises(UsageError, match="planner 'graf' is unknown"):
        Agent(None, planner="graf")  # type: ignore[arg-type]


def test_run_sync_says_what_to_use_inside_an_event_loop() -> None:
    async def main() -> None:
        with pytest.raises(UsageError, match=r"await agent\.run"):
            Agent(ScriptedModel([])).run_sync("Hi")

    asyncio.run(main())


def test_an_unexpected_error_is_recorded_and_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        Agent(ScriptedModel([ZeroDivisionError("bug")])).run_sync("Hi")
    (path,) = runs_folder().glob("*.sqlite")
    end = read_events(path)[0][-1]
    assert isinstance(end, RunFinished)
    assert end.stop_reason == "error"
