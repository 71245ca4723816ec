"""Whether steps make a graph: ids, references and their order; for this, nothing has to be known of the tools."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import networkx as nx

from agentkit.messages import is_array, is_object
from agentkit.planners.plan import ITEM, Ref, Step, StepId, Template

__all__ = ["Finding", "Place", "Severity", "Use", "check_graph", "nearest", "uses"]

Severity: TypeAlias = Literal["error", "warning", "note"]
"""An error keeps a plan from being run; a note says what can't be known before."""

Place: TypeAlias = tuple[str | int, ...]
"""Keys and list indices that lead into a step as a task file has it, such as ``("args", "rows")``."""

_DOLLAR = re.compile(r"\$([A-Za-z_][A-Za-z0-9_-]*)")
_MOST_NAMES = 8
_MOST_COMPARED = 50
"""Names that a message lists, and those, from the end, that are compared with a wrong one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that the author of a plan should know."""

    severity: Severity
    step: StepId
    index: int
    """Which of the steps it is about; ids may be there twice."""
    place: Place
    """Where in the step; what is missing has the place where it should be."""
    at_key: bool = False
    """Whether it is about the last key of the place and not about its value."""
    message: str


@dataclass(frozen=True, slots=True)
class Use:
    """One place of a step where another step is named."""

    place: Place
    step: StepId
    ref: Ref | None = None
    """The reference; ``None`` when only the order is meant."""
    in_text: bool = False
    """Whether it stands within text, where any value can be written."""


def uses(step: Step) -> Iterator[Use]:
    """Yields each place of a step where another step, or the item, is named."""
    if step.for_each is not None:
        yield Use(("for_each",), step.for_each.step, step.for_each)
    yield from _refs_in(step.args, ("args",))
    for i, name in enumerate(step.after):
        yield Use(("after", i), name)


def _refs_in(value: Any, place: Place) -> Iterator[Use]:
    if isinstance(value, Ref):
        yield Use(place, value.step, value)
    elif isinstance(value, Template):
        yield from (Use(place, ref.step, ref, in_text=True) for ref in value.refs)
    elif is_object(value):
        for key, part in value.items():
            yield from _refs_in(part, (*place, key))
    elif is_array(value):
        for i, part in enumerate(value):
            yield from _refs_in(part, (*place, i))


def _dollars(value: Any, place: Place) -> Iterator[tuple[Place, str]]:
    """Yields the names that stand after a dollar in texts; one at their start was written twice, so it is meant."""
    if isinstance(value, str | Template):
        texts = (
            [value.removeprefix("$")]
            if isinstance(value, str)
            else [part for part in value.parts if isinstance(part, str)]
        )
        yield from ((place, name) for text in texts for name in dict.fromkeys(_DOLLAR.findall(text)))
    elif is_object(value) or is_array(value):
        for key, part in value.items() if is_object(value) else enumerate(value):
            yield from _dollars(part, (*place, key))


def nearest(name: str, names: Iterable[str], what: str) -> str:
    """Returns the end of a message: the name that is most like the wrong one, and which names there are.

    Args:
        name: The wrong name.
        names: The right ones.
        what: What they are, in the plural.
    """
    known = list(names)
    near = difflib.get_close_matches(name, known[-_MOST_COMPARED:], n=1)
    if not known:
        return f"there are no {what}"
    more = f" and {len(known) - _MOST_NAMES} more" if len(known) > _MOST_NAMES else ""
    listed = f"{what}: {', '.join(known[:_MOST_NAMES])}{more}"
    return f"did you mean {near[0]!r}? ({listed})" if near else listed


def check_graph(steps: Sequence[Step]) -> list[Finding]:
    """Returns what keeps steps from being a graph in which each step needs only earlier ones, and what looks so."""
    first: dict[StepId, int] = {}
    for i, step in enumerate(steps):
        first.setdefault(step.id, i)
    circles = _circles(steps, first)
    return [finding for i in range(len(steps)) for finding in _of_step(i, steps, first, circles)]


def _of_step(
    index: int, steps: Sequence[Step], first: Mapping[StepId, int], circles: Mapping[StepId, list[StepId]]
) -> Iterator[Finding]:
    step = steps[index]

    def error(place: Place, message: str) -> Finding:
        return Finding(severity="error", step=step.id, index=index, place=place, message=message)

    if step.id == ITEM:
        yield error(("id",), f"a step can't be called {ITEM!r}: that is the item in a step with 'for_each'; rename it")
    elif first[step.id] != index:
        yield error(("id",), f"there is a step {step.id!r} already; give each step its own id")
    if step.on_error != "fail" and step.for_each is None:
        message = "'on_error' says what becomes of an item that fails, and this step has no 'for_each'; add it, or drop"
        yield error(("on_error",), f"{message} 'on_error'")
    circle = circles.get(step.id, [])
    told = first[step.id] != index or not circle or first[circle[0]] != index
    for use in uses(step):
        if use.step in circle and use.step != step.id:
            if not told and use.step == circle[1]:
                told = True
                yield error(use.place, _circle_text(circle))
        elif message := _trouble(use, index, steps, first):
            yield error(use.place, message)
    for place, name in _dollars(step.args, ("args",)):
        if first.get(StepId(name), index) < index or (name == ITEM and step.for_each is not None):
            message = f"within text, '${name}' is no reference; write it '${{{name}}}', with its path inside the braces"
            yield Finding(severity="warning", step=step.id, index=index, place=place, message=message)


def _trouble(use: Use, index: int, steps: Sequence[Step], first: Mapping[StepId, int]) -> str:
    """Returns what is wrong with a use of another step; nothing (``""``) when it is an earlier one."""
    step, name = steps[index], use.step
    if use.step == ITEM:
        if step.for_each is None:
            return f"'{use.ref or ITEM}' is the item in a step with 'for_each', and this step has none; add it"
        return "" if use.place[0] == "args" else f"the item can't be used here; {ITEM!r} has a meaning in 'args' only"
    if name == step.id:
        return f"step {name!r} can't need itself; refer to an earlier step"
    if name not in first:
        earlier = dict.fromkeys(s.id for s in steps[:index])
        return f"there is no step {name!r} before this one; {nearest(name, earlier, 'earlier steps')}"
    if first[name] > index:
        return f"step {name!r} comes later; move it before {step.id!r}"
    return ""


def _circles(steps: Sequence[Step], first: Mapping[StepId, int]) -> dict[StepId, list[StepId]]:
    """Returns a circle for each step that is in one: it begins at the first step of those that hang together."""
    needs: nx.DiGraph[StepId] = nx.DiGraph()
    for step in steps:
        needs.add_edges_from((step.id, use.step) for use in uses(step) if use.step in first and use.step != step.id)
    found: dict[StepId, list[StepId]] = {}
    for group in nx.strongly_connected_components(needs):
        if len(group) > 1:
            start = min(group, key=first.__getitem__)
            inside = needs.subgraph(group)
            back = nx.single_target_shortest_path(inside, start)
            after = min((s for s in inside.successors(start)), key=lambda s: (len(back[s]), first[s]))
            found |= dict.fromkeys(group, [start, *back[after]])
    return found


def _circle_text(circle: Sequence[StepId]) -> str:
    shown = [*circle[: _MOST_NAMES - 1], "...", circle[-1]] if len(circle) > _MOST_NAMES else circle
    return f"steps wait for each other in a circle: {' needs '.join(shown)}; take one of these references out"
