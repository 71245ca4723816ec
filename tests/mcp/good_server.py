"""An MCP server as people write them with the official package."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from mcp.server.mcpserver import Context, MCPServer

server = MCPServer("good")


@dataclass
class Place:
    """A place on the map."""

    name: str
    height: float
    inside: list[Place] | None = None


@server.tool()
def add(a: int, b: int = 1) -> int:
    """Add two numbers."""
    return a + b


@server.tool(name="find-place")
def find_place(name: str) -> Place:
    """Find a place."""
    return Place(name, 8.5, [Place("inside", 1.0)])


@server.tool(structured_output=False)
async def count(upto: int, context: Context) -> str:
    """Count, and tell of each number."""
    for n in range(upto):
        await context.report_progress(n, upto, f"at {n}")
        await asyncio.sleep(0.01)
    return f"counted to {upto}"


@server.tool()
def fail(why: str) -> str:
    """Fail."""
    raise ValueError(why)


if __name__ == "__main__":
    server.run()
