"""Arguments: from the JSON that a model wrote to the Python values that a function takes.

What is converted, what is refused:

========================  ==========================================  =================================
annotated                 accepted besides its own JSON type          refused
========================  ==========================================  =================================
``int``                   ``"5"``, ``5.0``                            ``5.5``, ``"abc"``, ``true``
``float``                 ``"5.5"``, ``5``                            ``"abc"``, ``true``, NaN, Infinity
``str``                   ``5`` (as ``"5"``)                          ``true``, lists, objects
``bool``                  ``"true"``, ``"yes"``, ``1``, ``0`` ...     other numbers and words
``Decimal``               ``"0.10"`` (exact), ``0.1``                 NaN, Infinity
dates, times, durations   ISO 8601 text                               numbers, ``"1700000000"``
``bytes``                 base64 text                                 other text
``Enum``, ``Literal``     the value                                   the name, other spellings
``set``, ``tuple``        lists
objects                   any order of keys                           unknown keys, at every depth
========================  ==========================================  =================================

A message for the model has one line for each place that is wrong.
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import GenericAlias
from typing import Annotated, Any, cast, get_origin

from pydantic import BaseModel, Field, TypeAdapter, ValidationError, create_model
from pydantic_core import PydanticSerializationError, to_json, to_jsonable_python

from agentkit.errors import ArgumentError, ToolDefinitionError
from agentkit.messages import JsonObject
from agentkit.tools.explain import TEMPORAL, Path, Problem, from_pydantic, got, no_such, render, resolve
from agentkit.tools.schema import CONFIG, SchemaWriter, compact, schema_trouble
from agentkit.tools.signature import EMPTY, Parameter, define_error

__all__ = ["Arguments"]

_NUMBER = re.compile(r"\s*[-+]?\d+(\.\d*)?\s*")


class Arguments:
    """The parameters of one function, ready to take JSON.

    Args:
        function: The function, for messages.
        parameters: The parameters that a model fills in.

    Raises:
        agentkit.errors.ToolDefinitionError: A parameter's type has no JSON Schema.
    """

    def __init__(self, function: Callable[..., Any], parameters: Sequence[Parameter]) -> None:
        self._parameters = parameters
        # The model's fields have names of our own: a parameter may be called "copy", "_x" or "model_config".
        fields: dict[str, Any] = {f"p{i}": _field(p) for i, p in enumerate(parameters)}
        try:
            self._model: type[BaseModel] = create_model("Arguments", __config__=CONFIG, **fields)
            schema = compact(self._model.model_json_schema(schema_generator=SchemaWriter), closed=True)
        except Exception as error:
            raise _culprit(function, parameters, error) from None
        self.schema: JsonObject = {"type": "object", "properties": {}, **schema}

    def validate(self, tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the arguments as Python values, by parameter name; those left to Python's defaults are not in it.

        Args:
            tool: The tool's name, for the message.
            arguments: JSON values; dates and the like (from YAML) are taken as their JSON text.

        Raises:
            agentkit.errors.ArgumentError: They do not fit; the message is meant for the model.
        """
        try:
            value: Any = to_jsonable_python(arguments)
            text = to_json(value)
        except (PydanticSerializationError, UnicodeError, ValueError) as error:
            raise ArgumentError(f"The arguments of {tool!r} are not JSON: {error}") from None
        problems = list(_lenient(self.schema, value, (), self.schema))
        try:
            model = self._model.model_validate_json(text)
        except ValidationError as error:
            problems += from_pydantic(error, self.schema, value)
        except RecursionError:
            problems.append(Problem((), "nested too deeply"))
        else:
            if not problems:
                return self._values(model)
        raise ArgumentError(
            f"The arguments of {tool!r} do not fit:\n{render(problems)}", problems=[(p.path, p.text) for p in problems]
        )

    def _values(self, model: BaseModel) -> dict[str, Any]:
        return {
            p.name: getattr(model, f"p{i}")
            for i, p in enumerate(self._parameters)
            if f"p{i}" in model.model_fields_set or p.default is EMPTY
        }


def _field(p: Parameter) -> Any:
    default = {} if p.default is EMPTY else {"default": p.default}
    return (p.annotation, Field(alias=p.name, validation_alias=p.name, serialization_alias=p.name, **default))


def _culprit(function: Callable[..., Any], parameters: Sequence[Parameter], error: Exception) -> ToolDefinitionError:
    """Returns the error that names the parameter whose type is at fault, found by trying each alone."""
    fix = "take JSON types, a dataclass, a TypedDict or a pydantic model instead"
    for p in parameters:
        try:
            TypeAdapter[Any](cast("Any", GenericAlias(list, p.annotation)), config=CONFIG).json_schema(
                schema_generator=SchemaWriter
            )
        except Exception as own:
            plain = p.annotation.__origin__ if get_origin(p.annotation) is Annotated else p.annotation
            label = inspect.formatannotation(plain)
            reason = f"parameter {p.name!r} has the type {label}, which {schema_trouble(own)}; {fix}"
            return define_error(function, reason)
    return define_error(function, f"its parameters together have no JSON Schema: {schema_trouble(error)}; {fix}")


def _lenient(schema: Any, value: Any, path: Path, root: JsonObject) -> Iterator[Problem]:
    """Yields what pydantic would let through though the schema does not: guesses that lose something."""
    node = resolve(schema, root)
    if branches := node.get("anyOf") or node.get("oneOf"):
        fitting = [b for b in branches if _could_be(resolve(b, root), value)]
        found = [list(_lenient(branch, value, path, root)) for branch in fitting or branches]
        if all(found):
            yield from min(found, key=len) if fitting else [Problem(path, got(value, node, root))]
        return
    if _misread(node, value):
        yield Problem(path, got(value, node, root))
    elif isinstance(value, dict):
        yield from _lenient_object(node, cast("JsonObject", value), path, root)
    elif isinstance(value, list):
        prefix: list[Any] = node.get("prefixItems", [])
        for i, item in enumerate(cast("Iterable[Any]", value)):
            yield from _lenient(prefix[i] if i < len(prefix) else node.get("items", {}), item, (*path, i), root)


def _lenient_object(node: JsonObject, value: JsonObject, path: Path, root: JsonObject) -> Iterator[Problem]:
    properties: JsonObject = node.get("properties", {})
    other = node.get("additionalProperties", {})
    for key, item in value.items():
        if key in properties:
            yield from _lenient(properties[key], item, (*path, key), root)
        elif other is False:
            yield Problem((*path, key), no_such(key, properties, value, "field" if path else "parameter"))
        else:
            yield from _lenient(other, item, (*path, key), root)


def _misread(node: Mapping[str, Any], value: Any) -> bool:
    types = _types(node)
    if isinstance(value, bool):
        in_enum = any(isinstance(v, bool) for v in node.get("enum", [node.get("const")]))
        return bool(types) and "boolean" not in types and not in_enum
    if isinstance(value, float) and not math.isfinite(value):
        return True  # not JSON
    if node.get("format") in TEMPORAL and types <= {"string", "null"}:
        return isinstance(value, int | float) or (isinstance(value, str) and bool(_NUMBER.fullmatch(value)))
    return False


def _could_be(node: Mapping[str, Any], value: Any) -> bool:
    """Whether a value has the JSON type that a schema asks for."""
    names: dict[type[Any], str] = {
        dict: "object",
        list: "array",
        str: "string",
        bool: "boolean",
        int: "integer",
        float: "number",
    }
    name = names.get(value.__class__, "null")
    types = _types(node)
    return not types or name in types or (name == "integer" and "number" in types)


def _types(node: Mapping[str, Any]) -> set[str]:
    types: str | list[str] = node.get("type", [])
    return {types} if isinstance(types, str) else set(types)
