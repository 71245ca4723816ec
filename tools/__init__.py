"""Functions become tools: schemas, validation, running, registry, and the built-in ones.

The public names load when they are used; those that Google's ADK has too mean the same here.
The decorator is ``agentkit.tool``: in this package, ``tool`` is the module of the class `Tool`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agentkit.tools.context import ToolContext as ToolContext
    from agentkit.tools.loading import load_tools as load_tools
    from agentkit.tools.mcp.server import McpServer as McpServer
    from agentkit.tools.registry import ToolRegistry as ToolRegistry
    from agentkit.tools.tool import Effect as Effect
    from agentkit.tools.tool import FunctionTool as FunctionTool
    from agentkit.tools.tool import Isolation as Isolation
    from agentkit.tools.tool import Tool as Tool
    from agentkit.tools.toolsets import BaseToolset as BaseToolset
    from agentkit.tools.toolsets import Toolset as Toolset

_HOMES = {
    "BaseToolset": "agentkit.tools.toolsets",
    "Effect": "agentkit.tools.tool",
    "FunctionTool": "agentkit.tools.tool",
    "Isolation": "agentkit.tools.tool",
    "McpServer": "agentkit.tools.mcp.server",
    "Tool": "agentkit.tools.tool",
    "ToolContext": "agentkit.tools.context",
    "ToolRegistry": "agentkit.tools.registry",
    "Toolset": "agentkit.tools.toolsets",
    "load_tools": "agentkit.tools.loading",
}

__all__ = [
    "BaseToolset",
    "Effect",
    "FunctionTool",
    "Isolation",
    "McpServer",
    "Tool",
    "ToolContext",
    "ToolRegistry",
    "Toolset",
    "load_tools",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = globals()[name] = getattr(import_module(_HOMES[name]), name)
        return value
    raise AttributeError(f"module 'agentkit.tools' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
