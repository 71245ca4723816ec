"""What there is to know of one row of a run, tab by tab."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, TypeAlias

from agentkit.events import RunFinished
from agentkit.messages import JsonObject, JsonValue, is_object
from agentkit.trace.durability import durability
from agentkit.trace.entries import Block, Entry, Field, json_block
from agentkit.trace.outline import Outline
from agentkit.trace.spans import ItemSpan, StepSpan, TurnSpan, Wait
from agentkit.trace.summary import summary
from agentkit.trace.tree import Node

__all__ = ["TABS", "Tab", "details"]

Tab: TypeAlias = Literal["summary", "input", "output", "prompt", "journal"]

TABS: tuple[Tab, ...] = ("summary", "input", "output", "prompt", "journal")


def details(node: Node, tab: Tab, outline: Outline, problems: Sequence[str] = ()) -> list[Entry]:
    """Returns one tab of a row.

    Args:
        node: The row.
        tab: Which.
        outline: The run.
        problems: What could not be read of the run's file.
    """
    match tab:
        case "summary":
            found = summary(node, outline, problems)
        case "input":
            found = _input(node, outline)
        case "output":
            found = _output(node, outline)
        case "prompt":
            found = _prompt(node, outline)
        case "journal":
            found = durability(node, outline)
    return [*found] or [Field("", f"this row has no {tab}")]


def _input(node: Node, outline: Outline) -> Iterator[Entry]:
    match node.source:
        case StepSpan() as step:
            yield json_block("arguments", step.args)
            if step.written != step.args:
                yield json_block("as written in the plan", step.written)
        case ItemSpan() if node.parent is not None and isinstance(node.parent.source, StepSpan):
            step = node.parent.source
            yield Field("item", f"[{node.source.index}] of {step.for_each}")
            yield json_block("arguments", step.args)
        case Wait() as wait:
            yield json_block("arguments", wait.args)
        case TurnSpan() as turn:
            yield from _messages(turn.messages)
        case _ if node.kind == "run":
            yield from _run_input(outline)
        case source if is_object(source) and "args" in source:
            yield json_block("arguments", source["args"])
        case _ if node.parent is not None and isinstance(node.parent.source, TurnSpan):
            yield from _messages(node.parent.source.messages)
        case _:
            return


def _run_input(outline: Outline) -> Iterator[Entry]:
    start = outline.tree.start
    if start is None:
        return
    yield Block("task", start.task)
    if start.instructions:
        yield Block("instructions", start.instructions)
    yield from _messages(start.history)
    if start.output is not None:
        yield json_block("schema of the answer", start.output)
    yield json_block("limits", start.limits)
    yield json_block("model", start.model)
    for tool in start.tools:
        yield json_block(f"tool {tool.get('name', '?')}", tool)


def _messages(messages: Sequence[JsonObject]) -> Iterator[Entry]:
    for message in messages:
        role = str(message.get("role", "message"))
        text = message.get("text")
        if isinstance(text, str):
            yield Block(role, text)
        elif "value" in message:
            failed = "failed" if message.get("is_error") else ""
            yield json_block(
                f"{role} {message.get('name', '')} {message.get('call_id', '')}", message["value"], state=failed
            )
        else:
            yield json_block(role, message.get("pieces", message))


def _output(node: Node, outline: Outline) -> Iterator[Entry]:
    match node.source:
        case StepSpan() | ItemSpan() as call:
            if call.ok is None:
                yield Field("", "there is no result yet")
            else:
                yield json_block("result" if call.ok else "error", call.value, state="" if call.ok else "failed")
            if isinstance(call, StepSpan) and call.handle:
                yield Field("shown", f"the model was shown a preview, and could read the rest as {call.handle!r}")
            if isinstance(call, StepSpan) and call.progress:
                yield json_block("progress", call.progress)
        case TurnSpan() as turn:
            yield from (json_block(*_named(piece)) for piece in turn.pieces)
            if turn.tokens:
                yield json_block(f"{len(turn.tokens):,} token ids", turn.tokens)
        case RunFinished() as end:
            yield json_block("output", end.output)
        case _ if node.kind == "run" and outline.tree.end is not None:
            yield json_block("output", outline.tree.end.output)
        case source if is_object(source):
            yield json_block(*_named(source))
        case _:
            return


def _named(piece: JsonObject) -> tuple[str, JsonValue]:
    for name in ("thought", "text"):
        if name in piece:
            return name, piece[name]
    return (f"call {piece['call']}", piece.get("args")) if "call" in piece else ("piece", piece)


def _prompt(node: Node, outline: Outline) -> Iterator[Entry]:
    turn = _turn_of(node, outline)
    if turn is None:
        return
    if node.source is not turn:
        yield Field("of", f"turn {turn.turn}, which this row belongs to")
    count = f"{turn.prompt_tokens:,} tokens"
    if turn.prompt_kept:
        count += f": {turn.prompt_kept:,} as in the turn before, {turn.prompt_tokens - turn.prompt_kept:,} new"
    if turn.usage.reused_tokens:
        count += f"; {turn.usage.reused_tokens:,} were in the cache"
    yield Field("prompt", count)
    if turn.prompt:
        yield Block("new in this prompt" if turn.prompt_kept else "prompt", turn.prompt)
    else:
        yield Field("", "the exact prompt is not recorded: the model is behind a URL, or a script; see the input")
    for number, constraint in enumerate(turn.constraints, start=1):
        yield Block(f"constraint {number}" if len(turn.constraints) > 1 else "constraint", constraint)


def _turn_of(node: Node, outline: Outline) -> TurnSpan | None:
    for found in (node, *node.above()):
        if isinstance(found.source, TurnSpan):
            return found.source
        if isinstance(found.source, StepSpan):
            return outline.tree.builder.turns.get(found.source.turn)
    return None
