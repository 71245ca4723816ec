"""The picture of a run."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from agentkit.events import RunStarted, StepAdded, StepFinished, StepStarted
from agentkit.trace import Trace
from agentkit.trace.export import to_svg
from agentkit.trace.export.graph import BOX_HEIGHT, BOX_WIDTH, layout
from agentkit.trace.outline import Outline
from agentkit.trace.tree import RunTree
from tests.trace.demo import DEMOS, big_run, demo_run

TEXT = "{http://www.w3.org/2000/svg}text"
HOSTILE = "</text><script>alert(1)</script>&\"' \ud800 \x00 \u202e"


@pytest.mark.parametrize("name", DEMOS)
def test_a_picture_is_well_formed_and_shows_every_step(name: str) -> None:
    events = DEMOS[name]()
    text = to_svg(Trace(events))
    shown = [t.text or "" for t in ET.fromstring(text).iter(TEXT)]
    assert text.isascii()
    for step in Trace(events).steps:
        assert any(t.startswith(step.id) for t in shown)


def test_no_two_boxes_stand_on_each_other_and_lines_lead_to_the_right() -> None:
    graph = layout(Outline(RunTree(demo_run())))
    for number, a in enumerate(graph.boxes):
        assert 0 <= a.x <= graph.width - BOX_WIDTH and 0 <= a.y <= graph.height - BOX_HEIGHT
        assert not [b for b in graph.boxes[:number] if abs(a.x - b.x) < BOX_WIDTH and abs(a.y - b.y) < BOX_HEIGHT]
    assert all(line.source.x < line.target.x for line in graph.lines)
    needs = {(x.source.node.key, x.target.node.key) for x in graph.lines if x.kind == "needs"}
    assert ("step:w1", "step:rank") in needs
    assert ("step:rank", "step:pages") in needs


def test_steps_that_need_each_other_in_a_circle_are_drawn() -> None:
    steps = [StepAdded(id=i, tool="t", args={"x": f"${n}"}, after=[], purpose="") for i, n in (("a", "b"), ("b", "a"))]
    assert len(layout(Outline(RunTree(steps))).boxes) == 2


def test_hostile_text_is_only_text() -> None:
    start = demo_run()[0]
    assert isinstance(start, RunStarted)
    events = [
        replace(start, task=HOSTILE),
        StepAdded(id=HOSTILE, tool=HOSTILE, args={HOSTILE: HOSTILE}, after=[], purpose=HOSTILE),
        StepStarted(id=HOSTILE, tool=HOSTILE, args={HOSTILE: HOSTILE}),
        StepFinished(id=HOSTILE, tool=HOSTILE, ok=False, value=HOSTILE, seconds=1.0),
    ]
    tags = {e.tag.rpartition("}")[2] for e in ET.fromstring(to_svg(Trace(events))).iter()}
    assert tags <= {"svg", "style", "rect", "g", "text", "title", "line", "path"}


def test_a_long_run_is_drawn_in_part_and_says_so() -> None:
    text = to_svg(Trace(big_run(2_000)))
    assert "more are not drawn" in text
    assert "rows more" in text
