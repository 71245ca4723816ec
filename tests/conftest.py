"""What all tests share: a home of their own for each test, and simulated time."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings

import agentkit.model_backend  # noqa: F401  # pyright: ignore[reportUnusedImport]  # sets what llama.cpp reads

T = TypeVar("T")

# A busy machine is no reason to fail: how long an example takes says nothing here.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Path:
    """Gives each test its own home; tests with a real model keep the user's, because the model is there."""
    folder = tmp_path / "home"
    if request.node.get_closest_marker("model") is None:
        monkeypatch.setenv("AGENTKIT_HOME", str(folder))
    return folder


class SimulatedLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next timer instead of waiting for it.

    Only for code without threads: while one works, the clock would run ahead of it.
    """

    def __init__(self) -> None:
        self._now = 0.0
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        return self._now

    def jump(self, seconds: float) -> None:
        self._now += seconds


class _JumpingSelector(selectors.SelectSelector):
    def __init__(self, loop: SimulatedLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0 if timeout is None or timeout > 0 else timeout)
        if not ready and timeout:
            self._loop.jump(timeout)
        return ready


def run_simulated(main: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine in simulated time and returns what it gives."""
    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        return runner.run(main)
