"""Runs a command that a model wrote, as far apart from everything else as this machine can.

Three levels, the best first; what works is tried out, not looked up:

- ``bwrap``: bubblewrap gives the command a system of its own, with nothing in it but programs and the workspace; there
  are no other processes, no network, and no other files.
- ``landlock``: the same files; other processes are there and can't be touched; TCP is shut, UDP is not.
- ``limits``: a process that is stopped at its limits, and may do what the user may.
"""

from __future__ import annotations

import asyncio
import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from agentkit.errors import ToolFailed, UsageError
from agentkit.tools.access import SandboxMode
from agentkit.tools.confine import LAUNCHER, RLIMITS, descendants, landlock_version
from agentkit.tools.invoke import within

__all__ = [
    "Finished",
    "Level",
    "base_environment",
    "best_level",
    "bwrap_trouble",
    "check_level",
    "kill_tree",
    "run_confined",
]

Level: TypeAlias = Literal["bwrap", "landlock", "limits"]

_PROGRAMS = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store")
_SETTINGS = ("/etc/alternatives", "/etc/ld.so.cache", "/etc/localtime", "/etc/ssl", "/etc/pki", "/etc/ca-certificates")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
_KEPT = ("LANG", "LANGUAGE", "TZ", "TERM", "COLUMNS", "NO_COLOR")

COMMAND_LIMITS: Mapping[str, int] = {**RLIMITS, "DATA": 4 << 30, "FSIZE": 1 << 30, "NOFILE": 1024}
"""Of a command: memory per process and the size of a file in bytes, and how many files may be open."""


@dataclass(frozen=True, slots=True)
class Finished:
    """How a command ended."""

    code: int
    """Exit code; 128 and more for a signal."""
    out: bytes
    err: bytes
    left_out: int
    """How many bytes of its output are not there, because it wrote more than was asked for."""


def base_environment() -> dict[str, str]:
    """Returns the variables that every tool's process gets: where programs are, language, time zone."""
    kept = {k: v for k, v in os.environ.items() if k in _KEPT or k.startswith("LC_")}
    return {"PATH": os.environ.get("PATH", os.defpath), **kept}


@functools.cache
def bwrap_trouble() -> str:
    """Returns why bubblewrap does not work here; empty when it does. It is tried out once in a process."""
    if sys.platform != "linux":
        return "it is there for Linux only"
    if shutil.which("bwrap") is None:
        return "it is not installed"
    with tempfile.TemporaryDirectory() as folder:
        command = [*_bwrap(Path(folder), folder, {}), "/bin/true"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
    return "" if done.returncode == 0 else done.stderr.strip() or f"it exits with code {done.returncode}"


def best_level() -> Level:
    """Returns how well commands are confined on this machine."""
    if not bwrap_trouble():
        return "bwrap"
    return "landlock" if landlock_version() else "limits"


def check_level(mode: SandboxMode, tool: str, wanted: Level, have: Level) -> None:
    """Refuses to go on with less than what was asked for.

    Raises:
        agentkit.errors.UsageError: A sandbox is required, and is not there.
    """
    if mode == "required" and have != wanted:
        what, why = ("bubblewrap", bwrap_trouble()) if wanted == "bwrap" else ("Landlock", "this kernel has none")
        raise UsageError(
            f"{tool!r} did not run: 'sandbox: required' wants {what}, and {why}; see 'agentkit doctor', "
            "or set 'sandbox: auto' to do with less"
        )


async def run_confined(
    command: Sequence[str],
    *,
    tool: str,
    workspace: Path,
    level: Level,
    seconds: float,
    most_output: int,
) -> Finished:
    """Runs a command in a workspace, and ends it with all that it started, however the call ends.

    Args:
        command: The program and its arguments; no shell reads them.
        tool: Name of the tool that runs it, for messages.
        workspace: The folder to run in, the only one it may change besides a temporary one of its own.
        level: How it is confined.
        seconds: How long it may take.
        most_output: How much of each of its two outputs is kept, in bytes; at 50 times that it is stopped.

    Raises:
        agentkit.errors.ToolTimeout: It took longer.
        agentkit.errors.ToolFailed: It wrote too much.
    """
    with tempfile.TemporaryDirectory(prefix="agentkit-") as temporary:
        variables = _variables(workspace, level, temporary)
        process = await asyncio.create_subprocess_exec(
            *_argv(command, workspace, level, temporary, variables),
            cwd=workspace,
            env=variables,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        try:
            work = _finish(process, most_output)
            finished: Finished = await within(
                seconds, tool, work, consequence="it was stopped, with all it had started"
            )
            return finished
        finally:
            kill_tree(process.pid)
            await asyncio.shield(process.communicate())  # and not wait, which hangs while a pipe is full


def _variables(workspace: Path, level: Level, temporary: str) -> dict[str, str]:
    own = {"HOME": str(workspace), "TMPDIR": "/tmp" if level == "bwrap" else temporary}
    if level != "limits":  # other folders can't be read
        own["PATH"] = f"{sys.base_prefix}/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
    return {**base_environment(), **own}


def _argv(
    command: Sequence[str], workspace: Path, level: Level, temporary: str, variables: Mapping[str, str]
) -> list[str]:
    rules = None
    if level == "bwrap":
        command = [*_bwrap(workspace, temporary, variables), *command]
    elif level == "landlock":
        rules = {"read": _readable(), "write": [str(workspace), temporary, *_DEVICES], "network": False}
    spec = json.dumps({"limits": dict(COMMAND_LIMITS), "landlock": rules})
    return [sys.executable, "-I", "-S", LAUNCHER, spec, *command]


def _readable() -> list[str]:
    return [*_PROGRAMS, *_SETTINGS, sys.base_prefix]


def _bwrap(workspace: Path, temporary: str, variables: Mapping[str, str]) -> list[str]:
    argv = ["bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv"]
    for path in _readable():
        argv += ["--ro-bind-try", path, path]
    argv += ["--proc", "/proc", "--dev", "/dev", "--bind", temporary, "/tmp", "--bind", str(workspace), str(workspace)]
    for name, value in variables.items():
        argv += ["--setenv", name, value]
    return [*argv, "--chdir", str(workspace), "--"]


async def _finish(process: asyncio.subprocess.Process, most: int) -> Finished:
    assert process.stdout is not None
    assert process.stderr is not None
    too_much = 50 * most

    async def read(stream: asyncio.StreamReader) -> tuple[bytes, int]:
        """Returns the beginning of what is written, and how many bytes came after it."""
        kept, size = bytearray(), 0
        while data := await stream.read(1 << 16):  # to the end in any case: asyncio hangs on a pipe that stays full
            kept += data[: max(most - len(kept), 0)]
            if size <= too_much < size + len(data):
                kill_tree(process.pid)
            size += len(data)
        return bytes(kept), size - len(kept)

    (out, more_out), (err, more_err) = await asyncio.gather(read(process.stdout), read(process.stderr))
    if max(len(out) + more_out, len(err) + more_err) > too_much:
        raise ToolFailed(f"the command wrote more than {too_much:,} bytes and was stopped; make it write less")
    return Finished(await process.wait(), out, err, more_out + more_err)


def kill_tree(pid: int) -> None:
    """Kills a process that leads a session, with all it started, also what left the session."""
    for _ in range(1000):  # what is killed may have started more in the meantime
        if not (left := [other for other in descendants(pid) if _runs(other)]):
            break
        for other in left:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(other, signal.SIGKILL)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _runs(pid: int) -> bool:
    """Whether a process has not ended; one that has is there until its parent asks for it."""
    with suppress(OSError):
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
        return stat.rpartition(")")[2].split()[0] not in "ZX"
    return False
