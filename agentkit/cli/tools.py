"""``agentkit tools``: lists tools with their schemas."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from agentkit.messages import JsonObject
    from agentkit.tools.tool import Tool

__all__ = ["tools"]


@click.command(short_help="List the tools of files and modules with their schemas.")
@click.argument("sources", metavar="MODULE_OR_FILE...", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print a list of JSON objects.")
def tools(sources: tuple[str, ...], as_json: bool) -> None:
    """List the tools of Python files and modules with their schemas."""
    from agentkit.tools.loading import load_tools
    from agentkit.trace.text import visible

    found = [tool for source in sources for tool in load_tools(source)]
    if as_json:
        click.echo(json.dumps([_to_json(t) for t in found], indent=2, ensure_ascii=False))
    else:
        click.echo(visible("\n\n".join(map(_describe, found))))


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
