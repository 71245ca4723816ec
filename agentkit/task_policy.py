"""The policy of a task file, read from its YAML node or refused with a position."""

from __future__ import annotations

from typing import Any, TypeVar

from agentkit.errors import UsageError
from agentkit.messages import JsonObject
from agentkit.policy import Policy, Rule, SinkRule
from agentkit.task_fields import mapping, read_texts, text
from agentkit.yaml_source import Node, Source

__all__ = ["read_policy"]

_KEYS = ("allow", "ask", "deny", "untrusted", "trusted", "sinks")
_EXAMPLES = {
    "allow": "read_*",
    "ask": "{tool: send_money, when: {amount: {exclusiveMinimum: 100}}}",
    "deny": "write_*",
    "sinks": "{tool: send_mail, arguments: [to]}",
}

T = TypeVar("T", Rule, SinkRule)


def read_policy(source: Source, node: Node | None) -> Policy:
    """Returns the policy; without one, everything is allowed that untrusted text has not decided.

    Raises:
        agentkit.errors.TaskFileError: Something in it is wrong.
    """
    if node is None:
        return Policy()
    fields: dict[str, Any] = {}
    for key, value in mapping(source, node, "'policy'", _KEYS).items():
        name = f"policy.{key}"
        if key in ("untrusted", "trusted"):
            fields[key] = read_texts(source, value, name, "read_mail")
        elif key == "sinks":
            fields[key] = tuple(_sink(source, item, at) for item, at in _items(source, value, key))
        else:
            fields[key] = tuple(_rule(source, item, at) for item, at in _items(source, value, key))
    return Policy(**fields)


def _items(source: Source, node: Node, key: str) -> list[tuple[Node, str]]:
    """Returns the entries of a list, each with its name; one alone may stand for a list of one."""
    entries = node.value if isinstance(node.value, list) else [node]
    if isinstance(node.value, dict | str | list):
        return [(item, f"policy.{key}[{i}]") for i, item in enumerate(entries)]
    raise source.error(node, f"'policy.{key}' must be a list such as [{_EXAMPLES[key]}], not {node.describe()}")


def _rule(source: Source, node: Node, name: str) -> str | Rule:
    if not isinstance(node.value, dict):
        return text(source, node, name, _example(name))
    found = mapping(source, node, f"'{name}'", ("tool", "when"))
    tool = _tool(source, node, name)
    if "when" not in found:
        return tool
    conditions = found["when"]
    if not isinstance(conditions.value, dict) or not conditions.value:
        wanted = "a mapping of arguments to JSON Schemas, such as {amount: {exclusiveMinimum: 100}}"
        raise source.error(conditions, f"'{name}.when' must be {wanted}, not {conditions.describe()}")
    when: dict[str, JsonObject] = {}
    for argument, schema in conditions.value.items():
        plain: Any = schema.plain()
        try:
            Rule(tool, {argument: plain})
        except UsageError as error:
            raise source.error(schema, " ".join(str(error).split())) from None
        when[argument] = plain
    return Rule(tool, when)


def _sink(source: Source, node: Node, name: str) -> str | SinkRule:
    if not isinstance(node.value, dict):
        return text(source, node, name, _example(name))
    found = mapping(source, node, f"'{name}'", ("tool", "arguments"))
    arguments = read_texts(source, found.get("arguments"), f"{name}.arguments", "to")
    return SinkRule(_tool(source, node, name), arguments)


def _tool(source: Source, node: Node, name: str) -> str:
    assert isinstance(node.value, dict)
    if "tool" not in node.value:
        raise source.error(node, f"'{name}' needs 'tool'; write it as {_example(name)}")
    return text(source, node.value["tool"], f"{name}.tool", "send_*")


def _example(name: str) -> str:
    return _EXAMPLES[name.split(".")[1].partition("[")[0]]
