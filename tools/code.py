"""Whether a tool's code is what it was."""

from __future__ import annotations

import hashlib
import inspect
from functools import cache
from pathlib import Path

from agentkit.tools.signature import underlying
from agentkit.tools.tool import FunctionTool, Tool

__all__ = ["code_digest"]


def code_digest(tool: Tool) -> str:
    """Returns a digest of the file that a tool's function stands in; empty when there is none.

    The whole file counts: a function is seldom all of what its result depends on.
    """
    if not isinstance(tool, FunctionTool):
        return ""
    try:
        file = inspect.getsourcefile(inspect.unwrap(underlying(tool.function)))
    except TypeError:
        return ""
    return _digest(file) if file else ""


@cache
def _digest(file: str) -> str:
    try:
        return hashlib.sha256(Path(file).read_bytes()).hexdigest()[:16]
    except OSError:
        return ""
