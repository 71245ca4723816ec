"""Crashes without processes: a run in simulated time that stops at any instant, and one that goes on from what is left.

A real journal keeps what was appended, in order, and at least what was flushed. So what a crash leaves is a beginning
of the events, anything from the latest flush to all of them, and a world in which every effect is that was made.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agentkit.events import Event
from agentkit.limits import Limits
from agentkit.messages import JsonObject
from agentkit.model_backend.base import Model
from agentkit.planners.base import Planner
from agentkit.record import Record
from agentkit.result import Result
from agentkit.run import Run
from agentkit.run_spec import RunSpec
from agentkit.tools.context import ToolContext
from agentkit.tools.decorator import tool
from agentkit.tools.reconcile import Done, NotDone
from agentkit.tools.registry import ToolRegistry
from agentkit.tools.tool import Tool
from tests.conftest import run_simulated

__all__ = ["TOOLS", "World", "live", "spec"]


@dataclass
class World:
    """What is outside of the process, and so is there after a crash."""

    dice: random.Random
    made: list[tuple[str, int, str]] = field(default_factory=list[tuple[str, int, str]])
    """Every effect: the tool, its argument, the key."""
    instants: int = 0
    """How many events and effects there were in this life."""
    tick: Callable[[], bool] = lambda: True
    """Counts an instant; returns whether the process is there."""

    async def wait(self) -> None:
        """Takes a while."""
        await asyncio.sleep(self.dice.uniform(0, 3))

    async def act(self, name: str, x: int, context: ToolContext) -> None:
        """Does something that is still there after a crash."""
        await self.wait()
        if self.tick():
            self.made.append((name, x, context.idempotency_key))
        await self.wait()


_world = World(random.Random())
"""The one that tools act on just now."""


@tool(effect="pure")
async def find(x: int) -> int:
    """Look something up."""
    await _world.wait()
    return x * 7 % 100


@tool(effect="pure")
async def rows(x: int) -> list[int]:
    """Give a list."""
    await _world.wait()
    return [x + i for i in range(x % 4)]


@tool(effect="pure")
async def odd(x: int) -> int:
    """Fail for even numbers."""
    await _world.wait()
    if x % 2 == 0:
        raise ValueError(f"{x} is even")
    return x + 1


@tool(effect="idempotent")
async def put(x: int, context: ToolContext) -> int:
    """Put something down."""
    await _world.act("put", x, context)
    return x + 1


@tool(effect="keyed")
async def order(x: int, context: ToolContext) -> int:
    """Order something."""
    await _world.act("order", x, context)
    return x + 2


def was_paid(arguments: JsonObject, key: str) -> Done | NotDone:
    """Looks into the world."""
    return Done(arguments["x"] + 3) if ("pay", arguments["x"], key) in _world.made else NotDone()


@tool(reconcile=was_paid)
async def pay(x: int, context: ToolContext) -> int:
    """Pay something."""
    await _world.act("pay", x, context)
    return x + 3


TOOLS: tuple[Tool, ...] = (find, rows, odd, put, order, pay)
"""One of each effect class, one that fails at times, and one that gives a list."""


def spec(planner: Callable[[], Planner], model: Model | None, *, limits: Limits) -> RunSpec:
    """Returns what a run is to do."""
    return RunSpec(
        run_id="run",
        task="Do it",
        model=model,
        planner=planner(),
        planner_name="test",
        tools=ToolRegistry(TOOLS),
        workspace=Path(),
        limits=limits,
    )


def live(world: World, make: Callable[[], RunSpec], before: Sequence[Event], dies_at: int) -> Result | list[Event]:
    """Gives a run a life, from what is recorded to its end or to a crash.

    Args:
        world: What the run acts on.
        make: Makes what the run is to do.
        before: The events that were recorded.
        dies_at: At which event or effect the process ends; -1 for never.

    Returns:
        How the run ended, or the events that are on disk after the crash.
    """
    global _world
    _world = world
    events = list(before)
    flushed = len(before)
    left: list[Event] | None = None
    world.instants = 0

    def tick() -> bool:
        nonlocal left
        if left is None and world.instants == dies_at:
            left = events[: world.dice.randint(flushed, len(events))]
            over.set()
        world.instants += 1
        return left is None

    def sink(event: Event) -> None:
        if event.kind != "piece_delta" and tick():
            events.append(event)

    async def durable() -> None:
        nonlocal flushed
        count = len(events)
        await asyncio.sleep(world.dice.choice((0, 0.1, 1)))
        flushed = max(flushed, count)

    async def main() -> Result:
        run = Run(make(), record=Record(before), sink=sink, durable=durable)
        run.start()
        await durable()
        while run.result is None:
            await run.round()
        return run.result

    async def until_death() -> Result | list[Event]:
        run = asyncio.ensure_future(main())
        run.add_done_callback(lambda _: over.set())
        await over.wait()
        return run.result() if left is None else left

    over = asyncio.Event()
    world.tick = tick
    return run_simulated(until_death())
