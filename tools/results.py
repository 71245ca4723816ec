"""Results: from what a function gives to JSON, as its return annotation says."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable
from contextlib import suppress
from types import GenericAlias
from typing import Any, cast

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, to_jsonable_python

from agentkit.errors import ToolFailed
from agentkit.messages import JsonObject, JsonValue
from agentkit.tools.explain import from_pydantic, render
from agentkit.tools.schema import CONFIG, result_schema, schema_trouble
from agentkit.tools.signature import EMPTY, Signature, define_error

__all__ = ["Results"]

_NOT_JSON = (PydanticSerializationError, ValueError, TypeError, RecursionError)


class Results:
    """The result of one function.

    With a return annotation, a value of another type is converted where pydantic can (a dict to the
    dataclass that was promised), and refused where it can't. Without one, the value is turned to JSON as
    far as it goes: dataclasses, models, dates, sets, numpy scalars and arrays.

    Args:
        function: The function, for messages.
        signature: What it promises.

    Raises:
        agentkit.errors.ToolDefinitionError: The return annotation has no JSON Schema.
    """

    def __init__(self, function: Callable[..., Any], signature: Signature) -> None:
        self._adapter: TypeAdapter[Any] | None = None
        self.schema: JsonObject | None = None
        annotation = signature.result
        if annotation is EMPTY:
            return
        try:
            # In a list of one, because pydantic takes no configuration next to a model or dataclass.
            self._adapter = TypeAdapter[Any](cast("Any", GenericAlias(list, annotation)), config=CONFIG)
            self.schema = result_schema(self._adapter)
        except Exception as error:
            fix = "return JSON types, a dataclass, a TypedDict or a pydantic model instead"
            reason = (
                f"the result has the type {inspect.formatannotation(annotation)}, which {schema_trouble(error)}; {fix}"
            )
            raise define_error(function, reason) from None

    def to_json(self, tool: str, value: Any) -> JsonValue:
        """Returns a result as JSON.

        Raises:
            agentkit.errors.ToolFailed: It is not what the annotation says, or not JSON.
        """
        result = self._by_best_effort(tool, value) if self._adapter is None else self._by_annotation(tool, value)
        if (place := _not_finite(result)) is not None:
            where = f" at {place!r}" if place else ""
            raise ToolFailed(
                f"{tool!r} gave a result with NaN or Infinity{where}, which JSON has not; give None instead"
            )
        return result

    def _by_annotation(self, tool: str, value: Any) -> JsonValue:
        with suppress(*_NOT_JSON):
            if value is not None:  # pydantic writes None for any type and does not warn
                return self._dump(value)
        # Not the type that was promised: perhaps it can become it.
        assert self._adapter is not None
        try:
            return self._dump(self._adapter.validate_python([_plain(value)])[0])
        except ValidationError as error:
            lines = render(from_pydantic(error, self.schema or {}, value, skip=1))
            raise ToolFailed(f"{tool!r} gave a result that is not what its annotation says:\n{lines}") from error
        except _NOT_JSON as error:
            raise _not_json(tool, error) from error

    def _dump(self, value: Any) -> JsonValue:
        assert self._adapter is not None
        dumped = self._adapter.dump_python(
            [value], mode="json", by_alias=True, warnings="error", fallback=_plain_or_refuse
        )
        return cast("JsonValue", dumped[0])

    def _by_best_effort(self, tool: str, value: Any) -> JsonValue:
        try:
            return cast("JsonValue", to_jsonable_python(value, fallback=_plain_or_refuse, bytes_mode="base64"))
        except _NOT_JSON as error:
            raise _not_json(tool, error) from error


def _plain(value: Any) -> Any:
    """Returns the Python value of a numpy scalar or array; other values as they are."""
    to_list = getattr(value, "tolist", None)
    return to_list() if callable(to_list) else value


def _plain_or_refuse(value: Any) -> Any:
    plain = _plain(value)
    if plain is value:
        raise TypeError(f"a value of type {type(value).__name__!r} has no JSON form")
    return plain


def _not_json(tool: str, error: Exception) -> ToolFailed:
    why = str(error).removeprefix("Error calling function `_plain_or_refuse`: TypeError: ")
    return ToolFailed(f"{tool!r} gave a result that can't be JSON: {why}; return JSON types, a dataclass or a model")


def _not_finite(value: Any, path: str = "") -> str | None:
    """Returns the place of the first NaN or Infinity; ``None`` when there is none."""
    if isinstance(value, float):
        return None if math.isfinite(value) else path
    if isinstance(value, dict):
        parts: Any = ((f"{path}.{k}".removeprefix("."), v) for k, v in cast("JsonObject", value).items())
    elif isinstance(value, list):
        parts = ((f"{path}[{i}]", v) for i, v in enumerate(cast("Iterable[Any]", value)))
    else:
        return None
    return next((found for p, v in parts if (found := _not_finite(v, p)) is not None), None)
