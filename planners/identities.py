"""Which parameters identify a thing, and which tools give what identifies it.

A small model that has to book a restaurant makes up the restaurant's name, though a tool that finds restaurants stands
next to the one that books. Names tell: ``restaurant_name``, ``artistId`` and ``product_id`` identify a thing of some
kind, and a result with a field of that name is where it comes from, unless its tool wants that very thing itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from agentkit.messages import JsonObject, is_object
from agentkit.model_backend.base import ToolSpec
from agentkit.planners.fit import Fit, fits, paths
from agentkit.planners.retrieval import words

__all__ = [
    "Givers",
    "givers",
    "has_opposite",
    "in_order",
    "is_copied",
    "is_named_for",
    "is_told",
    "spans",
    "to_call_first",
]

Givers: TypeAlias = Mapping[str, Mapping[str, Sequence[str]]]
"""For each tool, its parameters that identify a thing that other tools give, and those tools."""

_Part: TypeAlias = tuple[Sequence[str | int], JsonObject | None]
"""A part of a result: where it is, and what is known of it."""

_NOUNS = frozenset(words("id key code name token handle slug uuid username isbn sku"))
_ALONE = frozenset(words("uuid username isbn sku"))
"""Those that need no word before them to say of what they are."""
_CONVERTED = frozenset(words("key code"))
"""Those that are written otherwise than people say them: a country's code."""
_PIECE = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_OPPOSITES = [
    {"origin", "destination"},
    {"departure", "arrival"},
    {"departure", "destination"},
    {"from", "to"},
    {"source", "target"},
    {"source", "destination"},
    {"sender", "recipient"},
    {"sender", "receiver"},
    {"start", "end"},
]
_OR = re.compile(r"_or_|Or(?=[A-Z])")
_DEPTH = 3
"""Keys and indices of a path into a result."""

_QUOTED = re.compile(r"""(?<!\w)(['"`])\S[^'"`]*\1(?!\w)""")
_MIXED = re.compile(r"(?<![\w$€£.,:/-])(?=[\w-]*\d)(?=[\w-]*[A-Za-z_])(?!\d+-?[A-Za-z]+\b)[\w-]{4,}")
"""Letters and digits, as in u-17 and kyle_j2, but not as in 3-day, 10am and 20th."""
_NUMBERED = re.compile(r"(\w+)(?: no\.?| number)? ?#?\d")
_LONGEST_SPAN = 6
"""Words."""
_MOST_SPANS = 600
_AROUND_NAMES = " \t\n.,;:!?()[]{}\"'`"


def givers(tools: Mapping[str, ToolSpec]) -> Givers:
    """Returns for each tool its parameters that identify a thing that other tools give, and those tools.

    Args:
        tools: All tools, by name.
    """
    found: dict[str, dict[str, list[str]]] = {}
    results = {tool.name: [*paths(tool.returns, depth=_DEPTH)] for tool in tools.values() if tool.returns is not None}
    for tool in tools.values():
        named: Mapping[str, Any] = tool.parameters.get("properties", {})
        given = {name: list(_giving(tool, name, tools, results)) for name, schema in named.items() if is_object(schema)}
        found[tool.name] = {name: by for name, by in given.items() if by}
    return found


def to_call_first(tools: Mapping[str, ToolSpec], known: Givers) -> dict[str, frozenset[str]]:
    """Returns for each tool its required parameters for which another tool has to be called first.

    Where a tool requires nothing, what identifies its thing counts as required. Only tools that change nothing and
    can be called themselves are waited for, so that no circle of tools waits for itself.

    Args:
        tools: All tools, by name.
        known: What `givers` returned for them.
    """
    waits: dict[str, frozenset[str]] = {}
    while True:
        new: dict[str, frozenset[str]] = {}
        for name in tools.keys() - waits.keys():
            given = {p: {giver for giver in by if tools[giver].pure} for p, by in known[name].items()}
            required = tools[name].parameters.get("required") or [*given][:1]
            needs = {p: by for p, by in given.items() if by and p in required}
            if all(not by.isdisjoint(waits) for by in needs.values()):
                new[name] = frozenset(needs)
        if not new:
            return {name: waits.get(name, frozenset[str]()) for name in tools}
        waits |= new


def in_order(tools: Sequence[ToolSpec]) -> list[ToolSpec]:
    """Returns the tools as they are given, but each after those that give what identifies its thing."""
    named = {tool.name: tool for tool in tools}
    known = givers(named)
    waits = to_call_first(named, known)
    found: dict[str, ToolSpec] = {}

    def add(tool: ToolSpec, above: frozenset[str]) -> None:
        for parameter in sorted(waits[tool.name]):
            for giver in known[tool.name][parameter]:
                if giver not in above and named[giver].pure:
                    add(named[giver], above | {giver})
        found.setdefault(tool.name, tool)

    for tool in tools:
        add(tool, frozenset({tool.name}))
    return [*found.values()]


def is_named_for(name: str, path: Sequence[str | int], giver: str) -> bool:
    """Returns whether a part of a result has the name of what a parameter wants.

    Args:
        name: The parameter.
        path: Where the part is.
        giver: The tool whose result it is; empty when it is not known.
    """
    return any(_has_name(path, giver, wanted) for wanted in _wanted(name))


def has_opposite(name: str, tool: ToolSpec) -> bool:
    """Returns whether a tool requires a thing of the same kind in the opposite role, which has to be another thing.

    A flight has an origin and a destination, and the two are not the same airport.

    Args:
        name: One of the parameters.
        tool: The tool.
    """
    role, kind = _role(name)
    required = tool.parameters.get("required", ())
    return any(_role(other)[1] == kind and {role, _role(other)[0]} in _OPPOSITES for other in required)


def is_copied(name: str) -> bool:
    """Returns whether what a parameter wants is written as it is told, which a country's code is not."""
    return all(wanted[-1] not in _CONVERTED for wanted in _wanted(name))


def is_told(text: str, name: str) -> bool:
    """Returns whether a text seems to say what a parameter wants: it speaks of ids, quotes a name, or numbers a thing.

    Args:
        text: What is asked.
        name: The parameter.
    """
    said = {*words(text)}
    kinds = {word for wanted in _wanted(name) for word in wanted[:-1]}
    return (
        any(wanted[-1] in said for wanted in _wanted(name))
        or _QUOTED.search(text) is not None
        or _MIXED.search(text) is not None
        or any(word in kinds for numbered in _NUMBERED.findall(text) for word in words(numbered))
    )


def spans(text: str) -> list[str]:
    """Returns what may be a name within a text: its runs of a few words, without what stands around names."""
    found: dict[str, None] = {}
    pieces = text.split()
    for length in range(1, _LONGEST_SPAN + 1):
        for start in range(len(pieces) - length + 1):
            ends = pieces[start], pieces[start + length - 1]
            span = " ".join(pieces[start : start + length]).strip(_AROUND_NAMES)
            if span and all(words(end) or end[0].isupper() for end in ends):
                found[span] = None
    return [*found][:_MOST_SPANS]


def _giving(
    tool: ToolSpec, name: str, tools: Mapping[str, ToolSpec], results: Mapping[str, Sequence[_Part]]
) -> Iterator[str]:
    ways = _wanted(name)
    schema = tool.parameters["properties"][name]
    for other, parts in results.items() if ways else ():
        wanted = [way for way in ways if other != tool.name and not _takes(tools[other], way)]
        if wanted and any(
            _has_name(path, other, way) and fits(part, schema, root=tool.parameters).fit is not Fit.NO
            for path, part in parts
            for way in wanted
        ):
            yield other


def _wanted(name: str) -> list[list[str]]:
    """Returns the words of what identifies a thing, for each way that a name has: username_or_user_id has two."""
    ways = map(words, _OR.split(name))
    return [way for way in ways if way and way[-1] in _NOUNS and (len(way) > 1 or way[-1] in _ALONE)]


def _role(name: str) -> tuple[str, tuple[str, ...]]:
    """Returns the first word of a name, which may say what a thing is to the call, and the others."""
    first, *others = [word.lower() for word in _PIECE.findall(name)] or [""]
    return first, tuple(others)


def _takes(tool: ToolSpec, wanted: Sequence[str]) -> bool:
    names: Mapping[str, Any] = tool.parameters.get("properties", {})
    return any(words(way) == [*wanted] for name in names for way in _OR.split(name))


def _has_name(path: Sequence[str | int], tool: str, wanted: Sequence[str]) -> bool:
    """Returns whether the last key is of the kind that is wanted, as skyId is for originSkyId.

    Where it only says "id", the keys around it or the tool have to say of what.
    """
    key = words(path[-1]) if path and isinstance(path[-1], str) else []
    if not key or key[-1] != wanted[-1]:
        return False
    if len(key) > 1:
        return set(key) <= set(wanted)
    around = {word for part in path[:-1] if isinstance(part, str) for word in words(part)} | {*words(tool)}
    return set(wanted[:-1]) <= around
