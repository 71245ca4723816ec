"""A server's tool, as agents have tools."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeAlias

from pydantic_core import PydanticSerializationError, to_jsonable_python

from agentkit.errors import ArgumentError, McpServerError, ToolFailed
from agentkit.messages import JsonObject, JsonValue
from agentkit.tools.context import ToolContext
from agentkit.tools.explain import render
from agentkit.tools.json_schema import JsonSchema
from agentkit.tools.mcp.definition import Definition
from agentkit.tools.mcp.results import read_result
from agentkit.tools.tool import Effect, Tool

__all__ = ["McpTool", "Send"]

Send: TypeAlias = Callable[[Definition, JsonObject, Callable[[JsonValue], None]], Awaitable[JsonObject]]
"""Calls a tool at its server: definition, arguments, what takes progress; gives the result as the server sent it."""


class McpTool(Tool):
    """A tool of an MCP server. What it says of itself is not trusted, and neither is what it gives.

    Args:
        server: The server's name.
        definition: What the server says of it.
        effect: What it means to call it again.
        timeout: Seconds that one call may take.
        send: Calls it.
        held: Keeps the connection open for as long as it is entered.
    """

    def __init__(
        self,
        server: str,
        definition: Definition,
        *,
        effect: Effect,
        timeout: float,
        send: Send,
        held: Callable[[], AbstractAsyncContextManager[None]],
    ) -> None:
        self.name = definition.name
        self.description = definition.description
        self.parameters = definition.parameters
        self.returns = definition.returns
        self.effect = effect
        self.timeout = timeout
        self.isolation = "thread"
        self.origin = f"{definition.remote_name!r} of MCP server {server!r}"
        self.source = f"mcp:{server}"
        self.definition = definition
        self._arguments = JsonSchema(definition.said["inputSchema"])
        self._result = JsonSchema(definition.said["outputSchema"]) if "outputSchema" in definition.said else None
        self._send = send
        self._held = held

    def held(self) -> AbstractAsyncContextManager[None]:
        """Keeps the server running."""
        return self._held()

    def validate(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the arguments as they are, if they fit the server's schema."""
        try:
            plain: dict[str, Any] = to_jsonable_python(dict(arguments))
        except (PydanticSerializationError, UnicodeError, ValueError) as error:
            raise ArgumentError(f"The arguments of {self.name!r} are not JSON: {error}") from None
        if problems := self._arguments.problems(plain):
            raise ArgumentError(
                f"The arguments of {self.name!r} do not fit:\n{render(problems)}",
                problems=[(p.path, p.text) for p in problems],
            )
        return plain

    async def invoke(self, arguments: JsonObject, context: ToolContext | None = None) -> JsonValue:
        """Validates, calls the server, and returns the result as JSON."""
        values = self.validate(arguments)
        progress = (context or ToolContext()).progress
        try:
            told = await self._send(self.definition, values, progress)
        except McpServerError as error:
            raise ToolFailed(f"{error}; whether the call had an effect is not known") from None
        return read_result(self.name, told, self._result)
