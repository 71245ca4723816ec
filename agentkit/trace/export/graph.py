"""Where the boxes and lines of a run's graph stand: in layers from left to right, as one thing led to the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from agentkit.trace.critical import needs
from agentkit.trace.outline import Outline
from agentkit.trace.spans import StepSpan, TurnSpan
from agentkit.trace.tree import Node

__all__ = ["BOX_HEIGHT", "BOX_WIDTH", "Box", "Graph", "Line", "layout"]

BOX_WIDTH = 176
BOX_HEIGHT = 40
_GAP_X = 52
_GAP_Y = 12
_MARGIN = 14

MOST = 300
"""Most boxes that are drawn: what comes after them is only in the list."""

_Drawn: TypeAlias = TurnSpan | StepSpan


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A turn or a step; its place is its left upper corner, in pixels."""

    node: Node
    x: int
    y: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What leads from one box to another.

    A step *needs* the result of another, a turn *asked* for a step, a turn *read* what a step came to.
    """

    source: Box
    target: Box
    kind: Literal["needs", "asked", "read"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """A drawing, in pixels."""

    boxes: list[Box]
    lines: list[Line]
    width: int
    height: int
    left_out: int
    """How many turns and steps there was no room for."""


def layout(outline: Outline) -> Graph:
    """Returns the graph of a run's turns and steps."""
    nodes = [n for n in outline.tree.root.walk() if isinstance(n.source, TurnSpan | StepSpan)]
    causes = _Causes([n for n in nodes if isinstance(n.source, TurnSpan | StepSpan)][:MOST])
    layers: dict[int, list[Node]] = {}
    for node in causes.nodes:
        layers.setdefault(causes.layer(node), []).append(node)
    boxes: dict[str, Box] = {}
    tallest = max(map(len, layers.values()), default=0)
    for number, (_, layer) in enumerate(sorted(layers.items())):
        layer.sort(key=lambda n: _middle(n, causes, boxes))
        top = _MARGIN + (tallest - len(layer)) * (BOX_HEIGHT + _GAP_Y) // 2
        for row, node in enumerate(layer):
            x, y = _MARGIN + number * (BOX_WIDTH + _GAP_X), top + row * (BOX_HEIGHT + _GAP_Y)
            boxes[node.key] = Box(node=node, x=x, y=y)
    lines = [
        Line(source=boxes[key], target=box, kind=kind)
        for box in boxes.values()
        for key, kind in causes.of[box.node.key]
    ]
    return Graph(
        boxes=[*boxes.values()],
        lines=lines,
        width=2 * _MARGIN + max(1, len(layers)) * (BOX_WIDTH + _GAP_X) - _GAP_X,
        height=2 * _MARGIN + max(1, tallest) * (BOX_HEIGHT + _GAP_Y) - _GAP_Y,
        left_out=max(0, len(nodes) - MOST),
    )


def _middle(node: Node, causes: _Causes, boxes: dict[str, Box]) -> float:
    """How high what led to a box stands: beside that, lines cross the least."""
    heights = [boxes[key].y for key, _ in causes.of[node.key] if key in boxes]
    return sum(heights) / len(heights) if heights else 0.0


class _Causes:
    """What led to each turn and step.

    Attributes:
        nodes: The rows of turns and steps.
        of: Keys of what led to each, by key.
    """

    def __init__(self, nodes: list[Node]) -> None:
        self.nodes = nodes
        self._by_key = {n.key: n for n in nodes}
        self.of: dict[str, list[tuple[str, Literal["needs", "asked", "read"]]]] = {}
        self._layers: dict[str, int] = {}
        spans = [n.source for n in nodes]
        steps = [s for s in spans if isinstance(s, StepSpan)]
        used = {need for s in steps for need in needs(s)}
        unread = [s for s in steps if s.id not in used and s.end is not None]
        before = ""
        for node in nodes:
            span = node.source
            if isinstance(span, TurnSpan):
                read = [s for s in unread if s.end is not None and s.end <= span.at]
                unread = [s for s in unread if s.end is None or s.end > span.at]
                earlier: list[tuple[str, Literal["needs", "asked", "read"]]] = [(f"step:{s.id}", "read") for s in read]
                self.of[node.key] = earlier or ([(before, "read")] if before else [])
                before = node.key
            elif isinstance(span, StepSpan):
                self.of[node.key] = self._of_step(span)

    def _of_step(self, step: StepSpan) -> list[tuple[str, Literal["needs", "asked", "read"]]]:
        found: list[tuple[str, Literal["needs", "asked", "read"]]] = [
            (f"step:{need}", "needs") for need in needs(step) if f"step:{need}" in self._by_key
        ]
        turn = f"turn:{step.turn}"
        return found or ([(turn, "asked")] if turn in self._by_key else [])

    def layer(self, node: Node) -> int:
        """Returns how many boxes stand before one, at least."""
        if node.key not in self._layers:
            self._layers[node.key] = 0  # a circle, in a damaged file, ends here
            before = [self.layer(self._by_key[key]) for key, _ in self.of[node.key]]
            if isinstance(node.source, StepSpan) and (turn := self._by_key.get(f"turn:{node.source.turn}")):
                before.append(self.layer(turn))
            self._layers[node.key] = 1 + max(before, default=-1)
        return self._layers[node.key]
