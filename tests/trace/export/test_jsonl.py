"""Events on lines, which any program can read and which are the run."""

from __future__ import annotations

import json

import pytest

from agentkit.event_json import event_from_json
from agentkit.events import StepFinished
from agentkit.trace import Trace
from agentkit.trace.export import to_jsonl
from tests.trace.demo import DEMOS


@pytest.mark.parametrize("name", DEMOS)
def test_reading_the_lines_gives_the_same_events(name: str) -> None:
    events = DEMOS[name]()
    lines = to_jsonl(Trace(events)).splitlines()
    assert [event_from_json(json.loads(line)) for line in lines] == events


def test_any_text_stays_on_its_line_and_in_ascii() -> None:
    odd = "a\u2028b\nc \ud800 é \x00 </script>"
    event = StepFinished(id="s", tool="t", ok=True, value={odd: [odd]}, seconds=0.0)
    text = to_jsonl(Trace([event]))
    assert text.isascii()
    assert text.count("\n") == len(text.splitlines()) == 1
    assert event_from_json(json.loads(text)) == event


def test_a_run_without_events_is_no_line() -> None:
    assert to_jsonl(Trace([])) == ""
