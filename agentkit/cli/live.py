"""Live progress on a terminal: what is done scrolls up, what goes on is redrawn below it."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from agentkit.cli.display import Lines
from agentkit.events import (
    Event,
    ItemFinished,
    PieceDelta,
    RunFinished,
    RunPaused,
    RunResumed,
    StepFinished,
    StepProgress,
    StepStarted,
    TurnFinished,
    TurnStarted,
)
from agentkit.trace.text import call_text, counted, one_line, value_text, visible

__all__ = ["LiveDisplay"]

_STYLES = {
    "head": "bold",
    "thought": "dim italic",
    "text": "",
    "call": "cyan",
    "ok": "green",
    "failed": "red",
    "note": "dim",
    "warning": "yellow",
}
_TAIL = 400
"""Characters of the turn that goes on which are redrawn."""


class LiveDisplay:
    """Draws a run's events on a terminal."""

    def __init__(self, console: Console, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Prepares a display.

        Args:
            console: A console on the terminal.
            clock: Seconds that have passed since some moment.
        """
        self._clock = clock
        self._lines = Lines()
        # The refreshing thread reads these: they hold immutable values that are replaced.
        self._turn: _Turn | None = None
        self._running: tuple[_Call, ...] = ()
        self._live = Live(console=console, get_renderable=self.view, refresh_per_second=5, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._turn, self._running = None, ()
        self._live.stop()

    @contextmanager
    def aside(self) -> Generator[None]:
        """Stops drawing, so that a question can be asked."""
        self._live.stop()
        try:
            yield
        finally:
            self._live.start()

    def show(self, event: Event) -> None:
        """Shows an event."""
        now = self._clock()
        match event:
            case TurnStarted():
                self._turn = _Turn(number=event.turn, since=now)
            case PieceDelta() if self._turn is not None:
                self._turn = self._turn.grown(event, now)
            case TurnFinished():
                self._turn = None
            case StepStarted():
                self._running += (_Call(event.id, call_text(event.tool, event.args, 200), now, items=event.items),)
            case ItemFinished():
                self._running = tuple(replace(c, done=c.done + 1) if c.step == event.id else c for c in self._running)
            case StepProgress():
                said = one_line(value_text(event.message), 100)
                self._running = tuple(replace(c, said=said) if c.step == event.id else c for c in self._running)
                return  # it is drawn, a line for each would push everything else away
            case StepFinished():
                self._running = tuple(c for c in self._running if c.step != event.id)
            case RunFinished() | RunPaused() | RunResumed():
                self._turn, self._running = None, ()
            case _:
                pass
        for kind, line in self._lines.of(event):
            self._live.console.print(Text(line, style=_STYLES[kind]))

    def view(self) -> RenderableType:
        """Returns what goes on now, as it is redrawn."""
        turn, running, now = self._turn, self._running, self._clock()
        shown = turn.view(now) if turn is not None else []
        return Group(*shown, *(call.view(now) for call in running))


@dataclass(frozen=True, slots=True)
class _Call:
    """A call that goes on, and what it said last."""

    step: str
    call: str
    since: float
    said: str = ""
    items: int | None = None
    done: int = 0
    """How many of the items are done."""

    def view(self, now: float) -> RenderableType:
        count = "" if self.items is None else f"  {self.done:,} of {counted(self.items, 'item')}"
        text = Text(f"{self.step} {self.call}{count}  {now - self.since:.0f} s", style="cyan")
        return Spinner("line", text.append(f"  {self.said}", style="dim") if self.said else text)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Turn:
    """The turn that goes on: its last piece, and how fast it comes."""

    number: int
    since: float
    first: float = 0.0
    """When the first token came."""
    tokens: int = 0
    kind: str = ""
    text: str = ""

    def grown(self, delta: PieceDelta, now: float) -> _Turn:
        before = self.text if delta.piece == self.kind else ""
        return replace(
            self,
            first=self.first if self.tokens else now,
            tokens=self.tokens + delta.tokens,
            kind=delta.piece,
            text=(before + delta.text)[-_TAIL:],
        )

    def view(self, now: float) -> list[RenderableType]:
        if not self.tokens:
            return [Spinner("line", Text(f"turn {self.number}: reading the prompt, {now - self.since:.0f} s", "dim"))]
        passed = now - self.first
        rate = f", {self.tokens / passed:.1f} tokens/s" if passed >= 1 else ""  # before that it means nothing
        status = f"turn {self.number}: {self.kind}, {self.tokens:,} tokens{rate}"
        tail = Text(visible(self.text.strip()), style=_STYLES.get(self.kind, ""))
        return [tail, Spinner("line", Text(status, style="dim"))]
