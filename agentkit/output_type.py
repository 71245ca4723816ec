"""The type of a run's answer: its schema, and what makes a value of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, TypeAdapter

from agentkit.messages import JsonObject, JsonValue
from agentkit.tools.schema import compact

__all__ = ["output_type"]


def output_type(
    output: type[BaseModel] | JsonObject | None,
) -> tuple[JsonObject | None, Callable[[JsonValue], Any] | None]:
    """Returns the schema of the answer, and what converts it."""
    if output is None or isinstance(output, dict):
        return output, None
    adapter = TypeAdapter(output)
    return compact(adapter.json_schema(), closed=True), adapter.validate_python
