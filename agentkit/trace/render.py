"""A trace as a rich tree."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.text import Text
from rich.tree import Tree

from agentkit.events import PlanChanged, PlannerChosen, RunFinished, RunPaused, RunResumed, Warned
from agentkit.messages import JsonObject, Usage
from agentkit.trace.spans import StepSpan, TurnSpan, Wait
from agentkit.trace.text import call_text, change_text, counted, one_line, plan_text, shorten, value_text, visible

if TYPE_CHECKING:
    from agentkit.trace.trace import Trace

__all__ = ["render", "totals"]

_CALL = 300
_VALUE = 400
_ERROR = 80
_PROSE = 2_000
"""Most characters shown of a call, of a result or an answer in JSON, of an item's error, and of a text; ``--json``
has all of it."""

_FAILED_ITEMS = 5
"""Most failed items whose errors are shown."""

_STYLES = {
    "ok": "green",
    "answer": "green",
    "failed": "red",
    "denied": "red",
    "not run": "yellow",
    "stopped": "yellow",
    "running": "yellow",
    "waiting": "yellow",
    "approval": "yellow",
    "in doubt": "red",
}


def render(trace: Trace) -> Iterator[RenderableType]:
    """Yields the run as a tree, then the totals, then what is missing."""
    tree = Tree(_head(trace))
    if trace.start is not None:
        tree.add(_line("task", trace.start.task, _PROSE))
        tree.add(_setting(trace))
    branch = tree
    for span in trace.spans:
        match span:
            case TurnSpan():
                branch = tree.add(_turn(span))
                _pieces(branch, span, trace)
            case StepSpan():
                _step(branch, span, trace)
            case PlannerChosen():
                branch.add(_line("planner", f"{span.planner}: {span.reason}", _PROSE))
            case PlanChanged():
                branch.add(_line("plan changed", change_text(span), _PROSE))
            case Warned():
                branch.add(_line(f"warning {span.about}", span.message, _PROSE, "yellow"))
            case RunPaused():
                tree.add(_line("paused", span.message, _PROSE, "yellow"))
            case RunResumed():
                tree.add(_line("resumed", f"by another process, {span.started[:19].replace('T', ' ')} UTC", _PROSE))
    _ending(tree, trace)
    yield tree
    yield Text(totals(trace), style="dim")
    for words in trace.missing:
        yield _line("missing", words, _PROSE, "yellow")


def totals(trace: Trace) -> str:
    """Returns what the run cost, on one line."""
    usage: Usage = trace.usage
    parts = [counted(sum(s.calls for s in trace.steps), "call"), f"{trace.seconds:.1f} s"]
    if trace.turns:  # a given plan has none
        parts = [counted(len(trace.turns), "turn"), parts[0], _tokens(usage), parts[1]]
    return "total: " + ", ".join(parts)


def _tokens(usage: Usage) -> str:
    reused = f" ({usage.reused_tokens:,} reused)" if usage.reused_tokens else ""
    kinds = [f"{n:,} {w}" for n, w in ((usage.thought_tokens, "thought"), (usage.forced_tokens, "forced")) if n]
    out = f" ({', '.join(kinds)})" if kinds else ""
    speed = f", {usage.tokens_per_second:.1f} tokens/s" if usage.output_seconds else ""
    return f"{usage.prompt_tokens:,} tokens in{reused}, {usage.output_tokens:,} out{out}{speed}"


def _head(trace: Trace) -> Text:
    state = trace.stop_reason or "unfinished"
    head = Text.assemble("run ", (visible(trace.run_id or "?"), "bold"), "  ", (state, _STYLES.get(state, "red")))
    if trace.start is not None:
        head.append(f"  {visible(trace.start.started[:19].replace('T', ' '))} UTC", "dim")
    return head


def _setting(trace: Trace) -> Text:
    start = trace.start
    assert start is not None
    tools = ", ".join(str(t.get("name", "?")) for t in start.tools) or "none"
    model = "" if start.planner == "given" else f"model {start.model.get('name', '?')}, "
    text = f"{model}planner {start.planner}, tools: {tools}"
    return Text(one_line(text, _CALL), style="dim")


def _line(label: str, text: str, limit: int, style: str = "") -> Text:
    shown = visible(shorten(text.strip(), limit))
    return Text.assemble((f"{visible(label)}: ", style or "bold"), (shown, style))


def _turn(span: TurnSpan) -> Text:
    head = Text.assemble((f"turn {span.turn}", "bold"))
    if span.stop:
        head.append(f"  {_tokens(span.usage)}", "dim")
        if span.stop == "length":
            head.append("  cut off: out of tokens", "yellow")
    else:
        head.append(f"  {span.prompt_tokens:,} tokens in, not finished", "yellow")
    return head


def _pieces(branch: Tree, span: TurnSpan, trace: Trace) -> None:
    steps = _steps_after(span, trace)
    for piece in span.pieces:
        if "thought" in piece:
            branch.add(_line("thought", str(piece["thought"]), _PROSE, "dim italic"))
        elif "text" in piece:
            if str(piece["text"]).strip() == trace.output:  # shown as the answer
                continue
            plan = plan_text(str(piece["text"]))
            branch.add(_line("text", str(piece["text"]), _PROSE) if plan is None else _line("plan", plan, _PROSE))
        elif "unfinished_call" in piece:
            branch.add(_line("call", str(piece["unfinished_call"]), _CALL, "yellow"))
        elif (step := next((s for s in steps if _is_of(s, piece)), None)) is not None:
            steps.remove(step)  # it is shown as a step
        else:
            branch.add(_not_run(piece))
    for note in span.notes:
        branch.add(_line("note", note, _PROSE, "yellow"))


def _steps_after(turn: TurnSpan, trace: Trace) -> list[StepSpan]:
    """The steps between a turn and the next one: those that it asked for."""
    rest = trace.spans[trace.spans.index(turn) + 1 :]
    return [s for s in takewhile(lambda s: not isinstance(s, TurnSpan), rest) if isinstance(s, StepSpan)]


def _is_of(step: StepSpan, piece: JsonObject) -> bool:
    """Whether a step is a model's call, which may not have had an id yet when it was recorded."""
    if piece.get("id"):
        return bool(step.id == piece["id"])
    return bool(step.tool == piece.get("call") and step.args == piece.get("args"))


def _not_run(piece: JsonObject) -> Text:
    args = piece.get("args")
    call = call_text(str(piece.get("call", "?")), args if isinstance(args, dict) else {}, _CALL)  # pyright: ignore[reportUnknownArgumentType]
    return Text.assemble((f"{call}  ", "cyan"), ("not run", "yellow"))


def _step(branch: Tree, span: StepSpan, trace: Trace) -> None:
    state = span.state
    if isinstance(trace.end, RunFinished):  # what had no result then has none now
        state = {"running": "stopped", "waiting": "not run"}.get(state, state)
    head = Text.assemble((f"{visible(span.id)}  ", "dim"), (call_text(span.tool, span.args, _CALL), "cyan"))
    head.append(f"  {state}", _STYLES[state])
    if span.seconds:
        head.append(f" {span.seconds:.2f} s", "dim")
    if span.attempts > 1:
        head.append(f", {span.attempts} attempts", "yellow")
    if span.for_each:
        head.append(f", for each of {visible(span.for_each)}", "dim")
    if span.after:
        head.append(f", after {visible(', '.join(span.after))}", "dim")
    node = branch.add(head)
    if span.purpose:
        node.add(_line("purpose", span.purpose, _VALUE, "dim"))
    if span.items is not None:
        _items(node, span)
    if span.reused:
        count = "" if span.items is None else f"{span.reused:,} of {span.items:,} "
        node.add(_line("reused", f"{count}from run {span.reused_from}", _VALUE, "dim"))
    for wait in span.waits:
        node.add(_wait(wait))
    if span.progress:
        node.add(_line("progress", value_text(span.progress[-1]), _VALUE, "dim"))
    if span.ok is not None:
        style = "" if span.ok else "red"
        node.add(Text(visible(shorten(value_text(span.value), _VALUE)), style=style))
    if span.handle and trace.turns:
        node.add(Text("the model was shown a preview and could read the rest", style="dim"))


def _wait(wait: Wait) -> Text:
    place = "" if wait.item is None else f" of item {wait.item}"
    decided = f"{wait.decision} by {wait.by}" if wait.decision else wait.reason or "waits for a person"
    style = "red" if wait.decision == "deny" else "dim" if wait.decision else "yellow"
    return _line(f"{'approval' if wait.kind == 'approval' else 'in doubt'}{place}", decided, _VALUE, style)


def _items(node: Tree, span: StepSpan) -> None:
    assert span.items is not None
    done = span.items_done - len(span.failed_items)
    left = span.items - span.items_done
    counts = [f"{done:,} ok", *(f"{n:,} {w}" for n, w in ((len(span.failed_items), "failed"), (left, "not done")) if n)]
    branch = node.add(_line("items", ", ".join(counts), _VALUE, "yellow" if span.failed_items else "dim"))
    for index, error in sorted(span.failed_items.items())[:_FAILED_ITEMS]:
        branch.add(_line(f"[{index}]", error, _ERROR, "red"))
    if (more := len(span.failed_items) - _FAILED_ITEMS) > 0:
        branch.add(Text(f"{more:,} more failed", style="red"))


def _ending(tree: Tree, trace: Trace) -> None:
    end = trace.end
    if end is None or isinstance(end, RunPaused):
        return
    if end.stop_reason == "answer":
        limit = _PROSE if isinstance(end.output, str) else _VALUE
        tree.add(Text("answer", style="bold green")).add(Text(visible(shorten(value_text(end.output), limit))))
    if end.stop_reason != "answer":
        tree.add(_line(end.stop_reason, end.message or "the run ended without an answer", _PROSE, "red"))
