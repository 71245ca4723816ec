"""The table of a run's rows: a tree, columns of numbers and a waterfall; only what is in sight is drawn."""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from agentkit.trace.columns import Part, layout, row_parts
from agentkit.trace.outline import Outline
from agentkit.trace.states import tone
from agentkit.trace.text import visible
from agentkit.trace.tree import Node
from agentkit.trace.viewer.colours import Palette
from agentkit.trace.waterfall import axis

__all__ = ["RunTable"]

_COLOURS = {
    "critical": "$warning",
    "related": "$accent",
    "fold": "$foreground 60%",
    "note": "$foreground 75%",
    "note-failed": "$text-error",
    "numbers": "$foreground 60%",
    "good": "$text-success",
    "bad": "$text-error",
    "busy": "$text-warning",
    "kind": "$foreground 60%",
    "turn": "$text-primary",
    "bar-run": "$foreground 30%",
    "bar-prompt": "$primary",
    "bar-turn": "$primary",
    "bar-step": "$success",
    "bar-item": "$success",
    "bar-failed": "$error",
    "bar-wait": "$warning",
    "bar-queue": "$foreground 30%",
}
"""The colour of each kind of part, by the theme's names."""

_BOLD = Style(bold=True)
_STRONG = ("label-run", "label-turn", "label-answer", "label-failure", "label-plan")
_KINDS = ("planner", "thought", "text", "change", "resumed", "paused", "plan", "call", "label-thought", "label-text")


def _colour_of(name: str) -> str:
    """Returns the name of the colour of a part; empty for the colour of text."""
    if name in _COLOURS or name in ("", "bars"):
        return name if name in _COLOURS else ""
    if name.startswith("label-") or name in _KINDS:
        return "turn" if name in _STRONG else "kind" if name in _KINDS else ""
    return tone(name)


class RunTable(ScrollView, can_focus=True, inherit_bindings=False):
    """Shows a run's rows, with a cursor.

    Attributes:
        outline: The rows; who changes it calls `update`.
        window: Seconds at the left and the right edge of the waterfall; ``None`` for the whole run.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {"table--cursor", "table--head", "table--match"} | {
        f"table--{name}" for name in _COLOURS
    }
    DEFAULT_CSS = """
    RunTable { height: 1fr; scrollbar-size-vertical: 1; scrollbar-gutter: stable; color: $foreground; }
    RunTable > .table--cursor { background: $foreground 12%; }
    RunTable:focus > .table--cursor { background: $primary 32%; }
    RunTable > .table--head { color: $foreground 60%; background: $foreground 6%; }
    RunTable > .table--match { background: $warning 18%; }
    """ + "\n".join(f"RunTable > .table--{name} {{ color: {colour}; }}" for name, colour in _COLOURS.items())

    class Moved(Message):
        """The cursor stands on another row."""

    class Resized(Message):
        """The terminal has another size."""

    def __init__(self, outline: Outline, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.outline = outline
        self.window: tuple[float, float] | None = None
        self._shape = layout(80)
        self._related: dict[int, str] = {}
        self._matches: frozenset[int] = frozenset()
        self._shown: Node | None = None
        self._frame: tuple[object, ...] = ()
        self._palette = Palette(self, "table--")

    # What is drawn.

    @property
    def seconds(self) -> tuple[float, float]:
        """The seconds at the left and the right edge of the waterfall."""
        outline = self.outline
        last = outline.tree.seconds if outline.now is None else outline.now
        return self.window or (0.0, last or 1.0)

    @property
    def _head(self) -> int:
        """How many lines stand above the rows and do not scroll."""
        return 2 if self.size.height >= 16 and self._shape.bars else 1

    def update(self) -> None:
        """Draws what has changed, and tells when the cursor stands elsewhere."""
        outline = self.outline
        self.virtual_size = Size(0, len(outline.rows) + self._head)
        self._keep_in_sight()
        node, marked = outline.cursor, {*self._related, id(self._shown)}
        self._related = {id(n): "↑" for n in outline.needs(node)} | {id(n): "↓" for n in outline.needed_by(node)}
        self._matches = frozenset(map(id, outline.matches)) if outline.query else frozenset()
        frame = (outline, outline.rows, outline.matches, outline.tree.count, outline.now, self.size, self._shape)
        if frame == self._frame:
            self._refresh_rows(marked | {*self._related, id(node)})
        else:
            self._frame = frame
            self.refresh()
        if node is not self._shown:
            self._shown = node
            self.post_message(self.Moved())

    def _refresh_rows(self, marked: set[int]) -> None:
        """Draws rows in sight that the cursor or the marks of related steps have left or come to."""
        top = self.scroll_offset.y
        for line, node in enumerate(self.outline.rows[top : top + self.page], start=self._head):
            if id(node) in marked:
                self.refresh(Region(0, line, self.size.width, 1))

    def _keep_in_sight(self) -> None:
        place, room = self.outline.place, max(1, self.size.height - self._head)
        top = self.scroll_offset.y
        wanted = min(max(top, place - room + 1), place)
        if wanted != top:
            self.scroll_to(y=wanted, animate=False, force=True, immediate=True)

    def render_line(self, y: int) -> Strip:
        """Returns a line: of the head, or of the row that is scrolled there."""
        width = self.size.width
        if y < self._head:
            return self._head_line(y, width)
        rows, place = self.outline.rows, y - self._head + self.scroll_offset.y
        if place >= len(rows):
            return Strip.blank(width, self._palette.style(""))
        node = rows[place]
        tree, side = row_parts(node, self.outline, self._shape, self.seconds, self._related.get(id(node), ""))
        behind = "cursor" if node is self.outline.cursor else "match" if id(node) in self._matches else ""
        base = self._palette.style("", behind)
        cut = _cut(self._segments(tree, behind), self._shape.tree, base)
        return Strip([*cut, *self._segments(side, behind)]).adjust_cell_length(width, base)

    def _head_line(self, y: int, width: int) -> Strip:
        shape, window, base = self._shape, self.seconds, self._palette.style("head", "head")
        used = sum(w for _, w in shape.numbers)
        if y == 0:
            left = set_cell_size("     run" if width < 110 else "     turns, calls and what came of them", shape.tree)
            numbers = "".join(name.rjust(w) for name, w in shape.numbers)
            bars = Segment(" " + axis(window, shape.bars) if shape.bars else "", base)
        else:
            heights, most = self.outline.parallel(window, shape.bars)
            left = " " * shape.tree
            numbers = f"{most} at once".rjust(used) if most > 1 else " " * used
            bars = Segment(" " + heights, self._palette.style("bar-step", "head"))
        return Strip([Segment(left + numbers, base), bars]).adjust_cell_length(width, base)

    def _segments(self, parts: list[Part], behind: str) -> list[Segment]:
        found: list[Segment] = []
        for text, name in parts:
            style = self._palette.style(_colour_of(name), behind)
            found.append(Segment(visible(text), style + _BOLD if name in _STRONG else style))
        return found

    def notify_style_update(self) -> None:
        """Forgets colours of the theme that was."""
        super().notify_style_update()
        self._palette.clear()

    # What the user does.

    def on_resize(self) -> None:
        """Lays the columns out anew."""
        self._shape = layout(self.size.width)
        self.update()
        self.post_message(self.Resized())

    def on_click(self, event: events.Click) -> None:
        """Selects a row; a click on its sign, or a second click, folds it."""
        place = event.y - self._head + self.scroll_offset.y
        if event.y < self._head or place >= len(self.outline.rows):
            return
        self.outline.go_to(place)
        node = self.outline.cursor
        sign = 2 + 2 * node.depth
        if sign <= event.x < sign + 2 or event.chain == 2:
            self.outline.fold()
        self.update()

    @property
    def page(self) -> int:
        """How many rows are in sight."""
        return max(1, self.size.height - self._head)

    def zoom(self, factor: float) -> None:
        """Shows a shorter or longer time around the selected row; 0 shows all of it."""
        outline = self.outline
        last = outline.tree.seconds if outline.now is None else outline.now
        first, end = self.seconds
        shown = outline.facts(outline.cursor)
        middle = (first + end) / 2 if shown.start is None else shown.start
        length = (end - first) * factor
        if not factor or length >= last:
            self.window = None
        elif length > 0.001:
            start = min(max(0.0, middle - length / 4), last - length)
            self.window = (start, start + length)
        self.refresh()


def _cut(segments: list[Segment], width: int, base: Style) -> list[Segment]:
    """Cuts or fills to a width; what is cut ends in dots."""
    length = sum(cell_len(s.text) for s in segments)
    if length < width:
        return [*segments, Segment(" " * (width - length), base)]
    return [*Strip(segments).crop(0, max(0, width - 2)), Segment("… ", base)]
