"""A session with a server: one task owns the connection from its beginning to its end, others use it.

The MCP package keeps cancel scopes open in the task that enters them, so they have to be left in the same one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

import mcp_types
from mcp import MCPError
from mcp.client import Client
from pydantic import TypeAdapter, ValidationError

from agentkit.errors import AgentkitError, McpServerError, ToolTimeout
from agentkit.messages import JsonObject, JsonValue
from agentkit.tools.mcp.transport import Faults

if TYPE_CHECKING:
    from mcp.client import Transport

__all__ = ["Session"]

T = TypeVar("T")

_MOST_PAGES = 100
_MOST_TOOLS = 200
_SLOWEST_END = 5.0
"""Seconds after which an end that hangs is ended itself."""
_CALLED: TypeAdapter[mcp_types.CallToolResult | mcp_types.InputRequiredResult] = TypeAdapter(
    mcp_types.CallToolResult | mcp_types.InputRequiredResult
)


class Session:
    """A connection to one server.

    Args:
        name: The server's name, for messages.
        transport: Makes the connection; it is handed what takes its faults.
        seconds: How long the start, and each request, may take.
    """

    def __init__(self, name: str, transport: Callable[[Faults], Transport], seconds: float) -> None:
        self._name = name
        self._transport = transport
        self._seconds = seconds
        self._faults = Faults()
        self._client: Client | None = None
        self._owner: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connects.

        Raises:
            agentkit.errors.McpServerError: The server can't be started or reached, or does not speak MCP.
        """
        opened: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
        self._owner = asyncio.create_task(self._own(opened), name=f"mcp-{self._name}")
        try:
            self._client = await self._within("start", opened)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Ends the connection, and the server's process if there is one."""
        owner, self._owner = self._owner, None
        if owner is None:
            return
        owner.cancel()
        await asyncio.wait({owner}, timeout=_SLOWEST_END)
        if not owner.done():
            owner.cancel()
            await asyncio.wait({owner})

    @property
    def is_over(self) -> bool:
        """Whether the server ended the connection."""
        return self._owner is None or self._owner.done() or bool(self._faults.end)

    async def list_tools(self, wanted: Callable[[str], bool]) -> list[JsonObject]:
        """Returns what the server says of its tools, all pages of it.

        Args:
            wanted: Says of a tool's name whether it matters.

        Raises:
            agentkit.errors.McpServerError: It does not answer, or not as MCP, or says too much.
        """
        return await self._within("list its tools", self._list_tools(wanted))

    async def call(self, tool: str, arguments: JsonObject, on_progress: Callable[[JsonValue], None]) -> JsonObject:
        """Calls a tool and returns the result as the server sent it.

        Args:
            tool: What the server calls it.
            arguments: JSON.
            on_progress: Called with what the server says of its progress.

        Raises:
            agentkit.errors.McpServerError: There is no result.
            agentkit.errors.ToolTimeout: There is none yet.
        """
        return await self._within(f"answer the call of {tool!r}", self._call(tool, arguments, on_progress), ToolTimeout)

    async def _own(self, opened: asyncio.Future[Client]) -> None:
        try:
            async with Client(self._transport(self._faults), read_timeout_seconds=self._seconds, cache=None) as client:
                opened.set_result(client)
                await asyncio.get_running_loop().create_future()  # until it is cancelled
        except Exception as error:
            if not opened.done():
                opened.set_exception(_first(error))
            else:
                self._faults.end = self._faults.end or _words(_first(error))

    async def _within(self, what: str, work: Awaitable[T], late: type[AgentkitError] = McpServerError) -> T:
        """Returns what `work` gives; whatever goes wrong becomes one kind of error, with all that is known of it."""
        limit = asyncio.timeout(self._seconds)
        try:
            async with limit:
                return await work
        except McpServerError as error:
            raise McpServerError(f"MCP server {self._name!r} can't {what}: {error}{self._faults}") from None
        except MCPError as error:
            if (error.code, error.message) == (mcp_types.CONNECTION_CLOSED, "Connection closed"):
                self._faults.end = self._faults.end or "the connection was closed"
                raise McpServerError(f"MCP server {self._name!r} did not {what}{self._faults}") from None
            if error.code == mcp_types.REQUEST_TIMEOUT:
                raise late(self._too_late(what)) from None
            why = f"{error.message[:1000]!r} (code {error.code})"
            raise McpServerError(f"MCP server {self._name!r} refused to {what}: {why}") from None
        except ValidationError as error:
            why = f"its answer is not as MCP has it: {_first_problem(error)}"
            raise McpServerError(f"MCP server {self._name!r} can't {what}: {why}") from None
        except Exception as error:
            if limit.expired():
                raise late(self._too_late(what)) from None
            raise McpServerError(f"MCP server {self._name!r} can't {what}: {_words(error)}{self._faults}") from None

    def _too_late(self, what: str) -> str:
        return f"MCP server {self._name!r} did not {what} within {self._seconds:g} s{self._faults}"

    async def _list_tools(self, wanted: Callable[[str], bool]) -> list[JsonObject]:
        assert self._client is not None
        found: list[JsonObject] = []
        cursors: set[str | None] = set()
        cursor: str | None = None
        while not cursors or cursor is not None:
            if cursor in cursors or len(cursors) == _MOST_PAGES:
                raise McpServerError(f"the list does not end; it has {len(cursors)} pages so far")
            cursors.add(cursor)
            page = await self._client.list_tools(cursor=cursor)
            tools = [tool for tool in page.tools if wanted(tool.name)]
            if len(found) + len(tools) > _MOST_TOOLS:
                raise McpServerError(
                    f"there are more than {_MOST_TOOLS}, and a model can't choose among so many; name those to use, "
                    "such as tools: [read_*]"
                )
            found += map(_as_told, tools)
            cursor = page.next_cursor
        return found

    async def _call(self, tool: str, arguments: JsonObject, on_progress: Callable[[JsonValue], None]) -> JsonObject:
        async def take_progress(progress: float, total: float | None, message: str | None) -> None:
            on_progress({"progress": progress, "total": total, "message": message})

        assert self._client is not None
        # Not the client's own call_tool: it checks results with Python's regular expressions, which a server could
        # choose such that they never end.
        result = await self._client.session.send_request(
            mcp_types.CallToolRequest(params=mcp_types.CallToolRequestParams(name=tool, arguments=arguments)),
            _CALLED,
            progress_callback=take_progress,
        )
        if isinstance(result, mcp_types.InputRequiredResult):
            raise McpServerError("it asks the user for input, which is not supported")
        return _as_told(result)


def _as_told(model: Any) -> JsonObject:
    told: JsonObject = model.model_dump(by_alias=True, mode="json", exclude_none=True)
    return told


def _first(error: Exception) -> Exception:
    """Returns an error, or the first one in a group."""
    if isinstance(error, ExceptionGroup):
        return _first(cast("ExceptionGroup[Exception]", error).exceptions[0])
    return error


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, OSError) else f"{type(error).__name__}: {error}"


def _first_problem(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{first['msg']} at {'.'.join(map(str, first['loc'])) or 'its top'}"
