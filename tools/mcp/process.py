"""A server's process: lines from its stdout, its last words on stderr, and an end that leaves nothing behind.

The MCP package has a transport for this too. It reads lines of any length into memory, in time that grows with the
square of it, and leaves a server's children alone when the server itself ended; so the process is ours, and the
protocol is theirs.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self, cast

__all__ = ["MAX_LINE", "LineTooLong", "ServerProcess"]

MAX_LINE = 8 * 1024 * 1024
"""Longest message, in bytes."""
_GRACE = 1.0
"""Seconds that a server has to end after its stdin is closed, and again after SIGTERM."""
_LAST_WORDS = 2000
_DRAIN = 0.5
"""Seconds in which what a server wrote before it ended still arrives, and after its last words its end."""


class LineTooLong(Exception):
    """A line is longer than `MAX_LINE`."""


class ServerProcess(asyncio.SubprocessProtocol):
    """The process of one server, in a process group of its own. Made by `start`, ended by `stop`."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self._lines = asyncio.StreamReader(MAX_LINE, loop)
        self._exited = asyncio.Event()
        self._is_open = True
        self._stderr = b""

    @classmethod
    async def start(cls, command: Sequence[str], *, env: Mapping[str, str], cwd: Path | None) -> Self:
        """Starts a server.

        Args:
            command: The program and its arguments.
            env: All of its environment.
            cwd: The folder it starts in; the current one by default.

        Raises:
            OSError: It can't be started.
        """
        loop = asyncio.get_running_loop()
        transport, server = await loop.subprocess_exec(cls, *command, env=dict(env), cwd=cwd, start_new_session=True)
        server._transport = transport
        server._stdin = cast("asyncio.WriteTransport", transport.get_pipe_transport(0))
        server._lines.set_transport(cast("asyncio.ReadTransport", transport.get_pipe_transport(1)))
        return server

    _transport: asyncio.SubprocessTransport
    _stdin: asyncio.WriteTransport

    async def line(self) -> bytes | None:
        """Returns the next line of stdout; ``None`` when there will be no more.

        Raises:
            LineTooLong: It is longer than `MAX_LINE`.
        """
        try:
            return await self._lines.readuntil(b"\n")
        except asyncio.IncompleteReadError:
            await self._ends_within(_DRAIN)  # most often it ended, and how is worth knowing
            return None
        except asyncio.LimitOverrunError:
            raise LineTooLong from None

    def write(self, data: bytes) -> None:
        """Writes to stdin, without waiting for the server to read it."""
        self._stdin.write(data)

    @property
    def ending(self) -> str:
        """How it ended, with its last words on stderr; empty when it goes on."""
        code = self._transport.get_returncode()
        if code is None:
            return ""
        how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        return how + self.last_words

    @property
    def last_words(self) -> str:
        """The end of what it wrote to stderr, to be read after a sentence; empty when there is nothing."""
        words = self._stderr.decode(errors="replace").strip()
        return f"; the end of its stderr: {words[-500:]!r}" if words else ""

    async def stop(self) -> None:
        """Ends the process and what it started: politely first, then by force."""
        try:
            self._stdin.close()
            if not await self._ends_within(_GRACE):
                self._signal_group(signal.SIGTERM)
                await self._ends_within(_GRACE)
        finally:
            self._signal_group(signal.SIGKILL)  # also when the server ended: its children may not have
            try:
                await self._ends_within(_GRACE)  # so that it is reaped
            finally:
                self._transport.close()

    async def _ends_within(self, seconds: float) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._exited.wait()
        return self._exited.is_set()

    def _signal_group(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):  # all of them ended
            os.killpg(self._transport.get_pid(), number)

    # What the event loop calls.

    def pipe_data_received(self, fd: int, data: bytes | str) -> None:
        """Takes what the server wrote."""
        assert isinstance(data, bytes)
        if fd == 2:
            self._stderr = (self._stderr + data)[-_LAST_WORDS:]
        elif self._is_open:
            self._lines.feed_data(data)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        """Takes the end of what the server writes."""
        if fd == 1:
            self._end_lines()

    def process_exited(self) -> None:
        """Takes the end of the process; a child of it may hold its pipes open for ever."""
        self._exited.set()
        asyncio.get_running_loop().call_later(_DRAIN, self._end_lines)

    def _end_lines(self) -> None:
        if self._is_open:
            self._is_open = False
            self._lines.feed_eof()
