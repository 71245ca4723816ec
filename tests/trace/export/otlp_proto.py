"""OTLP JSON as OpenTelemetry's own classes read it."""

from __future__ import annotations

import base64
import json
from typing import Any

from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

_IDS = ("traceId", "spanId", "parentSpanId")


def parse(text: str) -> ExportTraceServiceRequest:
    """Reads strictly: an unknown field or a wrong type is an error.

    OTLP writes ids in hex where JSON of protobuf has base64; that is the one difference.
    """
    return ParseDict(_with_base64_ids(json.loads(text)), ExportTraceServiceRequest())


def _with_base64_ids(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_base64_ids(v) for v in value]
    if isinstance(value, dict):
        return {
            k: base64.b64encode(bytes.fromhex(v)).decode() if k in _IDS else _with_base64_ids(v)
            for k, v in value.items()
        }
    return value
