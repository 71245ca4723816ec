"""Repeats a recorded run without a model and without effects, and finds the first thing that is different."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

from agentkit.errors import Diverged, ModelError, RecordEnds
from agentkit.events import Event, RunFinished, StepAdded, TurnFinished
from agentkit.messages import JsonObject
from agentkit.model_backend.base import Emit, ModelInfo, Turn, TurnRequest
from agentkit.record import Record
from agentkit.run import Run
from agentkit.run_spec import RunSpec

__all__ = ["RecordedModel", "Replayed", "repeat"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """How much of a run was repeated; all of it was as recorded."""

    run_id: str
    turns: int
    steps: int
    whole: bool
    """Whether the run was recorded to its answer; otherwise it was repeated as far as it goes."""

    def __str__(self) -> str:
        """What was repeated, in words."""
        ending = "everything is as recorded" if self.whole else "as far as it was recorded, everything is the same"
        return f"repeated {_counted(self.turns, 'turn')} and {_counted(self.steps, 'step')}; {ending}"


class RecordedModel:
    """Stands in for the model that a run was recorded with; it takes no turn."""

    def __init__(self, info: JsonObject) -> None:
        known = {f.name for f in fields(ModelInfo)}
        self.info: ModelInfo = ModelInfo(**{key: value for key, value in info.items() if key in known})

    async def turn(self, request: TurnRequest, emit: Emit | None = None) -> Turn:
        """Refuses."""
        raise ModelError("a run that is repeated takes no turn")

    async def count(self, request: TurnRequest) -> int:
        """Refuses."""
        raise ModelError("a run that is repeated takes no turn")

    def close(self) -> None:
        """Does nothing: there is nothing to free."""


async def repeat(spec: RunSpec, events: Sequence[Event]) -> Replayed:
    """Repeats a run.

    Args:
        spec: What the run is asked now.
        events: What was recorded.

    Raises:
        agentkit.errors.Diverged: Something is not as it was recorded; the message says what.
    """
    record = Record(events, strict=True)
    spec = replace(spec, limits=replace(spec.limits, time=None))  # the time of the record is over
    run = Run(spec, record=record, sink=_nowhere, durable=_at_once)
    is_whole = isinstance(record.end, RunFinished) and record.end.stop_reason == "answer"
    try:
        while run.result is None:
            await run.round()
    except RecordEnds:
        if is_whole:
            raise
    finally:
        await run.cancel()
    turns = sum(isinstance(e, TurnFinished) for e in events)
    added = {e.id for e in events if isinstance(e, StepAdded)}
    if is_whole and run.result is not None:
        _compare_ends(record, run, turns=turns, added=added)
    return Replayed(run_id=spec.run_id, turns=turns, steps=len(added), whole=is_whole)


def _compare_ends(record: Record, run: Run, *, turns: int, added: set[str]) -> None:
    assert isinstance(record.end, RunFinished)
    assert run.result is not None
    ended = next(e for e in reversed(run.events) if isinstance(e, RunFinished))
    for what, recorded, now in (
        ("stop reason", record.end.stop_reason, ended.stop_reason),
        ("answer", record.end.output, ended.output),
        ("number of turns", turns, run.result.usage.turns),
        ("set of steps", sorted(added), sorted(map(str, added & {s.id for s in run.plan}))),
    ):
        if recorded != now:
            raise Diverged(f"the {what} was {recorded!r:.500} and is {now!r:.500} now")


def _nowhere(event: Event) -> None:
    """Takes an event of a run that is only repeated."""


async def _at_once() -> None:
    """Nothing has to be waited for."""


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
