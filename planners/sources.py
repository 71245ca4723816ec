"""Which arguments can only be results: those of a kind that another tool gives.

A small model that has a list of orders to pass on and none at hand makes one up. But where one of the tools gives
orders, that is where orders come from. So an object, or a list of objects, is passed only by reference when another
tool gives just that; and a tool that needs one can be called only when one is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from agentkit.messages import JsonObject, is_object
from agentkit.model_backend.base import ToolSpec
from agentkit.planners.fit import Fit, fits, list_of, paths

__all__ = ["only_results"]

LEAST_KEYS = 2
"""Keys of an object, below which it may as well be written out."""
_DEPTH = 2


def only_results(tools: Mapping[str, ToolSpec]) -> dict[str, frozenset[str]]:
    """Returns for each tool the names of its parameters that have to be references.

    A parameter whose kind is given only by tools that can't be called without one themselves may be written out.

    Args:
        tools: All tools, by name.
    """
    given: dict[str, frozenset[str]] = {name: frozenset() for name in tools}
    can: set[str] = set()
    while True:
        new = {name for name, tool in tools.items() if name not in can and all(_given(tool, tools, can).values())}
        if not new:
            return given
        for name in new:
            given[name] = frozenset(_given(tools[name], tools, can))
        can |= new


def _given(tool: ToolSpec, tools: Mapping[str, ToolSpec], can: Iterable[str]) -> dict[str, bool]:
    """Returns the parameters that another tool gives, and whether one that can be called does."""
    found: dict[str, bool] = {}
    for name, schema in tool.parameters.get("properties", {}).items():
        if is_object(schema) and _is_of_objects(schema):
            givers = {other.name for other in tools.values() if other is not tool and _gives(other, schema, tool)}
            if givers:
                required = name in tool.parameters.get("required", ())
                found[name] = not required or not givers.isdisjoint(can)
    return found


def _is_of_objects(schema: JsonObject) -> bool:
    inside = schema.get("items") if schema.get("type") == "array" else schema
    return is_object(inside) and len(inside.get("properties", {})) >= LEAST_KEYS


def _gives(tool: ToolSpec, schema: JsonObject, taker: ToolSpec) -> bool:
    return any(fits(part, schema, root=taker.parameters).fit is Fit.YES for part in _parts(tool.returns))


def _parts(returns: JsonObject | None) -> Iterator[JsonObject]:
    """Yields the parts of a result, each also as a list, as a step that runs for each item gives it."""
    if returns is not None:
        for _, part in paths(returns, depth=_DEPTH):
            if part is not None:
                yield part
                yield list_of(part)
