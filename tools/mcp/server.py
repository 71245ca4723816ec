"""MCP servers as a source of tools."""

from __future__ import annotations

import asyncio
import copy
import fnmatch
import hashlib
import json
import re
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self
from weakref import WeakKeyDictionary

from agentkit.errors import McpServerError, SchemaError, ToolFailed, UsageError
from agentkit.messages import JsonObject, JsonValue
from agentkit.paths import pins_folder
from agentkit.tools.mcp.definition import Definition, read_definition
from agentkit.tools.mcp.pins import Pins
from agentkit.tools.mcp.tool import McpTool
from agentkit.tools.tool import Tool
from agentkit.tools.toolsets import BaseToolset

if TYPE_CHECKING:
    from mcp.client import Transport

    from agentkit.tools.mcp.session import Session
    from agentkit.tools.mcp.transport import Faults

__all__ = ["McpServer"]

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,31}")
_MOST_STARTS = 3


@dataclass
class _Link:
    """The connection to a server in one event loop."""

    holders: int = 0
    starts: int = 0
    session: Session | None = None
    listed: list[JsonObject] = field(default_factory=list[JsonObject])
    """What the server said of its tools when the session began."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class McpServer(BaseToolset):
    """An MCP server: a program that is started, or a service that is reached over streamable HTTP.

    Its tools are called ``NAME_TOOL``. Nothing is started before they are asked for. A server runs while a run goes
    on that may use it, from the first call; it is never trusted: its tools are pinned (see `agentkit.tools.mcp.pins`),
    count as ``once``, and what they give is labelled ``mcp:NAME``.

    Example::

        files = McpServer("files", command=["npx", "-y", "@modelcontextprotocol/server-filesystem", "."])
        agent = Agent("starter", tools=[files])
    """

    def __init__(
        self,
        name: str,
        *,
        command: Sequence[str] = (),
        url: str = "",
        env: Sequence[str] = (),
        headers: Mapping[str, str] | None = None,
        cwd: Path | str | None = None,
        tools: Sequence[str] = ("*",),
        trust_hints: bool = False,
        timeout: float = 60.0,
        pins: Path | str | None = None,
    ) -> None:
        """Describes a server.

        Args:
            name: What it is called here: letters, digits and underscores, at most 32.
            command: The program and its arguments, which speaks MCP on its stdin and stdout.
            url: Its address, when it is reached over HTTP.
            env: Names of the environment variables that the program is given. Of the others it sees only ``HOME``,
                ``LOGNAME``, ``PATH``, ``SHELL``, ``TERM`` and ``USER``.
            headers: Sent with each HTTP request; ``${NAME}`` in a value stands for an environment variable.
            cwd: The folder that the program starts in; the current one by default.
            tools: Patterns of the names, as the server has them, of the tools to use.
            trust_hints: Whether to believe the server when it says that a tool only reads, or may be repeated.
            timeout: Seconds that its start, and each call, may take.
            pins: The file that keeps what its tools were; one in the user's config folder by default.

        Raises:
            agentkit.errors.UsageError: Something does not fit; the message says what.
        """
        if not _NAME.fullmatch(name):
            raise UsageError(
                f"an MCP server can't be called {name!r}; use letters, digits and '_', at most 32, a letter first"
            )
        if bool(command) == bool(url):
            raise UsageError(f"MCP server {name!r} needs either a command or a url")
        if url and not url.startswith(("http://", "https://")):
            raise UsageError(f"MCP server {name!r}: the url {url!r} does not start with http:// or https://")
        if isinstance(command, str):
            raise UsageError(f"MCP server {name!r}: the command is a list, such as ['npx', '-y', 'a-server']")
        self.name = name
        self.command = tuple(command)
        self.url = url
        self.tools = tuple(tools)
        self.notes: list[str] = []
        """What its user should know of its tools as they were listed last: what was left out, changed or pinned."""
        self._env = tuple(env)
        self._headers = dict(headers or {})
        self._cwd = None if cwd is None else Path(cwd)
        self._trust_hints = trust_hints
        self._timeout = timeout
        self.pins = Pins(self._default_pins() if pins is None else Path(pins))
        self._accept = False
        self._links: WeakKeyDictionary[asyncio.AbstractEventLoop, _Link] = WeakKeyDictionary()

    def accepting(self) -> Self:
        """Returns the same server, whose tools are pinned as they are when they are listed next."""
        other = copy.copy(self)
        other._accept, other.notes, other._links = True, [], WeakKeyDictionary()
        return other

    async def get_tools(self) -> list[Tool]:
        """Returns the tools that may be used, after they were compared with their pins.

        Raises:
            agentkit.errors.McpServerError: The server can't be used.
            agentkit.errors.McpToolsChanged: A tool is not what it was.
        """
        self.notes.clear()
        async with self._held():
            link = self._link()
            await self._session(link)
            definitions = self._usable(link.listed)
        if pinned := self.pins.check(self.name, definitions, accept=self._accept):
            self.notes.append(pinned)
        for d in definitions:
            self.notes += [f"{d.name}: {note}" for note in d.notes]
        return [self._tool(d) for d in definitions]

    def __repr__(self) -> str:
        return f"<McpServer {self.name} {self.url or self.command[0]}>"

    def _tool(self, definition: Definition) -> Tool:
        effect = definition.hinted_effect if self._trust_hints else "once"
        return McpTool(self.name, definition, effect=effect, timeout=self._timeout, send=self._send, held=self._held)

    def _is_wanted(self, name: str) -> bool:
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in self.tools)

    def _usable(self, listed: Sequence[JsonObject]) -> list[Definition]:
        """Returns the definitions of the tools that can be used; the others are noted."""
        definitions: list[Definition] = []
        for told in listed:
            try:
                definitions.append(read_definition(self.name, told))
            except SchemaError as error:
                self.notes.append(f"the tool {json.dumps(told['name'][:80])} was left out: {error}")
        names = Counter(d.name for d in definitions)
        for name in (n for n, count in names.items() if count > 1):
            self.notes.append(f"the tools that are called {name!r} here were left out: there are {names[name]}")
        kept = [d for d in definitions if names[d.name] == 1]
        if not kept:
            why = "; ".join(self.notes[:3]) or f"none is called {' or '.join(map(repr, self.tools))}"
            raise McpServerError(f"MCP server {self.name!r} has no tool that can be used: {why}")
        return kept

    async def _send(
        self, definition: Definition, arguments: JsonObject, on_progress: Callable[[JsonValue], None]
    ) -> JsonObject:
        async with self._held():
            link = self._link()
            session = await self._session(link)
            if not any(definition.is_what(told) for told in link.listed):
                raise ToolFailed(
                    f"MCP server {self.name!r} says something else of {definition.remote_name!r} than when the run "
                    "began, so it is not called; to see what: agentkit tools TASK.YAML"
                )
            return await session.call(definition.remote_name, arguments, on_progress)

    @asynccontextmanager
    async def _held(self) -> AsyncGenerator[None]:
        """Keeps a session, once there is one, until the last who holds it lets go."""
        link = self._link()
        link.holders += 1
        try:
            yield
        finally:
            link.holders -= 1
            if link.holders == 0:
                link.starts = 0
                await self._close(link)

    async def _session(self, link: _Link) -> Session:
        """Returns the session, connected again when the server ended it."""
        async with link.lock:
            if link.session is not None and link.session.is_over:
                await self._close(link)
            if link.session is None:
                await self._connect(link)
            assert link.session is not None
            return link.session

    async def _connect(self, link: _Link) -> None:
        try:
            from agentkit.tools.mcp.session import Session
        except ImportError as error:
            raise McpServerError(
                f"MCP server {self.name!r} needs the package {error.name!r}: pip install 'agentkit-gemma[mcp]' "
                "(in a checkout: pip install '.[mcp]')"
            ) from None
        if link.starts == _MOST_STARTS:
            raise McpServerError(
                f"MCP server {self.name!r} ended {_MOST_STARTS} times; it is not started again in this run"
            )
        link.starts += 1
        session = link.session = Session(self.name, self._transport, self._timeout)
        try:
            await session.open()
            link.listed = await session.list_tools(self._is_wanted)
        except BaseException:
            await self._close(link)
            raise

    async def _close(self, link: _Link) -> None:
        session, link.session = link.session, None
        if session is not None:
            await session.close()

    def _transport(self, faults: Faults) -> Transport:
        from agentkit.tools.mcp.transport import over_http, over_pipes

        if self.url:
            return over_http(self.url, self._headers, self._timeout)
        return over_pipes(self.command, self._env, self._cwd, faults)

    def _link(self) -> _Link:
        return self._links.setdefault(asyncio.get_running_loop(), _Link())

    def _default_pins(self) -> Path:
        place = hashlib.sha256(json.dumps([self.command, self.url]).encode()).hexdigest()[:8]
        return pins_folder() / f"{self.name}-{place}.json"
