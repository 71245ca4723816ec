"""A run as it can be read back: made of its events and of nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from agentkit.errors import JournalError, UsageError
from agentkit.events import Event, RunFinished, RunPaused, RunResumed, RunStarted, Warned
from agentkit.messages import JsonObject, JsonValue, Usage
from agentkit.trace.spans import Span, StepSpan, TurnSpan, spans, usage_from_json

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

__all__ = ["Trace"]


class Trace:
    """The events of a run, and what they add up to. Printing it with rich shows the run as a tree.

    Attributes:
        events: The events, in order.
        problems: What could not be read from the run's file, in words.
    """

    def __init__(self, events: Iterable[Event], problems: Iterable[str] = ()) -> None:
        self.events: tuple[Event, ...] = tuple(events)
        self.problems: tuple[str, ...] = tuple(problems)

    @classmethod
    def load(cls, run: Path | str | None = None) -> Trace:
        """Returns the trace of a run file, also while the run goes on or after it was killed.

        Args:
            run: Path of the file, or the run's id or a beginning of it; ``None`` for the latest run.

        Raises:
            agentkit.errors.UsageError: There is no such run, or the file is not a run file.
        """
        from agentkit.journal import read_events
        from agentkit.trace.runs import find_run

        try:
            return cls(*read_events(find_run(run)))
        except JournalError as error:
            raise UsageError(str(error)) from None

    @cached_property
    def start(self) -> RunStarted | None:
        """The first event; ``None`` when it is missing."""
        return next((e for e in self.events if isinstance(e, RunStarted)), None)

    @cached_property
    def end(self) -> RunFinished | RunPaused | None:
        """How the run ended or paused last; ``None`` while it goes on, or when it was killed."""
        last = next((e for e in reversed(self.events) if isinstance(e, RunFinished | RunPaused | RunResumed)), None)
        return None if isinstance(last, RunResumed) else last

    @property
    def run_id(self) -> str:
        """The run's id; empty when the first event is missing."""
        return self.start.run_id if self.start else ""

    @property
    def output(self) -> JsonValue:
        """The answer as JSON; ``None`` when there is none."""
        return self.end.output if self.end else None

    @property
    def stop_reason(self) -> str | None:
        """Why the run ended; ``None`` when no end is recorded."""
        return self.end.stop_reason if self.end else None

    @cached_property
    def spans(self) -> list[Span]:
        """Turns, steps and warnings in the order in which they began."""
        return spans(self.events)

    @property
    def turns(self) -> list[TurnSpan]:
        """The model's turns."""
        return [s for s in self.spans if isinstance(s, TurnSpan)]

    @property
    def steps(self) -> list[StepSpan]:
        """The plan's steps."""
        return [s for s in self.spans if isinstance(s, StepSpan)]

    @property
    def warnings(self) -> list[Warned]:
        """What the guards did."""
        return [s for s in self.spans if isinstance(s, Warned)]

    @property
    def usage(self) -> Usage:
        """What the model cost: as the end says, else the sum of the turns."""
        if self.end is not None:
            return usage_from_json(self.end.usage)
        return sum((t.usage for t in self.turns), Usage())

    @property
    def seconds(self) -> float:
        """Time from the start to the last event."""
        return max((e.at for e in self.events), default=0.0)

    @property
    def missing(self) -> list[str]:
        """What a whole run would have and this one has not, in words."""
        found: list[str] = []
        if self.start is None:
            found.append("the beginning of the run is not recorded")
        if self.end is None:
            found += [f"turn {t.turn} is not finished" for t in self.turns if not t.stop]
            found += [f"step {s.id} ({s.tool}) was called, its result is not recorded" for s in self._open_steps()]
            found.append("no end is recorded: the run still goes on, or it was stopped from outside")
        return [*found, *self.problems]

    def _open_steps(self) -> list[StepSpan]:
        return [s for s in self.steps if s.state == "running"]

    def to_json(self) -> JsonObject:
        """Returns run_id, output, stop_reason, usage and steps: what ``agentkit run --json`` prints."""
        return {
            "run_id": self.run_id,
            "output": self.output,
            "stop_reason": self.stop_reason,
            "usage": asdict(self.usage),
            "steps": [s.to_json() for s in self.steps],
        }

    def __repr__(self) -> str:
        return f"Trace({self.run_id!r}, {len(self.events)} events, {self.stop_reason or 'unfinished'})"

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from agentkit.trace.render import render

        yield from render(self)
