"""The plan: a directed acyclic graph of tool calls that grows while a run goes on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NewType, TypeAlias

import networkx as nx

from agentkit.errors import PlanError
from agentkit.messages import JsonObject, JsonValue, is_array, is_object

__all__ = ["ITEM", "OnError", "Plan", "Ref", "Step", "StepId", "parse_refs", "render_refs"]

StepId = NewType("StepId", str)

ITEM = StepId("item")
"""What references call the item at hand in a step that runs once for each: ``$item.name``. No step has this id."""

OnError: TypeAlias = Literal["fail", "skip", "collect"]
"""What becomes of a step with `Step.for_each` when an item fails.

- ``fail``: the step fails, and items that have not begun are not run.
- ``skip``: the result holds the items that succeeded.
- ``collect``: the result holds every item, a failed one as ``{"error": message}``.
"""

_REF = re.compile(r"\$(?P<step>[A-Za-z_][A-Za-z0-9_-]*)(?P<path>(?:\.[A-Za-z_][A-Za-z0-9_-]*|\[\d+\])*)")
_PART = re.compile(r"\.([A-Za-z_][A-Za-z0-9_-]*)|\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class Ref:
    """Stands in a step's arguments for (a part of) the result of an earlier step."""

    step: StepId
    path: tuple[str | int, ...] = ()
    """Keys and list indices that lead into the result; empty for all of it."""

    def __str__(self) -> str:
        """The reference as it is written in a task file: ``$step.field[0]``."""
        return f"${self.step}" + "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in self.path)

    def resolve(self, result: JsonValue) -> JsonValue:
        """Returns the part of `result` that the path leads to.

        Raises:
            agentkit.errors.PlanError: The path does not exist in the result.
        """
        value: JsonValue = result
        for part in self.path:
            if is_object(value) and part in value:
                value = value[str(part)]
            elif is_array(value) and isinstance(part, int) and part < len(value):
                value = value[part]
            else:
                raise PlanError(f"{str(self)!r} leads nowhere: there is no {part!r} in {_outline(value)}")
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One tool call of a plan."""

    id: StepId
    tool: str
    args: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """JSON values in which a `Ref` may stand for any value, at any depth."""
    for_each: Ref | None = None
    """A list; the step runs once for each item, which its arguments call `ITEM`, and its result is the list of
    results, in order."""
    on_error: OnError = "fail"
    """What an item that fails does to the step; without `for_each` of no meaning."""
    after: tuple[StepId, ...] = ()
    """Steps that must be done first though no data comes from them."""
    purpose: str = ""
    """What the step is for, in words."""

    @property
    def refs(self) -> tuple[Ref, ...]:
        """The references to other steps, in order."""
        refs = tuple(_refs(self.args))
        return refs if self.for_each is None else (self.for_each, *(r for r in refs if r.step != ITEM))

    @property
    def needs(self) -> frozenset[StepId]:
        """The steps that must be done before this one can start."""
        return frozenset(r.step for r in self.refs) | frozenset(self.after)


class Plan:
    """Steps and what they wait for. Adding keeps it acyclic: a step may only need earlier ones."""

    def __init__(self) -> None:
        self.graph: nx.DiGraph[StepId] = nx.DiGraph()
        """Nodes are step ids with the attribute ``step``; an edge leads from a step to one that needs it."""

    def add(self, step: Step) -> None:
        """Adds a step.

        Raises:
            agentkit.errors.PlanError: The id is taken or reserved, or the step needs one that is not there.
        """
        if step.id == ITEM:
            raise PlanError(f"a step can't be called {ITEM!r}: that is the item in a step with 'for_each'")
        if step.id in self.graph:
            raise PlanError(f"step {step.id!r} is there already; give each step its own id")
        needs = step.needs
        if missing := sorted(n for n in needs if n not in self.graph):
            raise PlanError(f"step {step.id!r} needs {missing[0]!r}, which is not an earlier step of the plan")
        self.graph.add_node(step.id, step=step)
        self.graph.add_edges_from((need, step.id) for need in needs)

    def __getitem__(self, step_id: str) -> Step:
        step: Step = self.graph.nodes[StepId(step_id)]["step"]
        return step

    def __contains__(self, step_id: object) -> bool:
        return step_id in self.graph

    def __iter__(self) -> Iterator[Step]:
        """The steps in the order they were added."""
        return (self[s] for s in self.graph)

    def __len__(self) -> int:
        return len(self.graph)

    def to_networkx(self) -> nx.DiGraph[StepId]:
        """Returns a copy of the graph."""
        return self.graph.copy()

    def to_list(self) -> list[JsonObject]:
        """Returns the steps as JSON objects, references written as text, as a task file has them."""
        return [
            {"id": s.id, "tool": s.tool, "args": render_refs(s.args)}
            | ({"for_each": str(s.for_each)} if s.for_each else {})
            | ({"on_error": s.on_error} if s.on_error != "fail" else {})
            | ({"after": list(s.after)} if s.after else {})
            | ({"purpose": s.purpose} if s.purpose else {})
            for s in self
        ]


def parse_refs(value: Any) -> Any:
    """Returns `value` with each string that is wholly a reference replaced by a `Ref`.

    ``$$`` at the start of a string stands for a literal dollar. Text around a reference is an error,
    because substitution is by value and never by text.

    Raises:
        agentkit.errors.PlanError: A string starts with ``$`` and is not a reference.
    """
    if isinstance(value, Mapping):
        return {k: parse_refs(v) for k, v in value.items()}  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, list | tuple):
        return [parse_refs(v) for v in value]  # pyright: ignore[reportUnknownVariableType]
    if not isinstance(value, str) or not value.startswith("$"):
        return value
    if value.startswith("$$"):
        return value[1:]
    match = _REF.fullmatch(value)
    if match is None:
        raise PlanError(
            f"{value!r} is not a reference; write '$step', '$step.field' or '$step[0].field', "
            "or '$$' at the start for a literal dollar"
        )
    path = tuple(int(index) if index else key for key, index in _PART.findall(match["path"]))
    return Ref(StepId(match["step"]), path)


def render_refs(value: Any) -> Any:
    """Returns `value` with each `Ref` written as text and literal dollars doubled: undoes `parse_refs`."""
    if isinstance(value, Ref):
        return str(value)
    if isinstance(value, Mapping):
        return {k: render_refs(v) for k, v in value.items()}  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, list | tuple):
        return [render_refs(v) for v in value]  # pyright: ignore[reportUnknownVariableType]
    return f"${value}" if isinstance(value, str) and value.startswith("$") else value


def _outline(value: Any) -> str:
    """Returns what a value is, in a few words."""
    if is_object(value):
        return f"an object with the keys {list(value)}"
    if is_array(value):
        return f"a list of {len(value)} items"
    return f"{value!r}"[:80]


def _refs(value: Any) -> Iterator[Ref]:
    if isinstance(value, Ref):
        yield value
    elif isinstance(value, Mapping):
        for v in value.values():  # pyright: ignore[reportUnknownVariableType]
            yield from _refs(v)
    elif isinstance(value, list | tuple):
        for v in value:  # pyright: ignore[reportUnknownVariableType]
            yield from _refs(v)
