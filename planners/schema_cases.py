"""JSON Schemas as unions of cases: each case has one JSON type, and nothing in it but plain keywords.

A case may allow more than the schema does (what is too tangled is left out), and never less.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, TypeAlias
from urllib.parse import unquote

from agentkit.messages import JsonObject, is_array, is_object
from agentkit.tools.schema import map_subschemas

__all__ = [
    "ANYTHING",
    "TYPES",
    "Case",
    "Schema",
    "carry",
    "cases",
    "checked",
    "json_type",
    "same",
    "says_nothing",
    "target",
]

Schema: TypeAlias = "JsonObject | bool"

Case: TypeAlias = JsonObject
"""A schema with a single ``type`` and no references or combinations; fixed values are in ``enum``."""

ANYTHING: Case = {}
"""The case of which nothing is known; the only one without a ``type``."""

TYPES = ("null", "boolean", "number", "string", "array", "object")

_MOST = 256
"""Cases of one schema; a union of more counts as anything."""
_COMBINED = ("$ref", "allOf", "anyOf", "oneOf")
_TIGHTER: dict[str, Any] = {
    "minimum": max, "exclusiveMinimum": max, "minLength": max, "minItems": max, "minProperties": max,
    "maximum": min, "exclusiveMaximum": min, "maxLength": min, "maxItems": min, "maxProperties": min,
}  # fmt: skip
_CONSTRAINING = {
    "type", "enum", "const", *_TIGHTER, "multipleOf", "pattern", "format", "contentEncoding", "uniqueItems",
    "prefixItems", "items", "properties", "required", "additionalProperties", "patternProperties", "propertyNames",
}  # fmt: skip
_ANNOTATIONS = {
    "title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "discriminator",
    "$comment", "$schema", "$id", "$defs", "definitions",
}  # fmt: skip
_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_USUAL_REF = re.compile(r"#(/(\$defs|definitions)/[^/]+)?")
_FIXED: dict[str, list[Any]] = {"null": [None], "boolean": [False, True]}
_SAFE_INTEGER = 2**63
_UNKNOWN = object()


def checked(schema: Schema | None) -> Schema | None:
    """Returns a schema if it is a valid one (JSON Schema 2020-12), and ``None``, for unknown, if not."""
    import jsonschema_rs

    dated: Any = {**schema, "$schema": _DRAFT} if is_object(schema) else schema
    known = isinstance(schema, bool) or (is_object(schema) and jsonschema_rs.meta.is_valid(dated))
    return schema if known else None


def says_nothing(schema: Any) -> bool:
    """Returns whether a schema has no keyword that forbids anything."""
    return schema is True or (is_object(schema) and schema.keys() <= _ANNOTATIONS)


def target(ref: Any, root: JsonObject) -> Schema | None:
    """Returns the schema that a ``$ref`` leads to; ``None`` when there is none in `root`."""
    if not isinstance(ref, str) or (ref != "#" and not ref.startswith("#/")):
        return None
    node: Any = root
    for part in ref.split("/")[1:]:
        key = unquote(part).replace("~1", "/").replace("~0", "~")
        if is_object(node):
            node = node.get(key, _UNKNOWN)
        elif is_array(node) and key.isdecimal() and int(key) < len(node):
            node = node[int(key)]
        else:
            return None
    found: Schema | None = node if is_object(node) or isinstance(node, bool) else None
    # What stands elsewhere was not checked as a schema with the rest.
    return found if _USUAL_REF.fullmatch(ref) else checked(found)


def json_type(value: Any) -> str:
    """Returns the JSON type of a value; ``"integer"`` for whole numbers."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "integer" if value.is_integer() and abs(value) < _SAFE_INTEGER else "number"
    return "string" if isinstance(value, str) else "array" if is_array(value) else "object"


def same(value: Any) -> Any:
    """Returns a key that is equal for values that are equal as JSON: 1 and 1.0 are, 1 and true are not."""
    if isinstance(value, bool):
        return ("boolean", value)
    if is_array(value):
        return ("array", *map(same, value))
    if is_object(value):
        return ("object", frozenset((k, same(v)) for k, v in value.items()))
    return value


def cases(schema: Any, root: JsonObject) -> list[Case]:
    """Returns the cases of a schema; none when it allows no value.

    Args:
        schema: A valid JSON Schema (2020-12).
        root: The schema that references point into.
    """
    if is_object(schema):
        kind = schema.get("type")
        # The usual schema is its own case.
        if (
            isinstance(kind, str)
            and kind not in ("null", "boolean")
            and not schema.keys() & {*_COMBINED, "enum", "const"}
        ):
            return [schema]
    found = _cases(schema, root, frozenset())
    return [ANYTHING] if ANYTHING in found else found


def _cases(schema: Any, root: JsonObject, seen: frozenset[str]) -> list[Case]:
    if not is_object(schema):
        return [] if schema is False else [ANYTHING]
    found = list(_own(schema))
    ref = schema.get("$ref")
    if ref is not None:
        known = None if ref in seen else target(ref, root)
        found = _both(found, [ANYTHING] if known is None else _cases(known, root, seen | {ref}))
    for part in schema.get("allOf", ()):
        found = _both(found, _cases(part, root, seen))
    for key in ("anyOf", "oneOf"):
        if key in schema:
            found = _both(found, list(chain.from_iterable(_cases(part, root, seen) for part in schema[key])))
    return found if len(found) <= _MOST else [ANYTHING]


def _own(schema: JsonObject) -> Iterator[Case]:
    """Yields the cases of a schema's own keywords, without what it combines."""
    plain = {k: v for k, v in schema.items() if k in _CONSTRAINING}
    if not plain:
        yield ANYTHING
        return
    named: str | list[str] = plain.get("type", [*TYPES])
    types = [named] if isinstance(named, str) else named
    if "number" in types:
        types = [t for t in types if t != "integer"]
    if "const" in plain:
        yield from _of_values([plain["const"]], types)
    elif "enum" in plain:
        yield from _of_values(plain["enum"], types)
    else:
        for kind in types:
            fixed = _FIXED.get(kind)
            yield {**plain, "type": kind} | ({"enum": fixed} if fixed else {})


def _of_values(values: Iterable[Any], types: Iterable[str]) -> Iterator[Case]:
    """Yields the cases of fixed values: one for each scalar type, one for each list and object."""
    allowed = set(types)
    scalars: dict[str, list[Any]] = {}
    for value in values:
        kind = json_type(value)
        if kind not in allowed and not (kind == "integer" and "number" in allowed):
            continue
        if is_array(value):
            items = [{"const": item} for item in value]
            yield {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}
        elif is_object(value):
            properties = {k: {"const": v} for k, v in value.items()}
            yield {"type": "object", "properties": properties, "required": [*value], "additionalProperties": False}
        else:
            scalars.setdefault(kind, []).append(value)
    for kind, some in scalars.items():
        yield {"type": kind, "enum": some}


def _both(left: list[Case], right: list[Case]) -> list[Case]:
    """Returns cases for what is in both; they may allow more, never less."""
    if ANYTHING in left:
        return right
    if ANYTHING in right:
        return left
    if len(left) * len(right) > _MOST:
        return left
    return [merged for a in left for b in right if (merged := _merge(a, b)) is not None]


def _merge(a: Case, b: Case) -> Case | None:
    kinds = {a["type"], b["type"]}
    if len(kinds) > 1 and kinds != {"integer", "number"}:
        return None
    kind = kinds.pop() if len(kinds) == 1 else "integer"
    if "enum" in a or "enum" in b:
        values: list[Any] = (a if "enum" in a else b)["enum"]
        if "enum" in a and "enum" in b:
            other = {same(v) for v in b["enum"]}
            values = [v for v in values if same(v) in other]
        return {"type": kind, "enum": values} if values else None
    merged = {**b, **a, "type": kind}
    for key in a.keys() & b.keys() & _TIGHTER.keys():
        merged[key] = _TIGHTER[key](a[key], b[key])
    if kind == "object":
        _merge_objects(a, b, merged)
    if kind == "array" and not {"prefixItems"} & merged.keys() and "items" in a and "items" in b:
        merged["items"] = {"allOf": [a["items"], b["items"]]}
    return merged


def _merge_objects(a: Case, b: Case, merged: Case) -> None:
    for key in ("properties", "patternProperties"):
        if key in a and key in b:
            shared = {k: {"allOf": [a[key][k], b[key][k]]} for k in a[key].keys() & b[key].keys()}
            merged[key] = {**b[key], **a[key], **shared}
    if "required" in a and "required" in b:
        merged["required"] = [*dict.fromkeys([*a["required"], *b["required"]])]
    if False in (a.get("additionalProperties"), b.get("additionalProperties")):
        merged["additionalProperties"] = False


def carry(schema: Any, root: JsonObject) -> JsonObject:
    """Returns a part of a schema with the definitions it needs, so that it stands alone.

    Args:
        schema: The part.
        root: The schema that its references point into.
    """
    names: dict[str, str] = {}

    def visit(node: Any) -> Any:
        if not is_object(node):
            return node
        changed = map_subschemas({k: v for k, v in node.items() if k not in ("$defs", "definitions")}, visit)
        ref: str = node.get("$ref", "")
        if target(ref, root) is not None:
            if ref not in names:
                plain = re.sub(r"[^A-Za-z0-9_.-]+", "_", re.sub(r"^#/(\$defs|definitions)/", "", ref)) or "root"
                names[ref] = plain if plain not in names.values() else f"{plain}_{len(names)}"
            changed["$ref"] = f"#/$defs/{names[ref]}"
        return changed

    whole: JsonObject = visit(schema) if is_object(schema) else {} if schema else {"not": {}}
    defs: JsonObject = {}
    while todo := [ref for ref, name in names.items() if name not in defs]:
        defs |= {names[ref]: visit(target(ref, root)) for ref in todo}
    return whole | ({"$defs": defs} if defs else {})
