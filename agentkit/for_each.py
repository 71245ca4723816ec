"""A step that runs once for each item of a list: which items there are, and what comes of them."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Sequence

from agentkit.errors import PlanError
from agentkit.messages import JsonValue, is_array, is_object
from agentkit.planners.plan import Ref, Step

__all__ = ["Items", "items_of"]

_SHOWN = 100
"""Most characters of an item in a message."""


def items_of(ref: Ref, result: JsonValue) -> Sequence[JsonValue]:
    """Returns the list that a reference leads to.

    Args:
        ref: What a step runs for.
        result: The result of the step that it refers to.

    Raises:
        agentkit.errors.PlanError: It leads nowhere, or not to a list.
    """
    items = ref.resolve(result)
    if not is_array(items):
        raise PlanError(f"'for_each' needs a list, and {str(ref)!r} is {_kind(items)}; refer to a list")
    return items


class Items:
    """How far a step is that runs once for each item.

    Args:
        step: The step.
        items: What its 'for_each' refers to.
        started: The event loop's time when it began, in seconds.
    """

    def __init__(self, step: Step, items: Sequence[JsonValue], *, started: float) -> None:
        self.started = started
        self.running = 0
        """How many items have begun and are not done."""
        self.parked: set[int] = set()
        """Items that wait for a person."""
        self._step = step
        self._items = items
        self._waiting = deque(range(len(items)))
        self._values: dict[int, JsonValue] = {}
        self._failed: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> JsonValue:
        return self._items[index]

    @property
    def waiting(self) -> bool:
        """Whether there are items that have not begun and should."""
        stopped = self._failed and self._step.on_error == "fail"
        return bool(self._waiting) and not stopped

    @property
    def are_done(self) -> bool:
        """Whether nothing more comes of any item."""
        return not (self.running or self.waiting or self.parked)

    def begin(self) -> int:
        """Begins the next item and returns its index."""
        self.running += 1
        return self._waiting.popleft()

    def end(self, index: int, *, ok: bool, value: JsonValue) -> None:
        """Records what came of an item: its result, or the message that says why there is none."""
        self.running -= 1
        self._keep(index, ok=ok, value=value)

    def recall(self, index: int, *, ok: bool, value: JsonValue) -> None:
        """Records what came of an item in an earlier process; it need not begin."""
        if index < len(self._items):
            self._waiting.remove(index)
            self._keep(index, ok=ok, value=value)

    def park(self, index: int) -> None:
        """Leaves an item that had begun until a person has decided."""
        self.running -= 1
        self.parked.add(index)

    def _keep(self, index: int, *, ok: bool, value: JsonValue) -> None:
        self._values[index] = value
        if not ok:
            self._failed[index] = str(value)

    def outcome(self) -> tuple[bool, JsonValue]:
        """Returns whether the step succeeded, and its result or the message that says why not."""
        if self._failed and self._step.on_error == "fail":
            return False, self._first_failure()
        if self._step.on_error == "skip":
            return True, [self._values[i] for i in range(len(self._items)) if i not in self._failed]
        return True, [
            {"error": self._failed[i]} if i in self._failed else self._values[i] for i in range(len(self._items))
        ]

    def _first_failure(self) -> str:
        index, message = next(iter(self._failed.items()))
        item = json.dumps(self._items[index], ensure_ascii=False)
        item = item if len(item) <= _SHOWN else item[:_SHOWN] + "…"
        left = len(self._waiting)
        rest = f"; {left:,} {'item was' if left == 1 else 'items were'} not run" if left else ""
        return f"item {index} of {self._step.for_each} failed ({item}): {message}{rest}"


def _kind(value: JsonValue) -> str:
    if is_object(value):
        return f"an object with the keys {list(value)[:20]}"
    return f"{value!r}"[:_SHOWN]
