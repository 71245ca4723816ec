"""``agentkit tools``: lists tools with their schemas."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from agentkit.messages import JsonObject
    from agentkit.tools.tool import Tool

__all__ = ["tools"]


@click.command(short_help="List the tools of files, modules and tasks with their schemas.")
@click.argument("sources", metavar="MODULE_OR_FILE...", nargs=-1, required=True)
@click.option("--set", "given", multiple=True, metavar="KEY=VALUE", help="Give an input of a task a value. Repeatable.")
@click.option("--accept", is_flag=True, help="Take the tools of MCP servers as they are, though they changed.")
@click.option("--json", "as_json", is_flag=True, help="Print a list of JSON objects.")
def tools(sources: tuple[str, ...], given: tuple[str, ...], accept: bool, as_json: bool) -> None:
    """List the tools of Python files, modules and task files (.yaml) with their schemas.

    MCP servers of a task are started for it. What their tools are is kept in mcp-pins.json beside the task file, and a
    tool that is no longer what it was is refused with the differences, until --accept takes it.
    """
    from agentkit.cli.run import parse_inputs
    from agentkit.trace.text import visible

    inputs = parse_inputs(given)
    found = [tool for source in sources for tool in _load(source, inputs, accept=accept)]
    if as_json:
        click.echo(json.dumps([_to_json(t) for t in found], indent=2, ensure_ascii=False))
    else:
        click.echo(visible("\n\n".join(map(_describe, found))))


def _load(source: str, inputs: Mapping[str, str], *, accept: bool) -> list[Tool]:
    from agentkit.cli.follow import say
    from agentkit.task import read_task
    from agentkit.tools.loading import load_tools

    if not source.endswith((".yaml", ".yml")):
        return load_tools(source)
    task = read_task(Path(source), inputs)
    if accept:
        task = task.accepting()
    found = task.load_tools()
    for note in task.notes:
        say(note)
    return found


def _to_json(tool: Tool) -> JsonObject:
    return {
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
        "returns": tool.returns,
        "effect": tool.effect,
    }


def _describe(tool: Tool) -> str:
    properties: dict[str, JsonObject | bool] = tool.parameters.get("properties", {})
    required = tool.parameters.get("required", [])
    names = [name if name in required else f"[{name}]" for name in properties]
    out = [f"{tool.name}({', '.join(names)})  {tool.effect}"]
    out += [f"    {line}".rstrip() for line in tool.description.splitlines()]
    for name, schema in properties.items():
        rest = {} if isinstance(schema, bool) else dict(schema)
        described = rest.pop("description", "")
        out.append(f"    {name}: {json.dumps(schema if isinstance(schema, bool) else rest, ensure_ascii=False)}")
        out += [f"        {line}" for line in str(described).splitlines()]
    if tool.returns is not None:
        out.append(f"    returns {json.dumps(tool.returns, ensure_ascii=False)}")
    return "\n".join(out)
