"""What a run came to so far, and what is missing from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from agentkit.events import RunFinished
from agentkit.messages import Usage
from agentkit.trace.facts import run_state, seconds_text
from agentkit.trace.outline import Outline
from agentkit.trace.spans import usage_from_json
from agentkit.trace.text import counted

__all__ = ["Totals", "missing", "tokens_text", "totals"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What a run came to."""

    state: str
    turns: int
    calls: int
    failed: int
    """Calls that failed."""
    retries: int
    usage: Usage
    first_token: float | None
    """Seconds to the first token of the first turn."""
    seconds: float

    def words(self) -> list[str]:
        """Returns the totals in words, the most important first."""
        found = [seconds_text(self.seconds), counted(self.calls, "call")]
        if self.failed:
            found[-1] += f" ({self.failed:,} failed)"
        if self.turns:
            found.insert(1, counted(self.turns, "turn"))
            found.append(tokens_text(self.usage))
        if self.usage.output_seconds:
            found.append(f"{self.usage.tokens_per_second:.1f} tok/s")
        if self.first_token is not None:
            found.append(f"first token {seconds_text(self.first_token)}")
        if self.retries:
            found.append("1 retry" if self.retries == 1 else f"{self.retries:,} retries")
        return found


def tokens_text(usage: Usage) -> str:
    """Returns tokens in and out, with those that cost little."""
    reused = f" ({usage.reused_tokens:,} reused)" if usage.reused_tokens else ""
    kinds = [f"{n:,} {w}" for n, w in ((usage.thought_tokens, "thought"), (usage.forced_tokens, "forced")) if n]
    out = f" ({', '.join(kinds)})" if kinds else ""
    return f"{usage.prompt_tokens:,} in{reused}, {usage.output_tokens:,} out{out}"


def totals(outline: Outline) -> Totals:
    """Returns what the run came to so far."""
    tree = outline.tree
    turns, steps = tree.builder.turns.values(), tree.builder.steps.values()
    usage = sum((t.usage for t in turns), Usage())
    if isinstance(tree.end, RunFinished) and tree.end.usage:
        usage = usage_from_json(tree.end.usage)
    first = next(iter(turns), None)
    return Totals(
        state=run_state(tree, outline.now),
        turns=len(turns),
        calls=sum(s.calls for s in steps),
        failed=sum(len(s.failed_items) if s.items is not None else s.state == "failed" for s in steps),
        retries=sum(max(0, s.attempts - 1) + sum(max(0, i.attempts - 1) for i in s.item_spans.values()) for s in steps),
        usage=usage,
        first_token=None if first is None else first.first_token,
        seconds=tree.seconds if outline.now is None else outline.now,
    )


def missing(outline: Outline) -> Iterator[str]:
    """Yields what a whole run would have and this one has not, in words."""
    tree = outline.tree
    if tree.start is None:
        yield "the beginning of the run is not recorded"
    if tree.end is None and outline.now is None:
        yield from (f"turn {t.turn} is not finished" for t in tree.builder.turns.values() if t.end is None)
        for step in tree.builder.steps.values():
            if step.ok is None and step.attempts:
                yield f"step {step.id} ({step.tool}) was called, its result is not recorded"
        yield "no end is recorded: the run was stopped from outside; 'agentkit resume' goes on with it"
