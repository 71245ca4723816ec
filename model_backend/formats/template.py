"""A chat template from a file that nobody has vetted: rendered with limits on time and memory."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import weakref
from pathlib import Path
from typing import Any

from agentkit.errors import ModelError

__all__ = ["ChatTemplate", "TemplateRefused"]

RENDER_SECONDS = 5.0
_WORKER = Path(__file__).with_name("template_worker.py")


class TemplateRefused(ModelError):
    """The template itself says that it can't write this conversation (``raise_exception``)."""


class ChatTemplate:
    """A chat template, rendered in a worker process that is started when it is first used.

    Args:
        source: The template's text.
        seconds: How long one rendering may take.
    """

    def __init__(self, source: str, *, seconds: float = RENDER_SECONDS) -> None:
        self.source = source
        self._seconds = seconds
        self._lock = threading.Lock()
        self._worker: subprocess.Popen[str] | None = None

    def render(self, variables: dict[str, Any]) -> str:
        """Returns the text for the variables.

        Raises:
            TemplateRefused: The template called ``raise_exception``.
            ModelError: It failed, took too long, or needs too much memory.
        """
        with self._lock:
            answer = self._ask(json.dumps(variables))
        if "text" in answer:
            return answer["text"]
        if "refused" in answer:
            raise TemplateRefused(f"the model's chat template refuses the conversation: {answer['refused']}")
        raise ModelError(f"the model's chat template failed: {answer['error']}")

    def close(self) -> None:
        """Ends the worker. The next rendering starts another."""
        if self._worker is not None:
            _end(self._worker)
            self._worker = None

    def _ask(self, line: str) -> dict[str, str]:
        worker = self._worker = self._worker or self._start()
        assert worker.stdin is not None and worker.stdout is not None
        late = threading.Event()

        def kill() -> None:
            late.set()
            worker.kill()

        timer = threading.Timer(self._seconds, kill)
        timer.daemon = True
        timer.start()
        try:
            worker.stdin.write(line + "\n")
            worker.stdin.flush()
            reply = worker.stdout.readline()
        except OSError:
            reply = ""
        finally:
            timer.cancel()
        if reply.endswith("\n"):
            return json.loads(reply)  # type: ignore[no-any-return]
        self.close()
        return {"error": f"it took longer than {self._seconds:g} s" if late.is_set() else "its process died"}

    def _start(self) -> subprocess.Popen[str]:
        worker = subprocess.Popen(
            [sys.executable, "-I", str(_WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
        )
        weakref.finalize(self, _end, worker)
        assert worker.stdin is not None
        worker.stdin.write(json.dumps(self.source) + "\n")
        return worker


def _end(worker: subprocess.Popen[str]) -> None:
    worker.kill()
    worker.wait()
    for pipe in (worker.stdin, worker.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except OSError:  # what was still in the buffer has no reader any more
                continue
