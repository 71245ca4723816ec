"""MCP servers in a task file: how they are read, and where a mistake in one is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agentkit.errors import TaskFileError
from agentkit.plan_file import plan_text
from agentkit.task import Task, load_task, read_task
from agentkit.tools.mcp.server import McpServer

Load = Callable[..., Task]

WHOLE = """\
task: x
tools:
  - ./tools.py
  - mcp:
      name: files
      command: [npx, -y, a-server, .]
      env: [HOME]
      cwd: ..
      tools: [read_*]
      trust_hints: true
      timeout: 5s
  - mcp: {name: web, url: "https://example.com/mcp", headers: {Authorization: "Bearer ${TOKEN}"}, pins: web.json}
"""


def test_servers_stand_among_the_tools(load: Load, tmp_path: Path) -> None:
    name, files, web = load(WHOLE).tools
    assert name == "./tools.py"
    assert isinstance(files, McpServer)
    assert isinstance(web, McpServer)
    assert (files.name, files.command, files.tools) == ("files", ("npx", "-y", "a-server", "."), ("read_*",))
    assert files.pins.path == tmp_path / "mcp-pins.json"
    assert (web.url, web.pins.path) == ("https://example.com/mcp", tmp_path / "web.json")


@pytest.mark.parametrize(
    ("tool", "column", "says"),
    [
        ("5", 5, "'tools[0]' must be text such as ./my_tools.py, not the number 5"),
        ("{server: {}}", 6, "unknown key 'server' in 'tools[0]'; keys: mcp"),
        ("{}", 5, "'tools[0]' is empty; write {mcp: "),
        ("{mcp: files}", 11, "'tools[0].mcp' must be a mapping with the keys name, command"),
        ("{mcp: {}}", 11, "'tools[0].mcp' needs a name"),
        ("{mcp: {nam: a}}", 12, "unknown key 'nam' in 'tools[0].mcp'; did you mean 'name'?"),
        ("{mcp: {name: 5}}", 18, "'name' must be text such as files"),
        ("{mcp: {name: a b, url: 'https://x'}}", 11, "an MCP server can't be called 'a b'"),
        ("{mcp: {name: a}}", 11, "MCP server 'a' needs either a command or a url"),
        ("{mcp: {name: a, url: 'ftp://x'}}", 11, "does not start with http:// or https://"),
        ("{mcp: {name: a, command: npx server}}", 30, "'command' must be a list such as [npx, a-server]"),
        ("{mcp: {name: a, command: [npx, 5]}}", 36, "'command[1]' must be text"),
        ("{mcp: {name: a, command: [x], env: {A: b}}}", 40, "'env' must be a list such as [GITHUB_TOKEN]"),
        ("{mcp: {name: a, command: [x], trust_hints: yes}}", 48, "'trust_hints' must be true or false"),
        ("{mcp: {name: a, command: [x], timeout: 0}}", 44, "'timeout' must be a duration such as 120s"),
        ("{mcp: {name: a, url: 'https://x', headers: [a]}}", 48, "'headers' must be a mapping"),
        ("{mcp: {name: a, url: 'https://x', headers: {A: 5}}}", 52, "'headers.A' must be text"),
    ],
)
def test_a_mistake_has_its_place(load: Load, tool: str, column: int, says: str) -> None:
    with pytest.raises(TaskFileError) as caught:
        load(f"task: x\ntools:\n  - {tool}\n")
    assert (caught.value.line, caught.value.column) == (3, column)
    assert says in str(caught.value)


def test_a_server_that_can_not_be_used_is_an_error_at_its_place(load: Load) -> None:
    task = load("task: x\ntools:\n  - mcp: {name: s, command: [/no/such/program], timeout: 5}\n")
    with pytest.raises(TaskFileError, match=r"task\.yaml:3:5: MCP server 's' "):
        task.load_tools()


def test_a_plan_in_another_folder_starts_the_same_server_with_the_same_pins(load: Load, tmp_path: Path) -> None:
    task = load(WHOLE)
    other = tmp_path / "plans"
    other.mkdir()
    (other / "plan.yaml").write_text(plan_text(task, [], other) + "\n  - {id: a, tool: x}\n")
    moved = read_task(other / "plan.yaml").tools
    pins = [server.pins.path.resolve() for server in moved if isinstance(server, McpServer)]
    assert pins == [tmp_path / "mcp-pins.json", tmp_path / "web.json"]
    text = (other / "plan.yaml").read_text()
    assert "cwd: ./../.." in text or "cwd: ../.." in text


def test_a_task_with_servers_is_read_without_starting_them(tmp_path: Path) -> None:
    path = tmp_path / "task.yaml"
    path.write_text(f"task: x\ntools:\n  - mcp: {{name: s, command: [touch, '{tmp_path}/started']}}\n")
    load_task(path)
    assert not (tmp_path / "started").exists()
