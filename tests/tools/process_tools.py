"""Tools that run in a child process; at the top of a module, where the child finds them.

Nothing is imported from other test modules: pytest does not put them where a child could import them.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from agentkit import Retry, ToolFailed, tool

TIMEOUT = 30.0


@dataclass
class Point:
    x: int
    y: int = 0


@tool(timeout=TIMEOUT)
def next_year(day: date, point: Point) -> Point:
    return Point(day.year + 1, point.y)


@tool(timeout=TIMEOUT)
def steps(count: int) -> Iterator[str]:
    for i in range(count):
        yield f"step {i}"


@tool(isolation="process")
async def in_own_loop(a: int) -> int:
    return a + 1


@tool(timeout=TIMEOUT)
def own_pid() -> int:
    return os.getpid()


@tool(timeout=TIMEOUT)
def large(size: int) -> str:
    return "x" * size


@tool(timeout=TIMEOUT)
def chatty() -> str:
    print("to stdout")  # noqa: T201
    return sys.stdin.read()


@tool(timeout=TIMEOUT)
def fails(how: str) -> None:
    if how == "retry":
        raise Retry("use another city")
    if how == "failed":
        raise ToolFailed("no such city")
    if how == "value":
        raise ValueError("bad value")
    if how == "key":
        raise KeyError("missing")
    if how == "variable":
        os.environ["API_TOKEN"]
    if how == "own":
        raise subprocess.CalledProcessError(3, "x")
    if how == "exit":
        sys.exit(7)
    if how == "gone":
        os._exit(7)
    os.kill(os.getpid(), signal.SIGSEGV)


@tool(timeout=0.5)
def hangs_with_child(pid_file: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    pid_file.write_text(f"{os.getpid()} {child.pid}")
    time.sleep(600)


@tool(timeout=TIMEOUT)
def waits_with_child(pid_file: Path) -> None:
    hangs_with_child(pid_file)


@tool(timeout=TIMEOUT)
def leaves_a_child(pid_file: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    pid_file.write_text(f"{child.pid}")
