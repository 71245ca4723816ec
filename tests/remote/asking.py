"""Asks a remote model for a turn, and notes how long it would have waited."""

from __future__ import annotations

import asyncio
from typing import Any

from agentkit.messages import User
from agentkit.model_backend.base import Delta, ToolSpec, Turn, TurnRequest
from agentkit.model_backend.remote import RemoteModel
from tests.remote.fake_server import FakeServer

__all__ = ["WEATHER", "Asking"]

WEATHER = ToolSpec(
    name="weather",
    description="Says the weather.",
    parameters={
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
        "required": ["city"],
        "additionalProperties": False,
    },
)


class Asking:
    """A model on a server; waiting between attempts takes no time and is noted in seconds."""

    def __init__(self, server: FakeServer | str, *, model: str | None = "tiny", timeout: float = 10.0) -> None:
        self.waited: list[float] = []
        self.deltas: list[Delta] = []
        url = server if isinstance(server, str) else server.url
        self.model = RemoteModel(url, model=model, timeout=timeout, sleep=self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.waited.append(seconds)

    def turn(self, **request: Any) -> Turn:
        """Asks with one tool, unless the request says otherwise."""
        values: dict[str, Any] = {"messages": [User("How is the weather in Rome?")], "tools": [WEATHER]}
        return asyncio.run(self.model.turn(TurnRequest(**values | request), self.deltas.append))
