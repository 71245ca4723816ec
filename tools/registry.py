"""The tools that one run may call, by name."""

from __future__ import annotations

import difflib
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager

from agentkit.errors import UsageError
from agentkit.tools.tool import Tool

__all__ = ["ToolRegistry"]


class ToolRegistry:
    """Tools by name, in the order they were added.

    Args:
        tools: The first tools.

    Raises:
        agentkit.errors.UsageError: Two tools have the same name.
    """

    def __init__(self, tools: Iterable[Tool] = ()) -> None:
        self._tools: dict[str, Tool] = {}
        for tool in tools:
            self.add(tool)

    def add(self, tool: Tool) -> None:
        """Adds a tool. Adding the same object twice is allowed.

        Raises:
            agentkit.errors.UsageError: Another tool has its name.
        """
        other = self._tools.setdefault(tool.name, tool)
        if other is not tool:
            raise UsageError(
                f"two tools are called {tool.name!r}: {other.origin} and {tool.origin}; "
                "rename one with @tool(name=...), or prefix its toolset"
            )

    def get(self, name: str) -> Tool:
        """Returns a tool.

        Raises:
            agentkit.errors.UsageError: There is none of that name; the message has the nearest ones.
        """
        if name in self._tools:
            return self._tools[name]
        near = self.nearest(name)
        hint = (
            f"did you mean {' or '.join(map(repr, near))}?"
            if near
            else f"there are: {', '.join(self._tools) or 'none'}"
        )
        raise UsageError(f"there is no tool {name!r}; {hint}")

    def nearest(self, name: str) -> list[str]:
        """Returns up to three names that are spelled much like `name`, the nearest first."""
        folded = {known.casefold(): known for known in self._tools}
        return [folded[match] for match in difflib.get_close_matches(name.casefold(), folded, n=3)]

    @asynccontextmanager
    async def held(self) -> AsyncGenerator[None]:
        """Keeps open what the tools share between calls; see `Tool.held`."""
        async with AsyncExitStack() as stack:
            for tool in self:
                await stack.enter_async_context(tool.held())
            yield

    @property
    def names(self) -> list[str]:
        """The names, in order."""
        return list(self._tools)

    def __iter__(self) -> Iterator[Tool]:
        return iter(self._tools.values())

    def __len__(self) -> int:
        return len(self._tools)

    def __contains__(self, name: object) -> bool:
        return name in self._tools
