"""Runs the child process, with a time limit for each stage, and says what became of it."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, TextIO

from agentkit.messages import is_object
from agentkit.model_backend.doctor.findings import Finding, quoted

__all__ = ["child_command", "stage_limit", "watch"]

_SECONDS = {"start": 60.0, "reading the vocabulary": 30.0, "reading the template": 60.0, "trying the grammars": 60.0}
_WEIGHTS_SECONDS = 120.0
_SECONDS_PER_GB = 60.0
_LAST_LINE = 300
_TAIL_BYTES = 65_536
_SOURCE_FOLDER = re.compile(r"^/\S*/(?=[^/\s]+:\d+: )")
"""Where the library's source lay when it was built: no news for anybody."""


def child_command(path: Path, *, quick: bool) -> list[str]:
    """Returns the command that examines a file."""
    # -P: a file of the current folder must not pass for one of the libraries.
    return [sys.executable, "-P", "-m", "agentkit.model_backend.doctor.child", str(path), *(["quick"] if quick else [])]


def stage_limit(stage: str, size: int) -> float:
    """Returns the most seconds for a stage.

    Args:
        stage: Its name.
        size: Bytes of the model file.
    """
    return _SECONDS.get(stage, _WEIGHTS_SECONDS + _SECONDS_PER_GB * size / 1e9)


def watch(command: Sequence[str], limit: Callable[[str], float]) -> Iterator[Finding | str]:
    """Yields the findings of a child process, and the name of each stage as it begins.

    A child that ends before it has said that it is done, or takes too long, gives a finding.

    Args:
        command: Its command.
        limit: Gives the seconds that a stage may take.
    """
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            start_new_session=True,  # so that what it starts can be ended with it
            text=True,
            encoding="utf-8",
        )
        try:
            yield from _follow(process, limit, errors)
        finally:
            _end(process)


def _follow(
    process: subprocess.Popen[str], limit: Callable[[str], float], errors: IO[bytes]
) -> Iterator[Finding | str]:
    assert process.stdout is not None
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_pump, args=(process.stdout, lines), daemon=True).start()
    stage = "start"
    seconds = limit(stage)
    deadline = time.monotonic() + seconds
    while True:
        try:
            line = lines.get(timeout=max(deadline - time.monotonic(), 0))
        except queue.Empty:
            yield _late(stage, seconds)
            return
        said: Any = json.loads(line) if line.endswith("\n") else None
        if not is_object(said):
            yield _ended(stage, process.wait(), errors)
            return
        if "end" in said:
            return
        if "stage" in said:
            stage = said["stage"]
            seconds = limit(stage)
            deadline = time.monotonic() + seconds
            yield stage
        else:
            yield Finding.from_json(said["finding"])


def _pump(source: TextIO, lines: queue.SimpleQueue[str]) -> None:
    """Passes on lines, and an empty one at the end."""
    try:
        for line in source:
            lines.put(line)
    except ValueError:  # closed while it was read, as nobody listens any more
        return
    lines.put("")


def _end(process: subprocess.Popen[str]) -> None:
    """Ends the child and all that it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


def _late(stage: str, seconds: float) -> Finding:
    return Finding(
        "process",
        "problem",
        f"it hung while {stage}, and was ended after {seconds:.0f} s",
        "don't use the file before you know why: compare its digest with its publisher's",
        data={"stage": stage, "seconds": seconds},
    )


def _ended(stage: str, code: int, errors: IO[bytes]) -> Finding:
    name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    line = _last_line(errors)
    said = f": {quoted(line, _LAST_LINE)}" if line else ""
    advice = "compare the file's digest with its publisher's, and download it again"
    if name == "SIGKILL":
        advice = "most likely the machine ran out of memory: close other programs, or take a smaller model"
    return Finding(
        "process",
        "problem",
        f"the process that opened the file ended with {name} while {stage}{said}",
        advice,
        data={"stage": stage, "signal": name, "last_line": line},
    )


def _last_line(errors: IO[bytes]) -> str:
    size = errors.seek(0, os.SEEK_END)
    errors.seek(max(size - _TAIL_BYTES, 0))
    lines = errors.read().decode("utf-8", "replace").splitlines()
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return _SOURCE_FOLDER.sub("", last)
