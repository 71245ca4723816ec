"""A recorded run that is cancelled at any instant leaves nothing behind, and goes on to its right end."""

from __future__ import annotations

import asyncio
import os
import random
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from agentkit import Agent, Limits, Result
from agentkit.events import Event, RunFinished, RunPaused
from agentkit.journal import read_events
from agentkit.planners.plan import Step, StepId
from tests.durability import scenarios
from tests.durability.checks import assumed, check_world
from tests.run.test_executor_cancel import processes_with, within
from tests.tools.process_tools import own_pid


def processes() -> Agent:
    """A given plan with calls in processes of their own."""
    steps = [Step(id=StepId(name), tool="own_pid") for name in ("a", "b", "c")]
    pay = Step(id=StepId("pay"), tool="pay", args={"x": 2}, after=(steps[0].id,))
    return Agent(None, [own_pid, scenarios.pay], planner=[*steps, pay], limits=Limits(parallel=2))


SCENARIOS = scenarios.SCENARIOS | {"processes": processes}
EFFECTS = scenarios.EFFECTS | {"processes": {"pay 2"}}


async def cancelled(
    start: Callable[[Callable[[Event], None]], Awaitable[Result]], *, event: int, passes: int
) -> list[Event]:
    """Runs something and cancels it a few passes of the event loop after an event; returns its events."""
    events: list[Event] = []
    loop = asyncio.get_running_loop()

    def later(left: int) -> None:
        if left:
            loop.call_soon(later, left - 1)
        else:
            run.cancel()

    def on_event(new: Event) -> None:
        events.append(new)
        if len(events) == event:
            later(passes)

    async def whole() -> None:
        await start(on_event)

    run = asyncio.create_task(whole())
    await asyncio.wait([run])
    if not run.cancelled():
        run.result()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    return events


def open_files() -> list[str]:
    """Returns the files that this process has open, besides pipes and the like."""
    links = [Path("/proc/self/fd", fd) for fd in os.listdir("/proc/self/fd")]
    return sorted(os.readlink(link) for link in links if link.exists())


def own_threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith(("tool-", "journal"))]


@pytest.mark.parametrize("seed", [*range(24), *(pytest.param(i, marks=pytest.mark.slow) for i in range(24, 100))])
def test_a_recorded_run_that_is_cancelled_leaves_nothing_and_goes_on(
    seed: int, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dice = random.Random(seed)
    name = [*SCENARIOS][seed % len(SCENARIOS)]
    world, mark = tmp_path / "world.txt", f"TEST_MARK={os.getpid()}-{seed}"
    monkeypatch.setenv(*mark.split("="))
    monkeypatch.setattr(scenarios, "world", world)
    monkeypatch.setattr(scenarios, "people", tmp_path / "people.txt")
    monkeypatch.setattr(scenarios, "pause", 0.001)
    open_before = open_files()

    def live(known: list[Event], *, cancel: bool) -> list[Event]:
        agent = SCENARIOS[name]()
        event = dice.randint(len(known) + 1, len(known) + 30) if cancel else -1
        passes = dice.randint(0, 8)
        if not known:
            asyncio.run(cancelled(lambda take: agent.run("Act", on_event=take), event=event, passes=passes))
        else:
            said = assumed(known, world).get("assume")
            run = next((home / "runs").glob("*.sqlite"))
            asyncio.run(
                cancelled(lambda take: agent.resume(run, assume=said, on_event=take), event=event, passes=passes)
            )
        assert within(5, lambda: not own_threads()), own_threads()
        assert not processes_with(mark)
        assert open_files() == open_before
        (file,) = (home / "runs").iterdir()  # no lock, and no log that was not moved into the file
        events, problems = read_events(file)
        assert not problems
        assert events[: len(known)] == known
        return events

    known: list[Event] = []
    for life in range(10):
        known = live(known, cancel=life < 2)
        end = known[-1]
        assert isinstance(end, RunFinished | RunPaused)
        if end.stop_reason == "answer":
            break
        if name == "unattended" and end.stop_reason == "approval":
            scenarios.approve(next((home / "runs").glob("*.sqlite")).stem)
            known = read_events(next((home / "runs").glob("*.sqlite")))[0]
    else:
        raise AssertionError(f"the run did not come to its end: {known[-1]}")
    check_world(world, EFFECTS[name], known)
