"""How messages come from and go to a server: over a process's pipes, or over HTTP; neither takes all memory.

These are transports as the MCP package wants them: context managers that give a stream to read and one to write.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import httpx2
import mcp_types
from mcp.client.stdio import get_default_environment
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.message import SessionMessage

from agentkit.errors import McpServerError
from agentkit.tools.mcp.process import MAX_LINE, LineTooLong, ServerProcess

if TYPE_CHECKING:
    from mcp.client import Transport

__all__ = ["Faults", "over_http", "over_pipes"]

_MOST_UNASKED = 10_000
"""Most lines that a server may write after our latest message: one answers it, the others are of little worth."""

for _name in ("mcp", "client"):  # the package's loggers; what goes wrong is in our messages, and not on the terminal
    logging.getLogger(_name).addHandler(logging.NullHandler())


class Faults:
    """What a transport saw go wrong, for the message when a request fails."""

    def __init__(self) -> None:
        self.end = ""
        """Why there will be no more messages."""
        self.noise = ""
        """The first line that was no message."""
        self.last_words = ""
        """The end of stderr."""

    def __str__(self) -> str:
        """All of it, to be read after a sentence."""
        noise = f"; it wrote {self.noise!r}, which is no MCP message" if self.noise else ""
        return (f": {self.end}" if self.end else "") + noise + ("" if self.end else self.last_words)


@asynccontextmanager
async def _pipes(
    command: Sequence[str], env: Sequence[str], cwd: Path | None, faults: Faults
) -> AsyncGenerator[tuple[Any, Any]]:
    process = await ServerProcess.start(command, env=_environment(env), cwd=cwd)
    to_session, incoming = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    outgoing, from_session = anyio.create_memory_object_stream[SessionMessage](0)
    unasked = 0

    async def read() -> None:
        nonlocal unasked
        async with to_session:
            try:
                while not faults.end and (line := await process.line()) is not None:
                    faults.last_words = process.last_words
                    unasked += 1
                    if unasked > _MOST_UNASKED:
                        faults.end = f"it sent more than {_MOST_UNASKED:,} messages that nobody asked for"
                    elif (message := _parse(line)) is None:
                        faults.noise = faults.noise or line[:100].decode(errors="replace").strip()
                    elif not _is_news(message):
                        await to_session.send(SessionMessage(message))
            except LineTooLong:
                faults.end = f"it sent a message of more than {MAX_LINE // 1024 // 1024} MB"
            except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                return  # the session is over
            faults.end = faults.end or process.ending or f"it closed its stdout{process.last_words}"

    async def write() -> None:
        nonlocal unasked
        async with from_session:
            async for sent in from_session:
                unasked = 0
                process.write(sent.message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n")

    try:
        async with anyio.create_task_group() as group:
            group.start_soon(read)
            group.start_soon(write)
            try:
                yield incoming, outgoing
            finally:
                group.cancel_scope.cancel()
    finally:
        await process.stop()


def over_pipes(command: Sequence[str], env: Sequence[str], cwd: Path | None, faults: Faults) -> Transport:
    """Returns the transport to a server that is started as a process.

    Args:
        command: The program and its arguments.
        env: Names of the environment variables that it is given, besides a few harmless ones such as ``PATH``.
        cwd: The folder it starts in.
        faults: Takes what goes wrong.
    """
    return _pipes(command, env, cwd, faults)


def _environment(names: Sequence[str]) -> dict[str, str]:
    return get_default_environment() | {name: _variable(name) for name in names}


def _variable(name: str) -> str:
    if name not in os.environ:
        raise McpServerError(f"the environment variable {name!r} is not set")
    return os.environ[name]


def _parse(line: bytes) -> mcp_types.JSONRPCMessage | None:
    try:
        return mcp_types.jsonrpc_message_adapter.validate_json(line, by_name=False)
    except ValueError:
        return None


def _is_news(message: mcp_types.JSONRPCMessage) -> bool:
    """Returns whether a message is one that nobody here waits for, such as a line of a log."""
    return isinstance(message, mcp_types.JSONRPCNotification) and message.method != "notifications/progress"


@asynccontextmanager
async def _http(url: str, headers: Mapping[str, str], seconds: float) -> AsyncGenerator[tuple[Any, Any]]:
    filled = {key: re.sub(r"\$\{(\w+)\}", lambda m: _variable(m[1]), value) for key, value in headers.items()}
    async with (
        httpx2.AsyncClient(
            headers={"Accept-Encoding": "identity"} | filled,
            timeout=seconds,
            event_hooks={"response": [_limit_size]},
        ) as client,
        streamable_http_client(url, http_client=client, max_sse_event_size=MAX_LINE) as streams,
    ):
        yield streams


def over_http(url: str, headers: Mapping[str, str], seconds: float) -> Transport:
    """Returns the transport to a server that is reached over streamable HTTP. Redirects to other hosts are refused.

    Args:
        url: Its address.
        headers: Sent with each request; ``${NAME}`` stands for an environment variable.
        seconds: How long it may be silent.
    """
    return _http(url, headers, seconds)


async def _limit_size(response: httpx2.Response) -> None:
    """Ends a response that is too long, before it is read into memory."""
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise httpx2.RemoteProtocolError("the answer is compressed, which was not asked for")
    if not response.headers.get("Content-Type", "").startswith("text/event-stream"):  # each event has its own limit
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        response.stream = _Limited(response.stream)


class _Limited(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in self._stream:
            size += len(chunk)
            if size > MAX_LINE:
                raise httpx2.RemoteProtocolError(f"the answer is longer than {MAX_LINE // 1024 // 1024} MB")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()
