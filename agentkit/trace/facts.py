"""What a row of a run shows: its state, words, times and counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from agentkit.events import PlanChanged, PlannerChosen, RunFinished, RunPaused, RunResumed, Warned
from agentkit.messages import JsonValue, Usage, is_object
from agentkit.trace.spans import ItemSpan, StepSpan, TurnSpan, Wait
from agentkit.trace.text import call_text, change_text, counted, one_line, plan_text, value_text
from agentkit.trace.tree import Node, RunTree

__all__ = ["Bar", "Facts", "Role", "facts", "run_state", "seconds_text", "size_of"]

Role: TypeAlias = Literal["prompt", "turn", "step", "failed", "item", "wait", "queue", "run"]
"""What a part of a bar stands for: the prompt being computed, the turn being decoded, a call, a call that failed, an
item, a wait for a person, a wait for other steps or for room, the run."""

_LONG = 400
"""Most characters of a row's words: more than any terminal is wide."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A part of a row's bar."""

    start: float
    """Seconds since the run started."""
    end: float
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a row shows."""

    state: str = ""
    """As in `StepSpan.state` and `run_state`; empty for rows that have none."""
    label: str
    note: str = ""
    start: float | None = None
    """Seconds since the run started; ``None`` for rows without a time of their own."""
    end: float | None = None
    """``None`` while it goes on."""
    bars: tuple[Bar, ...] = ()
    usage: Usage | None = None
    first_token: float | None = None
    """Seconds to the first token of a turn."""
    retries: int = 0

    @property
    def failed(self) -> bool:
        """Whether a reader who looks for what went wrong should stop here."""
        return self.state in ("failed", "in doubt", "cut off", "denied")


def facts(node: Node, tree: RunTree, *, now: float | None = None) -> Facts:
    """Returns what a row shows.

    Args:
        node: The row.
        tree: The run that it is in.
        now: Seconds since the run started, for a run that goes on; ``None`` for one that does not.
    """
    maker = _MAKERS.get(node.kind)
    return maker(node, tree, now) if maker else Facts(label=node.kind)


def run_state(tree: RunTree, now: float | None) -> str:
    """Returns the stop reason; ``running`` for a run that goes on, ``killed`` for one that has no end."""
    if tree.end is None:
        return "killed" if now is None else "running"
    if isinstance(tree.end, RunPaused):
        return {"approval": "approval", "in_doubt": "in doubt"}[tree.end.stop_reason]
    return tree.end.stop_reason


def seconds_text(seconds: float) -> str:
    """Returns a duration in at most six characters, such as ``3ms``, ``1.25s`` or ``12m05``."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f}ms"
    if seconds < 99.95:
        return f"{seconds:.2f}s" if seconds < 9.995 else f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 100:
        return f"{minutes}m{rest:02}"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02}"


def size_of(value: JsonValue) -> int:
    """Returns how many characters a value that was left in the run's file has; 0 when it was not left there."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return int(value.get("size", 0)) if is_object(value) and "$blob" in value else 0


def _run(node: Node, tree: RunTree, now: float | None) -> Facts:
    start = tree.start
    end = None if now is not None and tree.end is None else tree.seconds
    return Facts(
        state=run_state(tree, now),
        label=f"run {start.run_id if start else '?'}",
        note=one_line(start.task, _LONG) if start else "the beginning is not recorded",
        start=0.0,
        end=end,
        bars=(Bar(0.0, tree.seconds if now is None else now, "run"),),
    )


def _plan(node: Node, tree: RunTree, now: float | None) -> Facts:
    return Facts(label="plan", note=counted(sum(c.kind == "step" for c in node.children), "step"))


def _turn(node: Node, tree: RunTree, now: float | None) -> Facts:
    span = node.source
    assert isinstance(span, TurnSpan)
    usage, going = span.usage, span.end is None
    end = (now if now is not None else tree.seconds) if span.end is None else span.end
    state = "ok"
    if going:
        state = "stopped" if tree.end is not None or now is None else "running"
    elif span.stop == "length":
        state = "cut off"
    prompted = min(end, span.at + usage.prompt_seconds) if usage.prompt_seconds else span.at
    bars = (Bar(span.at, prompted, "prompt"), Bar(prompted, end, "turn"))
    steps = sum(c.kind == "step" for c in node.children)
    words = {"length": "cut off: out of tokens"}.get(span.stop, span.stop)
    if span.stop == "answer" and any(plan_text(str(piece.get("text", ""))) for piece in span.pieces):
        words = "plan"
    if going:
        words = f"{span.prompt_tokens:,} tokens in, not finished"
    notes = [words, *([counted(steps, "step")] if steps else []), *(one_line(n, _LONG) for n in span.notes)]
    return Facts(
        state=state,
        label=f"turn {span.turn}",
        note=", ".join(notes),
        start=span.at,
        end=None if going else end,
        bars=bars,
        usage=None if going else usage,
        first_token=span.first_token,
    )


def _piece(node: Node, tree: RunTree, now: float | None) -> Facts:
    piece = node.source if is_object(node.source) else {}
    if size := size_of(piece):
        return Facts(label=node.kind, note=f"{size:,} characters")
    text = next((str(piece[k]) for k in ("thought", "text") if k in piece), value_text(piece))
    plan = plan_text(text) if node.kind == "text" else None
    return Facts(label=node.kind if plan is None else "plan", note=one_line(plan or text, _LONG))


def _call(node: Node, tree: RunTree, now: float | None) -> Facts:
    piece = node.source if is_object(node.source) else {}
    args = piece.get("args")
    return Facts(
        state="not run",
        label="call",
        note=call_text(str(piece.get("call", "?")), args if is_object(args) else {}, _LONG),
    )


def _step(node: Node, tree: RunTree, now: float | None) -> Facts:
    span = node.source
    assert isinstance(span, StepSpan)
    state = _settled(span.state, tree, now)
    last = tree.seconds if now is None else now
    end = last if span.end is None else span.end
    began = span.at if span.attempts else end
    bars = [Bar(span.added, began, "queue"), *(Bar(w.at, w.end or last, "wait") for w in span.waits)]
    if span.attempts:
        bars.append(Bar(began, end, "failed" if state in ("failed", "stopped", "in doubt") else "step"))
    note = call_text(span.tool, span.args, _LONG)
    if span.items is not None:
        failed = f", {len(span.failed_items):,} failed" if span.failed_items else ""
        note = f"{span.items_done:,} of {counted(span.items, 'item')}{failed}  {note}"
    return Facts(
        state=state,
        label=one_line(span.id, 40) or "?",
        note=note,
        start=span.at,
        end=span.end,
        bars=tuple(bars),
        retries=max(0, span.attempts - 1),
    )


def _settled(state: str, tree: RunTree, now: float | None) -> str:
    """What had no result when the run ended has none now."""
    if isinstance(tree.end, RunFinished):
        return {"running": "stopped", "waiting": "not run", "approval": "stopped"}.get(state, state)
    if now is None and tree.end is None:
        return {"running": "stopped"}.get(state, state)
    return state


def _item(node: Node, tree: RunTree, now: float | None) -> Facts:
    span = node.source
    assert isinstance(span, ItemSpan)
    end = (tree.seconds if now is None else now) if span.end is None else span.end
    size = size_of(span.value)
    note = f"{size:,} characters" if size else "" if span.ok is None else one_line(value_text(span.value), _LONG)
    return Facts(
        state=_settled(span.state, tree, now),
        label=f"[{span.index}]",
        note=note,
        start=span.at,
        end=span.end,
        bars=(Bar(span.at, end, "failed" if span.ok is False else "item"),),
        retries=max(0, span.attempts - 1),
    )


def _wait(node: Node, tree: RunTree, now: float | None) -> Facts:
    span = node.source
    assert isinstance(span, Wait)
    last = tree.seconds if now is None else now
    place = "" if span.item is None else f" [{span.item}]"
    state = "approval" if span.kind == "approval" else "in doubt"
    if span.end is not None:
        state = "denied" if span.decision == "deny" else "ok"
    words = {"allow": "allowed", "deny": "denied", "done": "it was made", "not done": "it was not made"}
    note = f"{words.get(span.decision, span.decision)} by {span.by}" if span.decision else ""
    note = note or (f"waits: {span.reason or 'a person has to allow it'}" if span.kind == "approval" else _DOUBT)
    return Facts(
        state=state,
        label=("approval" if span.kind == "approval" else "in doubt") + place,
        note=one_line(note, _LONG),
        start=span.at,
        end=span.end,
        bars=(Bar(span.at, last if span.end is None else span.end, "wait"),),
    )


_DOUBT = "the call was begun, and nobody knows whether it was made"


def _note(node: Node, tree: RunTree, now: float | None) -> Facts:
    match node.source:
        case PlannerChosen() as chosen:
            return Facts(label="planner", note=one_line(f"{chosen.planner}: {chosen.reason}", _LONG), start=chosen.at)
        case PlanChanged() as change:
            return Facts(label=f"plan {change.reason}", note=one_line(change_text(change), _LONG), start=change.at)
        case Warned() as warned:
            return Facts(
                state="warning",
                label=one_line(warned.about, 40),
                note=one_line(warned.message, _LONG),
                start=warned.at,
            )
        case RunResumed() as resumed:
            note = f"time {resumed.number}: another process went on; what was done before was not done again"
            return Facts(label="resumed", note=note, start=resumed.at)
        case RunPaused() as paused:
            state = "" if tree.end is not paused else run_state(tree, now)
            return Facts(state=state, label="paused", note=one_line(paused.message, _LONG), start=paused.at)
        case RunFinished() as end:
            return _ending(end)
        case _:
            return Facts(label=node.kind)


def _ending(end: RunFinished) -> Facts:
    if end.stop_reason == "answer":
        size = size_of(end.output)
        note = f"{size:,} characters" if size else one_line(value_text(end.output), _LONG)
        return Facts(state="ok", label="answer", note=note, start=end.at)
    note = one_line(end.message or "the run ended without an answer", _LONG)
    return Facts(state="failed", label=end.stop_reason, note=note, start=end.at)


_Maker: TypeAlias = "Callable[[Node, RunTree, float | None], Facts]"
_MAKERS: dict[str, _Maker] = {
    "run": _run,
    "plan": _plan,
    "turn": _turn,
    "thought": _piece,
    "text": _piece,
    "call": _call,
    "step": _step,
    "item": _item,
    "wait": _wait,
}
for _kind in ("planner", "change", "warning", "resumed", "paused", "answer", "failure"):
    _MAKERS[_kind] = _note
