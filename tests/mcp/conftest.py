"""A server that misbehaves, and whether anything is left of it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from agentkit.messages import JsonObject
from agentkit.tools import McpServer

BadServer: TypeAlias = Callable[..., McpServer]
PlainServer: TypeAlias = Callable[..., McpServer]
HERE = Path(__file__).parent
collect_ignore = ["bad_server.py", "good_server.py", "plain_server.py"]  # programs, not modules
PYTHON = [sys.executable, "-I", "-S"]


@pytest.fixture
def bad_server(tmp_path: Path, pids: Path) -> BadServer:
    """Makes servers that misbehave, all with one file of pins."""

    def make(how: str, **options: Any) -> McpServer:
        command = [*PYTHON, str(HERE / "bad_server.py"), how, str(pids)]
        defaults: JsonObject = {"timeout": 10.0, "pins": tmp_path / "pins.json"}
        return McpServer("bad", command=command, **(defaults | options))

    return make


@pytest.fixture
def plain_server(tmp_path: Path, pids: Path) -> PlainServer:
    """Makes servers that behave, all with one file of pins."""

    def make(**options: Any) -> McpServer:
        command = [*PYTHON, str(HERE / "plain_server.py"), str(pids)]
        defaults: JsonObject = {"pins": tmp_path / "pins.json"}
        return McpServer("plain", command=command, **(defaults | options))

    return make


@pytest.fixture
def needs_package() -> None:
    """Skips a test where the package is missing; the gate installs it."""
    pytest.importorskip("mcp", reason="the package mcp is not installed: pip install 'agentkit-gemma[mcp]'")


@pytest.fixture
def pids(needs_package: None, tmp_path: Path) -> Iterator[Path]:
    """Gives the file in which servers note the ids of their processes; afterwards, none of these may be left."""
    pids = tmp_path / "pids"
    yield pids
    started = [int(pid) for pid in pids.read_text().split()] if pids.exists() else []
    for _ in range(100):  # who was killed a moment ago may need another moment
        if not any(map(is_alive, started)):
            return
        time.sleep(0.02)
    pytest.fail(f"these processes are left: {[pid for pid in started if is_alive(pid)]}")


def is_alive(pid: int) -> bool:
    """Returns whether a process goes on; one that ended and is not reaped yet does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in ("Z", "X")
