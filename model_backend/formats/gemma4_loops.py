"""Notices when a thought has stopped going anywhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence

__all__ = ["runaway"]

BLANK_TOKENS = 24
REPEATED_TOKENS = 60
TIMES = 4


def runaway(tokens: Sequence[int], piece: Callable[[int], bytes]) -> str:
    """Returns what is wrong with the end of a thought; empty when nothing is."""
    if len(tokens) >= BLANK_TOKENS and not b"".join(map(piece, tokens[-BLANK_TOKENS:])).strip():
        return "it was nothing but blank lines"
    for period in range(1, len(tokens) // TIMES + 1):
        length = max(period * TIMES, -(-REPEATED_TOKENS // period) * period)
        if length <= len(tokens) and list(tokens[-length:-period]) == list(tokens[-length + period :]):
            return f"it repeated the same {period} tokens"
    return ""
