"""How a state feels: good, bad, or on its way."""

from __future__ import annotations

__all__ = ["tone"]

_GOOD = ("ok", "answer", "done", "kept", "reused")
_BUSY = (
    "running",
    "waiting",
    "approval",
    "warning",
    "stopped",
    "not run",
    "killed",
    "cancelled",
    "intent",
    "planned",
    "not called",
)


def tone(state: str) -> str:
    """Returns ``good``, ``busy`` or ``bad``; empty for no state."""
    if not state:
        return ""
    return "good" if state in _GOOD else "busy" if state in _BUSY else "bad"
