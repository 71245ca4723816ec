"""Finds which places of a schema keep it from being a grammar, and relaxes those and no others.

llguidance says that a schema can't be compiled, not where. So a schema that fails is searched from the top:
a node is looked at only when it fails by itself, and what is taken from it is the first in a fixed order
that makes it compile.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

from agentkit.errors import SchemaError
from agentkit.messages import JsonObject
from agentkit.model_backend.constraint.compiling import compile_error, is_unsatisfiable
from agentkit.model_backend.constraint.keywords import ANNOTATIONS, Path, is_array, is_object, resolve, subschemas
from agentkit.model_backend.constraint.validation import json_pointer

__all__ = ["loosen"]

SEARCH_SECONDS = 3.0
_ROOT = "#/$defs/root"


def loosen(schema: JsonObject) -> list[tuple[Path, str]]:
    """Relaxes the schema in place until it compiles.

    Returns:
        Where keywords were taken out, each with the reason.

    Raises:
        SchemaError: Nothing fits the schema.
    """
    search = _Search(schema)
    search.repair((), schema)
    return search.relaxed


class _Search:
    def __init__(self, schema: JsonObject) -> None:
        self._schema = schema
        self._visited: set[Path] = set()
        self._until = time.monotonic() + SEARCH_SECONDS
        self.relaxed: list[tuple[Path, str]] = []

    def repair(self, path: Path, node: Any) -> None:
        """Makes the node at the path compile."""
        if path in self._visited or not is_object(node):
            return
        self._visited.add(path)
        error = self._error(path)
        if not error:
            return
        for inner_path, inner in list(subschemas(node)):
            self.repair((*path, *inner_path), inner)
        ref = node.get("$ref")
        if isinstance(ref, str) and ref.startswith("#/") and (target := resolve(self._schema, ref)):
            self.repair(*target)
        error = self._error(path)
        if error and is_unsatisfiable(error):
            self._unsatisfiable(path, error)
        for take_out in _STEPS:
            if not error:
                return
            for keyword in take_out(node):
                self.relaxed.append(((*path, *keyword), error))
                error = self._error(path)
        if error:
            _generalise(node)
            self.relaxed.append((path, error))

    def _error(self, path: Path) -> str:
        if time.monotonic() > self._until:
            raise SchemaError(
                f"the schema is too intricate: no grammar was found for it in {SEARCH_SECONDS:g} s",
                pointer=json_pointer(*path),
            )
        if not path:
            return compile_error(self._schema)
        root = _with_moved_refs(self._schema)
        return compile_error({"$ref": _ROOT + quote(json_pointer(*path)), "$defs": {"root": root}})

    def _unsatisfiable(self, path: Path, error: str) -> None:
        """A dead branch of a union, or an optional property that can't be, is no reason to refuse."""
        if is_unsatisfiable(compile_error(self._schema)):
            pointer = json_pointer(*path)
            raise SchemaError(f"no value fits {pointer or 'the schema'}: {error}", pointer=pointer)


def _one_of(node: JsonObject) -> Iterator[Path]:
    if "oneOf" in node:
        options = node.pop("oneOf")
        if "anyOf" in node:
            node["allOf"] = [*node.get("allOf", ()), {"anyOf": options}]
        else:
            node["anyOf"] = options
        yield ("oneOf",)


def _property_counts(node: JsonObject) -> Iterator[Path]:
    for key in ("minProperties", "maxProperties"):
        if node.pop(key, None) is not None:
            yield (key,)


def _pattern_properties(node: JsonObject) -> Iterator[Path]:
    if node.pop("patternProperties", None) is not None:
        node["additionalProperties"] = True
        yield ("patternProperties",)


def _beside_ref(node: JsonObject) -> Iterator[Path]:
    if "$ref" in node:
        for key in [k for k in node if k != "$ref" and k not in ANNOTATIONS]:
            del node[key]
            yield (key,)


def _dropping(*keywords: str) -> Callable[[JsonObject], Iterator[Path]]:
    def take_out(node: JsonObject) -> Iterator[Path]:
        for key in keywords:
            if node.pop(key, None) is not None:
                yield (key,)

    return take_out


_STEPS: tuple[Callable[[JsonObject], Iterator[Path]], ...] = (
    _one_of,
    _property_counts,
    _pattern_properties,
    _beside_ref,
    _dropping("pattern", "format", "minLength", "maxLength"),
    _dropping("multipleOf"),
    _dropping("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
    _dropping("allOf"),
    _dropping("anyOf"),
)


def _generalise(node: JsonObject) -> None:
    """Keeps the type and what others refer to."""
    kept: JsonObject = {key: node[key] for key in ("type", "$defs", "definitions") if key in node}
    node.clear()
    node.update(kept)


def _with_moved_refs(node: Any) -> Any:
    """A copy whose references start at `_ROOT`."""
    if is_array(node):
        return [_with_moved_refs(inner) for inner in node]
    if not is_object(node):
        return node
    copy = {key: _with_moved_refs(inner) for key, inner in node.items()}
    ref = copy.get("$ref")
    if isinstance(ref, str) and ref.startswith("#"):  # not a string: a property that is called $ref
        copy["$ref"] = _ROOT + ref[1:]
    return copy
