"""Says where arguments or results do not fit, in words for a model: the place, the value, what was expected."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from pydantic import ValidationError

from agentkit.messages import JsonObject

__all__ = ["TEMPORAL", "Path", "Problem", "describe", "from_pydantic", "got", "no_such", "render", "resolve"]

Path: TypeAlias = tuple[str | int, ...]
"""Keys and list indices that lead to a value."""

TEMPORAL = {
    "date-time": "a date and time such as \"2026-05-31T14:30:00Z\"",
    "date": "a date such as \"2026-05-31\"",
    "time": "a time such as \"14:30:00\"",
    "duration": "a duration such as \"PT1H30M\"",
}  # fmt: skip
_NOUNS = {
    "integer": "an integer", "number": "a number", "string": "a string", "boolean": "true or false",
    "null": "null", "array": "a list", "object": "an object",
}  # fmt: skip
_EXPECTED_SAYS_IT = re.compile(
    r"(int|float|string|bool|none|list|dict|set|tuple|date|time|datetime|time_delta|bytes|model|dataclass)_.*"
    r"|greater_than.*|less_than.*|multiple_of|literal_error|enum|finite_number|is_instance_of|missing.*|too_(short|long)"
    r"|decimal_(type|parsing)|uuid_(type|parsing)|path_type|no_such_attribute|union_tag.*"
)


@dataclass(frozen=True, slots=True)
class Problem:
    """One place where arguments do not fit."""

    path: Path
    text: str


def from_pydantic(error: ValidationError, schema: JsonObject, value: Any, *, skip: int = 0) -> Iterator[Problem]:
    """Yields what pydantic found wrong with `value`, in terms of its JSON Schema.

    Args:
        error: What pydantic says.
        schema: The JSON Schema of `value`.
        value: What was validated.
        skip: How many steps of pydantic's paths lead to `value`.
    """
    for e in error.errors(include_url=False, include_context=False):
        path, here = _path(e["loc"][skip:], value, missing=e["type"].startswith("missing"))
        node = _schema_at(schema, path, schema)
        kind = e["type"]
        if kind.startswith("missing"):
            yield Problem(path, f"missing; expected {describe(node, schema)}")
        elif kind in ("extra_forbidden", "unexpected_keyword_argument"):
            continue  # said by _lenient, with the nearest name
        elif _EXPECTED_SAYS_IT.fullmatch(kind):
            yield Problem(path, got(here, node, schema))
        else:
            why = e["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
            yield Problem(path, f"{got(here, node, schema)}: {why}")


def _path(loc: Iterable[str | int], value: Any, *, missing: bool) -> tuple[Path, Any]:
    """Returns where in the arguments an error is, without pydantic's own marks (union branches), and what is there."""
    path: list[str | int] = []
    parts = list(loc)
    for i, part in enumerate(parts):
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            if missing and i == len(parts) - 1:
                path.append(part)
            continue
        path.append(part)
    return tuple(path), value


def _schema_at(schema: Any, path: Path, root: JsonObject) -> JsonObject:
    node = resolve(schema, root)
    if not path:
        return node
    step, rest = path[0], path[1:]
    for branch in node.get("anyOf") or node.get("oneOf") or ():
        if found := _schema_at(branch, path, root):
            return found
    if isinstance(step, int):
        prefix: list[Any] = node.get("prefixItems", [])
        return _schema_at(prefix[step] if step < len(prefix) else node.get("items", {}), rest, root)
    return _schema_at(node.get("properties", {}).get(step, node.get("additionalProperties", {})), rest, root)


def resolve(schema: Any, root: JsonObject) -> JsonObject:
    """Returns the schema that a reference leads to; others as they are."""
    node = cast("JsonObject", schema) if isinstance(schema, dict) else {}
    ref: str | None = node.get("$ref")
    return root["$defs"][ref.removeprefix("#/$defs/")] if ref else node


def describe(schema: Any, root: JsonObject | None = None) -> str:
    """Returns what a schema expects, in a few words: ``an integer from 0 to 10``."""
    node = resolve(schema, root or {})
    if "const" in node:
        return json.dumps(node["const"])
    if "enum" in node:
        return "one of " + ", ".join(json.dumps(v, ensure_ascii=False) for v in node["enum"])
    if branches := node.get("anyOf") or node.get("oneOf"):
        return " or ".join(dict.fromkeys(describe(b, root) for b in branches))
    types: str | list[str] = node.get("type", [])
    if isinstance(types, list):
        return " or ".join(_describe_type({**node, "type": t}, root) for t in types) or "a JSON value"
    return _describe_type(node, root)


def _describe_type(node: JsonObject, root: JsonObject | None) -> str:
    kind: str = node["type"]
    noun = _NOUNS.get(kind, kind)
    if kind in ("integer", "number"):
        return noun + _bounds(node)
    if kind == "string":
        return _describe_text(node, noun)
    if kind == "array":
        return _describe_list(node, root)
    if kind == "object" and (fields := node.get("properties")):
        return f"{noun} with {', '.join(map(repr, fields))}"
    return noun


def _bounds(node: JsonObject) -> str:
    low, high = node.get("minimum"), node.get("maximum")
    words = f" from {low} to {high}" if low is not None and high is not None else ""
    if not words:
        words = (f" of at least {low}" if low is not None else "") + (f" of at most {high}" if high is not None else "")
    words += f" above {node['exclusiveMinimum']}" if "exclusiveMinimum" in node else ""
    words += f" below {node['exclusiveMaximum']}" if "exclusiveMaximum" in node else ""
    return words + (f", a multiple of {node['multipleOf']}" if "multipleOf" in node else "")


def _describe_text(node: JsonObject, noun: str) -> str:
    if (form := node.get("format")) is not None:
        return TEMPORAL.get(form, f"{noun} in the format {form!r}")
    if "contentEncoding" in node:
        return f"{node['contentEncoding']} text"
    if "pattern" in node:
        noun += f" that matches {node['pattern']}"
    return noun + _sizes(node, "Length", "character")


def _describe_list(node: JsonObject, root: JsonObject | None) -> str:
    if prefix := node.get("prefixItems"):
        return f"a list of {len(prefix)}: {', '.join(describe(p, root) for p in prefix)}"
    sizes = _sizes(node, "Items", "item")
    items = node.get("items")
    each = describe(items, root) if items else ""
    return "a list" + sizes + (f"{',' if sizes else ' whose items are'} each {each}" if each else "")


def _sizes(node: JsonObject, suffix: str, unit: str) -> str:
    low, high = node.get(f"min{suffix}"), node.get(f"max{suffix}")
    if low is None and high is None:
        return ""
    size = f"{low} to {high}" if None not in (low, high) else f"at least {low}" if high is None else f"at most {high}"
    return f" of {size} {unit}" + ("" if (low if high is None else high) == 1 else "s")


def got(value: Any, node: JsonObject, root: JsonObject) -> str:
    """Returns what is there and what was expected."""
    text = json.dumps(value, ensure_ascii=False)
    return f"got {text if len(text) <= 80 else text[:77] + '...'}; expected {describe(node, root)}"


def no_such(key: str, properties: JsonObject, value: Mapping[str, Any], noun: str) -> str:
    """Returns that a key is unknown, with the nearest known one."""
    free = [name for name in properties if name not in value]
    near = difflib.get_close_matches(key, free, n=1) or difflib.get_close_matches(key, properties, n=1)
    if near:
        return f"there is no such {noun}; did you mean {near[0]!r}?"
    have = ", ".join(map(repr, properties))
    return (
        f"there is no such {noun}; there {f'are {have}' if len(properties) > 1 else f'is {have}'}"
        if have
        else (f"there is no such {noun}; it takes none")
    )


def render(problems: Iterable[Problem]) -> str:
    """Returns one line for each place; the first problem of a place is its line."""
    lines: dict[str, str] = {}
    for p in problems:
        lines.setdefault(_place(p.path), p.text)
    return "\n".join(f"- {place}: {text}" for place, text in lines.items())


def _place(path: Path) -> str:
    text = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path)
    return text.removeprefix(".") or "all"
