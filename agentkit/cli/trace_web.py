"""``agentkit trace --web``: the terminal viewer in a browser on this machine, for whoever knows the token."""

from __future__ import annotations

import secrets
import shlex
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

from agentkit.errors import UsageError

if TYPE_CHECKING:
    from aiohttp.web import Request, StreamResponse
    from textual_serve.server import Server

__all__ = ["make_server", "serve"]

_HOST = "127.0.0.1"
_COOKIE = "agentkit_trace"


def serve(path: Path) -> None:
    """Serves the viewer of a run until Ctrl-C, and prints where.

    Raises:
        agentkit.errors.UsageError: The extra ``web`` is not installed.
    """
    with socket.socket() as free:  # a port that nobody uses
        free.bind((_HOST, 0))
        port = free.getsockname()[1]
    token = secrets.token_urlsafe(24)
    server = make_server(path, port, token)
    print(f"http://{_HOST}:{port}/?token={token}", flush=True)
    print("open this in a browser; Ctrl-C ends it", file=sys.stderr)
    server.serve()


def make_server(path: Path, port: int, token: str) -> Server:
    """Returns a server that shows the viewer to those who bring the token, and nothing to anybody else."""
    try:
        from aiohttp import web
        from textual_serve.server import Server
    except ImportError:
        raise UsageError("--web needs textual-serve; pip install 'agentkit-gemma[web]'") from None

    @web.middleware
    async def guard(request: Request, handler: Callable[[Request], Awaitable[StreamResponse]]) -> StreamResponse:
        brought = request.query.get("token", "")
        if request.path == "/" and secrets.compare_digest(brought.encode(), token.encode()):
            found = web.HTTPFound("/")  # the token leaves the address, and what it opens stays in a cookie
            found.set_cookie(_COOKIE, token, httponly=True, samesite="Strict")
            raise found
        if not secrets.compare_digest(request.cookies.get(_COOKIE, "").encode(), token.encode()):
            raise web.HTTPForbidden(text="this page needs the address that agentkit printed, with its token\n")
        if request.headers.get("Host") != f"{_HOST}:{port}":  # another name that leads here is somebody's trick
            raise web.HTTPForbidden(text="this page is only there under its own address\n")
        if request.headers.get("Origin", f"http://{_HOST}:{port}") != f"http://{_HOST}:{port}":
            raise web.HTTPForbidden(text="another page may not use this one\n")
        return await handler(request)

    class Guarded(Server):
        async def _make_app(self) -> web.Application:
            app = await super()._make_app()
            app.middlewares.append(guard)
            return app

        async def on_startup(self, app: web.Application) -> None:
            """Says nothing: the address was printed with its token."""

        def initialize_logging(self) -> None:
            """Leaves logging as it is."""

    command = shlex.join([sys.executable, "-m", "agentkit.cli.trace_web", str(path.resolve())])
    return Guarded(command, host=_HOST, port=port, title=f"agentkit trace {path.stem}")


def _show(path: Path) -> None:
    """Runs the viewer in a process of the server, which says by the environment how to draw."""
    from agentkit.trace.source import RunFile
    from agentkit.trace.viewer.app import TraceApp

    TraceApp(RunFile(path)).run()


if __name__ == "__main__":
    _show(Path(sys.argv[1]))
