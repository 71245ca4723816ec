"""Forks a run: takes over what was done before a step, so that a new run goes on from there.

What was done is kept as events. The step and all that needs it are made again, and what the model decided after it had
seen their results is decided again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

from agentkit.errors import UsageError
from agentkit.events import (
    Event,
    ItemFinished,
    ItemStarted,
    RunFinished,
    RunPaused,
    RunResumed,
    RunStarted,
    StepAdded,
    StepFinished,
    StepStarted,
    TurnFinished,
    TurnStarted,
)
from agentkit.messages import JsonObject
from agentkit.model_backend.base import ModelInfo
from agentkit.planners.plan import Plan, Step, StepId, parse_refs
from agentkit.reuse import Reuse
from agentkit.run_spec import RunSpec, check_unchanged, model_words

__all__ = ["fork_run"]


def fork_run(
    spec: RunSpec, file: Path, events: Sequence[Event], step: str, *, args: JsonObject | None
) -> tuple[RunSpec, list[Event]]:
    """Returns what the new run is asked to do, and the events that it begins with.

    Args:
        spec: What it is asked to do, without the fork.
        file: The file of the run that is forked.
        events: Its events.
        step: The step that is made again.
        args: Its new arguments, references written as text; ``None`` for those that it had.

    Raises:
        agentkit.errors.RunChanged: The task, the tools or the plan are not those of the run.
        agentkit.errors.UsageError: There is no such step; the run was interrupted in a call that may have changed
            something; or the model works in another way than that of the run.
    """
    start = events[0]
    assert isinstance(start, RunStarted)
    same_model = model_words(start) == model_words(spec.started())
    check_unchanged(replace(start, model=spec.started().model), spec.started())
    again = _needing(events, step)
    _refuse_open_calls(start, events, again)
    turn = _turn_of(events, step)
    turns = turn if same_model or args is not None or turn == 0 else turn - 1  # another model decides on the step too
    if turns and not same_model:
        _refuse_other_ways(start, spec.model_info)
    taken = _taken_over(events, again, turns=turns, has_turns=turn > 0)
    if not same_model:  # whose tokens are not the same
        taken = [replace(e, tokens=[]) if isinstance(e, TurnFinished) else e for e in taken]
    if args is not None:
        taken = _with_args(taken, step, args, turn)
    added = {e.id for e in taken if isinstance(e, StepAdded)}
    edited = {s: a for s, a in start.fork.get("args", {}).items() if s in added or not turn}  # others are not the same
    edited |= {} if args is None else {step: args}
    spec = replace(
        spec,
        fork={"run": start.run_id, "step": step, "args": edited},
        reuse=None if same_model else Reuse(file=file, without=again),
    )
    return spec, [spec.started(), *taken]


def _taken_over(events: Sequence[Event], again: frozenset[str], *, turns: int, has_turns: bool) -> list[Event]:
    """Returns the events of the turns that are taken over, without those of steps that are made again."""
    taken: list[Event] = []
    if has_turns and not turns:
        return taken
    for event in events[1:]:
        if has_turns and isinstance(event, TurnStarted) and event.turn > turns:
            break
        is_again = getattr(event, "id", None) in again and not isinstance(event, StepAdded)
        if not (is_again or isinstance(event, RunFinished | RunPaused | RunResumed)):
            taken.append(event)
    return taken


def _refuse_other_ways(start: RunStarted, model: ModelInfo) -> None:
    """Refuses a model whose prompts would not be those of the turns that are taken over.

    Raises:
        agentkit.errors.UsageError: They would not.
    """
    ways = [(start.model.get("thinks"), start.model.get("kind") == "remote"), (model.thinks, model.kind == "remote")]
    if ways[0] != ways[1]:
        raise UsageError(
            f"{model.name!r} is led in another way than {start.model.get('name')!r}, so it can't take over its turns; "
            f"start anew and take over the results: agentkit run TASK.YAML --model {model.name} --reuse {start.run_id}"
        )


def _needing(events: Sequence[Event], step: str) -> frozenset[str]:
    """Returns a step and all that need it.

    Raises:
        agentkit.errors.UsageError: The run has no such step.
    """
    plan = Plan()
    for event in events:
        if isinstance(event, StepAdded) and event.id not in plan:
            plan.add(
                Step(
                    id=StepId(event.id),
                    tool=event.tool,
                    args=parse_refs(event.args),
                    for_each=parse_refs(event.for_each) if event.for_each else None,
                    after=tuple(map(StepId, event.after)),
                )
            )
    if step not in plan:
        ids = [str(s.id) for s in plan]
        near = get_close_matches(step, ids, n=1)
        advice = f"did you mean {near[0]!r}?" if near else f"its steps are {', '.join(ids[:20]) or 'none'}"
        raise UsageError(f"the run has no step {step!r}; {advice}")
    return frozenset({step, *map(str, plan.needing(StepId(step)))})


def _refuse_open_calls(start: RunStarted, events: Sequence[Event], again: frozenset[str]) -> None:
    """Refuses a run that was interrupted in a call that must not be made twice unasked.

    Raises:
        agentkit.errors.UsageError: It was.
    """
    effects = {str(t["name"]): str(t.get("effect", "once")) for t in start.tools}
    tools = {e.id: e.tool for e in events if isinstance(e, StepAdded)}
    begun: set[tuple[str, int | None]] = set()
    for event in events:
        match event:
            case StepStarted(items=None):
                begun.add((event.id, None))
            case ItemStarted():
                begun.add((event.id, event.index))
            case StepFinished():
                begun.discard((event.id, None))
            case ItemFinished():
                begun.discard((event.id, event.index))
            case _:
                pass
    for step, _ in sorted(begun, key=str):
        if step not in again and effects.get(tools.get(step, ""), "once") in ("keyed", "once"):
            raise UsageError(
                f"the run was interrupted in step {step!r} ({tools.get(step)}), which may have been done; go on with "
                f"it first: agentkit resume {start.run_id}"
            )


def _turn_of(events: Sequence[Event], step: str) -> int:
    """Returns the turn that asked for a step; 0 when none did."""
    turn = 0
    for event in events:
        if isinstance(event, TurnStarted):
            turn = event.turn
        if isinstance(event, StepAdded) and event.id == step:
            break
    return turn


def _with_args(events: Sequence[Event], step: str, args: JsonObject, turn: int) -> list[Event]:
    """Returns the events as if the step had been asked for with other arguments, also where the model reads it."""
    added = next(e for e in events if isinstance(e, StepAdded) and e.id == step)
    changed: list[Event] = []
    for event in events:
        if event is added:
            event = replace(added, args=args)
        elif isinstance(event, TurnFinished) and event.turn == turn:
            call = next((p for p in event.pieces if p.get("call") == added.tool and p.get("args") == added.args), None)
            if call is not None:
                pieces = [p if p is not call else {**p, "args": args} for p in event.pieces]
                event = replace(event, pieces=pieces, tokens=[])
        changed.append(event)
    return changed
