"""The last tab of a row: what of it is on disk, where its data came from, and what the policy said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from agentkit.events import RunPaused
from agentkit.trace.entries import Entry, Field, json_block
from agentkit.trace.facts import seconds_text
from agentkit.trace.outline import Outline
from agentkit.trace.spans import ItemSpan, StepSpan, TurnSpan, Wait
from agentkit.trace.text import counted
from agentkit.trace.tree import Node, RunTree

__all__ = ["durability", "journal_state"]

_RERUN = {
    "pure": "pure: changes nothing, may be done again",
    "idempotent": "idempotent: may be done again",
    "keyed": "keyed: may be done again with the same key",
    "once": "once: never done again unasked",
}


def journal_state(span: StepSpan | ItemSpan | TurnSpan, tree: RunTree) -> str:
    """Returns what the run's file says of a call or a turn.

    ``planned`` before the call, ``intent`` from just before the call until its result, ``done`` or ``failed`` with a
    result, ``reused`` with one from another run, ``in doubt`` when the call may or may not have been made; and ``kept``
    when a process that went on with the run took the result from the file.
    """
    if isinstance(span, StepSpan) and span.ok is None and span.open_wait is not None:
        return "in doubt" if span.open_wait.kind == "doubt" else "planned"
    ok = (span.end is not None or None) if isinstance(span, TurnSpan) else span.ok
    if ok is None:
        begun = isinstance(span, TurnSpan) or span.attempts > 0
        return "intent" if begun else "planned"
    if isinstance(span, StepSpan) and not span.attempts:
        return "reused" if span.reused else "not called"
    if any(span.end is not None and span.end <= r.at for r in tree.resumes):
        return "kept"
    return "done" if ok else "failed"


def durability(node: Node, outline: Outline) -> Iterator[Entry]:
    """Yields the last tab of a row."""
    tree = outline.tree
    match node.source:
        case StepSpan() as step:
            yield from _step(step, tree)
        case ItemSpan() as item:
            yield Field("journal", _explained(journal_state(item, tree)), journal_state(item, tree))
            if item.key:
                yield Field("key", item.key)
            if node.parent is not None and isinstance(node.parent.source, StepSpan):
                yield from _policy(node.parent.source, item.index)
                yield from _origin(node.parent.source)
        case TurnSpan() as turn:
            yield Field("journal", _explained(journal_state(turn, tree)), journal_state(turn, tree))
            if turn.parts:
                yield Field("parts", f"{turn.parts} parts of the answer are kept one by one")
        case Wait() as wait:
            yield from durability(tree.nodes[f"step:{wait.step}"], outline)
        case _ if node.kind == "run":
            yield from _run(tree)
        case _:
            return


def _explained(state: str) -> str:
    return f"{state}: {_WORDS[state]}"


_WORDS = {
    "planned": "nothing was called yet",
    "intent": "it was begun, and has no result on disk",
    "done": "the result is on disk",
    "failed": "that it failed is on disk",
    "not called": "something that it needs failed, or it was denied",
    "reused": "the same call has a result in another run, which was taken",
    "kept": "done before the run was resumed, and taken from disk after",
    "in doubt": "it was begun, and nobody knows whether it was done",
}


def _step(step: StepSpan, tree: RunTree) -> Iterator[Entry]:
    state = journal_state(step, tree)
    yield Field("journal", _explained(state), state)
    if step.reused:
        yield Field("taken from", f"run {step.reused_from}")
    if step.effect:
        yield Field("effect", _RERUN.get(step.effect, step.effect))
    if step.key:
        yield Field("key", step.key)
    if step.attempts:
        yield Field("intent", f"at {step.at:.3f} s" + (f", attempt {step.attempts}" if step.attempts > 1 else ""))
    if step.end is not None:
        yield Field("result", f"at {step.end:.3f} s")
    if step.item_spans:
        counts = Counter(journal_state(i, tree) for i in step.item_spans.values())
        yield Field("items", ", ".join(f"{n:,} {s}" for s, n in sorted(counts.items())))
    yield from _policy(step, None)
    yield from _origin(step)
    if step.state_changes:
        yield json_block("changed in the shared state", step.state_changes)


def _policy(step: StepSpan, item: int | None) -> Iterator[Entry]:
    waits = [w for w in step.waits if w.kind == "approval" and (item is None or w.item == item)]
    if not waits and step.attempts:
        yield Field("policy", "allowed without asking")
    for wait in waits:
        verdict = {"allow": "allowed", "deny": "denied"}.get(wait.decision, "waits to be allowed")
        took = f" after {seconds_text(wait.end - wait.at)}" if wait.end is not None else ""
        by = f" by {wait.by}" if wait.by else ""
        reason = f": {wait.reason}" if wait.reason else ""
        state = "denied" if wait.decision == "deny" else "ok" if wait.decision else "approval"
        yield Field("policy", f"asked; {verdict}{by}{took}{reason}", state)


def _origin(step: StepSpan) -> Iterator[Entry]:
    risky = "warning" if "untrusted" in step.labels else ""
    yield Field("data in", ", ".join(step.labels) or "no labels recorded", risky)
    if step.end is not None:
        yield Field("data out", ", ".join(step.result_labels) or "no labels recorded")
    if step.attempts and step.end is not None:
        yield Field("sandbox", step.sandbox or "none: it ran in this process")


def _run(tree: RunTree) -> Iterator[Entry]:
    steps = tree.builder.steps.values()
    counts = Counter(journal_state(s, tree) for s in steps)
    yield Field("calls", ", ".join(f"{n:,} {s}" for s, n in sorted(counts.items())) or "none")
    asked = [w for s in steps for w in s.waits if w.kind == "approval"]
    if asked:
        decided = Counter(w.decision or "waiting" for w in asked)
        words = ", ".join(f"{n} {w}" for w, n in sorted(decided.items()))
        yield Field("approvals", f"{len(asked)} asked: {words}")
    for step in steps:
        if (wait := step.open_wait) is not None:
            what = "may be allowed" if wait.kind == "approval" else "is in doubt"
            yield Field(
                "waits", f"{step.id} ({step.tool}) {what}", "approval" if wait.kind == "approval" else "in doubt"
            )
    for resume in tree.resumes:
        yield Field("resumed", f"at {resume.at:.3f} s, {resume.started[:19].replace('T', ' ')} UTC")
    pauses = [s for s in tree.builder.spans if isinstance(s, RunPaused)]
    for pause in pauses:
        yield Field("paused", f"at {pause.at:.3f} s: {pause.message}")
    untrusted = [s.id for s in steps if "untrusted" in s.labels]
    if untrusted:
        yield Field(
            "untrusted",
            f"{counted(len(untrusted), 'call')} had data from outside: {', '.join(untrusted[:20])}",
            "warning",
        )
    boxes = Counter(s.sandbox or "this process" for s in steps if s.attempts)
    if boxes:
        yield Field("ran in", ", ".join(f"{box} ({n})" for box, n in sorted(boxes.items())))
