"""A pytest plugin: recorded runs as tests, without a model.

It is loaded by the entry point of the package; a test asks for the fixture ``agentkit_replay``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import pytest

if TYPE_CHECKING:
    from agentkit.agent import Agent
    from agentkit.replaying import Replayed

__all__ = ["AgentkitReplay", "agentkit_replay"]

AgentkitReplay: TypeAlias = "Callable[[Agent, Path | str], Replayed]"


@pytest.fixture
def agentkit_replay() -> AgentkitReplay:
    """Repeats a recorded run with an agent, and fails the test at the first thing that is different.

    Call it with the agent, and the path of a run file that is kept with the tests.
    """

    def replay(agent: Agent, run: Path | str) -> Replayed:
        from agentkit.errors import Diverged

        try:
            return asyncio.run(agent.replay(Path(run)))
        except Diverged as difference:
            pytest.fail(f"{run} is not repeated as it was recorded: {difference}", pytrace=False)

    return replay
