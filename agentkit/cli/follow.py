"""Runs an agent and shows its events; what `run` and `chat` share."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from agentkit.cli.display import Display, PlainDisplay, SilentDisplay
from agentkit.events import Event
from agentkit.trace.text import value_text, visible
from agentkit.trace.trace import Trace

if TYPE_CHECKING:
    from agentkit.agent import Agent
    from agentkit.messages import JsonValue, Message
    from agentkit.run import Result

__all__ = ["Follower", "choose_display", "print_answer"]


class Follower:
    """Follows one run: shows each event and keeps it, also when the run does not come to its end.

    Attributes:
        events: The events so far.
    """

    def __init__(self, agent: Agent, display: Display) -> None:
        self._agent = agent
        self._display = display
        self.events: list[Event] = []

    @property
    def trace(self) -> Trace:
        """What has happened so far."""
        return Trace(self.events)

    async def run(self, task: str, history: Sequence[Message] = ()) -> Result:
        """Runs a task to its end; see `agentkit.Agent.run`."""
        with self._display:
            return await self._agent.run(task, history=history, on_event=self._take)

    def _take(self, event: Event) -> None:
        if event.kind != "piece_delta":
            self.events.append(event)
        self._display.show(event)


def choose_display(*, quiet: bool = False) -> Display:
    """Returns live progress on a terminal, else plain lines on stderr.

    Args:
        quiet: Whether to show nothing where progress can't be drawn.
    """
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
