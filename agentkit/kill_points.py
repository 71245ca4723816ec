"""Places at which a test may have the process killed, to prove that nothing is lost and nothing done twice.

``AGENTKIT_KILL=after-intent:3`` kills the process, as a power cut would, when ``after-intent`` is passed for the third
time. Without the variable a point costs one comparison.
"""

from __future__ import annotations

import os
import signal
from collections import Counter

__all__ = ["POINTS", "kill_point"]

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

_WANTED, _, _number = os.environ.get("AGENTKIT_KILL", "").partition(":")
_passed = Counter[str]()


def kill_point(name: str) -> None:
    """Ends the process here if that was asked for."""
    if name == _WANTED:
        _passed[name] += 1
        if _passed[name] == int(_number or 1):
            os.kill(os.getpid(), signal.SIGKILL)
