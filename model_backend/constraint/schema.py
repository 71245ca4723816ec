"""What a grammar can enforce of a JSON Schema.

Every keyword ends in one of three ways: the grammar enforces it, or the grammar is relaxed and the keyword is
checked after decoding (the report names it by JSON pointer), or the schema is refused. First a walk settles
what can be told from the keyword alone; then the whole is compiled; and only when that fails, `loosen` looks
for the places that are to blame.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from agentkit.errors import SchemaError
from agentkit.messages import JsonObject
from agentkit.model_backend.constraint.closing import close_objects
from agentkit.model_backend.constraint.compiling import compile_error, is_unsatisfiable
from agentkit.model_backend.constraint.keywords import (
    ANNOTATIONS,
    CHECKED_FORMATS,
    ENFORCED,
    ENFORCED_FORMATS,
    NOT_IN_GRAMMARS,
    Path,
    is_object,
    subschemas,
)
from agentkit.model_backend.constraint.loosen import loosen
from agentkit.model_backend.constraint.numbers import bound_number
from agentkit.model_backend.constraint.validation import json_pointer, validator

__all__ = ["Relaxed", "SchemaReport", "check_schema"]


@dataclass(frozen=True, slots=True)
class Relaxed:
    """A place where the grammar allows more than the schema."""

    pointer: str
    """JSON pointer to the keyword."""
    reason: str

    def __str__(self) -> str:
        return f"{self.pointer or '(the whole schema)'}: {self.reason}"


@dataclass(frozen=True, slots=True)
class SchemaReport:
    """How a schema will be enforced. Whatever stands in neither list is enforced by the grammar."""

    relaxed: tuple[Relaxed, ...]
    """Not in the grammar; checked after decoding."""
    ignored: tuple[str, ...]
    """JSON pointers to keywords and formats that JSON Schema does not define; they restrict nothing."""
    grammar_text: str
    """The schema that the grammar is made from, as JSON on one line."""

    @property
    def strict(self) -> bool:
        """Whether the grammar alone makes every value valid."""
        return not self.relaxed


def check_schema(schema: Mapping[str, Any] | bool, *, closed: bool = False) -> SchemaReport:
    """Returns how the schema will be enforced.

    Args:
        schema: A JSON Schema: 2020-12, or the draft that its ``$schema`` names.
        closed: Whether objects that list their properties and say nothing about others allow no others,
            as tools mean it.

    Raises:
        SchemaError: The schema is not valid, refers to something outside itself, or nothing fits it; its
            ``pointer`` says where.
    """
    try:
        return _check(json.dumps(schema), closed)
    except RecursionError as e:
        raise SchemaError("the schema is nested too deeply") from e


@lru_cache(maxsize=512)
def _check(text: str, closed: bool) -> SchemaReport:
    schema: Any = json.loads(text)
    if schema is False:
        raise SchemaError("the schema is false: no value fits it")
    if schema is True:
        schema = {}
    if not is_object(schema):
        raise SchemaError(f"a schema is an object or true, not {text[:80]}")
    validator(schema)
    if closed:
        close_objects(schema)
    walk = _Walk()
    walk.node(schema, ())
    relaxed = walk.relaxed
    if error := compile_error(schema):
        relaxed += loosen(schema)
        error = compile_error(schema)
    if error:
        what = "no value fits the schema" if is_unsatisfiable(error) else "the schema can't be made into a grammar"
        raise SchemaError(f"{what}: {error}")
    reports = tuple(Relaxed(json_pointer(*path), reason) for path, reason in sorted(relaxed, key=str))
    ignored = tuple(json_pointer(*path) for path in walk.ignored)
    return SchemaReport(reports, ignored, json.dumps(schema))


class _Walk:
    """Takes out of a schema what can be told by keyword, node by node, and keeps a list."""

    def __init__(self) -> None:
        self.relaxed: list[tuple[Path, str]] = []
        self.ignored: list[Path] = []

    def node(self, node: object, path: Path) -> None:
        """Changes the node, and all in it, to what goes into the grammar."""
        if not is_object(node):
            return
        for key in list(node):
            if key in NOT_IN_GRAMMARS:
                self._drop(node, path, key, f"{key!r} is not in the grammar")
            elif key not in ENFORCED and key not in ANNOTATIONS:
                self.ignored.append((*path, key))
        self._format(node, path)
        self._patterns(node, path)
        for keyword, reason in bound_number(node):
            self.relaxed.append(((*path, keyword), reason))
        for inner_path, inner in list(subschemas(node)):
            self.node(inner, (*path, *inner_path))

    def _drop(self, node: JsonObject, path: Path, key: str, reason: str) -> None:
        value = node.pop(key)
        if not (key == "uniqueItems" and value is False):
            self.relaxed.append(((*path, key), reason))

    def _format(self, node: JsonObject, path: Path) -> None:
        name = node.get("format")
        if not isinstance(name, str) or name in ENFORCED_FORMATS:
            return
        if name in CHECKED_FORMATS:
            self._drop(node, path, "format", f"format {name!r} is not in the grammar")
        else:
            del node["format"]
            self.ignored.append((*path, "format"))

    def _patterns(self, node: JsonObject, path: Path) -> None:
        pattern = node.get("pattern")
        if isinstance(pattern, str) and (error := compile_error({"type": "string", "pattern": pattern})):
            self._drop(node, path, "pattern", f"pattern {pattern!r} is not in the grammar: {error}")
        by_pattern = node.get("patternProperties")
        if not is_object(by_pattern):
            return
        for regex in list(by_pattern):
            if error := compile_error({"type": "object", "patternProperties": {regex: {}}}):
                del by_pattern[regex]
                node["additionalProperties"] = True
                reason = f"names like {regex!r} are not in the grammar, so any further name is allowed: {error}"
                self.relaxed.append(((*path, "patternProperties", regex), reason))
