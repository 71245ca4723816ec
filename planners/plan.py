"""The plan: a directed acyclic graph of tool calls that grows while a run goes on."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NewType, TypeAlias

import networkx as nx

from agentkit.errors import PlanError
from agentkit.messages import JsonObject, JsonValue, is_array, is_object

__all__ = ["ITEM", "OnError", "Plan", "Ref", "Step", "StepId", "Template", "joined", "parse_refs", "render_refs"]

StepId = NewType("StepId", str)

ITEM = StepId("item")
"""What references call the item at hand in a step that runs once for each: ``$item.name``. No step has this id."""

OnError: TypeAlias = Literal["fail", "skip", "collect"]
"""What becomes of a step with `Step.for_each` when an item fails.

- ``fail``: the step fails, and items that have not begun are not run.
- ``skip``: the result holds the items that succeeded.
- ``collect``: the result holds every item, a failed one as ``{"error": message}``.
"""

_KEY = r"[A-Za-z_][A-Za-z0-9_-]*"
_QUOTED = r"[^'\\${}\x00-\x1f]+"
"""A key that has to stand in quotes, such as ``$step['Exchange Rate']``."""
_REF = re.compile(rf"\$(?P<step>{_KEY})(?P<path>(?:\.{_KEY}|\[\d+\]|\['{_QUOTED}'\])*)")
_IN_TEXT = re.compile(r"\$\$|\$\{([^}]*)\}?")
_PART = re.compile(rf"\.({_KEY})|\[(\d+)\]|\['({_QUOTED})'\]")


@dataclass(frozen=True, slots=True)
class Ref:
    """Stands in a step's arguments for (a part of) the result of an earlier step."""

    step: StepId
    path: tuple[str | int, ...] = ()
    """Keys and list indices that lead into the result; empty for all of it."""

    def __str__(self) -> str:
        """The reference as it is written in a task file: ``$step.field[0]``."""
        return f"${self.step}" + "".join(map(_written_part, self.path))

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


@dataclass(frozen=True, slots=True)
class Template:
    """Stands in a step's arguments for text with results in it, such as a report or a formula.

    The places of the references are known before anything runs, and what is put in is never read again: a result in
    which ``${s1}`` stands comes out as it is.
    """

    parts: tuple[str | Ref, ...]

    @property
    def refs(self) -> tuple[Ref, ...]:
        """The references, in order."""
        return tuple(part for part in self.parts if isinstance(part, Ref))

    def __str__(self) -> str:
        """The template as it is written in a task file: ``"${s1.count} errors"``."""
        return "".join(f"${{{str(p)[1:]}}}" if isinstance(p, Ref) else p.replace("$", "$$") for p in self.parts)

    def fill(self, find: Callable[[Ref], JsonValue]) -> str:
        """Returns the text; a result that is text is put in as it is, any other as JSON."""
        return "".join(_as_text(find(part)) if isinstance(part, Ref) else part for part in self.parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One tool call of a plan."""

    id: StepId
    tool: str
    args: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """JSON values in which a `Ref` may stand for any value, and a `Template` for text, at any depth."""
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
        self.graph.add_edges_from((need, step.id) for need in sorted(needs))  # the same order in every process

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

    def needing(self, step_id: StepId) -> set[StepId]:
        """Returns the steps that need a step, directly or through others."""
        return set(nx.descendants(self.graph, step_id))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]

    def to_networkx(self) -> nx.DiGraph[StepId]:
        """Returns a copy of the graph."""
        return self.graph.copy()

    def to_list(self) -> list[JsonObject]:
        """Returns the steps as JSON objects, references written as text, as a task file has them."""
        return [
            {"id": s.id}
            | ({"purpose": s.purpose} if s.purpose else {})
            | {"tool": s.tool}
            | ({"for_each": str(s.for_each)} if s.for_each else {})
            | ({"on_error": s.on_error} if s.on_error != "fail" else {})
            | {"args": render_refs(s.args)}
            | ({"after": list(s.after)} if s.after else {})
            for s in self
        ]


def parse_refs(value: Any) -> Any:
    """Returns `value` with each string that is wholly a reference replaced by a `Ref`.

    Text with ``${step.field}`` in it becomes a `Template`; there ``$$`` stands for a literal dollar. In other text
    only a dollar at the start has to be doubled.

    Raises:
        agentkit.errors.PlanError: A string starts with ``$``, or has ``${`` in it, and is not a reference.
    """
    if isinstance(value, Mapping):
        return {k: parse_refs(v) for k, v in value.items()}  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, list | tuple):
        return [parse_refs(v) for v in value]  # pyright: ignore[reportUnknownVariableType]
    if not isinstance(value, str):
        return value
    if "${" in value:
        return _parse_template(value)
    if not value.startswith("$") or value.startswith("$$"):
        return value.replace("$$", "$", 1) if value.startswith("$") else value
    return _parse_ref(value, value)


def _parse_ref(written: str, value: str) -> Ref:
    match = _REF.fullmatch(written)
    if match is None:
        raise PlanError(
            f"{value!r} is not a reference; write '$step', '$step.field' or '$step[0].field', '${{step.field}}' within "
            "text, or '$$' for a literal dollar"
        )
    path = tuple(int(index) if index else key or quoted for key, index, quoted in _PART.findall(match["path"]))
    return Ref(StepId(match["step"]), path)


def _parse_template(value: str) -> Template | str:
    parts: list[str | Ref] = []
    end = 0
    for found in _IN_TEXT.finditer(value):
        written = f"${found[1]}" if found[0].endswith("}") else ""
        parts += [value[end : found.start()], "$" if found[0] == "$$" else _parse_ref(written, value)]
        end = found.end()
    return joined([*parts, value[end:]])


def joined(parts: Sequence[str | Ref]) -> Template | str:
    """Returns a template of text and references; plain text when there is no reference."""
    merged: list[str | Ref] = []
    for part in parts:
        if isinstance(part, str) and merged and isinstance(last := merged[-1], str):
            merged[-1] = last + part
        elif part != "":
            merged.append(part)
    if any(isinstance(part, Ref) for part in merged):
        return Template(tuple(merged))
    return "".join(map(str, merged))


def render_refs(value: Any) -> Any:
    """Returns `value` with references written as text and literal dollars doubled: undoes `parse_refs`."""
    if isinstance(value, Ref | Template):
        return str(value)
    if isinstance(value, Mapping):
        return {k: render_refs(v) for k, v in value.items()}  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, list | tuple):
        return [render_refs(v) for v in value]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, str) and "${" in value:
        return value.replace("$", "$$")
    return f"${value}" if isinstance(value, str) and value.startswith("$") else value


def _written_part(part: str | int) -> str:
    if isinstance(part, int):
        return f"[{part}]"
    return f".{part}" if re.fullmatch(_KEY, part) else f"['{part}']"


def _as_text(value: JsonValue) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


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
    elif isinstance(value, Template):
        yield from value.refs
    elif isinstance(value, Mapping):
        for v in value.values():  # pyright: ignore[reportUnknownVariableType]
            yield from _refs(v)
    elif isinstance(value, list | tuple):
        for v in value:  # pyright: ignore[reportUnknownVariableType]
            yield from _refs(v)
