"""A run as OpenTelemetry's JSON: one trace, with the names of the conventions for generative AI."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

from agentkit.messages import JsonObject
from agentkit.trace.clock import Clock
from agentkit.trace.genai import (
    AGENT,
    SCHEMA_URL,
    Attribute,
    GenAiSpan,
    SpanEvent,
    moment,
    run_span,
    step_span,
    turn_span,
)
from agentkit.trace.spans import StepSpan, TurnSpan
from agentkit.trace.trace import Trace

__all__ = ["to_otlp_json"]

_KINDS = {"internal": 1, "client": 3}


def to_otlp_json(trace: Trace) -> str:
    """Returns a run as an ``ExportTraceServiceRequest`` in JSON, which OTLP receivers and viewers read.

    Prompts, arguments and results are in it. The same run always has the same ids.
    """
    resource = {"attributes": _attributes({"service.name": AGENT})}
    scope = {
        "scope": {"name": AGENT},
        "schemaUrl": SCHEMA_URL,
        "spans": [*_Writer(trace).spans()],
    }
    return (
        json.dumps({"resourceSpans": [{"resource": resource, "schemaUrl": SCHEMA_URL, "scopeSpans": [scope]}]}) + "\n"
    )


class _Writer:
    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._clock = Clock()
        for event in trace.events:
            self._clock.take(event)
        self._trace_id = _digest(trace.run_id, 32)

    def spans(self) -> Iterator[JsonObject]:
        trace, seconds = self._trace, self._trace.seconds
        root = run_span(trace.start, trace.end, seconds, content=True)
        moments = tuple(m for m in map(moment, trace.spans) if m is not None)
        yield self._span(root, "", moments)
        tools = {str(t.get("name")): str(t.get("description", "")) for t in trace.start.tools} if trace.start else {}
        for span in trace.spans:
            if isinstance(span, TurnSpan):
                yield from self._with_children(turn_span(span, trace.start, seconds, content=True), root.key)
            elif isinstance(span, StepSpan):
                made = step_span(span, seconds, content=True, description=tools.get(span.tool, ""))
                yield from self._with_children(made, root.key)

    def _with_children(self, span: GenAiSpan, parent: str) -> Iterator[JsonObject]:
        yield self._span(span, parent, span.events)
        for child in span.children:
            yield from self._with_children(child, span.key)

    def _span(self, span: GenAiSpan, parent: str, events: tuple[SpanEvent, ...]) -> JsonObject:
        found: JsonObject = {
            "traceId": self._trace_id,
            "spanId": self._id(span.key),
            "parentSpanId": self._id(parent) if parent else "",
            "name": _scalar(span.name),
            "kind": _KINDS[span.kind],
            "startTimeUnixNano": self._time(span.start),
            "endTimeUnixNano": self._time(span.end),
            "attributes": _attributes(span.attributes),
            "events": [
                {"timeUnixNano": self._time(e.at), "name": e.name, "attributes": _attributes(e.attributes)}
                for e in events
            ],
            "links": [{"traceId": self._trace_id, "spanId": self._id(key)} for key in span.links],
            "status": {"code": 2, "message": _scalar(span.error)} if span.error else {"code": 1},
        }
        return {name: value for name, value in found.items() if value not in ("", [])}

    def _id(self, key: str) -> str:
        return _digest(f"{self._trace.run_id}/{key}", 16)

    def _time(self, at: float) -> str:
        return str(self._clock.nanoseconds(at))


def _digest(text: str, digits: int) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:digits]


def _attributes(values: dict[str, Attribute]) -> list[JsonObject]:
    return [{"key": key, "value": _value(value)} for key, value in values.items()]


def _value(value: Attribute) -> JsonObject:
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case str():
            return {"stringValue": _scalar(value)}
        case _:
            return {"arrayValue": {"values": [{"stringValue": _scalar(v)} for v in value]}}


def _scalar(text: str) -> str:
    """Text without lone surrogates, which protobuf can't hold."""
    return text.encode("utf-8", "backslashreplace").decode()
