"""Plans drawn as Mermaid and DOT: whatever stands in a label, the drawing stays one."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentkit.planners.drawing import to_dot, to_mermaid
from agentkit.planners.plan import ITEM, Plan, Ref, Step, StepId, Template

FILES = Ref(StepId("end"), ("files",))


@pytest.fixture
def plan() -> Plan:
    found = Plan()
    found.add(Step(id=StepId("end"), tool="list_files", purpose='what is "there"'))
    found.add(
        Step(
            id=StepId("sizes"),
            tool="size",
            args={"path": Ref(ITEM, ("path",)), "root": Template(("in ", Ref(StepId("end"), ("root", 0))))},
            for_each=FILES,
        )
    )
    found.add(Step(id=StepId("c"), tool="write", args={"sizes": Ref(StepId("sizes"))}, after=(StepId("end"),)))
    return found


def test_mermaid_shows_steps_loops_data_and_order(plan: Plan) -> None:
    assert to_mermaid(plan) == (
        "flowchart TD\n"
        '    s1["end: list_files<br/>what is #34;there#34;"]\n'
        '    s2[["sizes: size<br/>for each $end.files"]]\n'
        '    s3["c: write"]\n'
        '    s1 -->|"files, root[0]"| s2\n'
        "    s1 -.-> s3\n"
        "    s2 --> s3\n"
    )


def test_dot_shows_the_same(plan: Plan) -> None:
    assert to_dot(plan) == (
        "digraph plan {\n"
        "    node [shape=box];\n"
        r'    s1 [label="end: list_files\nwhat is \"there\""];' + "\n"
        r'    s2 [label="sizes: size\nfor each $end.files", peripheries=2];' + "\n"
        '    s3 [label="c: write"];\n'
        '    s1 -> s2 [label="files, root[0]"];\n'
        "    s1 -> s3 [style=dotted];\n"
        "    s2 -> s3;\n"
        "}\n"
    )


def labelled(text: str) -> Plan:
    found = Plan()
    found.add(Step(id=StepId("a"), tool="t", purpose=text))
    return found


@given(st.text(min_size=1))
def test_no_purpose_breaks_out_of_its_mermaid_label(purpose: str) -> None:
    lines = to_mermaid(labelled(purpose)).split("\n")
    assert len(lines) == 3
    label = re.fullmatch(r'    s1\["a: t(?:<br/>([^"<>&`{}%\\]*))?"\]', lines[1])
    assert label is not None
    shown = re.sub(r"#(\d+);", lambda m: chr(int(m[1])), label[1] or "")
    assert shown == " ".join(purpose.split())


@given(st.text(min_size=1))
def test_no_purpose_breaks_out_of_its_dot_label(purpose: str) -> None:
    lines = to_dot(labelled(purpose)).split("\n")
    assert len(lines) == 5
    label = re.fullmatch(r'    s1 \[label="a: t(?:\\n((?:[^"\\]|\\\\|\\")*))?"\];', lines[2])
    assert label is not None
    shown = re.sub(r"\\(.)", r"\1", (label[1] or "").replace("&amp;", "&"))
    assert shown == " ".join(purpose.split())
