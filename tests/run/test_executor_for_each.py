"""A step with for_each runs its tool once for each item, within the limits that all calls of a run share."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentkit import Agent, Limits, Result, ScriptedModel, ToolContext, ToolFailed, tool
from agentkit.events import Event, ItemFinished, StepAdded, StepFinished, StepProgress, StepStarted, Warned
from agentkit.messages import ToolCall
from agentkit.planners.plan import OnError, Step, StepId, parse_refs
from tests.conftest import run_simulated

ROWS = [{"n": 1}, {"n": 2}, {"n": 3}, {"n": 4}]


def step(name: str, tool_name: str, for_each: str = "", on_error: OnError = "fail", **args: Any) -> Step:
    over = parse_refs(for_each) if for_each else None
    return Step(id=StepId(name), tool=tool_name, args=parse_refs(args), for_each=over, on_error=on_error)


class Tools:
    """Two tools, and what they were asked for."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.keys: list[str] = []
        self.running = 0
        self.most = 0
        """How many calls of `work` ran at the same time."""

    def make(self) -> list[Any]:
        @tool(effect="pure")
        async def give(value: Any) -> Any:
            """Give a value."""
            return value

        @tool
        async def work(x: Any, context: ToolContext, seconds: float = 1.0, bad: Any = None) -> Any:
            """Work on one thing."""
            self.asked.append(x)
            self.keys.append(context.idempotency_key)
            self.running += 1
            self.most = max(self.most, self.running)
            await asyncio.sleep(seconds)
            self.running -= 1
            if x == bad:
                raise ToolFailed(f"{x} is bad")
            return {"got": x}

        return [give, work]


def run(tools: Tools, *steps: Step, **limits: Any) -> tuple[Result, float]:
    """Runs steps in simulated time; returns how the run ended, and when."""

    async def main() -> tuple[Result, float]:
        given: dict[str, Any] = {"calls": 10_000, "time": None, **limits}
        result = await Agent(None, tools.make(), planner=steps, limits=Limits(**given), record=False).run("Work")
        return result, asyncio.get_running_loop().time()

    return run_simulated(main())


def of(result: Result, kind: type[Event]) -> list[Any]:
    return [e for e in result.events if isinstance(e, kind)]


def end(result: Result, name: str) -> StepFinished:
    (found,) = [e for e in of(result, StepFinished) if e.id == name]
    assert isinstance(found, StepFinished)
    return found


def test_the_result_is_the_list_of_results_in_order_however_long_each_takes() -> None:
    rows = [{"id": i, "wait": 10 - i} for i in range(10)]
    steps = step("rows", "give", value=rows), step("s", "work", "$rows", x="$item.id", seconds="$item.wait")
    result, seconds = run(Tools(), *steps, parallel=20)
    assert result.output == [{"got": i} for i in range(10)]
    assert seconds == pytest.approx(10)


def test_an_argument_may_be_the_item_a_part_of_it_and_what_other_steps_gave() -> None:
    data = {"rate": 1.5, "rows": ROWS}
    x = {"all": "$item", "deep": [{"n": "$item.n"}], "rate": "$data.rate", "text": "costs $item"}
    result, _ = run(Tools(), step("data", "give", value=data), step("s", "work", "$data.rows", x=x))
    assert [r["got"] for r in result.output] == [
        {"all": row, "deep": [{"n": row["n"]}], "rate": 1.5, "text": "costs $item"} for row in ROWS
    ]


def test_items_and_other_steps_share_the_limit_on_parallel_calls() -> None:
    tools = Tools()
    rows = step("rows", "give", value=list(range(100)))
    each = [step(f"e{i}", "work", "$rows", x=[i, "$item"]) for i in range(2)]
    alone = [step(f"a{i}", "work", x=f"alone {i}") for i in range(20)]
    result, seconds = run(tools, rows, *each, *alone, parallel=7)
    assert result.ok
    assert (len(tools.asked), tools.most) == (220, 7)
    assert seconds == pytest.approx(32, abs=1)  # 220 / 7 = 31.4


def test_a_thousand_items_run_at_most_a_few_at_a_time_and_leave_two_events_each() -> None:
    tools = Tools()
    result, seconds = run(
        tools, step("rows", "give", value=list(range(1000))), step("s", "work", "$rows", x="$item"), parallel=8
    )
    assert result.output == [{"got": i} for i in range(1000)]
    assert tools.most == 8
    assert seconds == pytest.approx(125)
    assert len(of(result, ItemFinished)) == 1000
    assert len(result.events) == 2 * 1000 + 2 * 3 + 2
    (span,) = [s for s in result.trace.steps if s.id == "s"]
    assert (span.items, span.items_done, span.failed_items, span.calls) == (1000, 1000, {}, 1000)


def test_an_empty_list_gives_an_empty_list() -> None:
    tools = Tools()
    result, _ = run(tools, step("rows", "give", value=[]), step("s", "work", "$rows", x="$item"))
    assert (result.output, tools.asked) == ([], [])


@pytest.mark.parametrize(
    ("value", "ref", "says"),
    [
        ({"a": 1}, "$rows", "'for_each' needs a list, and '$rows' is an object with the keys ['a']"),
        ("text", "$rows", "'for_each' needs a list, and '$rows' is 'text'"),
        ({"a": None}, "$rows.a", "'for_each' needs a list, and '$rows.a' is None"),
        ({"a": 1}, "$rows.b", "'$rows.b' leads nowhere: there is no 'b' in an object with the keys ['a']"),
    ],
)
def test_what_is_no_list_fails_the_step(value: Any, ref: str, says: str) -> None:
    tools = Tools()
    result, _ = run(tools, step("rows", "give", value=value), step("s", "work", ref, x="$item"))
    assert says in str(end(result, "s").value)
    assert (result.stop_reason, tools.asked) == ("tool_error", [])


def test_a_reference_to_another_step_that_leads_nowhere_fails_the_step_before_its_first_item() -> None:
    tools = Tools()
    rows = step("rows", "give", value={"items": [1, 2]})
    result, _ = run(tools, rows, step("s", "work", "$rows.items", "skip", x=["$item", "$rows.rate"]))
    assert "'$rows.rate' leads nowhere" in str(end(result, "s").value)
    assert (end(result, "s").ok, tools.asked) == (False, [])


def test_an_unknown_tool_fails_the_step_once() -> None:
    result, _ = run(Tools(), step("rows", "give", value=[1, 2]), step("s", "wrok", "$rows", "collect", x="$item"))
    assert "there is no tool 'wrok'; did you mean 'work'?" in str(end(result, "s").value)
    assert of(result, ItemFinished) == []


def failing(on_error: OnError, **limits: Any) -> tuple[Tools, Result]:
    tools = Tools()
    rows = step("rows", "give", value=ROWS)
    result, _ = run(tools, rows, step("s", "work", "$rows", on_error, x="$item.n", bad=2), **limits)
    return tools, result


def test_fail_names_the_item_and_the_error_and_does_not_begin_the_items_behind_it() -> None:
    tools, result = failing("fail", parallel=1)
    assert result.stop_reason == "tool_error"
    assert end(result, "s").value == 'item 1 of $rows failed ({"n": 2}): 2 is bad; 2 items were not run'
    assert tools.asked == [1, 2]


def test_fail_lets_items_that_have_begun_end_first() -> None:
    tools, result = failing("fail", parallel=3)
    assert end(result, "s").value == 'item 1 of $rows failed ({"n": 2}): 2 is bad; 1 item was not run'
    assert (tools.asked, tools.running) == ([1, 2, 3], 0)
    assert [e.index for e in of(result, ItemFinished)] == [0, 1, 2]


def test_skip_gives_the_results_of_the_items_that_succeeded() -> None:
    tools, result = failing("skip")
    assert result.output == [{"got": 1}, {"got": 3}, {"got": 4}]
    assert tools.asked == [1, 2, 3, 4]


def test_collect_gives_the_error_in_the_place_of_the_item_that_failed() -> None:
    _, result = failing("collect")
    assert result.output == [{"got": 1}, {"error": "2 is bad"}, {"got": 3}, {"got": 4}]


def test_the_trace_says_which_items_failed_and_why() -> None:
    _, result = failing("collect")
    (span,) = [s for s in result.trace.steps if s.id == "s"]
    assert (span.for_each, span.items, span.items_done, span.failed_items) == ("$rows", 4, 4, {1: "2 is bad"})
    assert (span.state, span.calls) == ("ok", 4)
    (added,) = [e for e in of(result, StepAdded) if e.id == "s"]
    assert (added.for_each, added.on_error) == ("$rows", "collect")
    (started,) = [e for e in of(result, StepStarted) if e.id == "s"]
    assert (started.items, started.args) == (4, {"x": "$item.n", "bad": 2})


def test_an_item_without_the_part_that_is_asked_for_fails_alone() -> None:
    tools = Tools()
    rows = step("rows", "give", value=[{"n": 1}, {"m": 2}])
    result, _ = run(tools, rows, step("s", "work", "$rows", "collect", x="$item.n"))
    error = "'$item.n' leads nowhere: there is no 'n' in an object with the keys ['m']"
    assert result.output == [{"got": 1}, {"error": error}]


def test_a_step_that_needs_one_whose_item_failed_is_not_run() -> None:
    tools = Tools()
    rows = step("rows", "give", value=[1, 2])
    result, _ = run(tools, rows, step("s", "work", "$rows", x="$item", bad=2), step("t", "work", x="$s"))
    assert end(result, "t").value == "not run, because step 's' failed"
    assert tools.asked == [1, 2]


def test_each_item_has_an_idempotency_key_of_its_own() -> None:
    tools = Tools()
    rows = step("rows", "give", value=[1, 1, 1])
    run(tools, rows, step("s", "work", "$rows", x="$item"), step("t", "work", "$rows", x="$item", seconds=2))
    assert len(set(tools.keys)) == 6


def test_progress_says_for_which_item() -> None:
    @tool
    async def work(x: int, context: ToolContext) -> int:
        """Work."""
        context.progress(f"at {x}")
        await asyncio.sleep(0)
        return x

    @tool
    async def give() -> list[int]:
        """Give numbers."""
        return [5, 6]

    steps = step("rows", "give"), step("s", "work", "$rows", x="$item")
    result = run_simulated(Agent(None, [give, work], planner=steps, record=False).run("Work"))
    assert [(e.item, e.message) for e in of(result, StepProgress)] == [(0, "at 5"), (1, "at 6")]


def test_items_count_as_calls_and_more_than_are_left_end_the_run_before_the_first() -> None:
    tools = Tools()
    rows = step("rows", "give", value=list(range(1000)))
    result, seconds = run(tools, rows, step("s", "work", "$rows", x="$item"), step("t", "work", x=1), calls=1001)
    assert result.stop_reason == "call_limit"
    assert result.message == (
        "step 's' would call 'work' for 1,000 items, and 999 of the run's limit of 1,001 calls are left; "
        "raise the limit on calls"
    )
    assert (tools.asked, seconds) == ([1], 0)  # 't' had begun, and was stopped


def test_as_many_items_as_calls_are_left_are_run() -> None:
    rows = step("rows", "give", value=list(range(10)))
    result, _ = run(Tools(), rows, step("s", "work", "$rows", x="$item"), calls=11)
    assert result.ok


def test_the_limit_on_time_stops_items_too() -> None:
    tools = Tools()
    rows = step("rows", "give", value=list(range(100)))
    result, seconds = run(tools, rows, step("s", "work", "$rows", x="$item"), parallel=10, time=2.5)
    assert (result.stop_reason, seconds, len(tools.asked)) == ("time_limit", 2.5, 30)
    (span,) = [s for s in result.trace.steps if s.id == "s"]
    assert (span.items_done, span.ok) == (20, None)


def test_the_same_call_for_another_list_is_another_call() -> None:
    tools = Tools()
    lists = step("a", "give", value=[1, 2]), step("b", "give", value=[3])
    result, _ = run(tools, *lists, step("s", "work", "$a", x="$item"), step("t", "work", "$b", x="$item"))
    assert result.output == {"s": [{"got": 1}, {"got": 2}], "t": [{"got": 3}]}
    assert of(result, Warned) == []


def test_a_large_list_of_results_is_shown_by_its_handle() -> None:
    rows = step("rows", "give", value=["x" * 100] * 100)
    result, _ = run(Tools(), rows, step("s", "work", "$rows", x="$item"))
    assert end(result, "s").handle == "s"
    assert len(result.output) == 100


def test_a_repeated_call_gives_the_same_value_to_the_steps_behind_it() -> None:
    tools = Tools()
    first, again = step("a", "give", value=ROWS), step("b", "give", value=ROWS)
    result, _ = run(tools, first, again, step("s", "work", "$b", x="$item.n"))
    assert result.output["s"] == [{"got": 1}, {"got": 2}, {"got": 3}, {"got": 4}]
    assert [w.about for w in of(result, Warned)] == ["repeated_call"]


def test_a_repeated_call_does_not_offer_the_tool_for_large_results() -> None:
    model = ScriptedModel([ToolCall("give", {"value": 1}), ToolCall("give", {"value": 1}), "Done."])
    run_simulated(Agent(model, Tools().make(), planner="loop", record=False).run("Give"))
    assert [t.name for t in model.requests[2].tools] == ["give", "work"]


@settings(max_examples=40, deadline=None)
@given(
    values=st.lists(st.integers(0, 5), max_size=30),
    on_error=st.sampled_from(["skip", "collect"]),
    parallel=st.integers(1, 9),
)
def test_whatever_fails_each_other_item_has_its_result(values: list[int], on_error: OnError, parallel: int) -> None:
    steps = step("rows", "give", value=values), step("s", "work", "$rows", on_error, x="$item", bad=0, seconds="$item")
    result, _ = run(Tools(), *steps, parallel=parallel)
    every = [{"got": v} if v else {"error": "0 is bad"} for v in values]
    assert result.output == (every if on_error == "collect" else [r for r in every if "got" in r])
