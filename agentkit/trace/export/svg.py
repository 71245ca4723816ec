"""A run as a picture: its graph, and below it a waterfall."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from agentkit.trace.export.graph import BOX_HEIGHT, BOX_WIDTH, Box, Graph, Line, layout
from agentkit.trace.facts import seconds_text
from agentkit.trace.outline import Outline
from agentkit.trace.states import tone
from agentkit.trace.text import counted, one_line
from agentkit.trace.totals import totals
from agentkit.trace.trace import Trace
from agentkit.trace.tree import Node, RunTree

__all__ = ["to_svg"]

_ROW = 20
_ROWS = 60
"""Most rows of the waterfall; a picture that is longer is of no use."""
_NAMES = 300
"""Width of the names in the waterfall, in pixels; a letter is about 7 wide."""

_STYLE = """
svg { --paper: #fff; --ink: #1c2024; --dim: #6b7280; --line: #d9dde3; --box: #f6f7f9;
  --turn: #3f6ef0; --prompt: #a9c0fb; --step: #12a594; --item: #12a594; --failed: #e5484d; --wait: #f0a020;
  --queue: #d9dde3; --run: #aab2bd; }
@media (prefers-color-scheme: dark) { svg { --paper: #14171a; --ink: #e6e8eb; --dim: #98a1ad; --line: #363c45;
  --box: #1d2126; --prompt: #2c4688; --queue: #343a42; --run: #5b6470; } }
text { font: 12px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; fill: var(--ink); }
.dim { fill: var(--dim); } .title { font-weight: 600; } .bad { fill: var(--failed); } .busy { fill: var(--wait); }
.box { fill: var(--box); stroke: var(--line); } .box.bad { stroke: var(--failed); } .box.busy { stroke: var(--wait); }
.box.turn { stroke: var(--turn); } .critical { stroke-width: 2.5; }
.line { fill: none; stroke: var(--dim); stroke-width: 1.2; opacity: .75; }
.asked, .read { stroke-dasharray: 3 3; } .line.critical { stroke-width: 2.2; opacity: 1; }
.grid { stroke: var(--line); }
"""


def to_svg(trace: Trace) -> str:
    """Returns a picture of a run, for a README or an issue; it follows the reader's choice of dark or light."""
    outline = Outline(RunTree(trace.events))
    graph = layout(outline)
    rows = [n for n in outline.tree.root.walk() if n.kind in ("turn", "step")]
    width = max(960, graph.width)
    top = 56 + graph.height + 28
    height = top + min(len(rows), _ROWS) * _ROW + 34
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">',
        f"<style>{_STYLE}</style>",
        f'<rect width="{width}" height="{height}" rx="8" fill="var(--paper)"/>',
        *_head(outline, width),
        f'<g transform="translate(0 56)">{"".join(_graph(graph, outline))}</g>',
        f'<g transform="translate(0 {top})">{"".join(_waterfall(rows, outline, width))}</g>',
        "</svg>\n",
    ]
    return "".join(parts).encode("ascii", "xmlcharrefreplace").decode("ascii")


def _head(outline: Outline, width: int) -> Iterator[str]:
    facts = outline.facts(outline.tree.root)
    room = (width - 28) // 7
    yield _text(14, 24, facts.label, "title")
    yield _text(14 + 8 * (len(facts.label) + 1), 24, facts.state, tone(facts.state))
    words = ", ".join(totals(outline).words())
    yield f'<text x="{width - 14}" y="24" class="dim" text-anchor="end">{_safe(words, 90)}</text>'
    yield _text(14, 44, facts.note, "dim", room)


def _graph(graph: Graph, outline: Outline) -> Iterator[str]:
    for line in graph.lines:
        critical = outline.is_critical(line.source.node) and outline.is_critical(line.target.node)
        yield f'<path class="line {line.kind}{" critical" * critical}" d="{_curve(line)}"/>'
    for box in graph.boxes:
        yield from _box(box, outline)
    if graph.left_out:
        yield _text(14, graph.height + 12, f"{graph.left_out:,} more are not drawn", "dim")


def _curve(line: Line) -> str:
    x1, y1 = line.source.x + BOX_WIDTH, line.source.y + BOX_HEIGHT // 2
    x2, y2 = line.target.x, line.target.y + BOX_HEIGHT // 2
    bend = max(24, (x2 - x1) // 2)
    return f"M{x1} {y1}C{x1 + bend} {y1} {x2 - bend} {y2} {x2} {y2}"


def _box(box: Box, outline: Outline) -> Iterator[str]:
    facts = outline.facts(box.node)
    feel = tone(facts.state)
    kind = " ".join(filter(None, ("box", box.node.kind, feel, "critical" * outline.is_critical(box.node))))
    took = seconds_text(facts.end - facts.start) if facts.end is not None and facts.start is not None else ""
    yield f"<g><title>{_safe(f'{facts.label}  {facts.note}', 300)}</title>"
    yield f'<rect class="{kind}" x="{box.x}" y="{box.y}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="6"/>'
    yield _text(box.x + 9, box.y + 16, facts.label, "title", 14)
    yield f'<text x="{box.x + BOX_WIDTH - 9}" y="{box.y + 16}" class="dim" text-anchor="end">{took}</text>'
    yield _text(box.x + 9, box.y + 32, facts.note if feel == "good" else f"{facts.state}  {facts.note}", feel, 22)
    yield "</g>"


def _waterfall(rows: list[Node], outline: Outline, width: int) -> Iterator[str]:
    left, room = _NAMES + 84, width - _NAMES - 98
    whole = outline.tree.seconds or 1.0
    shown = rows[:_ROWS]
    for quarter in range(5):
        x = left + room * quarter // 4
        yield f'<line class="grid" x1="{x}" x2="{x}" y1="-6" y2="{len(shown) * _ROW}"/>'
        anchor = "end" if quarter == 4 else "start"
        label = seconds_text(whole * quarter / 4) if quarter else "0"
        yield f'<text class="dim" x="{x}" y="-10" text-anchor="{anchor}">{label}</text>'
    for number, node in enumerate(shown):
        facts, y = outline.facts(node), number * _ROW
        indent = 14 * (node.depth - 1)
        mark = "title" if outline.is_critical(node) else ""
        yield _text(14 + indent, y + 14, f"{facts.label}  {facts.note}", mark, (_NAMES - indent) // 7)
        if facts.start is not None and facts.end is not None:
            took = seconds_text(facts.end - facts.start)
            yield f'<text class="dim" x="{left - 12}" y="{y + 14}" text-anchor="end">{took}</text>'
        for bar in facts.bars:
            begin, length = left + room * bar.start / whole, max(1.5, room * (bar.end - bar.start) / whole)
            if bar.end > bar.start:
                place = f'x="{begin:.1f}" y="{y + 4}" width="{length:.1f}" height="{_ROW - 8}" rx="2"'
                yield f'<rect {place} style="fill:var(--{bar.role})"/>'
    if len(rows) > _ROWS:
        yield _text(14, _ROWS * _ROW + 18, f"{counted(len(rows) - _ROWS, 'row')} more", "dim")


def _text(x: int, y: int, text: str, style: str, most: int = 200) -> str:
    return f'<text x="{x}" y="{y}" class="{style}">{_safe(text, most)}</text>'


def _safe(text: str, most: int) -> str:
    shown = one_line(text, 1_000)
    return escape(shown if len(shown) <= most else shown[: max(1, most - 1)] + "…")
