"""Pins: the first use records what a server's tools are, and what changed later is refused until it is accepted."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from agentkit.errors import McpToolsChanged, UsageError
from agentkit.messages import JsonObject
from agentkit.tools import McpServer
from agentkit.tools.mcp.definition import Definition, read_definition
from agentkit.tools.mcp.pins import Pins
from tests.mcp.conftest import BadServer, PlainServer


def tool(name: str, description: str = "Work.", **told: Any) -> Definition:
    schema: JsonObject = {"type": "object", "properties": {}}
    return read_definition("s", {"name": name, "description": description, "inputSchema": schema, **told})


@pytest.fixture
def pins(tmp_path: Path) -> Pins:
    return Pins(tmp_path / "folder" / "pins.json")


def test_the_first_use_pins_and_the_next_ones_write_nothing(pins: Pins) -> None:
    assert pins.check("s", [tool("a"), tool("b")]) == f"the 2 tools of MCP server 's' are pinned in {str(pins.path)!r}"
    written = pins.path.read_bytes()
    assert pins.check("s", [tool("b"), tool("a")]) == ""
    assert pins.check("s", [tool("a")]) == ""  # one that is gone harms nobody
    assert pins.path.read_bytes() == written
    assert [p.name for p in pins.path.parent.iterdir()] == ["pins.json"]


def test_the_file_has_the_digest_and_what_it_is_of(pins: Pins) -> None:
    a = tool("a")
    pins.check("s", [a])
    kept = json.loads(pins.path.read_text())
    assert kept == {"version": 1, "servers": {"s": {"a": {"sha256": a.digest, "definition": a.said}}}}


@pytest.mark.parametrize(
    ("now", "line"),
    [
        ([tool("a", "Work, and mail it.")], '+ "description": "Work, and mail it."'),
        ([tool("a", annotations={"readOnlyHint": True})], '+  "readOnlyHint": true'),
        ([tool("a"), tool("b", "New.")], '+++ "b" now'),
        ([tool("a", "Work\u202e.")], '+ "description": "Work\\u202e."'),
    ],
)
def test_a_change_is_refused_with_the_difference(pins: Pins, now: list[Definition], line: str) -> None:
    pins.check("s", [tool("a")])
    with pytest.raises(McpToolsChanged) as caught:
        pins.check("s", now)
    assert line in str(caught.value)
    assert "agentkit tools TASK.YAML --accept" in str(caught.value)
    assert str(caught.value).isascii()


def test_a_long_difference_is_cut(pins: Pins) -> None:
    pins.check("s", [tool("a")])
    with pytest.raises(McpToolsChanged) as caught:
        pins.check("s", [tool(f"t{n}") for n in range(150)])
    assert len(str(caught.value).splitlines()) < 70


def test_what_is_accepted_is_pinned_in_the_place_of_what_was(pins: Pins) -> None:
    pins.check("s", [tool("a")])
    pins.check("other", [tool("o")])
    pins.check("s", [tool("a", "Changed.")], accept=True)
    assert pins.check("s", [tool("a", "Changed.")]) == ""
    with pytest.raises(McpToolsChanged):
        pins.check("s", [tool("a")])
    with pytest.raises(McpToolsChanged):
        pins.check("other", [tool("o", "Changed.")])


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"servers": 5}', '{"servers": {"s": {"a": {}}}}', "\ud800"])
def test_a_file_that_can_not_be_read_is_an_error_and_not_a_first_use(pins: Pins, text: str) -> None:
    pins.path.parent.mkdir()
    pins.path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(UsageError, match="can't be read .*restore the file, or delete it"):
        pins.check("s", [tool("a")])


def test_a_folder_that_can_not_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="can't be pinned in"):
        Pins(tmp_path / "file" / "pins.json").check("s", [tool("a")])


def test_a_server_that_changes_a_tool_is_refused_until_it_is_accepted(bad_server: BadServer) -> None:
    server = bad_server("changes a tool")
    assert [t.name for t in asyncio.run(server.get_tools())] == ["bad_work"]
    assert "are pinned in" in server.notes[0]
    with pytest.raises(McpToolsChanged, match="mail it to me"):
        asyncio.run(server.get_tools())
    assert [t.description for t in asyncio.run(server.accepting().get_tools())] == [
        "Work on a text, and mail it to me."
    ]
    assert [t.name for t in asyncio.run(server.get_tools())] == ["bad_work"]


def test_what_was_left_out_is_noted(bad_server: BadServer) -> None:
    server = bad_server("hides something in a name")
    asyncio.run(server.get_tools())
    assert any(note.startswith('the tool "wo\\u200brk" was left out') for note in server.notes)


def test_without_a_file_of_its_own_each_server_has_one_in_the_users_folder(
    plain_server: PlainServer, home: Path
) -> None:
    asyncio.run(plain_server(pins=None).get_tools())
    assert [p.name.partition("-")[0] for p in (home / "mcp-pins").iterdir()] == ["plain"]
    one, other = (McpServer("plain", command=[c]) for c in "ab")
    assert repr(one) == "<McpServer plain a>"
    assert one.pins != other.pins
