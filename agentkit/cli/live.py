"""Live progress on a terminal: what is done scrolls up, what goes on is redrawn below it."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from agentkit.cli.display import lines
from agentkit.events import (
    Event,
    PieceDelta,
    RunFinished,
    StepFinished,
    StepProgress,
    StepStarted,
    TurnFinished,
    TurnStarted,
)
from agentkit.trace.text import call_text, one_line, value_text, visible

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

    def __init__(self, console: Console) -> None:
        # The refreshing thread reads these: they hold immutable values that are replaced.
        self._turn: _Turn | None = None
        self._running: tuple[_Call, ...] = ()
        self._live = Live(console=console, get_renderable=self._view, refresh_per_second=5, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._turn, self._running = None, ()
        self._live.stop()

    def show(self, event: Event) -> None:
        """Shows an event."""
        match event:
            case TurnStarted():
                self._turn = _Turn(event.turn)
            case PieceDelta() if self._turn is not None:
                self._turn.add(event)
            case TurnFinished():
                self._turn = None
            case StepStarted():
                self._running += (_Call(event.id, call_text(event.tool, event.args, 200), time.monotonic()),)
            case StepProgress():
                said = one_line(value_text(event.message), 100)
                self._running = tuple(replace(c, said=said) if c.step == event.id else c for c in self._running)
                return  # it is drawn, a line for each would push everything else away
            case StepFinished():
                self._running = tuple(c for c in self._running if c.step != event.id)
            case RunFinished():
                self._turn, self._running = None, ()
            case _:
                pass
        for kind, line in lines(event):
            self._live.console.print(Text(line, style=_STYLES[kind]))

    def _view(self) -> RenderableType:
        turn, running = self._turn, self._running
        shown: list[RenderableType] = []
        if turn is not None:
            shown += turn.view()
        return Group(*shown, *(call.view() for call in running))


@dataclass(frozen=True, slots=True)
class _Call:
    """A call that goes on, and what it said last."""

    step: str
    call: str
    since: float
    said: str = ""

    def view(self) -> RenderableType:
        text = Text(f"{self.step} {self.call}  {time.monotonic() - self.since:.0f} s", style="cyan")
        return Spinner("line", text.append(f"  {self.said}", style="dim") if self.said else text)


class _Turn:
    """The turn that goes on: its last piece, and how fast it comes."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._start = time.monotonic()
        self._first = 0.0
        self._tokens = 0
        self._kind = ""
        self._text = ""

    def add(self, delta: PieceDelta) -> None:
        self._first = self._first or time.monotonic()
        self._tokens += delta.tokens
        self._text = (("" if delta.piece != self._kind else self._text) + delta.text)[-_TAIL:]
        self._kind = delta.piece

    def view(self) -> list[RenderableType]:
        now = time.monotonic()
        if not self._first:
            return [Spinner("line", Text(f"turn {self._number}: reading  {now - self._start:.0f} s", style="dim"))]
        tail = visible(self._text.strip())
        rate = self._tokens / max(now - self._first, 0.001)
        status = one_line(f"turn {self._number}: {self._kind}  {self._tokens:,} tokens, {rate:.1f} tokens/s", 200)
        style = _STYLES.get(self._kind, "")
        return [Text(tail, style=style), Spinner("line", Text(status, style="dim"))]
