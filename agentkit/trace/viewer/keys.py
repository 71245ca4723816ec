"""The keys of the viewer: as people know them from vim, lazygit and k9s."""

from __future__ import annotations

from textual.binding import Binding, BindingType

from agentkit.trace.details import TABS

__all__ = ["BINDINGS", "HELP", "HINTS", "SEARCH_HINTS"]

HINTS = "/ search  e failure  r cause  1-5 details  a allow  x fork  ? keys  q leave"

SEARCH_HINTS = "words  status:error tool:x kind:turn label:web dur>1s out>50  -not  esc: end"

HELP = """\
[b]Move[/b]                           [b]Find[/b]
j k ↓ ↑    a row               /      search, such as
ctrl+d u   half a page                status:error tool:x dur>1s
g G        first, last row     n N    next, previous match
h l ← →    fold, unfold        o      only what matches
space      fold or unfold      e E    next, previous failure
z Z        fold, unfold all    r      where it began to go wrong
< >        needs, needed by    esc    end the search

[b]Look[/b]                           [b]Do[/b]
tab        table or details    a      decide what waits
1-5 \\[ ]    the tabs            x      fork: run again from here
enter      open a large value         with other arguments
m          more details        R      replay the run, and compare
+ - 0      zoom the time       y      copy the tab
f          follow or pause     w      write the tab to a file
t          dark or light       q      leave

┃ longest chain    ↑ the selected step needs it    ↓ it needs that
✓ done  ✗ failed  ● running  ○ waits for others  ? waits for you
─ prompt  ━ decoding, a call  ┄ waits for a place  ╍ waits for you"""

BINDINGS: list[BindingType] = [
    *(Binding(keys, f"move({by})", show=False) for keys, by in (("j,down", 1), ("k,up", -1))),
    *(Binding(keys, f"page({by})", show=False) for keys, by in (("ctrl+d", 0.5), ("ctrl+u", -0.5))),
    *(Binding(keys, f"page({by})", show=False) for keys, by in (("pagedown,ctrl+f", 1), ("pageup,ctrl+b", -1))),
    Binding("g,home", "end(0)", show=False),
    Binding("G,end", "end(1)", show=False),
    Binding("h,left", "out", show=False),
    Binding("l,right", "into", show=False),
    Binding("space", "fold", show=False),
    Binding("z", "fold_all(False)", show=False),
    Binding("Z", "fold_all(True)", show=False),
    Binding("less_than_sign", "related('needs')", show=False),
    Binding("greater_than_sign", "related('needed_by')", show=False),
    Binding("slash", "search", show=False),
    Binding("n", "match(1)", show=False),
    Binding("N", "match(-1)", show=False),
    Binding("o", "only", show=False),
    Binding("escape", "leave_search", show=False),
    Binding("e", "failure(1)", show=False),
    Binding("E", "failure(-1)", show=False),
    Binding("r", "cause", show=False),
    Binding("tab", "other", show=False, priority=True),
    *(Binding(str(number), f"tab('{tab}')", show=False) for number, tab in enumerate(TABS, start=1)),
    Binding("left_square_bracket", "next_tab(-1)", show=False),
    Binding("right_square_bracket", "next_tab(1)", show=False),
    Binding("enter", "open", show=False),
    Binding("plus,equals_sign", "zoom(0.5)", show=False),
    Binding("minus", "zoom(2)", show=False),
    Binding("0", "zoom(0)", show=False),
    Binding("m", "large", show=False),
    Binding("f", "follow", show=False),
    Binding("a", "decide", show=False),
    Binding("x", "fork", show=False),
    Binding("R", "replay", show=False),
    Binding("y", "copy", show=False),
    Binding("w", "write", show=False),
    Binding("t", "light", show=False),
    Binding("question_mark", "help", show=False),
    Binding("q", "quit", show=False),
]
