"""Which rows of a run are in sight, where the cursor stands, and where it may jump to."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import cache

from agentkit.trace.critical import critical_path, needs
from agentkit.trace.facts import Facts, facts
from agentkit.trace.query import Query
from agentkit.trace.spans import StepSpan, TurnSpan
from agentkit.trace.tree import Node, RunTree
from agentkit.trace.waterfall import parallel

__all__ = ["Outline"]


class Outline:
    """The rows that a reader has unfolded, with a cursor on one of them.

    Attributes:
        tree: The run.
        now: Seconds since the run started, while it goes on; ``None`` when it does not.
        query: What is looked for.
        only: Whether only what fits is in sight, and what that is in.
    """

    def __init__(self, tree: RunTree) -> None:
        self.tree = tree
        self.now: float | None = None
        self.query: Query = Query()
        self.only = False
        self.stored: Callable[[str], Collection[str]] | None = None
        """Where a text stands in the large values that were left in the run's file."""
        self._cursor = tree.root
        self._rows: list[Node] = []
        self._places: dict[int, int] = {}
        self._rows_of: object = None
        self._folds = 0
        self._all: list[Node] = []
        self._places_of_all: dict[Node, int] = {}
        self._order_of = -1
        self._matches: list[Node] = []
        self._matches_of: object = None
        self._edges: tuple[dict[str, list[str]], dict[str, list[str]]] = ({}, {})
        self._edges_of = -1
        self._longest: list[TurnSpan | StepSpan] = []
        self._critical: frozenset[int] = frozenset()
        self._longest_of = -1
        self._parallel: dict[tuple[tuple[float, float], int], tuple[str, int]] = {}
        self._parallel_of: object = None

    # What is in sight.

    @property
    def rows(self) -> Sequence[Node]:
        """The rows in sight, from the top."""
        state = (self.tree.changed, self._folds, self.only and (self.query, self.tree.count))
        if state != self._rows_of:
            self._rows = [*self._shown()]
            self._places = {id(node): place for place, node in enumerate(self._rows)}
            self._rows_of = state
        return self._rows

    def _shown(self) -> list[Node]:
        wanted = self._with_matches() if self.only and self.query else None
        found: list[Node] = []
        stack = [self.tree.root]
        while stack:
            node = stack.pop()
            if wanted is not None and id(node) not in wanted:
                continue
            found.append(node)
            if node.open or wanted is not None:
                stack.extend(reversed(node.children))
        return found

    def _with_matches(self) -> set[int]:
        found = {id(self.tree.root)}
        for node in self.matches:
            found.add(id(node))
            found.update(map(id, node.above()))
        return found

    def facts(self, node: Node) -> Facts:
        """Returns what a row shows now."""
        return facts(node, self.tree, now=self.now)

    # The cursor.

    @property
    def cursor(self) -> Node:
        """The row under the cursor."""
        return self._cursor

    @property
    def place(self) -> int:
        """Where the cursor stands among the rows in sight."""
        rows = self.rows
        node: Node | None = self._cursor
        while node is not None and id(node) not in self._places:
            node = node.parent
        self._cursor = node or rows[0]
        return self._places[id(self._cursor)]

    def move(self, by: int) -> None:
        """Moves the cursor by so many rows."""
        self.go_to(self.place + by)

    def go_to(self, place: int) -> None:
        """Puts the cursor on a row in sight; the first or the last when there is none so far up or down."""
        rows = self.rows
        self._cursor = rows[min(max(0, place), len(rows) - 1)]

    def show(self, node: Node) -> None:
        """Puts the cursor on a row, and unfolds what it is in."""
        for above in node.above():
            if not above.open:
                above.open = True
                self._folds += 1
        self._cursor = node

    def fold(self, *, open_: bool | None = None) -> None:
        """Folds or unfolds the row under the cursor.

        Args:
            open_: What is wanted; by default the opposite of what is.
        """
        node = self._cursor
        if not node.children:
            return
        wanted = not node.open if open_ is None else open_
        self._folds += node.open != wanted
        node.open = wanted

    def fold_all(self, *, open_: bool) -> None:
        """Folds or unfolds everything below the first row."""
        for node in self.tree.root.walk():
            if node.children and node is not self.tree.root:
                node.open = open_
        self._folds += 1

    def go_in(self) -> None:
        """Unfolds the row, or goes to the first row below it."""
        node = self._cursor
        if node.children and not node.open:
            self.fold(open_=True)
        elif node.children:
            self._cursor = node.children[0]

    def go_out(self) -> None:
        """Folds the row, or goes to the one that it is in."""
        node = self._cursor
        if node.children and node.open and node is not self.tree.root:
            self.fold(open_=False)
        elif node.parent is not None:
            self._cursor = node.parent

    # Where to jump.

    @property
    def _order(self) -> list[Node]:
        """All rows, folded ones too."""
        if self._order_of != self.tree.changed:
            self._all = [*self.tree.root.walk()]
            self._places_of_all = {node: place for place, node in enumerate(self._all)}
            self._order_of = self.tree.changed
        return self._all

    @property
    def matches(self) -> Sequence[Node]:
        """All rows that fit what is looked for, folded ones too."""
        state = (self.query, self.tree.count)
        if state != self._matches_of:
            stored = cache(self.stored) if self.stored is not None else None
            nodes = self._order if self.query else ()
            self._matches = [n for n in nodes if self.query.fits(n, self.facts(n), stored)]
            self._matches_of = state
        return self._matches

    def next_match(self, step: int = 1) -> bool:
        """Goes to the next row that fits what is looked for, or with -1 to the one before; around the end."""
        return self._next(set(self.matches).__contains__, step)

    def next_error(self, step: int = 1) -> bool:
        """Goes to the next row that failed, or with -1 to the one before; around the end."""
        return self._next(self._failed, step)

    def _failed(self, node: Node) -> bool:
        """Whether a row failed; of what was said, and of calls that went well, that is known without their words."""
        source = node.source
        return not isinstance(source, dict) and getattr(source, "ok", None) is not True and self.facts(node).failed

    def _next(self, fits: Callable[[Node], bool], step: int) -> bool:
        order, here = self._order, self._places_of_all[self._cursor]
        around = [*order[here + 1 :], *order[: here + 1]] if step > 0 else [*order[:here][::-1], *order[here:][::-1]]
        found = next(filter(fits, around), None)
        if found is not None:
            self.show(found)
        return found is not None

    def root_cause(self) -> Node | None:
        """Returns the row where it began to go wrong: for the row under the cursor, or for the run.

        From a step that failed or was not run it leads to the steps that it needed; from anywhere else to the last
        failure that counts, which is the one that ended the run.
        """
        source = self._cursor.source
        if isinstance(source, StepSpan) and source.ok is False:
            return self.cause_of(source)
        failed = [s for s in self.tree.builder.steps.values() if s.ok is False]
        if failed and self.tree.end is not None and getattr(self.tree.end, "stop_reason", "") == "tool_error":
            return self.cause_of(failed[0])
        if failed:
            return self.cause_of(failed[-1])
        return next(filter(self._failed, self._order), None)

    def cause_of(self, step: StepSpan) -> Node:
        """Returns the row of the step, or the item, because of which a step failed or was not run."""
        steps, seen = self.tree.builder.steps, {step.id}
        while True:
            bad = [steps[n] for n in needs(step) if n in steps and steps[n].ok is False and n not in seen]
            if not bad:
                break
            step = bad[0]
            seen.add(step.id)
        node = self.tree.nodes[f"step:{step.id}"]
        broken = [*filter(self._failed, node.children)] if step.failed_items else []
        return broken[0] if broken else node

    # How rows hang together.

    @property
    def longest(self) -> Sequence[TurnSpan | StepSpan]:
        """The chain of turns and steps that made the run as long as it was, in order."""
        if self._longest_of != self.tree.count:
            self._longest = critical_path(self.tree.builder.spans)
            self._critical = frozenset(map(id, self._longest))
            self._longest_of = self.tree.count
        return self._longest

    def is_critical(self, node: Node) -> bool:
        """Returns whether the run would have been shorter without the row's turn or step."""
        return bool(self.longest) and id(node.source) in self._critical

    def parallel(self, window: tuple[float, float], width: int) -> tuple[str, int]:
        """Returns how many calls ran side by side, as `agentkit.trace.waterfall.parallel` draws it."""
        if self._parallel_of != (self.tree.count, self.now):
            self._parallel_of = (self.tree.count, self.now)
            self._parallel.clear()
        if (window, width) not in self._parallel:
            self._parallel[window, width] = parallel(self.tree.builder.spans, window, width)
        return self._parallel[window, width]

    def needs(self, node: Node) -> list[Node]:
        """Returns the steps that a row's step waited for."""
        return self._related(node, 0)

    def needed_by(self, node: Node) -> list[Node]:
        """Returns the steps that waited for a row's step."""
        return self._related(node, 1)

    def _related(self, node: Node, way: int) -> list[Node]:
        if not isinstance(node.source, StepSpan):
            return []
        if self._edges_of != self.tree.changed:
            self._edges = self._read_edges()
            self._edges_of = self.tree.changed
        keys = [f"step:{step}" for step in self._edges[way].get(node.source.id, ())]
        return [self.tree.nodes[key] for key in keys if key in self.tree.nodes]

    def _read_edges(self) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
        """Returns what each step needs, and what needs it."""
        before: dict[str, list[str]] = {}
        after: dict[str, list[str]] = {}
        for step in self.tree.builder.steps.values():
            before[step.id] = needs(step)
            for need in before[step.id]:
                after.setdefault(need, []).append(step.id)
        return before, after
