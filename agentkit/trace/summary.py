"""The first tab of a row: what it is, how it went, how long it took, and what it hangs on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from agentkit.events import RunFinished
from agentkit.messages import is_object
from agentkit.trace.entries import Block, Entry, Field, json_block
from agentkit.trace.facts import Facts, seconds_text
from agentkit.trace.outline import Outline
from agentkit.trace.spans import ItemSpan, StepSpan, TurnSpan, Wait
from agentkit.trace.text import value_text
from agentkit.trace.totals import missing, tokens_text, totals
from agentkit.trace.tree import Node

__all__ = ["summary"]

_SHOWN_ERRORS = 20
"""Most failed items of a step whose errors are listed; each has a row of its own."""


def summary(node: Node, outline: Outline, problems: Sequence[str] = ()) -> Iterator[Entry]:
    """Yields the first tab of a row.

    Args:
        node: The row.
        outline: The run.
        problems: What could not be read of the run's file.
    """
    shown = outline.facts(node)
    match node.source:
        case TurnSpan() as turn:
            yield from _turn(turn, shown, outline, node)
        case StepSpan() as step:
            yield from _step(step, shown, outline, node)
        case ItemSpan() as item:
            yield from _item(item, shown, outline)
        case Wait() as wait:
            yield from _wait(wait, shown, outline)
        case _ if node.kind == "run":
            yield from _run(outline, problems)
        case RunFinished() as end:
            yield Field("ended", end.stop_reason, shown.state)
            yield Field("at", seconds_text(end.at))
            if end.message:
                yield Block("message", end.message, state="failed")
            if end.stop_reason == "answer":
                yield json_block("answer", end.output)
        case source if is_object(source):
            yield from _piece(node, shown)
        case _:
            yield Field(shown.label, "", shown.state)
            if shown.start is not None:
                yield Field("at", seconds_text(shown.start))
            yield Block("", shown.note)


def _run(outline: Outline, problems: Sequence[str]) -> Iterator[Entry]:
    tree, cost = outline.tree, totals(outline)
    yield Field("state", cost.state, cost.state)
    if tree.end is not None and tree.end.message:
        yield Field("message", tree.end.message, "failed" if isinstance(tree.end, RunFinished) else "approval")
    if tree.start is not None:
        start = tree.start
        model = "" if start.planner == "given" else f"{start.model.get('name', '?')}, "
        yield Field("task", start.task)
        yield Field("with", f"{model}planner {start.planner}, {len(start.tools)} tools")
        yield Field("started", f"{start.started[:19].replace('T', ' ')} UTC")
    yield Field("total", ", ".join(cost.words()))
    _, most = outline.parallel((0.0, tree.seconds), 400)
    if most > 1:
        yield Field("at once", f"up to {most} calls")
    yield from _critical(outline)
    for words in [*missing(outline), *problems]:
        yield Field("missing", words, "warning")
    if isinstance(tree.end, RunFinished) and tree.end.stop_reason == "answer":
        yield json_block("answer", tree.end.output)


def _critical(outline: Outline) -> Iterator[Entry]:
    path = outline.longest
    if len(path) < 2:
        return
    names = [f"turn {s.turn}" if isinstance(s, TurnSpan) else s.id for s in path]
    shown = names if len(names) <= 12 else [*names[:6], f"... {len(names) - 11} more ...", *names[-5:]]
    yield Field("longest", " → ".join(shown))


def _turn(turn: TurnSpan, shown: Facts, outline: Outline, node: Node) -> Iterator[Entry]:
    yield Field("state", shown.state, shown.state)
    yield from _time(shown, outline, node)
    usage = turn.usage
    if turn.end is None:
        yield Field("tokens", f"{turn.prompt_tokens:,} in")
        return
    yield Field("tokens", tokens_text(usage))
    if usage.output_seconds:
        first = "" if shown.first_token is None else f", first token after {seconds_text(shown.first_token)}"
        yield Field("speed", f"{usage.tokens_per_second:.1f} tokens/s{first}")
    if turn.context:
        used = usage.prompt_tokens + usage.output_tokens
        yield Field("context", f"{used:,} of {turn.context:,} tokens, {used / turn.context:.0%}")
    for note in turn.notes:
        yield Field("note", note, "warning")
    for piece in turn.pieces:
        if "thought" in piece:
            yield Block("thought", str(piece["thought"]))
        elif "text" in piece:
            yield Block("text", str(piece["text"]))
        elif "call" in piece:
            yield json_block(f"call {piece['call']}", piece.get("args"))
        else:
            yield json_block("pieces", piece)


def _step(step: StepSpan, shown: Facts, outline: Outline, node: Node) -> Iterator[Entry]:
    yield Field("state", shown.state, shown.state)
    yield from _error(step)
    yield Field("tool", step.tool + (f"  ({step.effect})" if step.effect else ""))
    if step.purpose:
        yield Field("purpose", step.purpose)
    yield from _time(shown, outline, node)
    if step.attempts > 1:
        yield Field("attempts", str(step.attempts), "warning")
    if step.for_each:
        done = f", {step.items_done:,} of {step.items:,} done" if step.items is not None else ""
        failed = f", {len(step.failed_items):,} failed" if step.failed_items else ""
        yield Field("for each", f"{step.for_each}{done}{failed}", "warning" if failed else "")
    for name, nodes in (("needs", outline.needs(node)), ("needed by", outline.needed_by(node))):
        if nodes:
            yield Field(name, ", ".join(outline.facts(n).label for n in nodes))
    if step.progress:
        yield Field("progress", value_text(step.progress[-1]))
    cause = outline.cause_of(step) if step.ok is False and not step.attempts else None
    if cause is not None and cause is not node:
        yield Field("because of", outline.facts(cause).label, "failed")
    for index, error in sorted(step.failed_items.items())[:_SHOWN_ERRORS]:
        yield Field(f"[{index}]", error, "failed")
    yield json_block("arguments", step.args)
    if step.ok:
        yield json_block("result", step.value)


def _item(item: ItemSpan, shown: Facts, outline: Outline) -> Iterator[Entry]:
    yield Field("item", f"[{item.index}]")
    yield Field("state", shown.state, shown.state)
    yield from _error(item)
    yield from _time(shown, outline)
    if item.attempts > 1:
        yield Field("attempts", str(item.attempts), "warning")
    if item.ok:
        yield json_block("result", item.value)


def _error(call: StepSpan | ItemSpan) -> Iterator[Entry]:
    """Yields why a call failed, where it is seen without scrolling."""
    if call.ok is False and isinstance(call.value, str):
        yield Field("error", call.value, "failed")
    elif call.ok is False:
        yield json_block("error", call.value, state="failed")


def _wait(wait: Wait, shown: Facts, outline: Outline) -> Iterator[Entry]:
    yield Field("waits for", "an approval" if wait.kind == "approval" else "word whether the call was made")
    yield Field("state", shown.note, shown.state)
    yield from _time(shown, outline)
    if wait.reason:
        yield Field("why", wait.reason)
    if wait.labels:
        yield Field("from", ", ".join(wait.labels))
    if wait.key:
        yield Field("key", wait.key)
    if wait.message:
        yield Field("message", wait.message)
    yield json_block(f"{wait.tool}", wait.args)


def _piece(node: Node, shown: Facts) -> Iterator[Entry]:
    piece = node.source
    assert is_object(piece)
    text = piece.get("thought", piece.get("text"))
    if isinstance(text, str):
        yield Block(node.kind, text)
        return
    if shown.state:
        yield Field("state", shown.state, shown.state)
    yield json_block(node.kind, piece)


def _time(shown: Facts, outline: Outline, node: Node | None = None) -> Iterator[Entry]:
    if shown.start is None:
        return
    last = outline.tree.seconds if outline.now is None else outline.now
    end = last if shown.end is None else shown.end
    parts = [f"{seconds_text(end - shown.start)}"] if shown.bars and end >= shown.start else []
    parts.append(f"from {shown.start:.3f} s" + ("" if shown.end is None else f" to {shown.end:.3f} s"))
    queue = sum(b.end - b.start for b in shown.bars if b.role == "queue")
    if queue >= 0.001:
        parts.append(f"waited {seconds_text(queue)} before")
    if node is not None and outline.is_critical(node):
        parts.append("on the longest chain")
    yield Field("time", ", ".join(parts))
