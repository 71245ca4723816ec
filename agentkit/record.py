"""What a run's file says is done: from there the run goes on, is repeated, or lends its results to another.

A run goes on by being run again from the start, by the same planner, over what is recorded: a turn that was taken is
not taken again, a call that has a result is not made again, and what is said for the second time is not written twice.
So a planner needs no code for it, as long as it decides the same when it sees the same.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from typing import Any, TypeAlias

from agentkit.errors import Diverged, RecordEnds
from agentkit.event_json import event_to_json
from agentkit.events import (
    ApprovalDecided,
    ApprovalRequested,
    DoubtSettled,
    Event,
    InDoubt,
    ItemFinished,
    ItemStarted,
    RunFinished,
    RunPaused,
    RunResumed,
    RunStarted,
    StepAdded,
    StepFinished,
    StepProgress,
    StepStarted,
    TurnFinished,
    TurnPart,
    TurnStarted,
)
from agentkit.message_json import piece_from_json
from agentkit.messages import Assistant, JsonObject, JsonValue, Usage
from agentkit.model_backend.base import Turn
from agentkit.planners.plan import Step, parse_refs

__all__ = ["Call", "Record"]

Call: TypeAlias = tuple[str, int | None]
"""A call of a run: its step and, where that runs for the items of a list, which."""

_ENDS = (RunFinished, RunPaused, RunResumed)
_MANY = (StepProgress, *_ENDS)
"""Events that may come any number of times, each of which is new."""


class Record:
    """A run's events, as the run needs them that goes on with it. An empty one is that of a run that begins.

    Args:
        events: The events of the run's file, in order.
        strict: Whether the run is only repeated: everything that it does has to be in the record.
        forced: Whether prompts may be something else than what is recorded, because a person said so.
    """

    def __init__(self, events: Iterable[Event] = (), *, strict: bool = False, forced: bool = False) -> None:
        self.events: list[Event] = list(events)
        self.strict = strict
        self._forced = forced
        self.start: RunStarted | None = None
        self.results: dict[str, StepFinished] = {}
        """By step, in the order in which they came."""
        self.items: defaultdict[str, dict[int, ItemFinished]] = defaultdict(dict)
        """By step and place in the list."""
        self.attempts: Counter[Call] = Counter()
        """How often each call was begun."""
        self.doubts: dict[Call, DoubtSettled] = {}
        """What is known of calls that may have been made."""
        self.decisions: dict[Call, ApprovalDecided] = {}
        self.state: JsonObject = {}
        """What tools share, as far as it is JSON."""
        self.end: RunFinished | RunPaused | None = None
        """How the run ended last; ``None`` when it was stopped from outside."""
        self.resumed: int = 0
        """How often the run was gone on with."""
        self._turns: dict[int, TurnFinished] = {}
        self._prompts: dict[int, TurnStarted] = {}
        self._parts: defaultdict[int, list[JsonValue]] = defaultdict(list)
        self._steps: dict[str, StepAdded] = {}
        self._begun: dict[str, StepStarted] = {}
        self._said: Counter[str] = Counter()
        for event in self.events:
            self._read(event)

    def _read(self, event: Event) -> None:
        match event:
            case RunStarted():
                self.start = event
            case TurnStarted():
                self._prompts[event.turn] = event
            case TurnPart():
                self._parts[event.turn][event.index :] = [event.value]
            case TurnFinished():
                self._turns[event.turn] = event
            case StepAdded():
                self._steps[event.id] = event
            case StepStarted():
                self._begun.setdefault(event.id, event)
                self._begin((event.id, None))
            case ItemStarted():
                self._begin((event.id, event.index))
            case ItemFinished():
                self.items[event.id][event.index] = event
                self.state |= event.state
            case StepFinished():
                self.results[event.id] = event
                self.state |= event.state
            case DoubtSettled():
                self.doubts[event.id, event.item] = event
            case ApprovalDecided():
                self.decisions[event.id, event.item] = event
            case RunFinished() | RunPaused():
                self.end = event
            case RunResumed():
                self.resumed += 1
                self.end = None
            case _:
                self._said[_words(event)] += 1

    def _begin(self, call: Call) -> None:
        self.attempts[call] += 1
        self.doubts.pop(call, None)  # what was known was known of the attempt before

    @property
    def seconds(self) -> float:
        """How long the run went on so far."""
        return max((event.at for event in self.events), default=0.0)

    def forget_failures(self, effects: dict[str, str]) -> list[str]:
        """Lets calls that failed be made again, except those that must not be made twice.

        Args:
            effects: The effect class of each tool.

        Returns:
            The steps that failed for good.
        """
        kept: list[str] = []
        for step, result in list(self.results.items()):
            if result.ok:
                continue
            was_called = bool(self.attempts[step, None])
            if was_called and effects.get(result.tool, "once") == "once":
                kept.append(step)
                continue
            del self.results[step]
            self.items[step] = {i: item for i, item in self.items[step].items() if item.ok}
        return kept

    # What is repeated.

    def turn(self, number: int) -> Turn | None:
        """Returns a turn that was taken; ``None`` when it was not, or was cut off.

        Raises:
            agentkit.errors.Diverged: It was not, and the run is only repeated.
        """
        event = self._turns.get(number)
        if event is None:
            if self.strict:
                raise RecordEnds(f"turn {number} is asked for, and is not in the record")
            return None
        known = {f.name for f in fields(Usage)}
        return Turn(
            message=Assistant(tuple(map(piece_from_json, event.pieces)), tokens=tuple(event.tokens)),
            stop=event.stop,  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
            usage=Usage(**{k: v for k, v in event.usage.items() if k in known}),
            notes=tuple(event.notes),
        )

    def edited(self, step: Step) -> Step:
        """Returns a step as it is to be run: with other arguments where the run was forked for them."""
        args = self.start.fork.get("args", {}).get(step.id) if self.start is not None else None
        return step if args is None else replace(step, args=parse_refs(args))

    def parts(self, turn: int) -> Sequence[JsonValue]:
        """Returns the parts of a turn's answer that were told of."""
        return self._parts[turn]

    def check_prompt(self, turn: int, messages: Sequence[JsonObject]) -> None:
        """Compares what is new in the prompt of a turn that was taken with what is recorded.

        Raises:
            agentkit.errors.Diverged: It is something else.
        """
        recorded = self._prompts.get(turn)
        if (
            recorded is not None
            and turn in self._turns
            and not self._forced
            and _plain(recorded.messages) != _plain(list(messages))
        ):
            raise Diverged(
                f"turn {turn} asks something else than what is recorded: {_difference(recorded.messages, messages)}"
            )

    def has(self, event: Event) -> bool:
        """Returns whether an event is in the record, so that it need not be written again.

        Raises:
            agentkit.errors.Diverged: Something else is in the record in its place, or nothing is, and the run is
                only repeated.
        """
        found = self._has(event)
        if not found and self.strict and not isinstance(event, _MANY):
            raise RecordEnds(f"this is not in the record: {_words(event)[:500]}")
        return found

    def _has(self, event: Event) -> bool:
        match event:
            case RunStarted():
                return self.start is not None
            case TurnStarted():
                known = self._prompts.get(event.turn)
                return known is not None and _plain(known.messages) == _plain(event.messages)
            case TurnPart():
                return event.index < len(self._parts[event.turn])
            case TurnFinished():
                return event.turn in self._turns
            case StepAdded():
                return self._has_step(event)
            case StepStarted():
                return self._has_begun(event)
            case ItemStarted():
                return event.attempt <= self.attempts[event.id, event.index]
            case StepFinished():
                return event.id in self.results
            case ItemFinished():
                return event.index in self.items[event.id]
            case InDoubt() | ApprovalRequested() | DoubtSettled() | ApprovalDecided():
                return any(_words(e) == _words(event) for e in self.events if isinstance(e, type(event)))
            case RunFinished() | RunPaused() | RunResumed() | StepProgress():
                return False
            case _:
                words = _words(event)
                self._said[words] -= 1
                return self._said[words] >= 0

    def _has_begun(self, event: StepStarted) -> bool:
        recorded, decided = self._begun.get(event.id), self.decisions.get((event.id, None))
        is_edited = decided is not None and decided.args is not None  # by a person
        if self.strict and recorded is not None and not is_edited and _plain(recorded.args) != _plain(event.args):
            difference = _difference(recorded.args, event.args)
            raise Diverged(f"step {event.id!r} is called with something else: {difference}")
        return event.attempt <= self.attempts[event.id, None]

    def _has_step(self, event: StepAdded) -> bool:
        recorded = self._steps.get(event.id)
        # Labels follow from the policy, which may be changed while the run waits.
        if recorded is not None and _words(replace(recorded, labels=[])) != _words(replace(event, labels=[])):
            raise Diverged(f"step {event.id!r} is something else than what is recorded: {_difference(recorded, event)}")
        return recorded is not None


def _words(event: Event) -> str:
    """Returns what an event says, without when."""
    return json.dumps({k: v for k, v in event_to_json(event).items() if k != "at"}, sort_keys=True)


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value))


def _difference(recorded: Any, now: Any) -> str:
    """Returns where two values differ, in few words."""
    texts = [_words(v) if isinstance(v, Event) else json.dumps(v, sort_keys=True) for v in (recorded, now)]
    start = next((i for i, (a, b) in enumerate(zip(*texts, strict=False)) if a != b), min(map(len, texts)))
    before, after = (text[max(0, start - 40) : start + 80] for text in texts)
    return f"...{before!r} was recorded, ...{after!r} is asked now"
