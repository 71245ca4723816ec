"""The fields of a task file, each read from its YAML node or refused with a position."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from agentkit.errors import PlanError
from agentkit.limits import Limits
from agentkit.messages import JsonObject, JsonValue
from agentkit.planners.plan import Plan, Step, StepId, parse_refs
from agentkit.task_inputs import did_you_mean, render
from agentkit.yaml_source import Node, Source

__all__ = [
    "PlannerName",
    "mapping",
    "read_limits",
    "read_planner",
    "read_policy",
    "read_schema",
    "read_texts",
    "read_thinking",
    "text",
]

PlannerName: TypeAlias = Literal["auto", "loop"]

_DURATION = re.compile(r"(\d+(?:\.\d+)?) ?(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_STEP_ID = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


def mapping(source: Source, node: Node, what: str, names: tuple[str, ...]) -> Mapping[str, Node]:
    """Returns the values of a mapping that has no other keys than `names`.

    Raises:
        agentkit.errors.TaskFileError: It is not a mapping, or has an unknown key.
    """
    if not isinstance(node.value, dict):
        raise source.error(node, f"{what} must be a mapping with the keys {', '.join(names)}, not {node.describe()}")
    for key, place in node.keys.items():
        if key not in names:
            raise source.error(place, f"unknown key {key!r} in {what}; {did_you_mean(key, names, 'keys')}")
    return node.value


def text(source: Source, node: Node, name: str, example: str) -> str:
    """Returns a text that is not blank.

    Raises:
        agentkit.errors.TaskFileError: It is something else.
    """
    if isinstance(node.value, str) and node.value.strip():
        return node.value
    found = "blank text" if isinstance(node.value, str) else node.describe()
    raise source.error(node, f"{name!r} must be text such as {example}, not {found}")


def read_texts(source: Source, node: Node | None, name: str, example: str) -> tuple[str, ...]:
    """Returns the texts of a list; one text alone may stand for a list of one."""
    if node is None:
        return ()
    items = [node] if isinstance(node.value, str) else node.value
    if not isinstance(items, list):
        raise source.error(node, f"{name!r} must be a list such as [{example}], not {node.describe()}")
    return tuple(text(source, item, f"{name}[{i}]", example) for i, item in enumerate(items))


def read_thinking(source: Source, node: Node | None) -> int | None:
    """Returns the thought budget in tokens: 0 for ``false``, ``None`` when the file does not say."""
    if node is None:
        return None
    if node.value is False:
        return 0
    if not isinstance(node.value, dict):
        raise source.error(node, f"'thinking' must be {{budget: 1024}} or false, not {node.describe()}")
    budget = mapping(source, node, "'thinking'", ("budget",)).get("budget")
    if budget is None:
        raise source.error(node, "'thinking' needs a budget in tokens; write {budget: 1024}, or false")
    return _count(source, budget, "thinking.budget", "tokens")


def read_limits(source: Source, node: Node | None) -> Limits:
    """Returns the limits; those that the file does not name keep their defaults."""
    if node is None:
        return Limits()
    units = {"calls": "tool calls", "tokens": "tokens", "turns": "model turns", "parallel": "calls at a time"}
    found = mapping(source, node, "'limits'", ("time", *units))
    values: dict[str, Any] = {
        name: _duration(source, value) if name == "time" else _count(source, value, f"limits.{name}", units[name])
        for name, value in found.items()
    }
    return Limits(**values)


def read_policy(source: Source, node: Node | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Returns the patterns of tool names that may be called, and of those that may not."""
    if node is None:
        return (), ()
    found = mapping(source, node, "'policy'", ("allow", "ask", "deny"))
    if "ask" in found:
        raise source.error(
            node.keys["ask"], "'policy.ask' is not supported yet, it comes soon; list the tools under 'allow' or 'deny'"
        )
    return (
        read_texts(source, found.get("allow"), "policy.allow", "read_*"),
        read_texts(source, found.get("deny"), "policy.deny", "write_*"),
    )


def read_schema(source: Source, node: Node) -> JsonObject:
    """Returns a JSON Schema, checked against the meta-schema."""
    import jsonschema_rs

    schema = node.plain()
    assert isinstance(schema, dict)
    try:
        jsonschema_rs.meta.validate(schema)
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
        place = node.find(tuple(getattr(error, "instance_path", ())))
        reason = getattr(error, "message", str(error))
        raise source.error(place, f"'output' is not a JSON Schema: {reason}; correct this keyword") from None
    return schema


def read_planner(source: Source, node: Node | None, inputs: Mapping[str, JsonValue]) -> PlannerName | tuple[Step, ...]:
    """Returns the planner's name, or the steps that are given."""
    if node is None:
        return "auto"
    match node.value:
        case "auto" | "loop":
            return node.value
        case "graph":
            raise source.error(node, "'planner: graph' is not supported yet, it comes soon; use auto or loop")
        case list():
            return _steps(source, node, node.value, inputs)
        case str():
            advice = did_you_mean(node.value, ("auto", "loop"), "planners")
            raise source.error(node, f"unknown planner {node.value!r}; {advice}, or a list of steps")
        case _:
            raise source.error(node, f"'planner' must be auto, loop, or a list of steps, not {node.describe()}")


def _steps(source: Source, node: Node, items: list[Node], inputs: Mapping[str, JsonValue]) -> tuple[Step, ...]:
    if not items:
        raise source.error(node, "'planner' is an empty list; write a step such as {id: rows, tool: load_csv}, or auto")
    plan = Plan()
    for item in items:
        step = _step(source, item, inputs)
        try:
            plan.add(step)
        except PlanError as error:
            raise source.error(item, str(error)) from None
    return tuple(plan)


def _step(source: Source, node: Node, inputs: Mapping[str, JsonValue]) -> Step:
    found = mapping(source, node, "a step", ("id", "tool", "args", "after", "purpose"))
    for name in ("id", "tool"):
        if name not in found:
            raise source.error(node, f"a step needs {name!r}; write {{id: rows, tool: load_csv, args: {{...}}}}")
    step_id = text(source, found["id"], "id", "rows")
    if not _STEP_ID.fullmatch(step_id):
        raise source.error(
            found["id"], f"the id {step_id!r} can't be referred to; use letters, digits, '_' and '-', a letter first"
        )
    args = found.get("args", Node({}, node.line, node.column))
    if not isinstance(args.value, dict):
        raise source.error(args, f"'args' must be a mapping of parameters to values, not {args.describe()}")
    after = read_texts(source, found.get("after"), "after", "rows")
    return Step(
        id=StepId(step_id),
        tool=text(source, found["tool"], "tool", "load_csv"),
        args=_args(source, args, inputs),
        after=tuple(StepId(a) for a in after),
        purpose=text(source, found["purpose"], "purpose", "load the table") if "purpose" in found else "",
    )


def _args(source: Source, node: Node, inputs: Mapping[str, JsonValue]) -> Any:
    """The values of a step's arguments: references parsed, then inputs put in, so that an input is never a reference.

    A text that is wholly ``{{ name }}`` becomes the input itself, with its type.
    """
    if isinstance(node.value, dict):
        return {k: _args(source, n, inputs) for k, n in node.value.items()}
    if isinstance(node.value, list):
        return [_args(source, n, inputs) for n in node.value]
    if not isinstance(node.value, str):
        return node.value
    whole = re.fullmatch(r"\{\{\s*(\w+)\s*\}\}", node.value)
    if whole and whole[1] in inputs:
        return inputs[whole[1]]
    if node.value.startswith("$"):
        try:
            return parse_refs(node.value)
        except PlanError as error:
            raise source.error(node, str(error)) from None
    return render(source, node, inputs)


def _count(source: Source, node: Node, name: str, unit: str) -> int:
    if isinstance(node.value, int) and not isinstance(node.value, bool) and 1 <= node.value < 10**12:
        return node.value
    raise source.error(node, f"{name!r} must be a whole number of {unit}, at least 1, not {node.describe()}")


def _duration(source: Source, node: Node) -> float:
    seconds: float | None = None
    if isinstance(node.value, int | float) and not isinstance(node.value, bool):
        seconds = float(node.value) if abs(node.value) < 10**12 else None
    elif isinstance(node.value, str) and (match := _DURATION.fullmatch(node.value)):
        seconds = float(match[1]) * _SECONDS[match[2]]
    if seconds is None or not 0 < seconds < 10**9:
        raise source.error(
            node, f"'limits.time' must be a duration such as 120s, 2m or 500ms, more than 0, not {node.describe()}"
        )
    return seconds
