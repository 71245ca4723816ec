"""`agentkit trace --web`: a browser with the token sees the viewer, anybody else sees nothing."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("textual_serve", reason="the extra 'web' is not installed")

from aiohttp import ClientConnectorError, ClientSession, CookieJar, WSMsgType, web

from agentkit.cli.trace_web import make_server
from tests.cli.conftest import start
from tests.trace.demo import demo_run, write_run

TOKEN = "a-token"


@asynccontextmanager
async def served(path: Path) -> AsyncGenerator[tuple[str, ClientSession]]:
    from socket import socket

    with socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    runner = web.AppRunner(await make_server(path, port, TOKEN)._make_app())  # pyright: ignore[reportPrivateUsage]
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as session:
            yield f"http://127.0.0.1:{port}", session
    finally:
        await runner.cleanup()


async def status(session: ClientSession, url: str, **options: Any) -> int:
    async with session.get(url, **options) as answer:
        return answer.status


def test_nothing_is_shown_without_the_token(tmp_path: Path) -> None:
    async def check() -> None:
        async with served(write_run(demo_run(), tmp_path / "run.sqlite")) as (url, session):
            for path in (
                "/",
                "/?token=",
                "/?token=wrong",
                "/ws",
                "/static/js/textual.js",
                "/download/x",
                "/ws?token=a-token",
            ):
                assert await status(session, url + path) == 403
            assert await status(session, f"{url}/?token={TOKEN}") == 200
            assert await status(session, f"{url}/ws", headers={"Origin": "http://evil.example"}) == 403
            assert await status(session, url, headers={"Host": "evil.example"}) == 403

    asyncio.run(check())


@pytest.mark.slow
def test_the_command_serves_the_viewer_until_it_is_interrupted(tmp_path: Path) -> None:
    write_run(demo_run(), tmp_path / "run.sqlite")

    async def look(url: str) -> str:
        address, _, query = url.partition("/?")
        async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as session:
            async with session.get(f"{address}/?{query}") as answer:
                assert answer.status == 200
            async with session.ws_connect(f"{address}/ws?width=120&height=40") as socket:
                await socket.send_str(json.dumps(["resize", {"width": 120, "height": 40}]))
                drawn = ""
                async for message in socket:
                    if message.type == WSMsgType.BINARY:
                        drawn += message.data.decode(errors="replace")
                    if "fetch_weather" in drawn:
                        break
                return drawn

    with start(["trace", str(tmp_path / "run.sqlite"), "--web"]) as process:
        assert process.stdout is not None and process.stderr is not None
        url = process.stdout.readline().decode().strip()
        assert b"Ctrl-C" in process.stderr.readline()
        assert "fetch_weather" in asyncio.run(asyncio.wait_for(_patiently(look, url), 60))
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0


async def _patiently(look: Callable[[str], Awaitable[str]], url: str) -> str:
    """Asks again while the server is still starting."""
    while True:
        try:
            return await look(url)
        except ClientConnectorError:
            await asyncio.sleep(0.1)
