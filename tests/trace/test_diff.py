"""Two runs compared: which steps are the same, and what is different about the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from agentkit.events import Event, RunFinished, StepAdded, StepFinished, StepStarted
from agentkit.messages import JsonObject, JsonValue
from agentkit.trace import Trace
from agentkit.trace.diff import RunDiff, compare
from tests.trace.demo import DEMOS, demo_run, doubtful_run, failed_run

Show = Callable[..., str]


def step(step_id: str, tool: str, args: JsonObject, value: JsonValue = 1, *, ok: bool = True) -> list[Event]:
    return [
        StepAdded(id=step_id, tool=tool, args=args, after=[], purpose=""),
        StepStarted(id=step_id, tool=tool, args=args),
        StepFinished(id=step_id, tool=tool, ok=ok, value=value, seconds=0.5),
    ]


def of(a: list[list[Event]], b: list[list[Event]]) -> RunDiff:
    return compare(*(Trace([e for events in run for e in events]) for run in (a, b)))


def rows(diff: RunDiff) -> list[tuple[str | None, str | None, str]]:
    return [(s.a.id if s.a else None, s.b.id if s.b else None, s.status) for s in diff.steps]


@pytest.mark.parametrize("name", DEMOS)
def test_a_run_is_the_same_as_itself(name: str, shown: Show) -> None:
    diff = compare(Trace(DEMOS[name]()), Trace(DEMOS[name]()))
    assert diff.same
    assert diff.changes == ()
    assert "the runs did the same" in shown(diff)


def test_steps_with_other_ids_and_the_same_calls_are_the_same_step() -> None:
    diff = of(
        [step("a", "get", {"n": 1}), step("b", "get", {"n": 2})],
        [step("x", "get", {"n": 2}), step("y", "get", {"n": 1})],
    )
    assert rows(diff) == [("b", "x", "changed"), ("a", "y", "changed")]
    assert {c.what for s in diff.steps for c in s.changes} == {"id"}


def test_an_id_counts_more_than_the_arguments() -> None:
    diff = of(
        [step("a", "get", {"n": 1}), step("b", "get", {"n": 2})],
        [step("a", "get", {"n": 2}), step("b", "get", {"n": 1})],
    )
    assert rows(diff) == [("a", "a", "changed"), ("b", "b", "changed")]


def test_the_same_id_with_another_tool_is_another_step() -> None:
    assert rows(of([step("a", "get", {})], [step("a", "put", {})])) == [(None, "a", "added"), ("a", None, "removed")]


def test_a_removed_step_stands_where_it_was() -> None:
    a = [step("a", "x", {}), step("b", "y", {}), step("c", "z", {})]
    assert [r[0] for r in rows(of(a, [a[0], a[2]]))] == ["a", "b", "c"]


def test_another_time_is_told_and_is_no_change() -> None:
    first = step("a", "get", {})
    finished = first[-1]
    assert isinstance(finished, StepFinished)
    diff = of([first], [[*first[:-1], replace(finished, seconds=2.0)]])
    assert diff.same
    assert [(c.what, c.a, c.b) for c in diff.steps[0].changes] == [("seconds", 0.5, 2.0)]


def test_results_arguments_states_and_the_end_are_compared() -> None:
    end = RunFinished(stop_reason="answer", output="yes", usage={"prompt_tokens": 100})
    other = RunFinished(stop_reason="tool_error", output=None, usage={"prompt_tokens": 150}, message="bad")
    diff = of([step("a", "get", {"n": 1}), [end]], [step("a", "get", {"n": 2}, "Error: no", ok=False), [other]])
    assert [c.what for c in diff.steps[0].changes] == ["args", "state", "result"]
    assert [c.what for c in diff.changes] == ["stop_reason", "output", "prompt_tokens"]
    assert not diff.same


def test_changes_of_the_plan_are_compared() -> None:
    without = [e for e in demo_run() if e.kind != "plan_changed"]
    changes = {c.what: (c.a, c.b) for c in compare(Trace(demo_run()), Trace(without)).changes}
    assert changes == {"plan_changes": (["repair: w6 failed; added rank, pages"], [])}


def test_long_values_are_shown_from_where_they_part(shown: Show) -> None:
    text = shown(of([step("a", "get", {}, "x" * 900 + "ONE")], [step("a", "get", {}, "x" * 900 + "TWO")]), 80)
    assert "ONE" in text and "TWO" in text
    assert "x" * 100 not in text


@pytest.mark.parametrize("width", [40, 80, 160])
def test_lines_fit_the_width_and_hold_nothing_that_moves_the_cursor(width: int, shown: Show) -> None:
    odd = "\x1b[31mred\x07 \u202e [bold]x[/bold]"
    hostile = of([step(odd, odd, {odd: odd}, odd)], [step(odd, odd, {odd: 1}, 1)])
    for diff in (compare(Trace(demo_run()), Trace(failed_run())), hostile):
        text = shown(diff, width)
        assert max(map(len, text.splitlines())) <= width
        assert not {"\x1b", "\x07", "\u202e"} & set(text)
    assert "[bold]x[/bold]" in shown(hostile, 160)


def test_a_run_without_events_can_be_compared() -> None:
    assert compare(Trace([]), Trace([])).same
    assert rows(compare(Trace([]), Trace(step("a", "get", {})))) == [(None, "a", "added")]


def test_json_says_what_differs() -> None:
    found = compare(Trace(demo_run()), Trace(doubtful_run())).to_json()
    assert (found["a"], found["b"], found["same"]) == ("20261128-091502-7c1e", "20261128-091502-7c1e", False)
    by_id = {s["b"] or s["a"]: s for s in found["steps"]}
    assert by_id["hotel"]["status"] == "changed"
    assert {"what": "state", "a": "ok", "b": "in doubt"} in by_id["hotel"]["changes"]
    assert by_id["note"]["status"] == "removed"
