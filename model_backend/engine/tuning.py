"""Chooses, by measuring, what no table can tell: whether flash attention is faster on this machine for this model.

On a CPU the answer depends on the size of the attention heads: equal for heads of 128 and 256, but four times slower
for small batches with heads of 64.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from agentkit.model_backend.engine.native import Chunk, Context, Model

__all__ = ["flash_is_faster"]

_TOO_SMALL = 50_000_000  # parameters; below, a decode is too short for the choice to matter
_ROUNDS = 3
_BATCH = 8  # forced tokens and runs that decode together: where the difference is largest
_WORTH = 0.8  # flash attention saves memory, so plain attention has to be clearly faster


def flash_is_faster(model: Model, *, threads: int, clock: Callable[[], float] = time.perf_counter) -> bool:
    """Returns whether to use flash attention. Takes about a second for a model of 1.5 billion parameters.

    Attention always runs over a multiple of 256 cells, so that a nearly empty cache costs what 256 tokens cost.
    """
    if model.parameters < _TOO_SMALL:
        return True
    plain, flash = (
        Context(model, context=256, sequences=1, batch=_BATCH, threads=threads, full_window=False, flash=flash)
        for flash in (False, True)
    )
    try:
        _decode(plain)  # loads the weights into memory
        times = [(_seconds(plain, clock), _seconds(flash, clock)) for _ in range(_ROUNDS)]
    finally:
        plain.free()
        flash.free()
    return min(seconds for seconds, _ in times) > _WORTH * min(seconds for _, seconds in times)


def _seconds(context: Context, clock: Callable[[], float]) -> float:
    start = clock()
    _decode(context)
    return clock() - start


def _decode(context: Context) -> None:
    context.cut(0, 0)
    context.decode([Chunk(0, 0, [0] * _BATCH, False)])
