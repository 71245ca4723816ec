"""Notices when a model has stopped going anywhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence

__all__ = ["TEXT_PATIENCE", "runaway"]

BLANK_TOKENS = 24
REPEATED_TOKENS = 60
TIMES = 4
TEXT_PATIENCE = 4
"""How many times as long as a thought an answer may go on so: a list of values may repeat itself."""
LONGEST_LOOK = 2048
"""Tokens of the end that are looked at."""


def runaway(tokens: Sequence[int], piece: Callable[[int], bytes], *, patience: int = 1) -> str:
    """Returns what is wrong with the end of what a model writes; empty when nothing is.

    Args:
        tokens: What it wrote.
        piece: Gives the bytes of a token.
        patience: How many times as long as a thought it may go on so. Answers need it: a table may repeat itself.
    """
    tokens = list(tokens[-LONGEST_LOOK:])
    blank = BLANK_TOKENS * patience
    if len(tokens) >= blank and not b"".join(map(piece, tokens[-blank:])).strip():
        return "it was nothing but blank lines"
    for period in range(1, len(tokens) // TIMES + 1):
        length = max(period * TIMES, -(-REPEATED_TOKENS * patience // period) * period)
        if length <= len(tokens) and tokens[-length:-period] == tokens[-length + period :]:
            return f"it repeated the same {period} tokens"
    return ""
