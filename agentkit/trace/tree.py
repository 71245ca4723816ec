"""A run as a tree of rows that grows event by event; what is on a row is worked out only when it is looked at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from agentkit.events import (
    Event,
    PlanChanged,
    PlannerChosen,
    RunFinished,
    RunPaused,
    RunResumed,
    RunStarted,
    TurnFinished,
    Warned,
)
from agentkit.messages import JsonObject
from agentkit.trace.spans import ItemSpan, SpanBuilder, StepSpan, TurnSpan, Wait

__all__ = ["Kind", "Node", "RunTree"]

Kind: TypeAlias = Literal[
    "run",
    "plan",
    "turn",
    "thought",
    "text",
    "call",
    "step",
    "item",
    "wait",
    "planner",
    "change",
    "warning",
    "resumed",
    "paused",
    "answer",
    "failure",
]
"""What a row is. ``plan`` holds the steps of a given plan; ``call`` is a call that the model wrote and that is no step;
``wait`` is an approval or a call in doubt; ``failure`` is the end of a run that has no answer."""

Source: TypeAlias = (
    RunStarted
    | RunFinished
    | RunPaused
    | RunResumed
    | TurnSpan
    | StepSpan
    | ItemSpan
    | Wait
    | PlannerChosen
    | PlanChanged
    | Warned
    | JsonObject
    | None
)

_CLOSED: tuple[Kind, ...] = ("step",)
"""Rows whose children are not shown at first: the items of a step may be thousands."""


@dataclass(slots=True, eq=False)
class Node:
    """One row."""

    kind: Kind
    key: str
    """Names the row in its run, also when the run is read again."""
    source: Source = None
    """What the row shows; a piece of a turn as JSON."""
    parent: Node | None = None
    depth: int = 0
    open: bool = True
    children: list[Node] = field(default_factory=list["Node"])

    def walk(self) -> Iterator[Node]:
        """Yields the row and all below it, in order."""
        stack: list[Node] = [self]
        while stack:
            node = stack.pop()
            yield node
            stack.extend(reversed(node.children))

    def above(self) -> Iterator[Node]:
        """Yields the rows that this one is in, the nearest first."""
        node = self.parent
        while node is not None:
            yield node
            node = node.parent


class RunTree:
    """The rows of a run.

    Attributes:
        root: The run.
        builder: The spans that rows refer to.
        start: The run's first event; ``None`` when it is missing.
        end: How the run ended or paused last; ``None`` while it goes on, or when it was killed.
        seconds: Time from the start to the last event.
        count: How many events were taken.
        changed: Counts changes of what rows there are.
        resumes: When other processes went on with the run.
    """

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self.root: Node = Node("run", "run")
        self.builder: SpanBuilder = SpanBuilder()
        self.start: RunStarted | None = None
        self.end: RunFinished | RunPaused | None = None
        self.seconds: float = 0.0
        self.count: int = 0
        self.changed: int = 0
        self.resumes: list[RunResumed] = []
        self.nodes: dict[str, Node] = {"run": self.root}
        """The rows by key."""
        self._branch = self.root
        self._seen = 0
        self.take(events)

    def take(self, events: Iterable[Event]) -> None:
        """Adds events."""
        for event in events:
            self.count += 1
            self.seconds = max(self.seconds, event.at)
            self.builder.take(event)
            self._spans()
            match event:
                case RunStarted():
                    self.start = self.root.source = event
                case RunFinished():
                    self._lost_calls()
                    self.end = event
                    kind: Kind = "answer" if event.stop_reason == "answer" else "failure"
                    self._add(self.root, kind, f"end:{self.count}", event)
                case RunPaused():
                    self.end = event
                case RunResumed():
                    self.end = None
                    self.resumes.append(event)
                case _:
                    self._below(event)

    def _spans(self) -> None:
        """Makes rows of the spans that are new."""
        spans = self.builder.spans
        for number in range(self._seen, len(spans)):
            span = spans[number]
            match span:
                case TurnSpan():
                    self._lost_calls()
                    self._branch = self._add(self.root, "turn", f"turn:{span.turn}", span)
                case StepSpan():
                    self._add(self._branch_of_steps(), "step", f"step:{span.id}", span)
                case PlannerChosen():
                    self._add(self._branch, "planner", f"planner:{number}", span)
                case PlanChanged():
                    self._add(self._branch, "change", f"change:{number}", span)
                case Warned():
                    self._add(self._branch, "warning", f"warning:{number}", span)
                case RunPaused():
                    self._add(self.root, "paused", f"paused:{number}", span)
                case RunResumed():
                    self._add(self.root, "resumed", f"resumed:{number}", span)
        self._seen = len(spans)

    def _branch_of_steps(self) -> Node:
        if self._branch is self.root:
            self._branch = self._add(self.root, "plan", "plan", None)
        return self._branch

    def _below(self, event: Event) -> None:
        """Makes rows of what an event adds below a turn or a step."""
        if isinstance(event, TurnFinished):
            self._add_pieces(self.nodes[f"turn:{event.turn}"], event)
        step = self.builder.steps.get(getattr(event, "id", ""))
        if step is None:
            return
        parent = self.nodes[f"step:{step.id}"]
        index = getattr(event, "index", None)
        if index is not None and index in step.item_spans:
            self._add(parent, "item", f"item:{step.id}:{index}", step.item_spans[index])
        for number, wait in enumerate(step.waits):
            self._add(parent, "wait", f"wait:{step.id}:{number}", wait)

    def _add_pieces(self, parent: Node, event: TurnFinished) -> None:
        """Makes rows of a turn's thoughts and texts, above the steps that began while it went on."""
        rows = [
            Node("thought" if "thought" in piece else "text", f"piece:{event.turn}:{number}", piece, parent, 2)
            for number, piece in enumerate(event.pieces)
            if "call" not in piece
        ]
        if rows and rows[0].key not in self.nodes:
            parent.children[:0] = rows
            self.nodes |= {row.key: row for row in rows}
            self.changed += 1

    def _lost_calls(self) -> None:
        """Makes rows of the last turn's calls that are no steps: the run ended before them, or refused them."""
        parent = self._branch
        if not isinstance(parent.source, TurnSpan):
            return
        steps = [c.source for c in parent.children if isinstance(c.source, StepSpan)]
        for number, piece in enumerate(parent.source.pieces):
            if "call" not in piece:
                continue
            step = next((s for s in steps if _is_of(s, piece)), None)
            if step is None:
                self._add(parent, "call", f"call:{parent.source.turn}:{number}", piece)
            else:
                steps.remove(step)

    def _add(self, parent: Node, kind: Kind, key: str, source: Source) -> Node:
        if key in self.nodes:
            return self.nodes[key]
        node = Node(kind, key, source, parent, parent.depth + 1, open=kind not in _CLOSED)
        parent.children.append(node)
        self.nodes[key] = node
        self.changed += 1
        return node


def _is_of(step: StepSpan, piece: JsonObject) -> bool:
    """Whether a step is a model's call, which may not have had an id yet when it was recorded."""
    if piece.get("id"):
        return bool(step.id == piece["id"])
    return bool(step.tool == piece.get("call") and step.written == piece.get("args"))
