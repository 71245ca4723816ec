"""The viewer of a run: table above, details below, keys as in vim, lazygit and k9s."""

from __future__ import annotations

import time
from pathlib import Path
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.timer import Timer
from textual.widgets import Input, Static

from agentkit.errors import JournalError
from agentkit.trace.columns import GLYPHS
from agentkit.trace.details import TABS, Tab, details
from agentkit.trace.entries import Block, Entry, json_block
from agentkit.trace.facts import size_of
from agentkit.trace.outline import Outline
from agentkit.trace.query import Query, QueryError
from agentkit.trace.source import RunFile
from agentkit.trace.states import tone
from agentkit.trace.text import one_line, visible
from agentkit.trace.totals import totals
from agentkit.trace.tree import Node, RunTree
from agentkit.trace.viewer.colours import LIGHT
from agentkit.trace.viewer.keys import BINDINGS, HINTS, SEARCH_HINTS
from agentkit.trace.viewer.pane import DetailPane, plain_text
from agentkit.trace.viewer.screens import HelpScreen
from agentkit.trace.viewer.table import RunTable

__all__ = ["TraceApp"]

_POLL = 0.5
"""Seconds between two looks at the run's file."""

_SAID = 5.0
"""Seconds for which a message stands in the last line."""

_SHOWN = 1_000_000
"""Most characters of a text that are shown; all of it can be written to a file."""


class TraceApp(App[None]):
    """Shows a run from its file.

    Args:
        source: The run's file.
        light: Whether the terminal is a light one.
    """

    CSS = """
    Screen { background: $background; }
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
    .searching #search { display: block; }
    #top, #tabs, #hints { text-wrap: nowrap; text-overflow: ellipsis; }
    """
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = BINDINGS

    def __init__(self, source: RunFile, *, light: bool = False) -> None:
        super().__init__()
        self.register_theme(LIGHT)
        self.theme = LIGHT.name if light else "textual-dark"
        self.source = source
        self.outline = Outline(RunTree())
        self.outline.stored = source.find
        self.following = True
        self.tab: Tab = "summary"
        self._opened: str = ""
        self._entries: list[Entry] = []
        self._caught_up = 0.0
        self._saying: Timer | None = None
        self._read()

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
        self._show_all()

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
            self._show_all()

    # What is shown.

    def _show_all(self) -> None:
        self.table.update()
        self._show_top()
        self._show_details(keep=True)

    def _show_top(self) -> None:
        cost, tree = totals(self.outline), self.outline.tree
        live = "" if self.outline.now is None else "  following" if self.following else "  paused"
        sign = GLYPHS.get(cost.state, "✗")
        name = tree.start.run_id if tree.start else self.source.path.stem
        line = f"{sign} {visible(name)}  {cost.state}{live} "
        for words in cost.words():  # the most important first: what does not fit is in the details of the run
            if len(line) + len(words) + 4 <= self.size.width:
                line += f"  {words}"
        self.query_one("#top", Static).update(line)
        self.query_one("#top").set_classes(tone(cost.state))

    def _show_details(self, *, keep: bool = False) -> None:
        node = self.outline.cursor
        entries = details(node, self.tab, self.outline, self.source.problems)
        self._entries = [self._loaded(e) for e in entries] if self._opened == f"{node.key} {self.tab}" else entries
        self.pane.show(self._entries, keep=keep)
        names = [
            f"[@click=app.tab('{tab}')]{'[reverse]' if tab == self.tab else ''} {number} {tab} "
            f"{'[/reverse]' if tab == self.tab else ''}[/]"
            for number, tab in enumerate(TABS, start=1)
        ]
        self.query_one("#tabs", Static).update("".join(names))

    def _loaded(self, entry: Entry) -> Entry:
        """Returns an entry with what was left in the file."""
        if not (isinstance(entry, Block) and size_of(entry.left)):
            return entry
        block = json_block(entry.title, self.source.value(entry.left), state=entry.state)
        if len(block.text) <= _SHOWN:
            return block
        rest = f"\n... {len(block.text) - _SHOWN:,} characters more: w writes all of it to a file"
        return Block(block.title, block.text[:_SHOWN] + rest, is_json=block.is_json, state=block.state)

    def on_run_table_moved(self) -> None:
        """Shows the details of the row that was moved to."""
        self._show_details()

    def say(self, message: str) -> None:
        """Shows a message in the last line for some seconds."""
        self._hint(one_line(message, 400), "said")
        if self._saying is not None:
            self._saying.stop()
        self._saying = self.set_timer(_SAID, lambda: self._hint(HINTS))

    def _hint(self, text: str, kind: str = "") -> None:
        line = self.query_one("#hints", Static)
        line.update(text)
        line.set_classes(kind)

    # Moving.

    def action_move(self, by: int) -> None:
        """Moves by rows, or scrolls the details."""
        if self.focused is self.pane:
            self.pane.scroll_relative(y=by, animate=False)
            return
        self.outline.move(by)
        self.table.update()

    def action_page(self, pages: float) -> None:
        """Moves by pages."""
        if self.focused is self.pane:
            self.pane.scroll_relative(y=int(self.pane.size.height * pages), animate=False)
            return
        self.outline.move(int(self.table.page * pages))
        self.table.update()

    def action_end(self, end: int) -> None:
        """Goes to the first or the last row."""
        if self.focused is self.pane:
            (self.pane.scroll_end if end else self.pane.scroll_home)(animate=False)
            return
        self.outline.go_to(len(self.outline.rows) if end else 0)
        self.table.update()

    def action_into(self) -> None:
        """Unfolds, or goes in."""
        self.outline.go_in()
        self.table.update()

    def action_out(self) -> None:
        """Folds, or goes out."""
        self.outline.go_out()
        self.table.update()

    def action_fold(self) -> None:
        """Folds or unfolds."""
        self.outline.fold()
        self.table.update()

    def action_fold_all(self, open_: bool) -> None:
        """Folds or unfolds everything."""
        self.outline.fold_all(open_=open_)
        self.table.update()

    def action_related(self, which: str) -> None:
        """Goes to a step that this one needs, or that needs it."""
        found = self.outline.needs(self.outline.cursor) if which == "needs" else []
        found = found or (self.outline.needed_by(self.outline.cursor) if which == "needed_by" else [])
        self._go(
            found[0] if found else None, f"this row has no step that {'it needs' if which == 'needs' else 'needs it'}"
        )

    def _go(self, node: Node | None, otherwise: str) -> None:
        if node is None:
            self.say(otherwise)
            return
        self.outline.show(node)
        self.table.update()

    # Finding.

    def action_search(self) -> None:
        """Opens the line for a search."""
        line = self.query_one("#search", Input)
        self.screen.add_class("searching")
        line.focus()
        self._hint(SEARCH_HINTS)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Goes to the first row that fits."""
        try:
            self.outline.query = Query.parse(event.value)
        except QueryError as error:
            self.say(str(error))
            return
        self._close_search()
        if self.outline.query and not self.outline.next_match():
            self.say(f"nothing fits {event.value!r}")
        elif self.outline.query:
            self.say(f"{len(self.outline.matches):,} rows fit; n and N go on, o shows only these, esc ends it")
        self.table.update()

    def _close_search(self) -> None:
        self.screen.remove_class("searching")
        self._hint(HINTS)
        self.table.focus()

    def action_leave_search(self) -> None:
        """Ends the search."""
        self._close_search()
        self.query_one("#search", Input).value = ""
        self.outline.query, self.outline.only = Query(), False
        self.table.update()

    def action_match(self, step: int) -> None:
        """Goes to the next or the previous row that fits."""
        if not self.outline.query:
            self.say("there is no search; / begins one")
        elif not self.outline.next_match(step):
            self.say("nothing fits the search")
        self.table.update()

    def action_only(self) -> None:
        """Shows only what fits, or everything again."""
        if not self.outline.query:
            self.say("there is no search; / begins one")
            return
        self.outline.only = not self.outline.only
        self.table.update()

    def action_failure(self, step: int) -> None:
        """Goes to the next or the previous failure."""
        if not self.outline.next_error(step):
            self.say("nothing failed in this run")
        self.table.update()

    def action_cause(self) -> None:
        """Goes to where it began to go wrong."""
        self._go(self.outline.root_cause(), "nothing failed in this run")

    # Looking.

    def action_other(self) -> None:
        """Goes from the table to the details, or back."""
        (self.table if self.focused is self.pane else self.pane).focus()

    def action_tab(self, tab: Tab) -> None:
        """Shows a tab."""
        self.tab = tab
        self._show_details()

    def action_next_tab(self, step: int) -> None:
        """Shows the next tab, or the one before."""
        self.action_tab(TABS[(TABS.index(self.tab) + step) % len(TABS)])

    def action_open(self) -> None:
        """Opens a large value, else unfolds the row."""
        if any(isinstance(e, Block) and size_of(e.left) for e in self._entries):
            self._opened = f"{self.outline.cursor.key} {self.tab}"
            self._show_details()
        elif self.focused is not self.pane:
            self.action_fold()

    def action_zoom(self, factor: float) -> None:
        """Shows a shorter or a longer time."""
        self.table.zoom(factor)

    def action_large(self) -> None:
        """Makes the details larger, or as they were."""
        self.query_one("#below").toggle_class("large")

    def action_follow(self) -> None:
        """Follows the run, or stops following it."""
        self.following = not self.following
        self.say("following the run" if self.following else "paused: f goes on")
        self._show_top()

    def action_light(self) -> None:
        """Changes between dark and light."""
        self.theme = "textual-dark" if self.theme == LIGHT.name else LIGHT.name

    def action_help(self) -> None:
        """Shows the keys."""
        self.push_screen(HelpScreen())

    def action_copy(self) -> None:
        """Copies what the tab shows."""
        text = plain_text(self._entries)
        self.copy_to_clipboard(text)
        self.say(f"copied {len(text):,} characters")

    def action_write(self) -> None:
        """Writes what the tab has to a file in the current folder."""
        node = self.outline.cursor
        entries = details(node, self.tab, self.outline, self.source.problems)
        whole = [
            json_block(e.title, self.source.value(e.left)) if isinstance(e, Block) and size_of(e.left) else e
            for e in entries
        ]
        name = "".join(c if c.isalnum() else "-" for c in f"{node.key}-{self.tab}")
        path = Path(f"{self.source.path.stem}-{name}.txt")
        try:
            path.write_text(plain_text(whole), encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            self.say(f"can't write {str(path)!r}: {error}")
            return
        self.say(f"written: {one_line(str(path), 200)}")
