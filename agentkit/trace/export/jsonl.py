"""A run as lines of JSON: its events, one on each, as its file has them."""

from __future__ import annotations

import json

from agentkit.event_json import event_to_json
from agentkit.trace.trace import Trace

__all__ = ["to_jsonl"]


def to_jsonl(trace: Trace) -> str:
    """Returns the events of a run, one JSON object on each line; `agentkit.event_json.event_from_json` reads them."""
    return "".join(json.dumps(event_to_json(event)) + "\n" for event in trace.events)
