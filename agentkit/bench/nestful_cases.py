"""Reads rows of NESTFUL (nested sequences of API calls) as cases.

Format, one JSON object a line: ``id``, ``input`` (the task), ``tools`` (``name``, ``description``, ``parameters``,
``returns``) and ``gold``: the expected steps in order, each with ``id``, ``tool`` and ``args``. A reference is the text
``$id$`` or ``$id.key$``, alone or inside of other text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentkit.bench.plan_cases import PlanCase, Scores
from agentkit.bench.plan_match import score_plan
from agentkit.bench.plan_values import read_references
from agentkit.bench.rows import load_rows
from agentkit.messages import JsonObject, is_object
from agentkit.model_backend.base import ToolSpec
from agentkit.planners.plan import Step, StepId

__all__ = ["NestfulCase", "load_nestful", "tool_spec"]

_TYPES = {
    "string": "string",
    "str": "string",
    "number": "number",
    "float": "number",
    "double": "number",
    "integer": "integer",
    "int": "integer",
    "boolean": "boolean",
    "bool": "boolean",
    "array": "array",
    "list": "array",
    "tuple": "array",
    "object": "object",
    "dict": "object",
    "null": "null",
}
_KEPT = ("description", "enum")


@dataclass(frozen=True, slots=True, kw_only=True)
class NestfulCase(PlanCase):
    """A task with the plan that is expected."""

    gold: tuple[Step, ...]
    """The expected steps."""

    def score(self, steps: Sequence[Step]) -> Scores:
        """Returns how near the steps come to the expected ones; see `agentkit.bench.plan_match`."""
        return score_plan(self.gold, steps)


def load_nestful(path: Path, *, limit: int | None = None) -> list[NestfulCase]:
    """Returns the cases of a file, the first `limit` of them when it is given.

    Raises:
        agentkit.errors.UsageError: The file can't be read, or a line is not a row of NESTFUL; the message
            names the file and the line.
    """
    return load_rows(path, _case, suite="NESTFUL", limit=limit)


def tool_spec(declared: Mapping[str, Any]) -> ToolSpec:
    """Returns what a tool of NESTFUL is as a declaration with JSON Schemas (2020-12).

    The parameters are closed: others are wrong. So are results, and they hold every key that they name, because
    NESTFUL has no other way to say which there are. An object or a list without a word on what is inside stays open.
    """
    parameters: JsonObject = {"type": "object", "properties": {}, "additionalProperties": False}
    returns = declared.get("returns")
    return ToolSpec(
        name=declared["name"],
        description=declared.get("description") or "",
        parameters=parameters | _schema(declared["parameters"]),
        returns=_result_schema(returns) if returns else None,
        pure=True,
    )


def _schema(dialect: Mapping[str, Any]) -> JsonObject:
    kind = _TYPES.get(str(dialect.get("type", "")).lower())
    schema: JsonObject = {"type": kind} if kind else {}
    schema |= {key: dialect[key] for key in _KEPT if dialect.get(key)}
    if properties := dialect.get("properties"):
        schema["type"] = "object"
        schema["properties"] = {name: _schema(value) for name, value in properties.items()}
        schema["required"] = [name for name in dialect.get("required") or () if name in properties]
        schema["additionalProperties"] = False
    if is_object(dialect.get("items")) and dialect["items"]:
        schema["items"] = _schema(dialect["items"])
    return schema


def _result_schema(dialect: Mapping[str, Any]) -> JsonObject:
    return _with_all_keys(_schema(dialect))


def _with_all_keys(schema: JsonObject) -> JsonObject:
    changed = dict(schema)
    if "properties" in schema:
        changed["properties"] = {name: _with_all_keys(value) for name, value in schema["properties"].items()}
        changed["required"] = list(schema["properties"])
    if "items" in schema:
        changed["items"] = _with_all_keys(schema["items"])
    return changed


def _case(row: Mapping[str, Any]) -> NestfulCase:
    tools = tuple(tool_spec(tool) for tool in row["tools"])
    gold = _gold(row["gold"])
    names = {tool.name for tool in tools}
    if unknown := [step.tool for step in gold if step.tool not in names]:
        raise ValueError(f"the expected step calls {unknown[0]!r}, which is not among the tools")
    return NestfulCase(
        id=str(row["id"]),
        category=str(row["id"]).partition("-")[0],
        task=row["input"],
        tools=tools,
        gold=gold,
    )


def _gold(rows: Sequence[Mapping[str, Any]]) -> tuple[Step, ...]:
    """Returns the expected steps, numbered anew: there are rows in which two have the same id."""
    if not rows:
        raise ValueError("there is no expected step")
    ids: dict[str, StepId] = {}
    steps: list[Step] = []
    for row in rows:
        args: JsonObject = {name: read_references(value, ids, end="$") for name, value in row["args"].items()}
        steps.append(Step(id=StepId(f"s{len(steps) + 1}"), tool=row["tool"], args=args))
        ids[row["id"]] = steps[-1].id
    return tuple(steps)
