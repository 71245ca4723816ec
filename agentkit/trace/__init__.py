"""A run, read back from its file and shown."""

from __future__ import annotations

from agentkit.trace.trace import Trace

__all__ = ["Trace"]
