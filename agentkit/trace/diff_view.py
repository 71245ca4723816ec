"""How two runs differ, as lines that read well in a pipe: ``-`` is run A, ``+`` is run B."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from rich.console import RenderableType
from rich.text import Text

from agentkit.messages import JsonValue
from agentkit.trace.diff import MEASURED, Change, RunDiff, StepDiff
from agentkit.trace.facts import seconds_text
from agentkit.trace.text import call_text, counted, one_line, value_text, visible

__all__ = ["render"]

_VALUE = 400
"""Most characters of a value; ``--json`` has all of it."""
_BEFORE = 24
"""How much of what is the same stands before the place where two values part."""

_MARKS = {"same": " ", "changed": "~", "removed": "-", "added": "+"}
_STYLES = {"same": "dim", "changed": "yellow", "removed": "red", "added": "green"}


def render(diff: RunDiff) -> Iterator[RenderableType]:
    """Yields the two runs, how they differ as wholes, and each step; steps that are the same are only counted."""
    for mark, style, trace in (("-", "red", diff.a), ("+", "green", diff.b)):
        state = trace.stop_reason or "unfinished"
        yield Text.assemble((f"{mark} run {visible(trace.run_id or '?')}", style), f"  {state}")
    yield Text(diff.summary(), style="bold")
    for change in diff.changes:
        if change.what in MEASURED:
            yield _measure(change)
        else:
            yield from _values(change, "")
    for same, steps in groupby(diff.steps, key=lambda s: s.status == "same"):
        found = [*steps]
        if same:
            yield Text(
                f"  {counted(len(found), 'step')} the same: {one_line(', '.join(s.step.id for s in found), 200)}", "dim"
            )
            continue
        for step in found:
            yield from _step(step)


def _step(step: StepDiff) -> Iterator[Text]:
    span, style = step.step, _STYLES[step.status]
    head = Text.assemble((f"{_MARKS[step.status]} ", style), (f"{visible(span.id)}  ", style))
    if step.status == "changed":
        head.append(visible(span.tool))
    else:
        head.append(call_text(span.tool, span.args, _VALUE))
        head.append(f"  {span.state}", "dim")
    yield head
    for change in step.changes:
        if change.what in MEASURED:
            yield Text("    ").append_text(_measure(change))
        else:
            yield from _values(change, "    ")


def _measure(change: Change) -> Text:
    a, b = change.a, change.b
    assert isinstance(a, int | float) and isinstance(b, int | float)
    more = f" ({(b - a) / a:+.0%})" if a else ""
    if change.what == "seconds":
        return Text(f"time: {seconds_text(a)} -> {seconds_text(b)}{more}", "dim")
    return Text(f"{change.what.replace('_', ' ')}: {a:,} -> {b:,}{more}", "dim")


def _values(change: Change, indent: str) -> Iterator[Text]:
    yield Text(f"{indent}{change.what.replace('_', ' ')}:")
    for mark, style, text in zip("-+", ("red", "green"), _parted(change.a, change.b), strict=True):
        yield Text(f"{indent}  {mark} {text}", style)


def _parted(a: JsonValue, b: JsonValue) -> tuple[str, str]:
    """Both values on a line; of long ones the part around the first place where they differ."""
    x, y = (" ".join(visible(value_text(v)).split()) for v in (a, b))
    if x == y:  # the text "1" and the number 1
        x, y = repr(a), repr(b)
    place = next((i for i, (p, q) in enumerate(zip(x, y, strict=False)) if p != q), min(len(x), len(y)))
    skip = place - _BEFORE if max(len(x), len(y)) > 120 and place > 2 * _BEFORE else 0
    before = "... " if skip else ""
    return before + one_line(x[skip:], _VALUE), before + one_line(y[skip:], _VALUE)
