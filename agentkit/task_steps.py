"""The planner of a task file: a name, or a list of steps, in which one mistake does not hide the others."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias, TypeVar, get_args

from agentkit.errors import PlanError, TaskFileError
from agentkit.messages import JsonValue
from agentkit.planners.plan import OnError, Ref, Step, StepId, Template, parse_refs
from agentkit.task_fields import read_texts, text
from agentkit.task_inputs import did_you_mean, render
from agentkit.yaml_source import Node, Source

__all__ = ["PlannerName", "StepList", "read_planner"]

PlannerName: TypeAlias = Literal["auto", "graph", "loop"]

_KEYS = ("id", "purpose", "tool", "for_each", "on_error", "args", "after")

_STEP_ID = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_INPUT = re.compile(r"\{\{\s*(\w+)\s*\}\}")

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class StepList:
    """What could be read of a list of steps."""

    steps: tuple[Step, ...]
    """The steps that have an id, also those in which something is wrong."""
    places: tuple[int, ...]
    """Where each of them stands in the file's list."""
    broken: frozenset[int]
    """Indices of the steps in which something is wrong; they name no tool."""
    problems: tuple[TaskFileError, ...]
    """What is wrong, in the order of the file."""


def read_planner(source: Source, node: Node | None, inputs: Mapping[str, JsonValue]) -> PlannerName | StepList:
    """Returns the planner's name, or the steps that are given.

    Args:
        source: The file.
        node: What stands under ``planner``.
        inputs: What ``{{ name }}`` stands for.

    Raises:
        agentkit.errors.TaskFileError: It is neither, or the list is empty.
    """
    if node is None:
        return "auto"
    match node.value:
        case "auto" | "graph" | "loop":
            return node.value
        case list():
            return _read_steps(source, node, node.value, inputs)
        case str():
            advice = did_you_mean(node.value, ("auto", "graph", "loop"), "planners")
            raise source.error(node, f"unknown planner {node.value!r}; {advice}, or a list of steps")
        case _:
            raise source.error(node, f"'planner' must be auto, graph, loop, or a list of steps, not {node.describe()}")


def _read_steps(source: Source, node: Node, items: list[Node], inputs: Mapping[str, JsonValue]) -> StepList:
    if not items:
        raise source.error(node, "'planner' is an empty list; write a step such as {id: rows, tool: load_csv}, or auto")
    reader = _Reader(source, inputs)
    steps: list[Step] = []
    places: list[int] = []
    broken: set[int] = set()
    for place, item in enumerate(items):
        known = len(reader.problems)
        step = reader.step(item)
        if step is not None:
            if len(reader.problems) > known:
                broken.add(len(steps))
            steps.append(step)
            places.append(place)
    return StepList(steps=tuple(steps), places=tuple(places), broken=frozenset(broken), problems=tuple(reader.problems))


class _Reader:
    """Reads steps and collects what is wrong in them."""

    def __init__(self, source: Source, inputs: Mapping[str, JsonValue]) -> None:
        self.problems: list[TaskFileError] = []
        self._source = source
        self._inputs = inputs

    def step(self, node: Node) -> Step | None:
        """Returns a step, with what can't be read left out; ``None`` without an id that can be referred to."""
        known = len(self.problems)
        if not isinstance(node.value, dict):
            self._wrong(node, f"a step must be a mapping with the keys {', '.join(_KEYS)}, not {node.describe()}")
            return None
        for key, place in node.keys.items():
            if key not in _KEYS:
                self._wrong(place, f"unknown key {key!r} in a step; {did_you_mean(key, _KEYS, 'keys')}")
        for name in ("id", "tool"):
            if name not in node.value:
                self._wrong(node, f"a step needs {name!r}; write {{id: rows, tool: load_csv, args: {{...}}}}")
        found = {key: value for key, value in node.value.items() if key in _KEYS}
        values = {key: self._try(getattr(self, f"_{key}"), value) for key, value in found.items()}
        if values.get("id") is None:
            return None
        fields = {key: value for key, value in values.items() if value is not None}
        if len(self.problems) > known:
            fields["tool"] = ""
        return Step(**fields)

    def _wrong(self, node: Node, message: str) -> None:
        self.problems.append(self._source.error(node, message))

    def _try(self, read: Callable[[Node], T], node: Node) -> T | None:
        try:
            return read(node)
        except TaskFileError as error:
            self.problems.append(error)
            return None

    def _id(self, node: Node) -> StepId:
        step_id = text(self._source, node, "id", "rows")
        if _STEP_ID.fullmatch(step_id):
            return StepId(step_id)
        raise self._source.error(
            node, f"the id {step_id!r} can't be referred to; use letters, digits, '_' and '-', a letter first"
        )

    def _tool(self, node: Node) -> str:
        return text(self._source, node, "tool", "load_csv")

    def _purpose(self, node: Node) -> str:
        return text(self._source, node, "purpose", "load the table")

    def _for_each(self, node: Node) -> Ref:
        wanted = "'for_each' must be a reference to a list, such as $files or $files.names"
        if not isinstance(node.value, str) or not node.value.startswith("$"):
            raise self._source.error(node, f"{wanted}, not {node.describe()}")
        ref = self._parse(node, node.value)
        if not isinstance(ref, Ref):
            raise self._source.error(node, f"{wanted}, not {node.describe()}")
        return ref

    def _on_error(self, node: Node) -> OnError:
        choices: tuple[OnError, ...] = get_args(OnError)
        for choice in choices:
            if node.value == choice:
                return choice
        raise self._source.error(node, f"'on_error' must be fail, skip or collect, not {node.describe()}")

    def _args(self, node: Node) -> Any:
        if not isinstance(node.value, dict):
            raise self._source.error(node, f"'args' must be a mapping of parameters to values, not {node.describe()}")
        return {key: self._try(self._value, value) for key, value in node.value.items()}

    def _after(self, node: Node) -> tuple[StepId, ...]:
        return tuple(map(StepId, read_texts(self._source, node, "after", "rows")))

    def _value(self, node: Node) -> Any:
        """Returns an argument: references parsed, then inputs put in, so that an input is never a reference.

        A text that is wholly ``{{ name }}`` becomes the input itself, with its type.
        """
        if isinstance(node.value, dict):
            return {key: self._try(self._value, value) for key, value in node.value.items()}
        if isinstance(node.value, list):
            return [self._try(self._value, value) for value in node.value]
        if not isinstance(node.value, str):
            return node.value
        whole = _INPUT.fullmatch(node.value)
        if whole and whole[1] in self._inputs:
            return self._inputs[whole[1]]
        parsed = self._parse(node, node.value)
        if isinstance(parsed, Template):
            return Template(tuple(p if isinstance(p, Ref) else self._render(node, p) for p in parsed.parts))
        return parsed if isinstance(parsed, Ref) else self._render(node, parsed)

    def _render(self, node: Node, part: str) -> str:
        return render(self._source, replace(node, value=part), self._inputs)

    def _parse(self, node: Node, written: str) -> str | Ref | Template:
        try:
            parsed: str | Ref | Template = parse_refs(written)
        except PlanError as error:
            raise self._source.error(node, str(error)) from None
        return parsed
