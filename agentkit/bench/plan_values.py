"""Plans as they are compared: references name steps by position, and values have a rule for when they are the same."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from agentkit.messages import is_array, is_object
from agentkit.planners.plan import ITEM, Ref, Step, StepId, Template, joined

__all__ = ["Call", "Link", "LinkedText", "SameStep", "as_calls", "leaves", "map_parts", "read_references", "same"]

SameStep: TypeAlias = Callable[[int, int], bool]
"""Tells whether a step of the expected plan is the one that a step of the other plan stands for, by position."""

_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?")
_PATH = re.compile(r"\.([^.\[\]$]+)|\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class Link:
    """A reference in a plan: the position of the step that gives the value, and the path into its result."""

    step: int
    """-1 for a step that is not there before."""
    path: tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class LinkedText:
    """Text with results inside."""

    parts: tuple[str | Link, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A step without its id: a tool, and arguments in which references are a `Link` or in a `LinkedText`."""

    tool: str
    args: Mapping[str, Any]
    producers: Mapping[str, frozenset[int]]
    """For each parameter that is given results: the positions of the steps that they come from."""


def as_calls(steps: Sequence[Step]) -> list[Call]:
    """Returns steps for comparison. An id that is there twice stands for the latest step before.

    The item of a step with ``for_each`` is a part of the list that it comes from; where the arguments have no use for
    the item, the list is an argument of its own.
    """
    positions: dict[StepId, int] = {}
    calls: list[Call] = []
    for i, step in enumerate(steps):
        args = {name: _linked(value, positions, step.for_each) for name, value in step.args.items()}
        if step.for_each is not None and not _uses_item(step.args):
            args["for_each"] = _linked(step.for_each, positions, None)
        producers = {name: frozenset(_producers(value)) for name, value in args.items()}
        calls.append(Call(step.tool, args, {name: found for name, found in producers.items() if found}))
        positions[step.id] = i
    return calls


def same(expected: Any, found: Any, same_step: SameStep) -> bool:
    """Returns whether two argument values are the same.

    - References: steps that stand for each other, and equal paths.
    - Text: without regard to case and to how much white space there is.
    - Numbers: by value; 5 is 5.0.
    - Text and a number, or text and a truth value: when the text is how the other is written, as in "5" or "True".
    - Lists: item by item, in order. Objects: the same keys with the same values.
    - Text with results inside: the same text around the same references.
    """
    if isinstance(expected, Link) and isinstance(found, Link):
        return same_step(expected.step, found.step) and expected.path == found.path
    if is_object(expected) and is_object(found):
        return expected.keys() == found.keys() and all(same(expected[key], found[key], same_step) for key in expected)
    if isinstance(expected, LinkedText) and isinstance(found, LinkedText):
        return same(list(expected.parts), list(found.parts), same_step)
    if is_array(expected) and is_array(found):
        return len(expected) == len(found) and all(
            same(one, other, same_step) for one, other in zip(expected, found, strict=True)
        )
    return _same_scalar(expected, found)


def read_references(value: Any, known: Mapping[str, StepId], *, end: str = "") -> Any:
    """Returns a value in which text that refers to steps X.

    Args:
        value: JSON, with references written as ``$id.key[0]``; keys may hold spaces where `end` tells how far.
        known: The ids that can be meant; other text after a dollar is text.
        end: What a reference inside of text ends with; at the end of the text it may be missing.
    """
    if not known:
        return value
    ids = "|".join(sorted(map(re.escape, known), key=len, reverse=True))
    key = r"[^.\[\]$]+" if end else r"[A-Za-z_][\w-]*"
    pattern = re.compile(rf"\$({ids})(?![\w-])((?:\.{key}|\[\d+\])*)(?:{re.escape(end)}|\Z)")

    def read(leaf: Any) -> Any:
        if not isinstance(leaf, str):
            return leaf
        parts: list[str | Ref] = []
        start = 0
        for match in pattern.finditer(leaf):
            path = tuple(int(index) if index else name for name, index in _PATH.findall(match[2]))
            parts += [leaf[start : match.start()], Ref(known[match[1]], path)]
            start = match.end()
        return _alone(joined([*parts, leaf[start:]]))

    return map_parts(value, read)


def leaves(value: Any) -> Iterator[Any]:
    """Yields what stands in a value at any depth: all that is neither an object nor a list."""
    if is_object(value):
        for inner in value.values():
            yield from leaves(inner)
    elif is_array(value):
        for inner in value:
            yield from leaves(inner)
    else:
        yield value


def map_parts(value: Any, change: Callable[[Any], Any]) -> Any:
    """Returns a value with each of its `leaves` changed."""
    if is_object(value):
        return {key: map_parts(inner, change) for key, inner in value.items()}
    if is_array(value):
        return [map_parts(inner, change) for inner in value]
    return change(value)


def _linked(value: Any, positions: Mapping[StepId, int], for_each: Ref | None) -> Any:
    def link(ref: Ref) -> Link:
        if ref.step == ITEM and for_each is not None:
            return Link(positions.get(for_each.step, -1), (*for_each.path, *ref.path))
        return Link(positions.get(ref.step, -1), ref.path)

    def change(leaf: Any) -> Any:
        leaf = _alone(leaf)
        if isinstance(leaf, Template):
            return LinkedText(tuple(link(part) if isinstance(part, Ref) else part for part in leaf.parts))
        return link(leaf) if isinstance(leaf, Ref) else leaf

    return map_parts(value, change)


def _alone(leaf: Any) -> Any:
    """Returns the reference that is all of a template, and anything else as it is."""
    if isinstance(leaf, Template) and len(leaf.parts) == 1 and isinstance(leaf.parts[0], Ref):
        return leaf.parts[0]
    return leaf


def _producers(value: Any) -> Iterator[int]:
    for leaf in leaves(value):
        for part in leaf.parts if isinstance(leaf, LinkedText) else (leaf,):
            if isinstance(part, Link):
                yield part.step


def _uses_item(args: Any) -> bool:
    refs = (leaf.refs if isinstance(leaf, Template) else (leaf,) for leaf in leaves(args))
    return any(isinstance(ref, Ref) and ref.step == ITEM for found in refs for ref in found)


def _same_scalar(expected: Any, found: Any) -> bool:
    kinds: set[type] = {type(expected), type(found)}
    if kinds == {str}:
        return _folded(expected) == _folded(found)
    if kinds <= {int, float}:
        return bool(expected == found)
    if str in kinds:
        text, other = (expected, found) if isinstance(expected, str) else (found, expected)
        if isinstance(other, bool):
            return _folded(text) == str(other).casefold()
        is_number = isinstance(other, int | float) and _NUMBER.fullmatch(text.strip()) is not None
        return is_number and float(text) == other
    return len(kinds) == 1 and bool(expected == found)


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()
