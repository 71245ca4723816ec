"""A run as one page that needs nothing else: no network, no server, no agentkit."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from html import escape
from pathlib import Path

from agentkit.messages import JsonObject, JsonValue
from agentkit.trace.details import TABS, details
from agentkit.trace.entries import Entry, Field
from agentkit.trace.export.graph import BOX_HEIGHT, BOX_WIDTH, layout
from agentkit.trace.outline import Outline
from agentkit.trace.spans import TurnSpan
from agentkit.trace.states import tone
from agentkit.trace.text import one_line, visible
from agentkit.trace.totals import missing, totals
from agentkit.trace.trace import Trace
from agentkit.trace.tree import Node, RunTree

__all__ = ["to_html"]

_BLOCK = 20_000
"""Most characters of one text; the page says how many are left out."""

_PAGE = 24_000_000
"""Most characters of all texts together: browsers open pages of this size at once."""


def to_html(trace: Trace) -> str:
    """Returns a run as a page: graph, waterfall, rows with their details, and a search over all of it.

    What models and tools said is data in it and never markup: it stands in a JSON block and is shown as text. The
    page's own policy lets only its own script and style run, and nothing be loaded or sent.
    """
    script, style = _part("page.js"), _part("page.css")
    policy = (
        f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    title = escape(f"run {one_line(trace.run_id or '?', 80)}")
    page = _part("page.html")
    for name, text in (
        ("policy", policy),
        ("title", title),
        ("style", style),
        ("script", script),
        ("run", _run(trace)),
    ):
        before, _, after = page.partition(f"{{{{{name}}}}}")
        page = before + text + after
    return page.encode("ascii", "xmlcharrefreplace").decode("ascii")


def _part(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="ascii")


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _run(trace: Trace) -> str:
    """The run as JSON in which no character means anything to a reader of HTML."""
    text = json.dumps(_Page(trace).data(), separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


class _Page:
    """What the page's script is given; short names, because there are as many rows as events."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._outline = Outline(RunTree(trace.events))
        self._left = _PAGE
        self._numbers: dict[str, int] = {}

    def data(self) -> JsonObject:
        outline, start = self._outline, self._trace.start
        nodes = [*outline.tree.root.walk()]
        self._numbers = {n.key: i for i, n in enumerate(nodes)}
        facts = outline.facts(outline.tree.root)
        about = [("model", str(start.model.get("name", "?"))), ("planner", start.planner)] if start else []
        if start and start.planner == "given":
            del about[0]
        return {
            "id": visible(self._trace.run_id or "?"),
            "state": facts.state,
            "tone": tone(facts.state),
            "task": visible(start.task) if start else "",
            "started": visible(start.started[:19].replace("T", " ")) if start else "",
            "about": [[name, one_line(text, 200)] for name, text in about],
            "totals": totals(outline).words(),
            "missing": [*dict.fromkeys(map(visible, [*missing(outline), *self._trace.problems]))],
            "seconds": outline.tree.seconds,
            "tabs": list(TABS),
            "rows": [self._row(n) for n in nodes],
            "graph": self._graph(),
        }

    def _row(self, node: Node) -> JsonObject:
        facts = self._outline.facts(node)
        row: JsonObject = {
            "d": node.depth,
            "p": self._numbers[node.parent.key] if node.parent else -1,
            "k": node.kind,
            "s": facts.state,
            "t": tone(facts.state),
            "l": one_line(facts.label, 200),
            "n": facts.note,
            "a": facts.start,
            "z": facts.end,
            "b": [[round(b.start, 6), round(b.end, 6), b.role] for b in facts.bars if b.end > b.start],
            "c": self._outline.is_critical(node),
            "f": facts.failed,
            "o": node.open,
            "x": self._details(node),
        }
        if facts.usage is not None:
            row["u"] = [facts.usage.prompt_tokens, facts.usage.output_tokens]
        return {name: value for name, value in row.items() if value is not None and value is not False and value != ""}

    def _details(self, node: Node) -> list[JsonValue]:
        """The row's texts by tab; the prompt only at its turn, where it is looked for."""
        found: list[JsonValue] = []
        for number, tab in enumerate(TABS):
            if tab == "prompt" and not isinstance(node.source, TurnSpan):
                continue
            entries = [*self._entries(details(node, tab, self._outline))]
            if entries:
                found.append([number, *entries])
        return found

    def _entries(self, entries: list[Entry]) -> Iterator[JsonValue]:
        for entry in entries:
            if isinstance(entry, Field):
                if not entry.text.startswith("this row has no "):
                    text = self._cut(entry.text)
                    yield [visible(entry.name), text, tone(entry.state)] if entry.state else [visible(entry.name), text]
            else:
                yield {"h": visible(entry.title), "x": self._cut(entry.text), "t": tone(entry.state)}

    def _cut(self, text: str) -> str:
        room = min(_BLOCK, self._left)
        shown = text[:room]
        self._left -= len(shown)
        if len(text) > room:
            shown += f"\n... {len(text) - room:,} characters more are not on this page; the run's file has them"
        return visible(shown)

    def _graph(self) -> JsonObject:
        graph = layout(self._outline)
        places = {id(box): number for number, box in enumerate(graph.boxes)}
        return {
            "w": graph.width,
            "h": graph.height,
            "size": [BOX_WIDTH, BOX_HEIGHT],
            "left": graph.left_out,
            "boxes": [[self._numbers[b.node.key], b.x, b.y] for b in graph.boxes],
            "lines": [[places[id(x.source)], places[id(x.target)], x.kind] for x in graph.lines],
        }
