"""The tools of a task file: names of files and modules, and MCP servers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from agentkit.errors import UsageError
from agentkit.task_fields import duration, mapping, read_texts, text
from agentkit.tools.mcp.pins import FILE_NAME
from agentkit.tools.mcp.server import McpServer
from agentkit.yaml_source import Node, Source

__all__ = ["ToolSource", "read_tools"]

ToolSource: TypeAlias = "str | McpServer"

_KEYS = ("name", "command", "url", "env", "headers", "cwd", "tools", "trust_hints", "timeout", "pins")


def read_tools(source: Source, node: Node | None, folder: Path) -> tuple[ToolSource, ...]:
    """Returns the sources of tools that a task file names.

    Args:
        source: The file.
        node: The value of ``tools``.
        folder: The folder of the file.

    Raises:
        agentkit.errors.TaskFileError: One is written wrong.
    """
    if node is None or not isinstance(node.value, list):
        return read_texts(source, node, "tools", "./my_tools.py")
    return tuple(
        _read_server(source, item, f"tools[{i}]", folder)
        if isinstance(item.value, dict)
        else text(source, item, f"tools[{i}]", "./my_tools.py")
        for i, item in enumerate(node.value)
    )


def _read_server(source: Source, node: Node, name: str, folder: Path) -> McpServer:
    found = mapping(source, node, f"{name!r}", ("mcp",)).get("mcp")
    if found is None:
        raise source.error(node, f"{name!r} is empty; write {{mcp: {{name: files, command: [npx, a-server]}}}}")
    keys = mapping(source, found, f"'{name}.mcp'", _KEYS)
    if "name" not in keys:
        raise source.error(found, f"'{name}.mcp' needs a name, such as 'name: files'; its tools are called files_...")

    def path(key: str, default: str) -> Path:
        return folder / Path(text(source, keys[key], key, default) if key in keys else default).expanduser()

    options: dict[str, Any] = {}
    if "url" in keys:
        options["url"] = text(source, keys["url"], "url", "https://example.com/mcp")
    if "headers" in keys:
        options["headers"] = _read_headers(source, keys["headers"])
    if "tools" in keys:
        options["tools"] = read_texts(source, keys["tools"], "tools", "read_*")
    if "timeout" in keys:
        options["timeout"] = duration(source, keys["timeout"], "timeout")
    if "command" in keys and not isinstance(keys["command"].value, list):
        raise source.error(
            keys["command"], f"'command' must be a list such as [npx, a-server], not {keys['command'].describe()}"
        )
    try:
        return McpServer(
            text(source, keys["name"], "name", "files"),
            command=read_texts(source, keys.get("command"), "command", "npx"),
            env=read_texts(source, keys.get("env"), "env", "GITHUB_TOKEN"),
            cwd=path("cwd", "."),
            trust_hints=_read_trust(source, keys.get("trust_hints")),
            pins=path("pins", FILE_NAME),
            **options,
        )
    except UsageError as error:
        if error.__class__ is UsageError:  # of the server, which does not know its place
            raise source.error(found, str(error)) from None
        raise


def _read_headers(source: Source, node: Node) -> Mapping[str, str]:
    if not isinstance(node.value, dict):
        raise source.error(
            node, f"'headers' must be a mapping such as {{Authorization: 'Bearer ${{TOKEN}}'}}, not {node.describe()}"
        )
    return {key: text(source, value, f"headers.{key}", "'Bearer ${TOKEN}'") for key, value in node.value.items()}


def _read_trust(source: Source, node: Node | None) -> bool:
    if node is None:
        return False
    if not isinstance(node.value, bool):
        raise source.error(node, f"'trust_hints' must be true or false, not {node.describe()}")
    return node.value
