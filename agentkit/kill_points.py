"""Places at which a test may have the process killed, to prove that nothing is lost and nothing done twice.

``AGENTKIT_KILL=after-intent:3`` kills the process, as a power cut would, when ``after-intent`` is passed for the third
time. Without the variable a point costs one comparison.
"""

from __future__ import annotations

import os
import signal

__all__ = ["POINTS", "arm", "kill_point"]

POINTS = (
    "run-started",
    "before-turn",
    "turn-part",
    "after-turn",
    "plan-change",
    "before-intent",
    "after-intent",
    "after-effect",
    "after-result",
    "before-approval",
    "after-approval",
)
"""All places, in the order in which a run comes by them."""

_wanted, _left = "", 0


def arm(place: str) -> None:
    """Has the process killed at a place.

    Args:
        place: ``name`` or ``name:n``, for the n-th time that it is passed; empty for nowhere.
    """
    global _wanted, _left
    _wanted, _, number = place.partition(":")
    _left = int(number or 1)


def kill_point(name: str) -> None:
    """Ends the process here if that was asked for."""
    global _left
    if name == _wanted:
        _left -= 1
        if not _left:
            os.kill(os.getpid(), signal.SIGKILL)


arm(os.environ.get("AGENTKIT_KILL", ""))
