"""What a tool knows of a call that was begun before a crash: whether it was made."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from agentkit.messages import JsonObject, JsonValue

__all__ = ["Done", "NotDone", "Reconcile", "Reconciled", "ask"]


@dataclass(frozen=True, slots=True)
class Done:
    """The call was made."""

    value: JsonValue = None
    """Its result, where that is known."""


@dataclass(frozen=True, slots=True)
class NotDone:
    """The call was not made, so it may be made now."""


Reconciled: TypeAlias = Done | NotDone | None
"""``None`` when the tool can't tell."""

Reconcile: TypeAlias = Callable[[JsonObject, str], Reconciled | Awaitable[Reconciled]]
"""Looks whether a call was made: takes its arguments, and the idempotency key that the tool had."""


async def ask(reconcile: Reconcile | None, arguments: JsonObject, key: str) -> Reconciled:
    """Returns what `reconcile` finds out; ``None`` without one, or when it fails."""
    if reconcile is None:
        return None
    try:
        answer = reconcile(arguments, key)
        return await answer if inspect.isawaitable(answer) else answer
    except Exception:  # a person is asked instead
        return None
