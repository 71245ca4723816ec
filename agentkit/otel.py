"""Runs as live OpenTelemetry spans, through the tracer provider that the program has set up (extra ``otel``).

Nothing is sent anywhere by this module: without a provider, OpenTelemetry's own no-op tracer is used.

Example::

    from agentkit.otel import OtelSpans

    await agent.run("Total the expenses", on_event=OtelSpans())
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentkit import __version__
from agentkit.errors import UsageError
from agentkit.events import Event, RunFinished, RunPaused, RunResumed, RunStarted, StepFinished, TurnFinished
from agentkit.trace.clock import Clock
from agentkit.trace.genai import AGENT, SCHEMA_URL, GenAiSpan, SpanEvent, moment, run_span, step_span, turn_span
from agentkit.trace.spans import SpanBuilder

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

__all__ = ["OtelSpans"]


class OtelSpans:
    """Makes spans of a run's events; an instance is given to one run as ``on_event``.

    The run's span is a child of the span that is current when the run begins. A turn's or a step's span is made when
    it ends, with the times that its events have.

    Args:
        tracer: Where spans go; by default the tracer of the provider that is set up globally.
        content: Whether prompts, answers, arguments and results are part of the spans; they may hold private data.

    Raises:
        agentkit.errors.UsageError: OpenTelemetry's API is not installed.
    """

    def __init__(self, tracer: Tracer | None = None, *, content: bool = False) -> None:
        try:
            from opentelemetry import trace
        except ImportError:
            raise UsageError("OpenTelemetry is not installed; pip install 'agentkit-gemma[otel]'") from None
        self._api = trace
        self._tracer = tracer or trace.get_tracer(AGENT, __version__, schema_url=SCHEMA_URL)
        self._content = content
        self._builder = SpanBuilder()
        self._clock = Clock()
        self._start: RunStarted | None = None
        self._root: Span | None = None
        self._made: dict[str, Span] = {}

    def __call__(self, event: Event) -> None:
        """Takes an event of the run."""
        seen = len(self._builder.spans)
        self._clock.take(event)
        self._builder.take(event)
        if isinstance(event, RunStarted):
            self._start = event
        if isinstance(event, RunStarted | RunResumed) and self._root is None:
            made = run_span(self._start, None, 0.0, content=self._content)
            self._root = self._tracer.start_span(made.name, start_time=self._clock.nanoseconds(event.at))
        if self._root is None:
            return
        match event:
            case TurnFinished():
                turn = self._builder.turns[event.turn]
                self._add(turn_span(turn, self._start, event.at, content=self._content), self._root)
            case StepFinished():
                self._add_step(event.id, event.at)
            case RunFinished() | RunPaused():
                self._end(event)
            case _:
                for span in self._builder.spans[seen:]:
                    if (happened := moment(span)) is not None:
                        self._tell(self._root, happened)

    def _add_step(self, step: str, at: float) -> None:
        tools = self._start.tools if self._start is not None else []
        span = self._builder.steps[step]
        about = next((str(t.get("description", "")) for t in tools if t.get("name") == span.tool), "")
        assert self._root is not None
        self._add(step_span(span, at, content=self._content, description=about), self._root)

    def _add(self, made: GenAiSpan, parent: Span) -> None:
        links = [self._api.Link(self._made[key].get_span_context()) for key in made.links if key in self._made]
        span = self._tracer.start_span(
            made.name,
            context=self._api.set_span_in_context(parent),
            kind=self._api.SpanKind.CLIENT if made.kind == "client" else self._api.SpanKind.INTERNAL,
            links=links,
            start_time=self._clock.nanoseconds(made.start),
        )
        self._made[made.key] = span
        for child in made.children:
            self._add(child, span)
        self._finish(span, made)

    def _finish(self, span: Span, made: GenAiSpan) -> None:
        span.set_attributes(made.attributes)
        for happened in made.events:
            self._tell(span, happened)
        code = self._api.StatusCode.ERROR if made.error else self._api.StatusCode.OK
        span.set_status(self._api.Status(code, made.error or None))
        span.end(self._clock.nanoseconds(made.end))

    def _tell(self, span: Span, happened: SpanEvent) -> None:
        span.add_event(happened.name, happened.attributes, self._clock.nanoseconds(happened.at))

    def _end(self, event: RunFinished | RunPaused) -> None:
        """Ends the run's span, and before it those of turns and steps that will have no end."""
        assert self._root is not None
        for turn in self._builder.turns.values():
            if turn.end is None:
                self._add(turn_span(turn, self._start, event.at, content=self._content), self._root)
        for step in self._builder.steps.values():
            if step.end is None and step.attempts:
                self._add_step(step.id, event.at)
        self._finish(self._root, run_span(self._start, event, event.at, content=self._content))
        self._root = None
