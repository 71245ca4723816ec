"""The other side of `agentkit.tools.process`: imports one function, runs it once, and waits to be killed."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import signal
import sys
import threading
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO, cast

from agentkit.errors import RunError
from agentkit.messages import JsonObject
from agentkit.tools.confine import adopt_orphans, landlock, limit
from agentkit.tools.invoke import call_blocking, finish
from agentkit.tools.loading import load_file

__all__ = ["main"]


def main() -> None:
    """Runs the call that the parent sends and reports to it."""
    control, channel = _take_pipes()
    request: JsonObject = json.loads(control.readline())
    threading.Thread(target=_die_with_parent, args=(control,), daemon=True).start()
    lock = threading.Lock()

    def report(**message: Any) -> None:
        data = json.dumps(message).encode()
        with lock:
            channel.write(len(data).to_bytes(8, "big") + data)
            channel.flush()

    try:
        answer: JsonObject = {"result": _run(request, report)}
    except BaseException as raised:
        error = _explained(raised)
        told = traceback.TracebackException.from_exception(error)  # also tells of one whose own words fail
        answer = {"error": {"type": type(error).__name__, "message": str(told), "traceback": "".join(told.format())}}
    sys.stdout.flush()  # before the answer, after which the parent ends this process
    sys.stderr.flush()
    report(**answer)
    while True:  # until the parent kills the group, so that nothing the tool started is left
        signal.pause()


def _run(request: JsonObject, report: Any) -> Any:
    from agentkit.tools.tool import FunctionTool

    confined = request["confined"]
    adopt_orphans()  # so that the parent finds them
    limit(confined["limits"])
    if confined["landlock"] is not None:
        landlock(**confined["landlock"])
    target = request["target"]
    found: Any = _module(target["module"], target["file"])
    for part in target["qualname"].split("."):
        found = getattr(found, part)
    tool = cast("FunctionTool[..., Any]", found if isinstance(found, FunctionTool) else FunctionTool(found))
    call = tool.call(tool.validate(request["arguments"]), progress=lambda m: report(progress=_plain(m)))
    report(started=True)
    value = call_blocking(call)
    return tool.to_json(asyncio.run(finish(call, value)))


def _explained(error: BaseException) -> BaseException:
    """Returns what to say of an error: of a variable that the clean environment does not have, how it gets there."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    if isinstance(error, KeyError) and last and last.tb_frame.f_code is type(os.environ).__getitem__.__code__:
        return RunError(
            f"the environment variable {error.args[0]!r} is not set in the tool's own process, whose environment is "
            "clean; name it under 'secrets' in the task file or of the Agent"
        ).with_traceback(error.__traceback__)
    return error


def _plain(message: Any) -> Any:
    from pydantic_core import to_jsonable_python

    return to_jsonable_python(message, fallback=str, inf_nan_mode="strings")


def _module(name: str, file: str) -> ModuleType:
    """Returns the module by name, if that leads to the same file as in the parent; otherwise by its file."""
    if name:
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError:
            if not file:
                raise
        else:
            if not file or Path(getattr(module, "__file__", None) or "").resolve() == Path(file):
                return module
    return load_file(Path(file))


def _take_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Returns the pipes to the parent, and gives the tool an empty input and stderr as its output."""
    control, channel = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return control, channel


def _die_with_parent(control: BinaryIO) -> None:
    control.read()  # until the parent's end is closed
    os.killpg(0, signal.SIGKILL)
