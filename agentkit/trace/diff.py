"""Two runs side by side: which steps are the same in both, and how they and the runs differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from agentkit.events import PlanChanged
from agentkit.messages import JsonObject, JsonValue
from agentkit.trace.spans import StepSpan
from agentkit.trace.text import change_text, counted, value_text
from agentkit.trace.trace import Trace

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

__all__ = ["MEASURED", "Change", "RunDiff", "StepDiff", "compare"]

Aspect: TypeAlias = Literal[
    "task", "model", "planner", "plan_changes", "stop_reason", "output", "turns", "seconds",
    "prompt_tokens", "output_tokens", "id", "tool", "args", "after", "for_each", "state", "result", "attempts", "items",
]  # fmt: skip

MEASURED: tuple[Aspect, ...] = ("seconds", "prompt_tokens", "output_tokens", "turns")
"""What is never quite the same twice; a difference in nothing else means that two runs did the same."""


@dataclass(frozen=True, slots=True)
class Change:
    """One difference."""

    what: Aspect
    a: JsonValue
    b: JsonValue

    def to_json(self) -> JsonObject:
        """Returns what differs, and its two values."""
        return {"what": self.what, "a": self.a, "b": self.b}


@dataclass(frozen=True, slots=True)
class StepDiff:
    """A step of one run or of both."""

    a: StepSpan | None
    """``None`` when only B has it."""
    b: StepSpan | None
    """``None`` when only A has it."""
    changes: tuple[Change, ...] = ()

    @property
    def status(self) -> Literal["same", "changed", "removed", "added"]:
        """``removed`` when only A has the step, ``added`` when only B has; times are no change."""
        if self.b is None:
            return "removed"
        if self.a is None:
            return "added"
        return "changed" if any(c.what not in MEASURED for c in self.changes) else "same"

    @property
    def step(self) -> StepSpan:
        """The step: as it is in B, if it is there."""
        found = self.b or self.a
        assert found is not None
        return found

    def to_json(self) -> JsonObject:
        """Returns the step's two ids, its tool and its status and changes."""
        ids: JsonObject = {"a": self.a.id if self.a else None, "b": self.b.id if self.b else None}
        changes = [c.to_json() for c in self.changes]
        return {**ids, "tool": self.step.tool, "status": self.status, "changes": changes}


@dataclass(frozen=True, slots=True)
class RunDiff:
    """How run B differs from run A. Printing it with rich shows it."""

    a: Trace
    b: Trace
    changes: tuple[Change, ...]
    """How the runs differ as wholes."""
    steps: tuple[StepDiff, ...]
    """The steps of both, in the order of B; what only A has stands where it was."""

    @property
    def same(self) -> bool:
        """Whether both did the same, however long it took."""
        return all(c.what in MEASURED for c in self.changes) and all(s.status == "same" for s in self.steps)

    def to_json(self) -> JsonObject:
        """Returns the two ids, whether the runs did the same, and the changes of the runs and of each step."""
        return {
            "a": self.a.run_id,
            "b": self.b.run_id,
            "same": self.same,
            "changes": [c.to_json() for c in self.changes],
            "steps": [s.to_json() for s in self.steps],
        }

    def summary(self) -> str:
        """Returns how many steps are the same, changed, added and removed, in words."""
        if self.same:
            return f"the runs did the same: {counted(len(self.steps), 'step')}"
        counts = {status: sum(s.status == status for s in self.steps) for status in _STATUSES}
        return ", ".join(f"{counted(n, 'step')} {word}" for word, n in counts.items() if n) or "no steps"

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from agentkit.trace.diff_view import render

        yield from render(self)


_STATUSES = ("same", "changed", "added", "removed")


def compare(a: Trace, b: Trace) -> RunDiff:
    """Returns how run B differs from run A."""
    steps = tuple(StepDiff(x, y, tuple(_of_steps(x, y)) if x and y else ()) for x, y in _pairs(a.steps, b.steps))
    return RunDiff(a, b, tuple(_of_runs(a, b)), steps)


def _pairs(a: Sequence[StepSpan], b: Sequence[StepSpan]) -> list[tuple[StepSpan | None, StepSpan | None]]:
    """Pairs steps: the same id and tool first, then the same call, then the same tool in the same order.

    A model that writes its plan anew gives other ids to the same calls, and other arguments to the same steps.
    """
    free = [*b]
    found: dict[int, StepSpan] = {}
    for alike in (_same_id, _same_call, _same_tool):
        for step in a:
            if id(step) not in found and (match := next((s for s in free if alike(step, s)), None)) is not None:
                found[id(step)] = match
                free = [s for s in free if s is not match]
    return [*_in_order(a, b, found)]


def _in_order(
    a: Sequence[StepSpan], b: Sequence[StepSpan], found: dict[int, StepSpan]
) -> Iterator[tuple[StepSpan | None, StepSpan | None]]:
    partner = {id(y): x for x in a if (y := found.get(id(x))) is not None}
    lost = [x for x in a if id(x) not in found]
    place = {id(x): number for number, x in enumerate(a)}
    for step in b:
        mine = partner.get(id(step))
        while mine is not None and lost and place[id(lost[0])] < place[id(mine)]:
            yield lost.pop(0), None
        yield mine, step
    yield from ((x, None) for x in lost)


def _same_id(a: StepSpan, b: StepSpan) -> bool:
    return a.id == b.id and a.tool == b.tool


def _same_call(a: StepSpan, b: StepSpan) -> bool:
    return a.tool == b.tool and a.args == b.args


def _same_tool(a: StepSpan, b: StepSpan) -> bool:
    return a.tool == b.tool


def _of_steps(a: StepSpan, b: StepSpan) -> Iterator[Change]:
    values: list[tuple[Aspect, JsonValue, JsonValue]] = [
        ("id", a.id, b.id),
        ("args", a.args, b.args),
        ("after", sorted(a.after), sorted(b.after)),
        ("for_each", a.for_each, b.for_each),
        ("state", a.state, b.state),
        ("items", a.items, b.items),
        ("attempts", a.attempts, b.attempts),
        ("result", a.value, b.value),
        ("seconds", round(a.seconds, 6), round(b.seconds, 6)),
    ]
    yield from (Change(what, x, y) for what, x, y in values if x != y)


def _of_runs(a: Trace, b: Trace) -> Iterator[Change]:
    def start(trace: Trace, name: str) -> JsonValue:
        if trace.start is None:
            return None
        return value_text(trace.start.model.get("name")) if name == "model" else getattr(trace.start, name)

    values: list[tuple[Aspect, JsonValue, JsonValue]] = [
        ("task", start(a, "task"), start(b, "task")),
        ("model", start(a, "model"), start(b, "model")),
        ("planner", start(a, "planner"), start(b, "planner")),
        ("plan_changes", _plan_changes(a), _plan_changes(b)),
        ("stop_reason", a.stop_reason, b.stop_reason),
        ("output", a.output, b.output),
        ("turns", len(a.turns), len(b.turns)),
        ("prompt_tokens", a.usage.prompt_tokens, b.usage.prompt_tokens),
        ("output_tokens", a.usage.output_tokens, b.usage.output_tokens),
        ("seconds", round(a.seconds, 6), round(b.seconds, 6)),
    ]
    yield from (Change(what, x, y) for what, x, y in values if x != y)


def _plan_changes(trace: Trace) -> list[str]:
    return [f"{span.reason}: {change_text(span)}" for span in trace.spans if isinstance(span, PlanChanged)]
