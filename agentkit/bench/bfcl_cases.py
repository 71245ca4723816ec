"""Reads rows of the Berkeley Function Calling Leaderboard (BFCL v4) as cases.

Format, one JSON object a line: ``id``, ``category``, ``question`` (a list of turns, each a list of
messages), ``function`` (declarations in BFCL's dialect of JSON Schema) and ``possible_answer`` (for
each expected call the allowed values of each parameter, where ``""`` means that it may be left out).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentkit.bench.rows import load_rows
from agentkit.messages import Assistant, JsonObject, Message, System, Text, User
from agentkit.model_backend.base import ToolSpec

__all__ = ["Case", "json_schema", "load_cases"]

_TYPES = {
    "string": "string",
    "integer": "integer",
    "float": "number",
    "boolean": "boolean",
    "array": "array",
    "tuple": "array",
    "dict": "object",
    "any": None,
}
_KEPT = ("description", "default", "enum", "format", "maximum", "minimum")

_MESSAGES: dict[str, Callable[[str], Message]] = {
    "system": System,
    "user": User,
    "assistant": lambda text: Assistant((Text(text),)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One question, the functions that may be called, and the calls that answer it."""

    id: str
    category: str
    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...]
    functions: tuple[JsonObject, ...]
    """The declarations as BFCL has them, which its scoring rules read."""
    answer: tuple[JsonObject, ...]
    """For each expected call, ``{name: {parameter: [allowed values]}}``."""


def load_cases(path: Path, *, limit: int | None = None) -> list[Case]:
    """Returns the cases of a file, the first `limit` of them when it is given.

    Raises:
        agentkit.errors.UsageError: The file can't be read, or a line is not a row of BFCL; the message
            names the file and the line.
    """
    return load_rows(path, _case, suite="BFCL", limit=limit)


def json_schema(dialect: Mapping[str, Any]) -> JsonObject:
    """Returns the JSON Schema (2020-12) that a schema in BFCL's dialect stands for.

    Objects with named properties are closed, because BFCL counts any other key as wrong.

    Raises:
        ValueError: The type is none that BFCL uses.
    """
    kind = dialect.get("type", "any")
    if kind not in _TYPES:
        raise ValueError(f"the type {kind!r} is not one of {', '.join(_TYPES)}")
    schema: JsonObject = {"type": _TYPES[kind]} if _TYPES[kind] else {}
    schema |= {key: dialect[key] for key in _KEPT if key in dialect}
    if properties := dialect.get("properties"):
        schema["properties"] = {name: json_schema(value) for name, value in properties.items()}
        schema["required"] = [name for name in dialect.get("required", ()) if name in properties]
        schema["additionalProperties"] = False
    if "items" in dialect:
        schema["items"] = json_schema(dialect["items"])
    return schema


def _case(row: Mapping[str, Any]) -> Case:
    first_turn: Sequence[Mapping[str, str]] = row["question"][0]
    names = {function["name"] for function in row["function"]}
    if unknown := [name for call in row["possible_answer"] for name in call if name not in names]:
        raise ValueError(f"the expected call {unknown[0]!r} is not among the functions")
    return Case(
        id=row["id"],
        category=row["category"],
        messages=tuple(_MESSAGES[message["role"]](message["content"]) for message in first_turn),
        tools=tuple(_tool(function) for function in row["function"]),
        functions=tuple(row["function"]),
        answer=tuple(row["possible_answer"]),
    )


def _tool(function: Mapping[str, Any]) -> ToolSpec:
    parameters: JsonObject = {"type": "object", "properties": {}, "additionalProperties": False}
    return ToolSpec(
        name=function["name"],
        description=function.get("description", ""),
        parameters=parameters | json_schema(function["parameters"]),
    )
