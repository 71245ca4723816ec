"""Servers on HTTP that misbehave, headers, and addresses: one error with the reason, and no hang."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from agentkit.errors import McpServerError
from agentkit.tools import McpServer

pytestmark = pytest.mark.usefixtures("needs_package")

TOOL: dict[str, Any] = {"name": "work", "inputSchema": {"type": "object", "properties": {}}}


class Web(ThreadingHTTPServer):
    """A server that does as its `how` says."""

    daemon_threads = True
    how = "behaves"
    seen: list[dict[str, str]]

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/mcp"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def web(self) -> Web:
        assert isinstance(self.server, Web)
        return self.server

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.web.seen.append(dict(self.headers))
        match self.web.how:
            case "fails":
                self.give(500, b"the database is gone")
            case "sends elsewhere":
                self.give(307, b"", Location="http://127.0.0.2:9/mcp")
            case "answers with a page":
                self.give(200, b"<html>Welcome</html>", **{"Content-Type": "text/html"})
            case "compresses":
                self.give(200, b"\x1f\x8b", **{"Content-Type": "application/json", "Content-Encoding": "gzip"})
            case "gives 100 MB":
                self.give_much()
            case "is silent":
                time.sleep(1.5)
            case _:
                self.answer(asked)

    def answer(self, asked: dict[str, Any]) -> None:
        result: Any = None
        if asked.get("method") == "initialize":
            info = {"name": "web", "version": "1"}
            version = asked["params"]["protocolVersion"]
            result = {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": info}
        elif asked.get("method") == "tools/list":
            result = {"tools": [TOOL]}
        elif asked.get("method") == "tools/call":
            result = {"content": [{"type": "text", "text": "worked"}]}
        if "id" not in asked:
            return self.give(202, b"")
        reply = {"result": result} if result else {"error": {"code": -32601, "message": "unknown method"}}
        data = json.dumps({"jsonrpc": "2.0", "id": asked["id"], **reply}).encode()
        return self.give(200, data, **{"Content-Type": "application/json"})

    def give_much(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(100 * 1024 * 1024))
        self.end_headers()
        try:
            for _ in range(100):
                self.wfile.write(b" " * 1024 * 1024)
        except OSError:
            self.close_connection = True

    def do_GET(self) -> None:
        self.give(405, b"")

    def give(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def web() -> Iterator[Web]:
    server = Web(("127.0.0.1", 0), Handler)
    server.seen = []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def at(tmp_path: Path) -> Callable[..., McpServer]:
    def make(url: str, **options: Any) -> McpServer:
        return McpServer("web", url=url, pins=tmp_path / "pins.json", **options)

    return make


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("fails", "refused to start: 'Server returned an error response'"),
        ("sends elsewhere", "Redirect to http://127.0.0.2:9/mcp not followed"),
        ("answers with a page", "Unexpected content type: text/html"),
        ("compresses", "the answer is compressed, which was not asked for"),
        ("gives 100 MB", "the answer is longer than 8 MB"),
        ("is silent", r"did not start within 0\.8 s"),
    ],
)
def test_a_server_that_misbehaves_is_refused(how: str, says: str, web: Web, at: Callable[..., McpServer]) -> None:
    web.how = how
    began = time.monotonic()
    with pytest.raises(McpServerError, match=says):
        asyncio.run(at(web.address, timeout=0.8 if how == "is silent" else 10.0).get_tools())
    assert time.monotonic() - began < 60


def test_a_server_that_is_not_there_is_named(at: Callable[..., McpServer]) -> None:
    with pytest.raises(McpServerError, match="MCP server 'web' can't start: .*connection"):
        asyncio.run(at("http://127.0.0.1:9/mcp", timeout=5).get_tools())


def test_headers_are_sent_with_variables_filled_in(
    web: Web, at: Callable[..., McpServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "secret-7")
    server = at(web.address, headers={"Authorization": "Bearer ${TOKEN}"})
    assert [tool.name for tool in asyncio.run(server.get_tools())] == ["web_work"]
    assert {seen["Authorization"] for seen in web.seen} == {"Bearer secret-7"}
    assert "secret-7" not in repr(vars(server))


def test_a_header_with_a_variable_that_is_not_set_is_refused(at: Callable[..., McpServer]) -> None:
    with pytest.raises(McpServerError, match="the environment variable 'NO_TOKEN' is not set"):
        asyncio.run(at("http://127.0.0.1:9/mcp", headers={"X-Key": "${NO_TOKEN}"}).get_tools())


def test_a_server_that_fails_later_is_a_failure_of_the_call(web: Web, at: Callable[..., McpServer]) -> None:
    async def main() -> list[str]:
        said: list[str] = []
        work = (await at(web.address).get_tools())[0]
        async with work.held():
            for how in ("behaves", "fails", "gives 100 MB", "behaves"):
                web.how = how
                try:
                    said.append(str(await work.invoke({})))
                except Exception as error:
                    said.append(type(error).__name__)
        return said

    assert asyncio.run(main()) == ["worked", "ToolFailed", "ToolFailed", "worked"]
