"""How a row of the table is laid out: which columns fit a width, and the words in each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from agentkit.trace.facts import Facts, seconds_text
from agentkit.trace.outline import Outline
from agentkit.trace.spans import StepSpan
from agentkit.trace.tree import Node
from agentkit.trace.waterfall import draw

__all__ = ["GLYPHS", "Layout", "Part", "layout", "row_parts"]

Part = tuple[str, str]
"""A text, and the name of what it is, which has a colour."""

GLYPHS = {
    "ok": "✓",
    "answer": "✓",
    "failed": "✗",
    "denied": "✗",
    "cut off": "✗",
    "running": "●",
    "waiting": "○",
    "not run": "-",
    "stopped": "■",
    "approval": "?",
    "in doubt": "?",
    "warning": "!",
    "killed": "■",
}
"""A sign for each state; any other stop reason is a failure."""

_KINDS = {"planner": "·", "thought": "~", "text": '"', "change": "±", "resumed": "↻", "paused": "?", "plan": "≡"}
"""A sign for rows without a state."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of a table, in cells."""

    tree: int
    """Marks, tree and words."""
    numbers: tuple[tuple[str, int], ...]
    """Heading and width of each column of numbers."""
    bars: int
    """The waterfall; 0 when there is no room for it."""


def layout(width: int) -> Layout:
    """Returns the columns that fit a width."""
    numbers: tuple[tuple[str, int], ...] = (("time", 7),) if width >= 50 else ()
    if width >= 110:
        numbers += (("in", 7), ("out", 6), ("tok/s", 6))
    used = sum(w for _, w in numbers)
    bars = 0 if width < 64 else (width - used) * (43 if width >= 110 else 37) // 100
    return Layout(width - used - bars - (1 if bars else 0), numbers, bars)


def row_parts(
    node: Node, outline: Outline, shape: Layout, window: tuple[float, float], related: str = ""
) -> tuple[list[Part], list[Part]]:
    """Returns the parts of a row: those of the tree, to be cut to its column, and those beside it.

    Args:
        node: The row.
        outline: The run.
        shape: The columns.
        window: Seconds at the left and right edge of the waterfall.
        related: Mark of a row that hangs together with the selected one.
    """
    shown = outline.facts(node)
    side = [*_numbers(shown, shape, outline), *_bars(shown, shape, window)]
    return [*_tree(node, shown, outline, related)], side


def _tree(node: Node, shown: Facts, outline: Outline, related: str) -> Iterator[Part]:
    yield ("┃" if outline.is_critical(node) else " ", "critical")
    yield (related or " ", "related")
    yield ("  " * node.depth, "")
    yield (" " if not node.children else "▾ " if node.open else "▸ ", "fold")
    if not node.children:
        yield (" ", "fold")
    sign = GLYPHS.get(shown.state, "✗") if shown.state else _KINDS.get(node.kind, "·")
    yield (sign + " ", shown.state or node.kind)
    label = shown.label.removeprefix("run ") if node.kind == "run" else shown.label
    yield (label, f"label-{node.kind}")
    yield ("  ", "")
    yield (shown.note, "note-failed" if shown.state in ("failed", "in doubt") else "note")
    if shown.retries:
        yield (f"  ×{shown.retries + 1}", "warning")
    if isinstance(node.source, StepSpan) and "untrusted" in node.source.labels:
        yield ("  untrusted", "warning")


def _numbers(shown: Facts, shape: Layout, outline: Outline) -> Iterator[Part]:
    for name, width in shape.numbers:
        yield (_number(name, shown, outline).rjust(width), "numbers")


def _number(name: str, shown: Facts, outline: Outline) -> str:
    if name == "time":
        if shown.start is None or all(bar.role == "queue" for bar in shown.bars):
            return ""
        last = outline.tree.seconds if outline.now is None else outline.now
        return seconds_text(max(0.0, (last if shown.end is None else shown.end) - shown.start))
    usage = shown.usage
    if usage is None:
        return ""
    if name == "tok/s":
        return f"{usage.tokens_per_second:.1f}" if usage.output_seconds else ""
    return f"{usage.prompt_tokens if name == 'in' else usage.output_tokens:,}"


def _bars(shown: Facts, shape: Layout, window: tuple[float, float]) -> Iterator[Part]:
    if not shape.bars:
        return
    yield (" ", "numbers")
    for text, role in draw(shown.bars, window, shape.bars):
        yield (text, f"bar-{role}" if role else "bars")
