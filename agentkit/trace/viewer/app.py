"""The viewer of a run: what each key does, as people know it from vim, lazygit and k9s."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual.binding import BindingType
from textual.widgets import Input

from agentkit.trace.actions import AGENTKIT
from agentkit.trace.details import TABS, Tab, details
from agentkit.trace.entries import Block, json_block
from agentkit.trace.facts import size_of
from agentkit.trace.query import Query, QueryError
from agentkit.trace.source import RunFile
from agentkit.trace.text import one_line
from agentkit.trace.tree import Node
from agentkit.trace.viewer.colours import LIGHT
from agentkit.trace.viewer.doing import Doing
from agentkit.trace.viewer.keys import BINDINGS, HINTS, SEARCH_HINTS
from agentkit.trace.viewer.pane import plain_text
from agentkit.trace.viewer.run_app import RunApp
from agentkit.trace.viewer.screens import HelpScreen

__all__ = ["TraceApp"]


class TraceApp(RunApp):
    """Shows a run from its file, to look around in.

    Args:
        source: The run's file.
        light: Whether the terminal is a light one.
        agentkit: What starts the command line; arguments follow.
    """

    BINDINGS: ClassVar[list[BindingType]] = BINDINGS

    def __init__(self, source: RunFile, *, light: bool = False, agentkit: tuple[str, ...] = AGENTKIT) -> None:
        super().__init__(source, light=light)
        self._doing = Doing(self, agentkit)

    @property
    def idle(self) -> bool:
        """Whether all commands that were started have ended."""
        return self._doing.idle

    def on_unmount(self) -> None:
        """Lets go of commands that still go on."""
        self._doing.close()

    def check(self) -> None:
        """Looks at the run's file and at what was started, and shows what is new."""
        self._doing.look()
        super().check()

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
        line.display = True
        self.set_focus(line)
        self.hint(SEARCH_HINTS)

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
        self.query_one("#search", Input).display = False
        self.hint(HINTS)
        self.set_focus(self.table)

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
        self.show_details()

    def action_next_tab(self, step: int) -> None:
        """Shows the next tab, or the one before."""
        self.action_tab(TABS[(TABS.index(self.tab) + step) % len(TABS)])

    def action_open(self) -> None:
        """Opens a large value, else unfolds the row."""
        if any(isinstance(e, Block) and size_of(e.left) for e in self.entries):
            self.open_values()
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
        self.show_top()

    def action_light(self) -> None:
        """Changes between dark and light."""
        self.theme = "textual-dark" if self.theme == LIGHT.name else LIGHT.name

    def action_help(self) -> None:
        """Shows the keys."""
        self.push_screen(HelpScreen())

    def action_decide(self) -> None:
        """Asks about what waits for a person."""
        self._doing.decide()

    def action_fork(self) -> None:
        """Begins a new run at the selected step."""
        self._doing.fork()

    def action_replay(self) -> None:
        """Repeats the run from its file."""
        self._doing.replay()

    def action_copy(self) -> None:
        """Copies what the tab shows."""
        text = plain_text(self.entries)
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
