"""Runs an agent and shows its events; what `run` and `chat` share."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from agentkit.cli.display import Display, PlainDisplay, SilentDisplay
from agentkit.cli.interrupts import Interrupts
from agentkit.events import Event, RunPaused
from agentkit.trace.text import value_text, visible
from agentkit.trace.trace import Trace

if TYPE_CHECKING:
    from agentkit.approval import Approval, Approve, Decision
    from agentkit.messages import JsonValue
    from agentkit.result import Result

__all__ = ["Follower", "choose_display", "follow_to_the_end", "print_answer", "say"]


class Follower:
    """Follows a run: shows each event and keeps it, also when the run does not come to its end.

    Attributes:
        events: The events so far of the latest run.
    """

    def __init__(self, display: Display) -> None:
        self._display = display
        self._held: list[Event] | None = None
        """What happens while a question is asked; shown when it is answered."""
        self.events: list[Event] = []

    @property
    def trace(self) -> Trace:
        """What has happened so far."""
        return Trace(self.events)

    async def follow(self, run: Callable[[Callable[[Event], None]], Awaitable[Result]]) -> Result:
        """Follows a run to its end.

        Args:
            run: Starts the run with a function that takes its events, such as ``partial(agent.run, task)``.
        """
        self.events = []
        with self._display:
            return await run(self._take)

    def _take(self, event: Event) -> None:
        if event.kind != "piece_delta":
            self.events.append(event)
        if self._held is None:
            self._display.show(event)
        else:
            self._held.append(event)

    @property
    def approve(self) -> Approve | None:
        """Asks on the terminal about a call; ``None`` when nobody is there."""
        return self._ask if sys.stdin.isatty() and sys.stderr.isatty() else None

    async def _ask(self, asked: Approval) -> Decision | None:
        from agentkit.cli.ask import ask, edit_text, read_line
        from agentkit.cli.console import console

        held = self._held = list[Event]()
        try:
            with self._display.aside():
                return await ask(asked, console(stderr=True), read_line, edit_text)
        finally:
            self._held = None
            for event in held:
                self._display.show(event)


def follow_to_the_end(
    follower: Follower, run: Callable[[Callable[[Event], None]], Awaitable[Result]], *, as_json: bool
) -> int:
    """Follows a run, prints its answer to stdout, and returns the exit code.

    Args:
        follower: Follows it.
        run: Starts the run with a function that takes its events.
        as_json: Whether to print one JSON object instead of the answer.
    """
    interrupts = Interrupts(lambda: _what_is_kept(follower.trace))
    with contextlib.redirect_stdout(sys.stderr), interrupts:  # what tools print must not end up in the answer
        asyncio.run(interrupts.run(follower.follow(run)))
    trace = follower.trace
    if interrupts.signal is not None and trace.stop_reason in (None, "cancelled"):
        say(_what_is_kept(trace))
        return 128 + interrupts.signal
    if isinstance(trace.end, RunPaused):  # from the viewer it may have been decided about, and gone on with
        trace = Trace.load(trace.run_id)
    if as_json:
        print(json.dumps(trace.to_json(), ensure_ascii=False), flush=True)
    elif trace.stop_reason == "answer":
        print_answer(trace.output)
    return _exit_code(trace)


def choose_display(*, quiet: bool = False, viewer: bool = False) -> Display:
    """Returns live progress on a terminal, else plain lines on stderr.

    Args:
        quiet: Whether to show nothing where progress can't be drawn.
        viewer: Whether to open the viewer instead.
    """
    if viewer:
        from agentkit.cli.viewing import ViewerDisplay

        return ViewerDisplay(lambda: choose_display(quiet=quiet))
    if sys.stderr.isatty():
        from agentkit.cli.console import console, is_terminal

        if is_terminal():
            from agentkit.cli.live import LiveDisplay

            return LiveDisplay(console(stderr=True))
    return SilentDisplay() if quiet else PlainDisplay()


def print_answer(output: JsonValue) -> None:
    """Prints an answer to stdout: text as it is, everything else as indented JSON."""
    shown = value_text(output) if isinstance(output, str) else json.dumps(output, indent=2, ensure_ascii=False)
    print(visible(shown), flush=True)


def _exit_code(trace: Trace) -> int:
    end = trace.end
    if end is not None and end.stop_reason == "answer":
        return 0
    say(end.message if end is not None else "the run has no end")
    if isinstance(end, RunPaused):
        return 3
    say(_what_now(trace))
    return 130 if end is not None and end.stop_reason == "cancelled" else 1


def _what_is_kept(trace: Trace) -> str:
    from agentkit.trace.text import counted

    if not trace.run_id:
        return "interrupted before the run began; nothing was done"
    done = [counted(len(trace.turns), "turn")] if trace.turns else []
    done.append(counted(sum(s.ok is not None for s in trace.steps), "finished call"))
    return f"interrupted; run {trace.run_id} is kept, with {' and '.join(done)}\n{_what_now(trace)}"


def _what_now(trace: Trace) -> str:
    return f"look at it with: agentkit trace {trace.run_id} --print; go on with: agentkit resume {trace.run_id}"


def say(message: str) -> None:
    """Prints a message to stderr."""
    print(visible(message), file=sys.stderr, flush=True)
