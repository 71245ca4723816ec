"""Checks a JSON value against its schema, after decoding or on arrival."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol, TypeAlias, cast

import jsonschema_rs

from agentkit.errors import SchemaError
from agentkit.messages import JsonValue
from agentkit.model_backend.constraint.keywords import Path, is_object, resolve, subschemas

__all__ = ["Problem", "json_pointer", "validate", "validator"]

Schema: TypeAlias = "bool | Mapping[str, Any]"


@dataclass(frozen=True, slots=True)
class Problem:
    """One way in which a value does not fit its schema."""

    pointer: str
    """JSON pointer to the value; empty for the whole."""
    message: str

    def __str__(self) -> str:
        return f"{self.pointer or '(the whole value)'}: {self.message}"


class Validator(Protocol):
    """The part of jsonschema-rs's validators that is used here."""

    def iter_errors(self, instance: Any) -> Any:
        """Yields the errors."""
        ...


def validate(schema: Schema, value: JsonValue) -> list[Problem]:
    """Returns what is wrong with the value; an empty list when it fits. Formats are checked.

    Raises:
        SchemaError: The schema itself is not valid.
    """
    errors = validator(schema).iter_errors(value)
    return [Problem(json_pointer(*e.instance_path), e.message) for e in errors]


def validator(schema: Schema) -> Validator:
    """Returns the validator of a schema, built once.

    The draft is the one that ``$schema`` names; without it 2020-12, or the first of 7 and 4 that accepts the
    schema, as older schemas often name none.

    Raises:
        SchemaError: No draft accepts the schema, or it refers to something that is not in it.
    """
    try:
        return _validator(json.dumps(schema))
    except RecursionError as e:
        raise SchemaError("the schema is nested too deeply") from e


@lru_cache(maxsize=512)
def _validator(text: str) -> Validator:
    schema = json.loads(text)
    drafts: list[Any] = [jsonschema_rs.validator_for]
    if not (is_object(schema) and "$schema" in schema):
        drafts += [jsonschema_rs.Draft7Validator, jsonschema_rs.Draft4Validator]
    failures: list[Exception] = []
    for draft in drafts:
        try:
            return cast("Validator", draft(schema, validate_formats=True, retriever=_refuse_to_fetch))
        except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as e:
            failures.append(e)
    raise _schema_error(schema, failures[0])


def _refuse_to_fetch(uri: str) -> Any:
    # Without a retriever of ours the library goes to the network for it.
    raise ValueError(f"{uri!r} is outside the schema")


def _schema_error(schema: Any, error: Exception) -> SchemaError:
    for path, ref in _references(schema, ()):
        outside = not ref.startswith("#")
        if outside or (ref.startswith("#/") and resolve(schema, ref) is None):
            pointer = json_pointer(*path)
            what = "is outside the schema and is not fetched" if outside else "is not in the schema"
            return SchemaError(f"{pointer} refers to {ref!r}, which {what}: put it under $defs", pointer=pointer)
    if isinstance(error, jsonschema_rs.ValidationError):
        pointer = json_pointer(*error.instance_path)
        return SchemaError(f"{pointer or 'the schema'} is not valid JSON Schema: {error.message}", pointer=pointer)
    return SchemaError(f"the schema can't be used: {error}")


def _references(node: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if is_object(node):
        if isinstance(ref := node.get("$ref"), str):
            yield (*path, "$ref"), ref
        for inner_path, inner in subschemas(node):
            yield from _references(inner, (*path, *inner_path))


def json_pointer(*path: str | int) -> str:
    """Returns the JSON pointer (RFC 6901) of a path."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)
