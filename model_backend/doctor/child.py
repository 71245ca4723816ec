"""The process that opens the file with llama.cpp, so that a damaged or hostile file can take down nothing else.

Run by `agentkit.model_backend.doctor.watch`. Each line on standard output is a JSON object: ``{"stage": ...}`` when
a stage begins, ``{"finding": {...}}``, and ``{"end": true}`` when all is done. Whatever libraries print goes to
standard error, where the last line says why the process ended, if it did.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, TextIO

from agentkit.errors import AgentkitError
from agentkit.messages import JsonObject
from agentkit.model_backend import catalog
from agentkit.model_backend.doctor.findings import Finding, shortened, size_text

__all__ = ["main"]

_ROOM = 4 * 2**30
"""Address space for libraries and a vocabulary; the largest vocabularies need a tenth of it."""
_OUTPUT_BYTES = 64 * 2**20
_CPU_SECONDS = 3600
"""If no one is there any more to end the process."""


class Teller:
    """Writes lines for the process that watches."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def stage(self, name: str) -> None:
        """Says that a stage begins."""
        self._write({"stage": name})

    def find(self, finding: Finding | None) -> None:
        """Passes a finding on."""
        if finding is not None:
            self._write({"finding": finding.to_json()})

    def end(self) -> None:
        """Says that all is done."""
        self._write({"end": True})

    def _write(self, line: JsonObject) -> None:
        self._out.write(json.dumps(line) + "\n")
        self._out.flush()


def main() -> None:
    """Examines the file that the first argument names; ``quick`` as the second leaves the weights out."""
    teller = Teller(_take_output())
    _end_with_parent()
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, _OUTPUT_BYTES)
    _limit(resource.RLIMIT_CPU, _CPU_SECONDS)
    path, quick = Path(sys.argv[1]), sys.argv[2:] == ["quick"]
    teller.stage("start")
    # What is imported here loads llama.cpp.
    from agentkit.model_backend.engine import native

    native.on_log(_log)
    try:
        _examine(path, teller, quick)
    except AgentkitError as error:
        teller.find(_failure(str(error)))
    except MemoryError:
        teller.find(_failure("it needs more memory than it may have"))
    except Exception as error:  # nothing that a file holds may go unexplained
        teller.find(_failure(f"{type(error).__name__}: {error}"))
    teller.end()


def _examine(path: Path, teller: Teller, quick: bool) -> None:
    from agentkit.model_backend.doctor.vocabulary import check_vocabulary
    from agentkit.model_backend.engine import Engine

    _limit_memory(path.stat().st_size + _ROOM)
    usable = True
    for step in check_vocabulary(path):
        if isinstance(step, str):
            teller.stage(step)
        else:
            teller.find(step)
            usable = usable and step.level != "problem"
    if quick or not usable:
        return
    _limit_memory(catalog.physical_memory() + 2 * path.stat().st_size + _ROOM)
    teller.stage("loading the weights")
    start = time.perf_counter()
    engine = Engine.load(path)
    try:
        teller.find(_loaded(engine.context, time.perf_counter() - start))
        asyncio.run(_try_out(engine, teller))
    finally:
        engine.close()


async def _try_out(engine: Any, teller: Teller) -> None:
    from agentkit.model_backend.doctor.decoding import Probe, check_calls, check_numbers
    from agentkit.model_backend.doctor.live import check_live
    from agentkit.model_backend.formats import format_for

    probe = Probe(engine, format_for(engine.vocab))
    stages: tuple[tuple[str, Callable[[Probe], AsyncIterator[Finding]]], ...] = (
        ("decoding", check_numbers),
        ("calling", check_calls),
        ("free turns", check_live),
    )
    for name, check in stages:
        teller.stage(name)
        async for finding in check(probe):
            teller.find(finding)
            if finding.level == "problem":
                return


def _loaded(context: int, seconds: float) -> Finding:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    message = f"loaded in {seconds:.1f} s with a context of {context:,} tokens; {size_text(peak)} in use"
    return Finding("loading", "ok", message, data={"seconds": seconds, "context": context, "peak_bytes": peak})


def _failure(why: str) -> Finding:
    return Finding("loading", "problem", shortened(why, 400), "get the file again from its publisher")


def _take_output() -> TextIO:
    """Returns standard output for our own lines, and sends what others print there to standard error."""
    own = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return own


def _log(line: str) -> None:
    os.write(2, line.encode("utf-8", "replace"))


def _end_with_parent() -> None:
    """Ends this process and those it started when the one that watches is gone, which closes standard input."""

    def wait() -> None:
        while os.read(0, 1):
            continue
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=wait, daemon=True).start()


def _limit_memory(size: int) -> None:
    """Limits the address space."""
    from agentkit.model_backend.engine.native import lib

    if not lib.llama_supports_gpu_offload():  # GPU drivers map more than any machine has
        _limit(resource.RLIMIT_AS, size)


def _limit(what: int, most: int) -> None:
    _, hard = resource.getrlimit(what)
    try:
        resource.setrlimit(what, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
    except (ValueError, OSError):  # macOS refuses some
        return


if __name__ == "__main__":
    main()
