"""A run on the screen: its file is read as it grows, the table stands above, the details below."""

from __future__ import annotations

import gc
import time
from pathlib import Path

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.timer import Timer
from textual.widgets import Input, Static

from agentkit.errors import JournalError
from agentkit.trace.columns import GLYPHS
from agentkit.trace.details import TABS, Tab, details
from agentkit.trace.entries import Block, Entry, json_block
from agentkit.trace.facts import size_of
from agentkit.trace.outline import Outline
from agentkit.trace.pretty import beginning
from agentkit.trace.source import RunFile
from agentkit.trace.states import tone
from agentkit.trace.text import one_line, visible
from agentkit.trace.totals import totals
from agentkit.trace.tree import RunTree
from agentkit.trace.viewer.colours import LIGHT
from agentkit.trace.viewer.keys import HINTS
from agentkit.trace.viewer.pane import DetailPane
from agentkit.trace.viewer.table import RunTable
from agentkit.trace.viewer.type_ahead import TypeAheadApp

__all__ = ["RunApp"]

_POLL = 1.0
"""Seconds between two looks at the run's file: more often would cost the run more than 2 % of a core."""

_SAID = 5.0
"""Seconds for which a message stands in the last line."""

_SHOWN = 1_000_000
"""Most characters of a text that are shown; all of it can be written to a file."""


class RunApp(TypeAheadApp):
    """Shows a run from its file.

    Args:
        source: The run's file.
        light: Whether the terminal is a light one.
    """

    CSS = """
    Screen { background: $background; }
    ModalScreen { background: $background 60%; }
    #top { height: 1; background: $foreground 12%; padding: 0 1; text-style: bold; }
    #top.good { color: $text-success; }
    #top.bad { color: $text-error; }
    #top.busy { color: $text-warning; }
    #tabs { height: 1; background: $foreground 6%; link-style: none; link-color: $foreground 70%;
        link-background: transparent; link-style-hover: bold; link-color-hover: $foreground;
        link-background-hover: $primary 30%; }
    RunTable, DetailPane { scrollbar-color: $foreground 25%; scrollbar-background: $background;
        scrollbar-color-hover: $foreground 40%; scrollbar-background-hover: $background;
        scrollbar-color-active: $primary; scrollbar-background-active: $background; }
    #below { height: 42%; min-height: 2; }
    #below.large { height: 75%; }
    #hints { height: 1; padding: 0 1; color: $foreground 60%; }
    #hints.said { color: $text-warning; }
    #search { height: 1; border: none; padding: 0 1; background: $boost; display: none; }
    #top, #tabs, #hints { text-wrap: nowrap; text-overflow: ellipsis; }
    """
    ENABLE_COMMAND_PALETTE = False

    def __init__(self, source: RunFile, *, light: bool = False) -> None:
        super().__init__()
        self.register_theme(LIGHT)
        self.theme = LIGHT.name if light else "textual-dark"
        self._take(source)
        self.following = True
        self.tab: Tab = "summary"
        self.entries: list[Entry] = []
        self._opened: tuple[tuple[str, Tab], list[Entry]] | None = None
        self._caught_up = 0.0
        self._saying: Timer | None = None
        self._read()

    def _take(self, source: RunFile) -> None:
        self.source = source
        self.outline = Outline(RunTree())
        self.outline.stored = source.find

    def open_run(self, path: Path) -> None:
        """Shows another run."""
        self._take(RunFile(path))
        self._read()
        self.table.outline = self.outline
        self.show_all()
        self.show_details()
        self.say(f"this is the new run {path.stem}")

    def compose(self) -> ComposeResult:
        """Makes the screen."""
        yield Static(id="top", markup=False)
        yield RunTable(self.outline, id="table")
        with Vertical(id="below"):
            yield Static(id="tabs")
            yield DetailPane(id="pane")
        yield Input(id="search", select_on_focus=False)
        yield Static(HINTS, id="hints", markup=False)

    def on_mount(self) -> None:
        """Begins to follow the run."""
        self.title = "agentkit trace"
        self.table.focus()
        self.set_interval(_POLL, self.check)
        self.show_all()
        gc.freeze()  # the run's rows stay: to look through 100,000 objects for garbage takes as long as to draw

    def on_unmount(self) -> None:
        """Lets go of the run."""
        gc.unfreeze()

    @property
    def table(self) -> RunTable:
        """The rows."""
        return self.query_one(RunTable)

    @property
    def pane(self) -> DetailPane:
        """The details."""
        return self.query_one(DetailPane)

    # The run's file.

    def _read(self) -> bool:
        """Takes what is new in the file; returns whether there is anything."""
        tree = self.outline.tree
        before = tree.count
        tree.take(self.source.read())
        going = tree.end is None and self.source.going
        if not going:
            self.outline.now = None
        elif tree.count != before or self.outline.now is None:
            self._caught_up = time.monotonic()
            self.outline.now = tree.seconds
        else:
            self.outline.now = tree.seconds + time.monotonic() - self._caught_up
        return tree.count != before

    def check(self) -> None:
        """Looks at the run's file, and shows what is new."""
        if not self.following:
            return
        was = self.outline.now
        at_end = self.outline.cursor is self.outline.rows[-1] and was is not None
        try:
            new = self._read()
        except JournalError as error:
            self.say(str(error))
            return
        if new or self.outline.now != was:
            if new and at_end:
                self.outline.go_to(len(self.outline.rows) - 1)
            self.show_all()

    # What is shown.

    def show_all(self) -> None:
        """Draws everything that has changed."""
        self.table.update()
        self.show_top()
        self.show_details(keep=True)

    def show_top(self) -> None:
        """Draws the line at the top."""
        cost, tree = totals(self.outline), self.outline.tree
        live = "" if self.outline.now is None else "  following" if self.following else "  paused"
        sign = GLYPHS.get(cost.state, "✗")
        name = tree.start.run_id if tree.start else self.source.path.stem
        line = f"{sign} {visible(name)}  {cost.state}{live} "
        for words in cost.words():  # the most important first: what does not fit is in the details of the run
            if len(line) + len(words) + 4 <= self.size.width:
                line += f"  {words}"
        self.query_one("#top", Static).update(line, layout=False)
        self.query_one("#top").set_classes(tone(cost.state))

    def show_details(self, *, keep: bool = False) -> None:
        """Draws the tab of the selected row.

        Args:
            keep: Whether to stay where it was scrolled to.
        """
        node = self.outline.cursor
        entries = details(node, self.tab, self.outline, self.source.problems)
        if self._opened is not None and self._opened[0] == (node.key, self.tab):
            entries = self._opened[1]
        else:
            self._opened = None
        self.entries = entries
        self.pane.show(self.entries, keep=keep)
        names = [
            f"[@click=app.tab('{tab}')]{'[reverse]' if tab == self.tab else ''} {number} {tab} "
            f"{'[/reverse]' if tab == self.tab else ''}[/]"
            for number, tab in enumerate(TABS, start=1)
        ]
        self.query_one("#tabs", Static).update("".join(names), layout=False)

    def open_values(self) -> None:
        """Shows the values of the tab that were left in the file, until another row or tab is shown."""
        self._opened = ((self.outline.cursor.key, self.tab), [self._loaded(e) for e in self.entries])
        self.show_details()

    def _loaded(self, entry: Entry) -> Entry:
        """Returns an entry with what was left in the file."""
        size = size_of(entry.left) if isinstance(entry, Block) else 0
        if not (isinstance(entry, Block) and size):
            return entry
        value = self.source.value(entry.left)
        if size <= _SHOWN:
            return json_block(entry.title, value, state=entry.state)
        rest = f"\n... the first {_SHOWN:,} of {size:,} characters: w writes all of it to a file"
        text = beginning(value, _SHOWN) + rest
        return Block(entry.title, text, is_json=not isinstance(value, str), state=entry.state)

    def on_run_table_moved(self) -> None:
        """Shows the details of the row that was moved to."""
        self.show_details()

    def on_run_table_resized(self) -> None:
        """Writes as much at the top as fits."""
        self.show_top()

    def say(self, message: str) -> None:
        """Shows a message in the last line for some seconds."""
        self.hint(one_line(message, 400), "said")
        if self._saying is not None:
            self._saying.stop()
        self._saying = self.set_timer(_SAID, lambda: self.hint(HINTS))

    def hint(self, text: str, kind: str = "") -> None:
        """Shows a text in the last line."""
        line = self.query_one("#hints", Static)
        line.update(text, layout=False)
        line.set_classes(kind)
