"""The state that the tools of a run share, kept so that it is there again after a crash."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any

from agentkit.messages import JsonObject

__all__ = ["SharedState", "StateView"]


class StateView(MutableMapping[str, Any]):
    """The shared state as one call sees it: the same values for all, and a note of the keys that this call had."""

    def __init__(self, values: dict[str, Any]) -> None:
        self._values = values
        self.touched: set[str] = set()

    def __getitem__(self, key: str) -> Any:
        self.touched.add(key)
        return self._values[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.touched.add(key)
        self._values[key] = value

    def __delitem__(self, key: str) -> None:
        self.touched.add(key)
        del self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._values))

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return repr(self._values)


class SharedState:
    """What tools share, and what each call changed in it.

    A change is kept with the result of the call that made it, so that a call that is made again after a crash finds
    what it found the first time. Where two calls that run side by side change the same key, it is kept with the first
    of them that ends.

    Args:
        known: What an earlier process left.
        warn: Called with the name of a key, once, whose value is not JSON and so can't be kept.
    """

    def __init__(self, known: Mapping[str, Any], warn: Callable[[str], None]) -> None:
        self._values: dict[str, Any] = json.loads(json.dumps(dict(known)))
        self._kept = {key: json.dumps(value) for key, value in self._values.items()}
        self._warn = warn
        self._not_kept: set[str] = set()

    @property
    def known(self) -> JsonObject:
        """The state as it was when the latest call ended, as far as it is JSON."""
        return {key: json.loads(text) for key, text in self._kept.items()}

    def take(self, changes: Mapping[str, Any]) -> None:
        """Makes the changes of a call that is not made, because its result is known."""
        for key, value in changes.items():
            if value is None:
                self._values.pop(key, None)
                self._kept.pop(key, None)
            else:
                self._kept[key] = json.dumps(value)
                self._values[key] = json.loads(self._kept[key])

    def view(self) -> StateView:
        """Returns the state for one call."""
        return StateView(self._values)

    def changes(self, view: StateView) -> JsonObject:
        """Returns what a call changed, by key; ``None`` for a key that it removed."""
        changed: JsonObject = {}
        for key in sorted(view.touched):
            if key not in self._values:
                if self._kept.pop(key, None) is not None:
                    changed[key] = None
                continue
            try:
                text = json.dumps(self._values[key])
            except (TypeError, ValueError, RuntimeError):  # the last: another call is changing it just now
                if key not in self._not_kept:
                    self._not_kept.add(key)
                    self._warn(key)
                continue
            if self._kept.get(key) != text:
                self._kept[key] = text
                changed[key] = json.loads(text)
        return changed
