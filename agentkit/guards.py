"""What keeps a run from going on for ever: limits, repeated calls, and the count of tokens."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace

from agentkit.errors import LimitReached
from agentkit.limits import Limits
from agentkit.messages import Usage
from agentkit.model_backend.base import TurnRequest
from agentkit.planners.base import StepResult
from agentkit.planners.plan import Step, StepId, render_refs

__all__ = ["CallGuard", "Ledger"]

MIN_OUTPUT = 64
"""Tokens that must be left for a turn to be worth starting."""


@dataclass(frozen=True, slots=True)
class _Made:
    step: StepId
    number: int
    """Of the call, counted from 1."""


class CallGuard:
    """Counts tool calls, and notices the ones that were made before.

    A call that was made already, with the same arguments and with nothing effectful in between, is
    not made again: the earlier result is shown again. Small models loop on identical calls, and
    repeating an effect by accident is worse than refusing a repetition that was meant.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._calls = 0
        self._made: defaultdict[str, list[_Made]] = defaultdict(list)
        """The steps that make a call, by tool and arguments."""
        self._effects: list[tuple[str, int]] = []
        """The last effectful call and the last one that is another, each with its number."""

    def admit(self, step: Step, *, pure: bool, results: Mapping[StepId, StepResult]) -> StepId | None:
        """Admits a step, or names the earlier step whose result stands for it.

        Args:
            step: What is to be run.
            pure: Whether its tool changes nothing.
            results: The steps that are done; a call that failed may be made again.

        Returns:
            ``None`` when the step may run, otherwise the id of the earlier identical one.

        Raises:
            agentkit.errors.LimitReached: The limit on calls or on repetitions is reached.
        """
        if self._calls >= self._limits.calls:
            raise LimitReached(f"the run made {self._limits.calls} calls, its limit", reason="call_limit")
        key = f"{step.tool} {step.for_each} {step.on_error} {json.dumps(render_refs(step.args), sort_keys=True)}"
        same = self._made[key]
        if len(same) >= self._limits.repeats:
            raise LimitReached(
                f"the model asked for the same call of {step.tool!r} {len(same) + 1} times", reason="repeated_calls"
            )
        self._calls += 1
        earlier = same[-1] if same else None
        changed = earlier is not None and any(k != key and number > earlier.number for k, number in self._effects)
        same.append(_Made(step.id, self._calls))
        if not pure:
            self._effects = [(key, self._calls), *[e for e in self._effects if e[0] != key][:1]]
        if earlier is None or changed:
            return None
        failed = earlier.step in results and not results[earlier.step].ok
        return None if failed else earlier.step

    def admit_items(self, step: Step, count: int) -> None:
        """Admits the calls of a step that runs once for each item, all or none; it was itself counted as one.

        Args:
            step: The step.
            count: How many items it has.

        Raises:
            agentkit.errors.LimitReached: With them the run would make more calls than its limit.
        """
        left = self._limits.calls - self._calls + 1
        if count > left:
            raise LimitReached(
                f"step {step.id!r} would call {step.tool!r} for {count:,} items, and {left:,} of the run's limit of "
                f"{self._limits.calls:,} calls {'is' if left == 1 else 'are'} left; raise the limit on calls",
                reason="call_limit",
            )
        self._calls += max(count - 1, 0)


class Ledger:
    """Counts tokens exactly, before each turn, with the model's own tokenizer."""

    def __init__(self, limits: Limits, context: int) -> None:
        self._limits = limits
        self._context = context
        self.usage = Usage()
        """What all turns cost so far."""

    def fit(self, request: TurnRequest, prompt_tokens: int) -> TurnRequest:
        """Returns the request with its budgets cut to what is left.

        Args:
            request: What is to be asked.
            prompt_tokens: The exact size of its prompt.

        Raises:
            agentkit.errors.LimitReached: There is no room for a turn.
        """
        if self.usage.turns >= self._limits.turns:
            raise LimitReached(f"the run took {self._limits.turns} model turns, its limit", reason="turn_limit")
        left = self._limits.tokens - self.usage.tokens - prompt_tokens
        if left < MIN_OUTPUT:
            raise LimitReached(
                f"the next turn needs {prompt_tokens} prompt tokens; {self.usage.tokens} of the limit of "
                f"{self._limits.tokens} tokens are used",
                reason="token_limit",
            )
        room = self._context - prompt_tokens if self._context else left
        if room < MIN_OUTPUT:
            raise LimitReached(
                f"the next prompt has {prompt_tokens} tokens and the context {self._context}; "
                "use a larger context, fewer tools or smaller results",
                reason="context_full",
            )
        room = min(room, left)
        thinking = min(request.thinking, room // 2)
        return replace(request, thinking=thinking, max_tokens=min(request.max_tokens, room - thinking))

    def add(self, usage: Usage) -> None:
        """Adds what a turn cost."""
        self.usage += usage
