"""A server written with the official package, on pipes and over HTTP: the same tools, the same results."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentkit.errors import ArgumentError, ToolFailed
from agentkit.messages import JsonValue
from agentkit.tools import McpServer, Tool, ToolContext
from tests.mcp.conftest import HERE


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Serves over HTTP on a port of this machine."""
    pytest.importorskip("mcp", reason="the package mcp is not installed: pip install 'agentkit-gemma[mcp]'")
    import uvicorn

    from tests.mcp.good_server import server as official

    config = uvicorn.Config(official.streamable_http_app(), port=0, log_level="error", ws="none")
    serving = uvicorn.Server(config)
    thread = threading.Thread(target=serving.run, daemon=True)
    thread.start()
    while not serving.started:
        assert thread.is_alive()
        time.sleep(0.01)
    port = serving.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}/mcp"
    serving.should_exit = True
    thread.join(10)


@pytest.mark.parametrize("way", ["pipes", "http"])
def test_tools_of_a_server_are_tools_here(way: str, address: str, tmp_path: Path) -> None:
    pins = tmp_path / "pins.json"
    if way == "pipes":
        server = McpServer("good", command=[sys.executable, str(HERE / "good_server.py")], pins=pins)
    else:
        server = McpServer("good", url=address, pins=pins)

    async def main() -> None:
        tools = {tool.name: tool for tool in await server.get_tools()}
        assert list(tools) == ["good_add", "good_find_place", "good_count", "good_fail"]
        check_schemas(tools)
        async with tools["good_add"].held():
            await check_calls(tools)

    asyncio.run(main())


def check_schemas(tools: dict[str, Tool]) -> None:
    add, find, count = tools["good_add"], tools["good_find_place"], tools["good_count"]
    assert add.description == "Add two numbers."
    assert add.parameters["properties"] == {"a": {"type": "integer"}, "b": {"type": "integer", "default": 1}}
    assert add.parameters["required"] == ["a"]
    assert add.origin == "'add' of MCP server 'good'"
    assert find.returns is not None
    assert find.returns["properties"]["height"] == {"type": "number"}
    assert count.returns is None
    with pytest.raises(ArgumentError, match=r"(?s)'good_add' do not fit:.*- a: \"x\" is not of type \"integer\""):
        add.validate({"a": "x"})
    with pytest.raises(ArgumentError) as caught:
        add.validate({"b": 2})
    assert caught.value.problems == (((), '"a" is a required property'),)
    with pytest.raises(ArgumentError, match="are not JSON"):
        add.validate({"a": object()})


async def check_calls(tools: dict[str, Tool]) -> None:
    progress: list[JsonValue] = []
    context = ToolContext(on_progress=progress.append)
    place = {"name": "here", "height": 8.5, "inside": [{"name": "inside", "height": 1.0, "inside": None}]}
    with pytest.raises(ToolFailed, match="Error executing tool fail"):
        await tools["good_fail"].invoke({"why": "no reason"})
    assert await tools["good_add"].invoke({"a": 1}) == {"result": 2}
    assert await tools["good_find_place"].invoke({"name": "here"}) == place
    assert await tools["good_count"].invoke({"upto": 2}, context) == "counted to 2"
    assert {"progress": 1.0, "total": 2.0, "message": "at 1"} in progress
