"""A JSON Schema as a declaration can say it: one type, a few fields, and the rest in words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from agentkit.messages import JsonObject
from agentkit.model_backend.constraint.keywords import is_array, is_object

__all__ = ["Flat", "flatten"]

MAX_DEPTH = 8
"""Schemas nested deeper, or that contain themselves, are said by their type from there on."""

_WORDS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "more than {}",
    "exclusiveMaximum": "less than {}",
    "multipleOf": "a multiple of {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "pattern": "matches the regular expression {}",
    "format": "format {}",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "minProperties": "at least {} keys",
    "maxProperties": "at most {} keys",
    "const": "always {}",
    "default": "default {}",
    "examples": "for example {}",
    "not": "not {}",
    "contains": "contains {}",
    "propertyNames": "keys fit {}",
    "dependentRequired": "keys that need others: {}",
}
_RAW = frozenset({"pattern", "format"})


@dataclass(slots=True)
class Flat:
    """What a declaration says of a value."""

    type: str
    description: str = ""
    nullable: bool = False
    enum: list[str] = field(default_factory=list[str])
    """Of strings only; other enums are in `extras`."""
    items: Flat | None = None
    properties: dict[str, Flat] = field(default_factory=lambda: {})
    required: list[str] = field(default_factory=list[str])
    extras: list[str] = field(default_factory=list[str])
    """What has no place in a declaration, in words."""


def flatten(schema: Mapping[str, Any] | bool) -> Flat:
    """Returns the schema with references inlined and everything else told."""
    return _Flattener(schema if isinstance(schema, Mapping) else {}).node(schema, ())


class _Flattener:
    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root

    def node(self, schema: Any, refs: tuple[str, ...], depth: int = 0) -> Flat:
        node, refs, cyclic = self._resolved(schema, refs)
        branches, nullable = _without_null(node)
        if len(branches) == 1:
            node = {**{k: v for k, v in node.items() if k not in ("anyOf", "oneOf")}, **self._merged(branches[0], refs)}
            branches = []
        kinds = _kinds(node)
        nullable = nullable or "null" in kinds or node.get("nullable") is True
        kinds = [kind for kind in kinds if kind != "null"]
        flat = Flat(kinds[0] if kinds else self._guess(node, branches, refs))
        flat.description = str(node.get("description", ""))
        flat.nullable = nullable
        flat.extras += [f"may also be of type {kind}" for kind in kinds[1:]]
        if branches:
            flat.extras.append("one of: " + "; or ".join(self._in_words(b, refs, depth) for b in branches))
        if cyclic or depth >= MAX_DEPTH:
            flat.extras.append("built like the value it is part of" if cyclic else "nested further")
            return flat
        self._structure(flat, node, refs, depth)
        flat.extras += _extras(node, flat)
        return flat

    def _structure(self, flat: Flat, node: Mapping[str, Any], refs: tuple[str, ...], depth: int) -> None:
        for name, schema in _mapping(node.get("properties")).items():
            flat.properties[name] = self.node(schema, refs, depth + 1)
        flat.required = [name for name in node.get("required", ()) if isinstance(name, str)]
        items = node.get("items")
        if isinstance(items, Mapping) and items:
            flat.items = self.node(items, refs, depth + 1)
        if is_array(prefix := node.get("prefixItems")):
            flat.extras.append("items in order: " + ", ".join(self._in_words(p, refs, depth) for p in prefix))
        if isinstance(more := node.get("additionalProperties"), Mapping):
            flat.extras.append("any keys, each value: " + (self._in_words(more, refs, depth) if more else "anything"))
        for pattern, schema in _mapping(node.get("patternProperties")).items():
            flat.extras.append(f"keys that match {pattern}: {self._in_words(schema, refs, depth)}")

    def _resolved(self, schema: Any, refs: tuple[str, ...]) -> tuple[dict[str, Any], tuple[str, ...], bool]:
        """The schema with its references and `allOf` merged in; whether it is inside itself."""
        node: JsonObject = dict(schema) if is_object(schema) else {}
        while isinstance(ref := node.pop("$ref", None), str):
            if ref in refs:
                kept = {"type": self._target(ref).get("type", "object")}
                return {**kept, **node}, refs, True
            refs = (*refs, ref)
            node = {**self._target(ref), **node}
        for part in node.pop("allOf", None) or ():
            node = _merge(node, self._merged(part, refs))
        return node, refs, False

    def _merged(self, schema: Any, refs: tuple[str, ...]) -> dict[str, Any]:
        node, _, cyclic = self._resolved(schema, refs)
        return {"type": node.get("type", "object"), "description": node.get("description", "")} if cyclic else node

    def _target(self, ref: str) -> dict[str, Any]:
        found: Any = self._root
        for name in ref.removeprefix("#").split("/")[1:]:
            key = name.replace("~1", "/").replace("~0", "~")
            found = found.get(key, {}) if is_object(found) else {}
        return dict(found) if is_object(found) else {}

    def _guess(self, node: Mapping[str, Any], branches: list[Any], refs: tuple[str, ...]) -> str:
        """The type of a schema that names none; that of the first alternative of a union."""
        for branch in branches:
            kinds = _kinds(self._merged(branch, refs))
            if kinds:
                return kinds[0]
        if is_array(values := node.get("enum")) and values or "const" in node:
            return _kind_of(values[0] if values else node["const"])
        if "properties" in node or "additionalProperties" in node:
            return "object"
        return "array" if "items" in node or "prefixItems" in node else "string"

    def _in_words(self, schema: Any, refs: tuple[str, ...], depth: int) -> str:
        flat = self.node(schema, refs, depth + 1)
        words = [flat.type, *([flat.description] if flat.description else [])]
        if flat.enum:
            words.append("one of " + ", ".join(map(_json, flat.enum)))
        if flat.items:
            words.append(f"of {flat.items.type}")
        if flat.properties:
            names = (
                name + ("" if name in flat.required else "?") + ": " + f.type for name, f in flat.properties.items()
            )
            words.append("with " + ", ".join(names))
        return " ".join([*words, *flat.extras])


def _without_null(node: Mapping[str, Any]) -> tuple[list[Any], bool]:
    branches: list[Any] = [b for key in ("anyOf", "oneOf") for b in (node.get(key) or ())]
    kept = [b for b in branches if not (is_object(b) and (b.get("type") == "null" or b == {"const": None}))]
    return kept, len(kept) < len(branches)


def _merge(one: dict[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**other, **one}
    for key in ("properties", "patternProperties"):
        if key in one and key in other:
            merged[key] = {**other[key], **one[key]}
    if "required" in one and "required" in other:
        merged["required"] = [*one["required"], *(r for r in other["required"] if r not in one["required"])]
    return merged


def _extras(node: Mapping[str, Any], flat: Flat) -> Iterator[str]:
    values = node.get("enum")
    if is_array(values) and values:
        if flat.type == "string" and all(isinstance(v, str) for v in values if v is not None):
            flat.enum = [v for v in values if v is not None]
            flat.nullable = flat.nullable or None in values
        else:
            yield "one of " + ", ".join(map(_json, values))
    if node.get("uniqueItems") is True:
        yield "no item twice"
    for key, words in _WORDS.items():
        if key in node and not (key == "default" and node[key] is None):
            yield words.format(node[key] if key in _RAW else _json(node[key]))


def _kinds(node: Mapping[str, Any]) -> list[str]:
    kind = node.get("type")
    return [str(k) for k in kind] if is_array(kind) else [str(kind)] if kind else []


def _kind_of(value: Any) -> str:
    names: dict[type[Any], str] = {bool: "boolean", int: "integer", float: "number", list: "array", dict: "object"}
    return names.get(type(value), "string")  # pyright: ignore[reportUnknownArgumentType]  # JSON


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if is_object(value) else {}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
