"""Live spans: what a program's own OpenTelemetry provider is given while a run goes on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from agentkit import Agent, ScriptedModel, tool
from agentkit.events import Event, RunFinished
from agentkit.messages import ToolCall
from agentkit.otel import OtelSpans
from tests.trace.demo import demo_run, waiting_run


@tool(effect="pure")
def divide(a: int, b: int) -> float:
    """Divide two numbers."""
    return a / b


def spans_of(events: Iterable[Event], *, content: bool = False) -> list[ReadableSpan]:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    take = OtelSpans(provider.get_tracer("test"), content=content)
    for event in events:
        take(event)
    return list(exporter.get_finished_spans())


def named(spans: Iterable[ReadableSpan], name: str) -> list[Any]:
    return [s for s in spans if s.name == name]


def test_a_run_gives_spans_with_the_names_of_the_conventions() -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("test")
    agent = Agent(ScriptedModel([ToolCall("divide", {"a": 1, "b": 0}), "No."]), tools=[divide], record=False)

    async def main() -> None:
        with tracer.start_as_current_span("mine"):
            await agent.run("Divide", on_event=OtelSpans(tracer))

    import asyncio

    asyncio.run(main())
    spans: list[Any] = [*exporter.get_finished_spans()]
    (run,), (mine,) = named(spans, "invoke_agent agentkit"), named(spans, "mine")
    (call,), chats = named(spans, "execute_tool divide"), [s for s in spans if s.name.startswith("chat ")]
    assert run.parent.span_id == mine.context.span_id
    assert {s.parent.span_id for s in (call, *chats)} == {run.context.span_id}
    assert call.status.status_code.name == "ERROR"
    assert call.attributes["error.type"] == "ZeroDivisionError"
    assert call.attributes["gen_ai.tool.description"] == "Divide two numbers."
    assert len(chats) == 2
    assert all(s.start_time <= s.end_time for s in spans)
    assert run.start_time <= min(s.start_time for s in chats)


def test_contents_are_given_only_when_they_are_asked_for() -> None:
    private = {"messages", "arguments", "result", "definitions", "system_instructions"}

    def has(spans: list[ReadableSpan]) -> bool:
        return any(key.rpartition(".")[2] in private for s in spans for key in (s.attributes or {}))

    assert not has(spans_of(demo_run()))
    assert has(spans_of(demo_run(), content=True))


def test_live_spans_are_those_of_the_export() -> None:
    spans = spans_of(demo_run())
    assert len(named(spans, "execute_tool fetch_weather")) == 8
    assert len(named(spans, "execute_tool fetch_page")) == 7  # the step and its items
    (plan,) = named(spans, "plan agentkit")
    assert any(s.parent.span_id == plan.context.span_id for s in named(spans, "chat gemma-4-e4b"))
    (rank,) = named(spans, "execute_tool rank")
    weather = {s.context.span_id for s in named(spans, "execute_tool fetch_weather")}
    assert {link.context.span_id for link in rank.links} < weather


def test_what_has_no_end_is_ended_with_the_run() -> None:
    events = [e for e in demo_run() if e.at <= 14.11]
    spans = spans_of([*events, RunFinished(at=15.0, stop_reason="cancelled", output=None, usage={}, message="stopped")])
    (book,), (run,) = named(spans, "execute_tool book"), named(spans, "invoke_agent agentkit")
    assert book.end_time == run.end_time
    assert (run.status.status_code.name, run.attributes["error.type"]) == ("ERROR", "cancelled")


def test_a_run_that_waits_for_a_person_has_ended_its_span_without_an_error() -> None:
    (run,) = named(spans_of(waiting_run()), "invoke_agent agentkit")
    assert run.attributes["agentkit.stop_reason"] == "approval"
    assert run.status.status_code.name == "OK"


def test_events_without_a_beginning_make_no_span() -> None:
    assert spans_of(demo_run()[5:]) == []
