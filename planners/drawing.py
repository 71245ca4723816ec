"""A plan as text that draws it: Mermaid, which Markdown viewers show, and DOT, which Graphviz draws."""

from __future__ import annotations

import re
from collections.abc import Iterator

from agentkit.planners.plan import Plan, Step, StepId

__all__ = ["to_dot", "to_mermaid"]

_PLAIN_IN_MERMAID = re.compile(r"[^\w .,:()\[\]/$*+=?!'-]")


def to_mermaid(plan: Plan) -> str:
    """Returns a plan as a Mermaid flowchart.

    A step is a box, with two frames when it runs once for each item of a list. A line says which part of a
    result it carries; a dotted one carries nothing, it is there for the order.
    """
    nodes = _names(plan)
    out = ["flowchart TD"]
    for step in plan:
        opened, closed = ("[[", "]]") if step.for_each else ("[", "]")
        label = "<br/>".join(map(_mermaid_text, _label(step)))
        out.append(f'    {nodes[step.id]}{opened}"{label}"{closed}')
    for need, to, parts in _edges(plan):
        arrow = "-.->" if parts is None else f'-->|"{_mermaid_text(parts)}"|' if parts else "-->"
        out.append(f"    {nodes[need]} {arrow} {nodes[to]}")
    return "\n".join(out) + "\n"


def to_dot(plan: Plan) -> str:
    """Returns a plan in DOT, the language of Graphviz; the lines mean what they mean in `to_mermaid`."""
    nodes = _names(plan)
    out = ["digraph plan {", "    node [shape=box];"]
    for step in plan:
        double = ", peripheries=2" if step.for_each else ""
        label = r"\n".join(map(_dot_text, _label(step)))
        out.append(f'    {nodes[step.id]} [label="{label}"{double}];')
    for need, to, parts in _edges(plan):
        style = " [style=dotted]" if parts is None else f' [label="{_dot_text(parts)}"]' if parts else ""
        out.append(f"    {nodes[need]} -> {nodes[to]}{style};")
    return "\n".join(out) + "\n}\n"


def _names(plan: Plan) -> dict[StepId, str]:
    """Names for the nodes: a step's id may be a word of the language, such as ``end``."""
    return {step: f"s{i}" for i, step in enumerate(plan.graph, 1)}


def _label(step: Step) -> list[str]:
    each = [f"for each {step.for_each}"] if step.for_each else []
    return [f"{step.id}: {step.tool}", *each, *([step.purpose] if step.purpose.strip() else [])]


def _edges(plan: Plan) -> Iterator[tuple[StepId, StepId, str | None]]:
    """Yields what waits for what, with the parts of the result that go that way; ``None`` when nothing does."""
    order = {step: i for i, step in enumerate(plan.graph)}
    for step in plan:
        for need in sorted(step.needs, key=order.__getitem__):
            refs = [ref for ref in step.refs if ref.step == need]
            parts = dict.fromkeys(str(ref).removeprefix(f"${need}").removeprefix(".") for ref in refs)
            yield need, step.id, None if not refs else "" if "" in parts else ", ".join(parts)


def _mermaid_text(text: str) -> str:
    """Returns text for a label in quotes; what could mean something there is written as its number."""
    return _PLAIN_IN_MERMAID.sub(lambda m: f"#{ord(m[0])};", " ".join(text.split()))


def _dot_text(text: str) -> str:
    """Returns text for a label in quotes, where entities such as ``&lt;`` mean something too."""
    return " ".join(text.split()).replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;")
