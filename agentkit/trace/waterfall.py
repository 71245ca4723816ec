"""Bars on one time axis, drawn in the cells of a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import accumulate

from agentkit.trace.facts import Bar, Role
from agentkit.trace.spans import Span, StepSpan, TurnSpan

__all__ = ["axis", "draw", "lanes", "parallel"]

_HEIGHTS = " ▁▂▃▄▅▆▇█"
_LINES: dict[Role, str] = {"queue": "┄", "wait": "╍", "prompt": "─"}
"""Thin lines for time in which nothing is made; all else is drawn as a thick one."""


def draw(bars: Iterable[Bar], window: tuple[float, float], width: int) -> list[tuple[str, Role | None]]:
    """Returns a row of the waterfall as pieces of text, each with what it stands for; `width` cells in all.

    Args:
        bars: Later ones are drawn over earlier ones; each takes at least one cell when it is in sight.
        window: The seconds at the left and the right edge.
        width: In cells.
    """
    if width < 1:
        return []
    cells: list[tuple[str, Role | None]] = [(" ", None)] * width
    first, last = window
    scale = width / (last - first) if last > first else 0.0
    for bar in bars:
        if bar.end < first or bar.start > last or (bar.end <= bar.start and bar.role in _LINES):
            continue
        left = min(max(0, int((bar.start - first) * scale)), width - 1)
        right = min(max(left + 1, math.ceil((bar.end - first) * scale - 1e-9)), width)
        cell: tuple[str, Role | None] = (_LINES.get(bar.role, "━"), bar.role)
        cells[left:right] = [cell] * (right - left)
    return _joined(cells)


def _joined(cells: Sequence[tuple[str, Role | None]]) -> list[tuple[str, Role | None]]:
    found: list[tuple[str, Role | None]] = []
    for text, role in cells:
        if found and found[-1][1] == role:
            found[-1] = (found[-1][0] + text, role)
        else:
            found.append((text, role))
    return found


def axis(window: tuple[float, float], width: int) -> str:
    """Returns the scale above the bars: round times, each beginning at its cell."""
    first, last = window
    if width < 8 or last - first < 1e-6:  # less than clocks tell, and perhaps than these numbers can
        return " " * max(0, width)
    least = (last - first) * 9 / width
    unit = 10.0 ** math.floor(math.log10(least))
    step = next(unit * f for f in (1, 2, 5, 10) if unit * f >= least)
    line = ""
    tick = math.ceil(first / step - 1e-9) * step
    while tick <= last:
        place = int((tick - first) / (last - first) * width)
        text = f"╷{_tick_text(tick)}"
        if place + len(text) > width:
            break
        line = line.ljust(place) + text
        tick += step
    return line.ljust(width)


def _tick_text(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.6g}s" if seconds else "0"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def lanes(spans: Iterable[Span]) -> dict[int, int]:
    """Returns a lane for each turn and step, by ``id()`` of its span, so that no two in a lane overlap."""
    free: list[float] = []  # when each lane's last span ended
    found: dict[int, int] = {}
    timed = [(s.at, s.end, s) for s in spans if isinstance(s, StepSpan | TurnSpan)]
    for start, end, span in sorted(timed, key=lambda t: t[0]):
        lane = next((i for i, until in enumerate(free) if until <= start), len(free))
        free[lane:] = [math.inf if end is None else end, *free[lane + 1 :]]
        found[id(span)] = lane
    return found


def parallel(spans: Iterable[Span], window: tuple[float, float], width: int) -> tuple[str, int]:
    """Returns how many calls ran side by side as a line of small columns, and the most there were at once."""
    first, last = window
    counts = [0] * (width + 1)
    moments: list[tuple[float, int]] = []
    scale = width / (last - first) if last > first else 0.0
    for span in spans:
        if not isinstance(span, StepSpan) or not span.attempts:
            continue
        end = last if span.end is None else span.end
        left = int((span.at - first) * scale)
        right = math.ceil((end - first) * scale)
        if right <= 0 or left >= width:
            continue
        counts[max(0, left)] += 1
        counts[min(width, max(left + 1, right))] -= 1
        moments += [(span.at, 1), (max(end, span.at), -1)]
    # Calls that share a cell need not have run side by side: of two at the same moment, the end comes first.
    most = max(accumulate(change for _, change in sorted(moments)), default=0)
    most = max(most, min(1, len(moments)))
    columns = [min(running, most) for running in accumulate(counts[:width])]
    return "".join(_HEIGHTS[math.ceil(c / max(most, 4) * 8)] for c in columns), most
