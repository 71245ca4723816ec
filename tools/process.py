"""Runs a tool's function in a child process that can be killed, with all it started.

The child imports the function by its module's name or file, so only functions at the top level of a
module (or class) can run there. It leads a process group of its own, which is killed when the call ends,
however it ends; and it kills the group itself when its parent is gone.
"""

from __future__ import annotations

import asyncio
import builtins
import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import agentkit.errors
from agentkit.errors import RunError, UsageError
from agentkit.messages import JsonObject, JsonValue
from agentkit.tools.confine import RLIMITS, landlock_version
from agentkit.tools.context import ToolContext
from agentkit.tools.invoke import within
from agentkit.tools.sandbox import Level, base_environment, check_level, kill_tree
from agentkit.tools.signature import Signature, define_error, underlying

__all__ = ["Target", "call_in_process", "find_target"]

START_SECONDS = 60.0
"""How long a child may take to start and import the tool's module."""

_BOOT = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from agentkit.tools.child import main; main()"
_FIX = "or set isolation='thread' (at its timeout the thread is then left behind, still running)"


@dataclass(frozen=True, slots=True)
class Target:
    """Where a child process finds a function."""

    module: str
    """Name of the module; empty for a script, which is loaded by its file."""
    file: str
    qualname: str


def find_target(function: Callable[..., Any], signature: Signature) -> Target:
    """Returns where a child process finds a function.

    Raises:
        agentkit.errors.ToolDefinitionError: It can't be found there, or can't run there.
    """
    if (reason := _not_in_child(function, signature)) is not None:
        raise define_error(function, f"it would run in a process of its own so that it can be stopped, but {reason}")
    module = sys.modules.get(function.__module__)
    name, file = function.__module__, getattr(module, "__file__", None) or ""
    if name == "__main__":
        spec = getattr(module, "__spec__", None)
        name = spec.name if spec else ""
    return Target(name, str(Path(file).resolve()) if file else "", function.__qualname__)


def _not_in_child(function: Callable[..., Any], signature: Signature) -> str | None:
    qualname = getattr(function, "__qualname__", "")
    if signature.context is not None:
        return f"a ToolContext does not reach there; take the parameter {signature.context!r} away, {_FIX}"
    if signature.unbound or underlying(function) is not function:
        return f"a method, partial or callable object can't be imported there; wrap it in a def, {_FIX}"
    if "<" in qualname:  # <locals>, <lambda>
        outer = qualname.split(".")[0]
        return f"it is made inside of {outer!r} and can't be imported; move it to the top of its module, {_FIX}"
    module = sys.modules.get(function.__module__)
    if function.__module__ == "__main__" and not getattr(module, "__file__", None):
        return f"it was typed in and is in no file; save it in one, {_FIX}"
    return None


async def call_in_process(
    target: Target,
    arguments: JsonObject,
    *,
    tool: str,
    timeout: float | None,  # noqa: ASYNC109 - it counts from the function's start, not from this call's
    context: ToolContext,
) -> JsonValue:
    """Runs a function in a child process and returns its result as JSON.

    Args:
        target: The function.
        arguments: JSON; the child validates them again to get Python values.
        tool: Name of the tool, for messages.
        timeout: Seconds from the function's start; ``None`` for no limit.
        context: The run around the call: what the function yields goes there, and its secrets are the only variables
            that the child has besides those that every program needs.

    Raises:
        agentkit.errors.ToolTimeout: The limit was reached; the child and all it started were killed.
        agentkit.errors.RunError: The child ended without a result.
        Exception: What the function raised; of a type that is not built in, as a `RunError` with its name.
    """
    if os.environ.get("AGENTKIT_TOOL_CHILD"):
        raise UsageError(
            f"{tool!r} was called while its own file was imported by a child process; "
            "put what the script does under: if __name__ == '__main__':"
        )
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-c", _BOOT, json.dumps(sys.path),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
        env=_environment(context),
    )  # fmt: skip
    try:
        confined = _confinement(context, tool)
        request = {"target": asdict(target), "tool": tool, "arguments": arguments, "confined": confined}
        started = within(START_SECONDS, tool, _start(child, request, tool), consequence="its process did not start")
        await started
        work = _results(child, tool, context.progress)
        result: JsonValue = await within(timeout, tool, work, consequence="it was stopped, with all it had started")
        return result
    finally:
        kill_tree(child.pid)
        await asyncio.shield(child.communicate())  # and not wait, which hangs while a pipe is full


def _environment(context: ToolContext) -> dict[str, str]:
    home = {"HOME": os.environ["HOME"]} if "HOME" in os.environ else {}
    return {**base_environment(), **home, **context.access.secrets.environment(), "AGENTKIT_TOOL_CHILD": "1"}


def _confinement(context: ToolContext, tool: str) -> JsonObject:
    """Returns what the child gives up: it may read everything, and change the workspace and temporary files.

    Raises:
        agentkit.errors.UsageError: A sandbox is required, and this kernel has none.
    """
    mode = context.access.sandbox
    level: Level = "landlock" if mode != "off" and landlock_version() else "limits"
    check_level(mode, tool, "landlock", level)
    context.sandbox = level
    write = [str(context.workspace.resolve()), tempfile.gettempdir(), "/dev"]
    rules = {"read": ["/"], "write": write, "network": True} if level == "landlock" else None
    return {"limits": dict(RLIMITS), "landlock": rules}


async def _start(child: asyncio.subprocess.Process, request: JsonObject, tool: str) -> None:
    assert child.stdin is not None
    with suppress(ConnectionError):  # said by _read
        child.stdin.write(json.dumps(request).encode() + b"\n")
        await child.stdin.drain()
    message = await _read(child, tool)
    if "error" in message:
        raise _rebuilt(message["error"])


async def _results(child: asyncio.subprocess.Process, tool: str, progress: Callable[[JsonValue], None]) -> JsonValue:
    while True:
        message = await _read(child, tool)
        if "progress" in message:
            progress(message["progress"])
        elif "error" in message:
            raise _rebuilt(message["error"])
        else:
            result: JsonValue = message["result"]
            return result


async def _read(child: asyncio.subprocess.Process, tool: str) -> JsonObject:
    """Returns the child's next message: eight bytes of length, then JSON."""
    assert child.stdout is not None
    try:
        size = int.from_bytes(await child.stdout.readexactly(8), "big")
        message: JsonObject = json.loads(await child.stdout.readexactly(size))
    except asyncio.IncompleteReadError:
        code = await child.wait()
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"exited with code {code}"
        raise RunError(f"the process of {tool!r} {how} before it gave a result") from None
    return message


def _rebuilt(error: JsonObject) -> Exception:
    """Returns the exception that a child reported, of the same type where that is known here."""
    name, text = error["type"], error["message"]
    cls: Any = getattr(agentkit.errors, name, None) or getattr(builtins, name, None)
    rebuilt: Exception = RunError(f"{name}: {text}")
    if isinstance(cls, type) and issubclass(cls, Exception) and not issubclass(cls, StopIteration):
        with suppress(TypeError):  # its constructor wants more than a message
            rebuilt = cls(text)
    rebuilt.add_note(error["traceback"])
    return rebuilt
