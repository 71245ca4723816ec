"""A run in OpenTelemetry's JSON, with the names of the conventions for generative AI."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agentkit.events import Event, RunFinished, RunResumed, RunStarted, StepAdded, StepFinished, StepStarted
from agentkit.trace import Trace
from agentkit.trace.export import to_otlp_json
from agentkit.trace.genai import SCHEMA_URL
from tests.trace.demo import DEMOS, demo_run, failed_run
from tests.trace.export.otlp_proto import parse

GOLDEN = Path(__file__).parent / "golden" / "failed.otlp.json"


def spans(events: Sequence[Event]) -> dict[str, list[Any]]:
    """The spans by name, as the proto classes have them."""
    found: dict[str, list[Any]] = {}
    for span in parse(to_otlp_json(Trace(events))).resource_spans[0].scope_spans[0].spans:
        found.setdefault(span.name, []).append(span)
    return found


def attributes(span: Any) -> dict[str, Any]:
    return {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in span.attributes}


@pytest.mark.parametrize("name", DEMOS)
def test_the_proto_classes_accept_every_run(name: str) -> None:
    request = parse(to_otlp_json(Trace(DEMOS[name]())))
    made = request.resource_spans[0].scope_spans[0].spans
    ids = {s.span_id for s in made}
    assert len(ids) == len(made)
    assert all(len(s.trace_id) == 16 and len(s.span_id) == 8 for s in made)
    assert {s.trace_id for s in made} == {made[0].trace_id}
    assert [s.name for s in made if not s.parent_span_id] == ["invoke_agent agentkit"]
    assert {s.parent_span_id for s in made if s.parent_span_id} <= ids
    assert {link.span_id for s in made for link in s.links} <= ids
    assert all(s.start_time_unix_nano <= s.end_time_unix_nano for s in made)
    assert request.resource_spans[0].schema_url == SCHEMA_URL


def test_an_export_is_as_it_was() -> None:
    """When this fails and the change is meant, write the file anew from what `to_otlp_json` returns."""
    assert json.loads(to_otlp_json(Trace(failed_run()))) == json.loads(GOLDEN.read_text(encoding="utf-8"))


def test_a_plan_holds_the_call_of_the_model_and_stands_beside_its_steps() -> None:
    found = spans(demo_run())
    run, plan = found["invoke_agent agentkit"][0], found["plan agentkit"][0]
    first = next(s for s in found["chat gemma-4-e4b"] if s.parent_span_id == plan.span_id)
    assert plan.parent_span_id == run.span_id
    assert {s.parent_span_id for s in found["execute_tool fetch_weather"]} == {run.span_id}
    assert attributes(first)["gen_ai.usage.input_tokens"] == 412
    assert attributes(first)["gen_ai.usage.reasoning.output_tokens"] == 34
    assert attributes(first)["gen_ai.response.time_to_first_chunk"] == 0.9
    assert {s.kind for s in found["chat gemma-4-e4b"]} == {1}  # in this process
    assert attributes(plan) == {"gen_ai.operation.name": "plan", "gen_ai.agent.name": "agentkit"}


def test_a_failed_call_says_what_failed_and_the_rest_is_ok() -> None:
    found = spans(demo_run())
    bad = [s for s in found["execute_tool fetch_weather"] if s.status.code == 2]
    assert [attributes(s)["gen_ai.tool.call.id"] for s in bad] == ["w6"]
    assert attributes(bad[0])["error.type"] == "TimeoutError"
    assert bad[0].status.message.startswith("TimeoutError: the weather service")
    assert found["invoke_agent agentkit"][0].status.code == 1


def test_steps_are_linked_to_those_they_needed() -> None:
    found = spans(demo_run())
    weather = {s.span_id: attributes(s)["gen_ai.tool.call.id"] for s in found["execute_tool fetch_weather"]}
    rank = found["execute_tool rank"][0]
    assert sorted(weather[link.span_id] for link in rank.links) == ["w1", "w2", "w3", "w4", "w5", "w7", "w8"]


def test_what_ran_for_items_has_a_span_for_each() -> None:
    pages = spans(demo_run())["execute_tool fetch_page"]
    step = next(s for s in pages if attributes(s)["gen_ai.tool.call.id"] == "pages")
    items = [s for s in pages if s.parent_span_id == step.span_id]
    assert sorted(attributes(s)["agentkit.item"] for s in items) == [0, 1, 2, 3, 4, 5]
    assert [attributes(s)["agentkit.item"] for s in items if s.status.code == 2] == [3]


def test_approvals_and_changes_of_the_plan_are_events() -> None:
    found = spans(demo_run())
    assert [e.name for e in found["execute_tool book"][0].events] == ["agentkit.approval"]
    assert [e.name for e in found["invoke_agent agentkit"][0].events] == [
        "agentkit.planner_chosen",
        "agentkit.plan_changed",
        "agentkit.warning.large_result",
    ]


def test_times_are_those_of_the_wall_also_after_a_pause_of_a_day() -> None:
    start = RunStarted(
        run_id="r", task="", started="2026-11-28T09:00:00+00:00", model={}, planner="given", tools=[], limits={}
    )
    events = [
        start,
        RunResumed(at=1.0, number=1, started="2026-11-29T09:00:00+00:00"),
        StepAdded(at=1.0, id="s", tool="t", args={}, after=[], purpose=""),
        StepStarted(at=1.5, id="s", tool="t", args={}),
        StepFinished(at=2.0, id="s", tool="t", ok=True, value=1, seconds=0.5),
        RunFinished(at=2.0, stop_reason="answer", output=1, usage={}),
    ]
    found = spans(events)
    run, step = found["invoke_agent agentkit"][0], found["execute_tool t"][0]
    assert run.start_time_unix_nano == int(datetime(2026, 11, 28, 9, tzinfo=UTC).timestamp()) * 10**9
    assert step.start_time_unix_nano == int(datetime(2026, 11, 29, 9, tzinfo=UTC).timestamp()) * 10**9 + 500_000_000


def test_the_same_run_has_the_same_ids_and_another_run_has_others() -> None:
    assert to_otlp_json(Trace(demo_run())) == to_otlp_json(Trace(demo_run()))
    one, two = (next(iter(spans(e).values()))[0].trace_id for e in (demo_run(), failed_run()))
    assert one != two


def test_a_run_that_was_killed_and_one_without_a_beginning_are_exported_with_what_is_there() -> None:
    killed = spans(demo_run()[:30])["invoke_agent agentkit"][0]
    assert (killed.status.code, attributes(killed)["error.type"]) == (2, "killed")
    assert "invoke_agent agentkit" in spans(demo_run()[5:])
    assert "invoke_agent agentkit" in spans([])


def test_text_that_protobuf_cannot_hold_is_written_as_an_escape() -> None:
    events = [StepFinished(id="s", tool="\ud800", ok=False, value="\udfff", seconds=0.0)]
    assert "execute_tool \\ud800" in spans(events)
