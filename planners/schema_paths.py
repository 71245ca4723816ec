"""The parts of a result: which there are, and what is known of each."""

from __future__ import annotations

import difflib
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

from agentkit.errors import PlanError
from agentkit.messages import JsonObject, is_object
from agentkit.planners.plan import Ref, StepId, parse_refs
from agentkit.planners.schema_cases import ANYTHING, Case, Schema, carry, cases, checked
from agentkit.planners.schema_words import any_of_words, noun, place_text

__all__ = ["Path", "doubt", "item_schema", "list_of", "paths", "schema_at"]

Path: TypeAlias = tuple[str | int, ...]
"""Keys and list indices that lead into a value."""

_MOST_KEYS = 8


@dataclass(frozen=True, slots=True)
class _Part:
    """What a path leads to."""

    schema: Any
    doubt: str = ""
    unlikely: bool = False
    """Whether it is only not forbidden to be there."""


def schema_at(schema: Schema | None, path: Sequence[str | int]) -> JsonObject | None:
    """Returns the schema of the part of a value that a path leads to, with the definitions it needs.

    Args:
        schema: JSON Schema of the value; ``None`` when nothing is known.
        path: Keys and list indices.

    Returns:
        ``None`` when nothing is known of the part. Whether it is always there is told by `doubt`.

    Raises:
        agentkit.errors.PlanError: The path surely leads nowhere; a schema that names keys and does not mention others
            is taken to name all.
    """
    schema = checked(schema)
    if schema is None:
        return None
    root = schema if is_object(schema) else {}
    return _alone(_walk(schema, path, root).schema, root)


def doubt(schema: Schema | None, path: Sequence[str | int]) -> str:
    """Returns why a path may lead nowhere when the plan runs, such as "may be missing the key 'city'".

    Args:
        schema: JSON Schema of the value; ``None`` when nothing is known.
        path: Keys and list indices.

    Returns:
        Nothing (``""``) when every value has the part.

    Raises:
        agentkit.errors.PlanError: The path surely leads nowhere.
    """
    schema = checked(schema)
    if schema is None:
        return "nothing is known of the result" if path else ""
    return _walk(schema, path, schema if is_object(schema) else {}).doubt


def item_schema(schema: Schema | None) -> JsonObject | None:
    """Returns the schema of the items of a list, with the definitions it needs.

    Args:
        schema: JSON Schema of the list; of what else it may be (null) nothing is said.

    Returns:
        ``None`` when nothing is known of the items.

    Raises:
        agentkit.errors.PlanError: It surely is no list.
    """
    schema = checked(schema)
    if schema is None:
        return None
    root = schema if is_object(schema) else {}
    found = cases(schema, root)
    lists = [c for c in found if c == ANYTHING or c["type"] == "array"]
    if not lists:
        raise PlanError(
            f"a list is expected, and this is {any_of_words([noun(c) for c in found])}{_lists_in(found, root)}"
        )
    items = [item for case in lists for item in _items(case)]
    return _alone(_union(items), root)


def list_of(item: Schema | None) -> JsonObject:
    """Returns the schema of a list whose items have the schema `item`: of what a step with ``for_each`` gives.

    Args:
        item: JSON Schema of one result; ``None`` when nothing is known.
    """
    if not is_object(item):
        return {"type": "array"} | ({"items": False} if item is False else {})
    whole = carry(item, item)  # its references may point to "#", which is the list from now on
    defs = whole.pop("$defs", None)
    return {"type": "array", "items": whole} | ({"$defs": defs} if defs else {})


def paths(schema: Schema | None, *, depth: int = 3) -> Iterator[tuple[Path, JsonObject | None]]:
    """Yields the parts of a result that a reference can name, with the schema of each, the shallowest first.

    The whole comes first, then each key that an object's schema names and a reference can spell, each position of a
    tuple, and ``[0]`` for a list of items of a known kind. Parts that may be missing (optional keys, the first item of
    a list that may be empty, what is inside of something that may be null) are among them: `doubt` tells. A schema is
    ``None`` where nothing is known. Schemas that hold themselves go on until `depth`; take as many as are needed.

    Args:
        schema: JSON Schema of the result; ``None`` when nothing is known.
        depth: The most keys and indices in a path.
    """
    schema = checked(schema)
    root = schema if is_object(schema) else {}
    todo: deque[tuple[Path, Any]] = deque([((), True if schema is None else schema)])
    while todo:
        path, node = todo.popleft()
        yield path, _alone(node, root)
        if len(path) < depth:
            found = cases(node, root)
            todo.extend(((*path, key), _union(_inside_all(found, key)[0])) for key in _keys(found, root))


def _walk(schema: Any, path: Sequence[str | int], root: JsonObject) -> _Part:
    node, why = schema, ""
    for i, key in enumerate(path):
        found = cases(node, root)
        parts, here = _inside_all(found, key)
        if not parts:
            raise PlanError(_nowhere(found, key, path[:i], root))
        if here and not why:
            where = place_text(path[:i])
            why = f"{where}: {here}" if where else here
        node = _union(parts)
    return _Part(node, why)


def _inside_all(found: Sequence[Case], key: str | int) -> tuple[list[Any], str]:
    """Returns the schemas of what is at a key in any of some cases, and why it may not be there."""
    inside = [(case, _inside(case, key)) for case in found]
    if all(part.unlikely or part.schema is False for _, part in inside):
        return [], ""
    doubts = [part.doubt or f"may be {noun(case)}" for case, part in inside if part.doubt or part.schema is False]
    return [part.schema for _, part in inside if part.schema is not False], next(iter(doubts), "")


def _inside(case: Case, key: str | int) -> _Part:
    """Returns what is at a key of a value; the schema is ``False`` when it surely leads nowhere."""
    if case == ANYTHING:
        return _Part(True, "may be anything")
    if case["type"] == "array" and isinstance(key, int):
        prefix: list[Any] = case.get("prefixItems", [])
        if key >= case.get("maxItems", key + 1):
            return _Part(False)
        item = prefix[key] if key < len(prefix) else case.get("items", True)
        few = case.get("minItems", 0) <= key
        return _Part(item, f"may have fewer than {key + 1} items" if few and key else "may be empty" if few else "")
    if case["type"] == "object" and isinstance(key, str):
        return _value_at(case, key)
    return _Part(False)


def _value_at(case: Case, key: str) -> _Part:
    named: JsonObject = case.get("properties", {})
    sure = key in case.get("required", ())
    why = "" if sure else f"may be missing the key {key!r}"
    if key in named:
        return _Part(named[key], why)
    if "patternProperties" in case:
        return _Part(True, why)
    unlikely = bool(named) and "additionalProperties" not in case and not sure
    return _Part(case.get("additionalProperties", True), why, unlikely)


def _items(case: Case) -> list[Any]:
    """Returns the schemas of a list's items."""
    if case == ANYTHING:
        return [True]
    prefix: list[Any] = case.get("prefixItems", [])[: case.get("maxItems")]
    more = case.get("maxItems", len(prefix) + 1) > len(prefix)
    return [item for item in [*prefix, *([case.get("items", True)] if more else [])] if item is not False]


def _keys(found: Sequence[Case], root: JsonObject) -> list[str | int]:
    """Returns the keys and indices that are worth a path."""
    keys: dict[str | int, None] = {}
    for case in found:
        if case.get("type") == "object":
            named: JsonObject = case.get("properties", {})
            keys |= dict.fromkeys(key for key, value in named.items() if value is not False and _can_be_spelled(key))
        elif case.get("type") == "array":
            prefix = _items({**case, "items": False})
            first = [] if prefix or not _items(case) or ANYTHING in cases(_union(_items(case)), root) else [0]
            keys |= dict.fromkeys([*range(len(prefix)), *first])
    return list(keys)


@lru_cache(maxsize=4096)
def _can_be_spelled(key: str) -> bool:
    """Whether a reference can name the key: those are read from text."""
    ref = Ref(StepId("s"), (key,))
    try:
        return bool(parse_refs(str(ref)) == ref)
    except PlanError:
        return False


def _union(parts: Sequence[Any]) -> Any:
    each = list({id(part): part for part in parts}.values())
    return each[0] if len(each) == 1 else {"anyOf": each} if each else False


def _alone(schema: Any, root: JsonObject) -> JsonObject | None:
    """Returns a part of a schema so that it stands alone; ``None`` when it says nothing."""
    if schema is root:
        return root or None
    return None if ANYTHING in cases(schema, root) else carry(schema, root)


def _nowhere(found: Sequence[Case], key: str | int, path: Sequence[str | int], root: JsonObject) -> str:
    """Returns the message for a path that leads nowhere."""
    where = repr(place_text(path)) if path else "the result"
    objects = [c for c in found if c.get("type") == "object"]
    lists = [c for c in found if c.get("type") == "array"]
    if isinstance(key, str) and objects:
        return f"{where} has no key {key!r}; {_known_keys(objects, key)}"
    if isinstance(key, str) and lists:
        return f"{where} is a list, which has no key {key!r}; write an index first, such as [0], or use 'for_each'"
    if lists:
        return f"{where} has no item [{key}]; it has at most {max(c.get('maxItems', 0) for c in lists)} items"
    if objects:
        return f"{where} is an object and not a list, so it has no item [{key}]; {_known_keys(objects, '')}"
    what = any_of_words([noun(c) for c in found]) or "never there"
    return f"{where} is {what}, which has no parts; refer to all of it instead of {key!r} in it"


def _known_keys(objects: Sequence[Case], key: str) -> str:
    named = [k for c in objects for k, v in c.get("properties", {}).items() if v is not False]
    near = difflib.get_close_matches(key, named, n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    some = [repr(k) for k in dict.fromkeys(named)]
    more = f" and {len(some) - _MOST_KEYS} more" if len(some) > _MOST_KEYS else ""
    return f"its keys are {', '.join(some[:_MOST_KEYS])}{more}" if some else "it has no keys"


def _lists_in(found: Sequence[Case], root: JsonObject) -> str:
    """Returns a hint at the lists inside of objects."""
    inside = [
        key
        for case in found
        for key, value in case.get("properties", {}).items()
        if any(c.get("type") == "array" for c in cases(value, root))
    ]
    return f"; of its parts, these are lists: {', '.join(map(repr, inside))}" if inside else ""
