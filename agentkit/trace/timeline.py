"""A printed waterfall: when each turn and each call of a run was, on one time axis."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from agentkit.trace.columns import layout, row_parts
from agentkit.trace.outline import Outline
from agentkit.trace.states import tone
from agentkit.trace.text import counted, one_line, visible
from agentkit.trace.trace import Trace
from agentkit.trace.tree import Node, RunTree
from agentkit.trace.waterfall import axis

__all__ = ["Timeline", "timeline"]

_ROWS = 60
"""Most rows that are printed; the viewer has all of them."""

_STYLES = {"turn": "blue", "prompt": "blue", "step": "green", "failed": "red", "wait": "yellow", "queue": "dim"}
_TONES = {"good": "green", "bad": "red", "busy": "yellow"}


def timeline(trace: Trace) -> Timeline | None:
    """Returns the waterfall of a run; ``None`` when there is too little in it to compare."""
    found = Timeline(trace)
    return found if len(found.rows) > 1 else None


class Timeline:
    """A waterfall that fits the width it is printed at. Below 64 columns there are no bars, only times.

    Attributes:
        rows: The turns and steps.
    """

    def __init__(self, trace: Trace) -> None:
        self._outline = Outline(RunTree(trace.events))
        self.rows: list[Node] = [n for n in self._outline.tree.root.walk() if n.kind in ("turn", "step")]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        shape = layout(options.max_width)
        window = (0.0, self._outline.tree.seconds or 1.0)
        head = "".join(name.rjust(width) for name, width in shape.numbers)
        scale = " " + axis(window, shape.bars) if shape.bars else ""
        yield Text(_fit("  turns and calls", shape.tree) + head + scale, style="dim", no_wrap=True, end="")
        yield Text("")
        for node in self.rows[:_ROWS]:
            yield Text.assemble(*self._row(node, shape.tree, window, options.max_width), no_wrap=True)
        if len(self.rows) > _ROWS:
            yield Text(f"{counted(len(self.rows) - _ROWS, 'row')} more; 'agentkit trace' on a terminal has all", "dim")
        if any(map(self._outline.is_critical, self.rows)):
            yield Text("┃ the longest chain: each waited for the one before", style="dim")

    def _row(self, node: Node, room: int, window: tuple[float, float], width: int) -> Iterator[tuple[str, str]]:
        _, side = row_parts(node, self._outline, layout(width), window)
        shown = self._outline.facts(node)
        yield ("┃ " if self._outline.is_critical(node) else "  ", "yellow")
        state = "" if shown.state == "ok" else f"  {shown.state}"
        yield (
            _fit(
                "  " * (node.depth - 1) + f"{visible(shown.label)}  {one_line(shown.note, 200)}", room - 2 - len(state)
            ),
            "",
        )
        yield (state, _TONES.get(tone(shown.state), ""))
        for text, name in side:
            yield (text, _STYLES.get(name.removeprefix("bar-"), "dim"))


def _fit(text: str, width: int) -> str:
    shown = Text(text)
    shown.truncate(max(0, width), overflow="ellipsis", pad=True)
    return shown.plain
