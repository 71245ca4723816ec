"""The state that the tools of a run share, kept so that it is there again after a crash."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from agentkit.messages import JsonObject

__all__ = ["SharedState"]


class SharedState:
    """A dict for tools, and what changed in it since it was last looked at.

    Args:
        known: What an earlier process left.
        warn: Called with the name of a key, once, whose value is not JSON and so can't be kept.
    """

    def __init__(self, known: Mapping[str, Any], warn: Callable[[str], None]) -> None:
        self.values: dict[str, Any] = json.loads(json.dumps(dict(known)))
        """What tools see; they change it in place."""
        self._seen = {key: json.dumps(value) for key, value in self.values.items()}
        self._warn = warn
        self._not_kept: set[str] = set()

    def changes(self) -> JsonObject:
        """Returns the values that changed since the last time, by key; ``None`` for one that was removed."""
        changed: JsonObject = {}
        for key, value in list(self.values.items()):
            try:
                text = json.dumps(value)
            except (TypeError, ValueError, RuntimeError):  # the last: another tool is changing it just now
                if key not in self._not_kept:
                    self._not_kept.add(key)
                    self._warn(key)
                continue
            if self._seen.get(key) != text:
                self._seen[key] = text
                changed[key] = json.loads(text)
        for key in self._seen.keys() - self.values.keys():
            del self._seen[key]
            changed[key] = None
        return changed
