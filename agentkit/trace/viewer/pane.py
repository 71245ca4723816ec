"""The details of a row: fields and blocks of text, wrapped; only the lines in sight are drawn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import ClassVar

from rich.cells import cell_len, chop_cells
from rich.highlighter import JSONHighlighter
from rich.segment import Segment
from rich.text import Text
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from agentkit.trace.entries import Block, Entry
from agentkit.trace.facts import size_of
from agentkit.trace.states import tone
from agentkit.trace.text import visible
from agentkit.trace.viewer.colours import Palette

__all__ = ["DetailPane", "plain_text"]

_NAME = 11
"""Cells of the names of fields."""

_LONG = 5_000
"""Characters of a line that is not looked through for words."""

_TONES = {"good": "$text-success", "bad": "$text-error", "busy": "$text-warning"}


@dataclass(frozen=True, slots=True)
class _Line:
    """A line that fits the width."""

    text: str
    kind: str
    """``name`` for a field's first line, ``title``, ``json``, ``text``."""
    name: str = ""
    tone: str = ""


class DetailPane(ScrollView, can_focus=True, inherit_bindings=False):
    """Shows the entries of a tab."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "pane--name",
        "pane--title",
        "pane--good",
        "pane--bad",
        "pane--busy",
        "pane--key",
        "pane--string",
        "pane--number",
    }
    DEFAULT_CSS = """
    DetailPane { height: 1fr; scrollbar-size-vertical: 1; scrollbar-gutter: stable; padding: 0 1; color: $foreground; }
    DetailPane > .pane--name { color: $foreground 60%; }
    DetailPane > .pane--title { color: $text-accent; text-style: bold; }
    DetailPane > .pane--key { color: $text-primary; }
    DetailPane > .pane--string { color: $text-success; }
    DetailPane > .pane--number { color: $text-warning; }
    """ + "\n".join(f"DetailPane > .pane--{name} {{ color: {colour}; }}" for name, colour in _TONES.items())

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._entries: Sequence[Entry] = ()
        self._lines: list[_Line] = []
        self._width = 0
        self._palette = Palette(self, "pane--")

    def show(self, entries: Sequence[Entry], *, keep: bool = False) -> None:
        """Shows entries.

        Args:
            entries: What to show.
            keep: Whether to stay where it was scrolled to, because it is the same row, as it is now.
        """
        if keep and entries == self._entries:
            return
        self._entries = entries
        self._wrap()
        if not keep:
            self.scroll_to(y=0, animate=False, force=True, immediate=True)

    def _wrap(self) -> None:
        self._width = max(20, self.scrollable_content_region.width or self.size.width - 3)
        self._lines = [*_lines(self._entries, self._width)]
        self.virtual_size = Size(0, len(self._lines))
        self.refresh()

    def on_resize(self) -> None:
        """Wraps anew."""
        self._wrap()

    def render_line(self, y: int) -> Strip:
        """Returns the line that is scrolled there."""
        place, base, width = y + self.scroll_offset.y, self._palette.style(""), self.size.width
        if place >= len(self._lines):
            return Strip.blank(width, base)
        line = self._lines[place]
        segments: list[Segment] = []
        if line.kind == "name":
            segments.append(Segment(line.name.ljust(_NAME), self._palette.style("name")))
        style = self._palette.style(line.tone or ("title" if line.kind == "title" else ""))
        if line.kind == "json" and not line.tone:
            segments += self._json(line.text)
        else:
            segments.append(Segment(line.text, style))
        return Strip(segments).adjust_cell_length(width, base)

    def _json(self, text: str) -> Iterator[Segment]:
        found = Text(text)
        _JSON.highlight(found)
        ends = sorted({0, len(text), *(p for s in found.spans for p in (s.start, s.end))})
        for start, end in zip(ends, ends[1:], strict=False):
            names = [str(s.style) for s in found.spans if s.start <= start and end <= s.end]
            name = next((_JSON_COLOURS[n] for n in reversed(names) if n in _JSON_COLOURS), "")
            yield Segment(text[start:end], self._palette.style(name))

    def notify_style_update(self) -> None:
        """Forgets colours of the theme that was."""
        super().notify_style_update()
        self._palette.clear()


_JSON = JSONHighlighter()
_JSON_COLOURS = {
    "json.key": "key",
    "json.str": "string",
    "json.number": "number",
    "json.bool_true": "number",
    "json.bool_false": "number",
    "json.null": "number",
}


def _lines(entries: Sequence[Entry], width: int) -> Iterator[_Line]:
    for number, entry in enumerate(entries):
        if isinstance(entry, Block):
            if number:
                yield _Line("", "text")
            if entry.title:
                yield _Line(visible(entry.title).replace("\n", " "), "title")
            text = entry.text
            if size := size_of(entry.left):
                text = f"{size:,} characters, left in the run's file; press Enter to open"
            for line in visible(text).split("\n"):
                for part in _wrapped(line, width):
                    yield _Line(part, "json" if entry.is_json else "text", tone=tone(entry.state))
            continue
        name = entry.name
        for line in visible(entry.text).split("\n"):
            for part in _wrapped(line, width - _NAME):
                yield _Line(part, "name", name=name, tone=tone(entry.state))
                name = ""


def _wrapped(line: str, width: int) -> list[str]:
    """Breaks a line: between words where they fit, anywhere where it is very long or has wide characters."""
    if not line.isascii():
        return [line] if cell_len(line) <= width else chop_cells(line, width)
    if len(line) <= width:
        return [line]
    if len(line) > _LONG:
        return [line[i : i + width] for i in range(0, len(line), width)]
    return wrap(line, width, replace_whitespace=False, drop_whitespace=True, break_on_hyphens=False)


def plain_text(entries: Sequence[Entry]) -> str:
    """Returns entries as text to be copied: what a block holds, and fields as ``name: text``."""
    blocks = [e for e in entries if isinstance(e, Block)]
    if len(blocks) == 1 and len(entries) == 1:
        return blocks[0].text
    return "\n".join(f"{e.title}:\n{e.text}\n" if isinstance(e, Block) else f"{e.name}: {e.text}" for e in entries)
