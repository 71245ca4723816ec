"""JSON Schemas (2020-12) from types, kept small: they are read by small models.

Against what pydantic writes: no ``title`` (a parameter of that name stays), references replaced by what
they refer to unless it is recursive, no formats that JSON Schema does not define, ``["string", "null"]``
for what may be null, and objects with named keys have no others unless their type says so.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, cast, get_args, get_origin, get_type_hints

import typing_extensions
from pydantic import ConfigDict, GetCoreSchemaHandler, TypeAdapter
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticSchemaGenerationError
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from agentkit.messages import JsonObject, is_array, is_object

__all__ = [
    "CONFIG",
    "SchemaWriter",
    "compact",
    "map_subschemas",
    "result_schema",
    "schema_trouble",
    "subschemas",
    "support_typed_dicts",
]

CONFIG = ConfigDict(
    extra="forbid",
    allow_inf_nan=False,
    coerce_numbers_to_str=True,
    val_json_bytes="base64",
    ser_json_bytes="base64",
    ser_json_inf_nan="constants",  # refused afterwards, with their place; never silently null
)
"""How arguments are converted: see `agentkit.tools.arguments`."""

_MAPS = ("properties", "patternProperties", "$defs", "dependentSchemas")
_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_SINGLE = (
    "items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames",
    "unevaluatedItems", "unevaluatedProperties",
)  # fmt: skip
_FORMATS = {
    "date-time", "date", "time", "duration", "email", "idn-email", "hostname", "idn-hostname", "ipv4", "ipv6",
    "uri", "uri-reference", "iri", "iri-reference", "uuid", "uri-template", "json-pointer",
    "relative-json-pointer", "regex",
}  # fmt: skip
_UUID_VERSIONS = {f"uuid{n}" for n in range(1, 9)}
_ORDER = ("type", "description", "properties", "required", "additionalProperties", "prefixItems", "items")
_LAST = ("default", "$defs")
_HOOK = "__get_pydantic_core_schema__"
_DECIMAL = r"^-?[0-9]+(\.[0-9]+)?([Ee][+-]?[0-9]+)?$"


class SchemaWriter(GenerateJsonSchema):
    """Pydantic's JSON Schema writer with plainer words for some types."""

    # A default that is not JSON is left out; the parameter is optional all the same.
    ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Says no: the key is the title."""
        return False

    def field_is_required(self, field: Any, total: bool) -> bool:
        """Returns whether the key is always there: in a result, fields with a default are."""
        if self.mode == "serialization" and field["type"] != "typed-dict-field":
            return field.get("serialization_exclude_if") is None
        return super().field_is_required(field, total)

    def bytes_schema(self, schema: core_schema.BytesSchema) -> JsonSchemaValue:
        """Returns the schema of base64 text; with the length of the text unbounded."""
        return {"type": "string", "contentEncoding": "base64"}

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:
        """Returns number or digits in text for an argument, digits in text for a result."""
        text: JsonSchemaValue = {"type": "string", "pattern": _DECIMAL}
        if self.mode == "serialization":
            return text
        # pydantic's own pattern looks ahead, which grammars can't.
        number: JsonSchemaValue = self.float_schema({**schema, "type": "float"})  # type: ignore[typeddict-item]  # pyright: ignore[reportArgumentType]
        return {"anyOf": [number, text]}


def result_schema(adapter: TypeAdapter[Any]) -> JsonObject | None:
    """Returns the schema of a result; ``None`` when the annotation says nothing.

    Args:
        adapter: Of a list of the result.
    """
    listed = adapter.json_schema(schema_generator=SchemaWriter, mode="serialization")
    schema = compact({**listed.get("items", {}), "$defs": listed.get("$defs", {})}, closed=True)
    return schema if schema.keys() - {"description"} else None


def schema_trouble(error: Exception) -> str:
    """Returns why pydantic makes no schema of a type, to be read after "which"."""
    if isinstance(error, PydanticSchemaGenerationError | PydanticInvalidForJsonSchema):
        return "has no JSON Schema"
    if isinstance(error, NameError):  # pydantic's too
        return f"names something that is not defined: {error}"
    if isinstance(error, RecursionError):
        return "goes round in a circle"
    return f"is refused by pydantic: {str(error).splitlines()[0]}"


def compact(schema: Mapping[str, Any], *, closed: bool = False) -> JsonObject:
    """Returns a smaller schema that accepts the same.

    Args:
        schema: A JSON Schema as pydantic writes it.
        closed: Whether objects with named properties refuse other keys, where the schema does not say.
    """
    defs: dict[str, Any] = dict(schema.get("$defs", {}))
    recursive = {name for name in defs if name in _reachable(defs[name], defs)}
    kept: set[str] = set()

    def visit(node: Any) -> Any:
        if not isinstance(node, Mapping):
            return node
        fields = cast("dict[str, Any]", dict(node))  # pyright: ignore[reportUnknownArgumentType]
        if (name := _target(fields)) is not None:
            if name in recursive:
                kept.add(name)
            else:
                del fields["$ref"]
                return visit({**defs[name], **fields})
        return _tidy(map_subschemas(fields, visit), closed=closed)

    result: JsonObject = visit({k: v for k, v in schema.items() if k != "$defs"})
    written: JsonObject = {}
    while todo := sorted(kept - written.keys()):
        written |= {name: visit(defs[name]) for name in todo}
    return result | ({"$defs": written} if written else {})


def subschemas(node: Mapping[str, Any]) -> Iterator[Any]:
    """Yields the schemas directly inside of a schema."""
    for key in _MAPS:
        yield from node.get(key, {}).values()
    for key in _LISTS:
        yield from node.get(key, ())
    for key in _SINGLE:
        if key in node:
            yield from node[key] if is_array(node[key]) else (node[key],)


def map_subschemas(node: JsonObject, change: Callable[[Any], Any]) -> JsonObject:
    """Returns a copy of a schema with each direct subschema changed; defaults, enums and examples are data and stay.

    Args:
        node: A JSON Schema.
        change: Takes a subschema and returns what stands in its place.
    """
    changed: JsonObject = {}
    for key, value in node.items():
        if key in _MAPS:
            changed[key] = {name: change(sub) for name, sub in value.items()}
        elif key in _LISTS or (key in _SINGLE and is_array(value)):  # older drafts: "items", place by place
            changed[key] = [change(sub) for sub in value]
        else:
            changed[key] = change(value) if key in _SINGLE else value
    return changed


def _target(node: Mapping[str, Any]) -> str | None:
    ref = node.get("$ref")
    return ref.removeprefix("#/$defs/") if isinstance(ref, str) else None


def _reachable(node: Any, defs: Mapping[str, Any]) -> set[str]:
    """Returns the definitions that a schema leads to."""
    found: set[str] = set()
    todo = [node]
    while todo:
        current = todo.pop()
        if not isinstance(current, Mapping):
            continue
        current = cast("Mapping[str, Any]", current)
        if (name := _target(current)) is not None and name not in found:
            found.add(name)
            todo.append(defs[name])
        todo.extend(subschemas(current))
    return found


def _tidy(node: JsonObject, *, closed: bool) -> JsonObject:
    node.pop("title", None)
    # OpenAPI's word. The branches exclude each other by its property, so that anyOf says the same.
    if node.pop("discriminator", None) is not None and "oneOf" in node:
        node["anyOf"] = node.pop("oneOf")
    if node.get("format") in _UUID_VERSIONS:
        node["format"] = "uuid"
    if node.get("format") not in _FORMATS:
        node.pop("format", None)
    if "properties" in node:
        if closed:
            node.setdefault("additionalProperties", False)
    elif node.get("additionalProperties") is True:
        del node["additionalProperties"]
    if node.get("items") == {}:
        del node["items"]
    if "anyOf" in node:
        node = _join_types(node)
    return _ordered(node)


def _join_types(node: JsonObject) -> JsonObject:
    """Returns ``{"type": [...]}`` for an ``anyOf`` of simple types, where that means the same.

    It does when the types differ and at most one branch says more than its type: keywords such as
    ``minimum`` only bind values of their own type.
    """
    branches: list[JsonObject] = node["anyOf"]
    if not all(map(is_object, branches)):
        return node
    named = [b.get("type") for b in branches]
    detailed = [b for b in branches if b.keys() != {"type"}]
    if not all(isinstance(t, str) for t in named) or len(set(named)) < len(named) or len(detailed) > 1:
        return node
    detail = dict(detailed[0]) if detailed else {}
    if (
        "const" in detail
        or ("number" in named and detail.get("type") == "integer")
        or detail.keys() & node.keys() - {"type"}
    ):
        return node
    if "enum" in detail:
        if set(named) - {"null", detail["type"]}:
            return node
        detail["enum"] = [*detail["enum"], None]
    if "number" in named:
        named = [t for t in named if t != "integer"]
    rest = {k: v for k, v in node.items() if k != "anyOf"}
    return {**detail, "type": named, **rest}


def _ordered(node: JsonObject) -> JsonObject:
    """Returns the schema with its type and description first and its default last, as people write it."""
    middle = sorted(node.keys() - {*_ORDER, *_LAST}, key=lambda key: (not key.startswith("min"), key))
    return {key: node[key] for key in (*_ORDER, *middle, *_LAST) if key in node}


def support_typed_dicts(annotation: Any) -> None:
    """Makes pydantic accept `typing.TypedDict` on Python 3.11, wherever the annotation holds one.

    Pydantic refuses it before 3.12, because ``NotRequired`` is not told apart there when annotations are
    strings. Each class gets the hook that pydantic asks first; it answers with an equal class made by
    typing_extensions, from resolved annotations.
    """
    if sys.version_info >= (3, 12):
        return
    seen: set[int] = set()
    todo = [annotation]
    while todo:
        current = todo.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        todo.extend(get_args(current))
        if isinstance(current, type) and _has_fields(current):
            try:
                hints = get_type_hints(current, include_extras=True)
            except Exception:  # pydantic says better what is wrong
                continue
            todo.extend(hints.values())
            if type(current).__module__ == "typing" and _HOOK not in vars(current):
                _answer_for(current, hints)


def _has_fields(cls: type) -> bool:
    return (
        typing_extensions.is_typeddict(cls) or dataclasses.is_dataclass(cls) or (hasattr(cast("Any", cls), "_fields"))
    )


def _answer_for(typed_dict: type, hints: Mapping[str, Any]) -> None:
    required: frozenset[str] = getattr(typed_dict, "__required_keys__", frozenset())
    qualifiers = (typing_extensions.Required, typing_extensions.NotRequired)

    def qualified(key: str, hint: Any) -> Any:
        inner = hint.__origin__ if get_origin(hint) is Annotated else hint
        if get_origin(inner) in qualifiers:
            return hint
        return typing_extensions.Required[hint] if key in required else typing_extensions.NotRequired[hint]

    make: Any = typing_extensions.TypedDict  # checkers want a literal call
    equal: Any = make(typed_dict.__name__, {k: qualified(k, h) for k, h in hints.items()})
    equal.__doc__ = typed_dict.__doc__
    equal.__module__ = typed_dict.__module__
    equal.__pydantic_config__ = getattr(typed_dict, "__pydantic_config__", CONFIG)

    def answer(cls: type, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return handler.generate_schema(equal)

    setattr(typed_dict, _HOOK, classmethod(answer))
