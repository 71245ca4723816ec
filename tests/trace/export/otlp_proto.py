"""OTLP JSON as OpenTelemetry's own classes read it."""

from __future__ import annotations

import base64
import json
from typing import Any

from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from agentkit.messages import JsonValue, is_array, is_object

_IDS = ("traceId", "spanId", "parentSpanId")


def parse(text: str) -> ExportTraceServiceRequest:
    """Reads strictly: an unknown field or a wrong type is an error.

    OTLP writes ids in hex where JSON of protobuf has base64; that is the one difference.
    """
    return ParseDict(_with_base64_ids(json.loads(text)), ExportTraceServiceRequest())


def _with_base64_ids(value: JsonValue) -> Any:
    if is_array(value):
        return [_with_base64_ids(v) for v in value]
    if is_object(value):
        return {
            k: base64.b64encode(bytes.fromhex(str(v))).decode() if k in _IDS else _with_base64_ids(v)
            for k, v in value.items()
        }
    return value
