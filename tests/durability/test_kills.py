"""A run is killed at any instant, and again while it goes on: nothing is lost, and nothing is done twice unasked."""

from __future__ import annotations

import os
import random
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from agentkit.errors import JournalError
from agentkit.events import Event, InDoubt, ItemStarted, StepFinished, StepStarted
from agentkit.journal import read_events
from agentkit.kill_points import POINTS
from tests.durability.scenarios import ONCE, SCENARIOS
from tests.durability.zygotes import Zygote

APPROVAL = {"before-approval", "after-approval"}
"""Points that no scenario here passes; tests/policy has them."""


def prove(zygote: Zygote, folder: Path, scenario: str, deaths: Iterable[dict[str, Any]]) -> Counter[str]:
    """Lets a run live through deaths, then to its end, and checks everything it left.

    Args:
        zygote: Makes the processes.
        folder: An empty folder.
        scenario: Which run.
        deaths: How each life ends.

    Returns:
        What came up: ``killed``, ``in_doubt``, ``again`` (calls that may be made again and were).
    """
    folder.mkdir()
    world, home = folder / "world.txt", folder / "home"
    base: dict[str, Any] = {"scenario": scenario, "world": str(world), "home": str(home)}
    known: list[Event] = []
    run, seen = "", Counter[str]()
    for death in [*deaths, *[{}] * 6]:
        answer = zygote.live(**base, run=run, **death, **_assumed(known, world))
        files = list((home / "runs").glob("*.sqlite"))
        run = files[0].stem if files else ""
        events = _events(files[0]) if files else []
        if files and not events:  # it died before it was said that there is a run
            files[0].unlink()
            run = ""
        assert events[: len(known)] == known, "what was on disk is there, and as it was"
        known = events
        seen["killed"] += answer["killed"]
        seen["in_doubt"] += answer["said"] == "in_doubt"
        if answer["said"] == "in_doubt":
            _check_doubt(events)
        if answer["said"] == "answer" or (events and getattr(events[-1], "stop_reason", "") == "answer"):
            break
        assert answer["killed"] or answer["said"] == "in_doubt", answer["said"]
    else:
        raise AssertionError(f"the run did not come to its end: {known[-3:]}")
    _check_world(world, scenario, known, seen)
    return seen


def _events(path: Path) -> list[Event]:
    try:
        events, problems = read_events(path)
    except JournalError:  # there are no tables yet
        return []
    assert not problems
    return events


def _assumed(events: list[Event], world: Path) -> dict[str, Any]:
    """What a person says who has looked which of the calls in doubt were made."""
    doubts = [e for e in events if isinstance(e, InDoubt)]
    if not doubts or events[-1].kind != "run_paused":
        return {}
    made = {line.split()[2] for line in world.read_text().splitlines()} if world.exists() else set[str]()
    return {"assume": {e.id: "done" if e.key in made else "not-done" for e in doubts}}


def _check_doubt(events: list[Event]) -> None:
    """A run is in doubt only for a 'once' call that was begun and has no result."""
    finished = {e.id for e in events if isinstance(e, StepFinished)}
    begun = {e.id for e in events if isinstance(e, StepStarted) and e.effect == "once" and e.key}
    assert {e.id for e in events if isinstance(e, InDoubt)} & (begun - finished)


def _check_world(world: Path, scenario: str, events: list[Event], seen: Counter[str]) -> None:
    made = [line.split() for line in world.read_text().splitlines()]
    paid = Counter(int(x) for name, x, _ in made if name == "pay")
    assert paid == dict.fromkeys(ONCE[scenario], 1), f"each payment was made, and made once: {paid}"
    keys = {(name, x): {k for n, y, k in made if (n, y) == (name, x)} for name, x, _ in made}
    assert all(len(found) == 1 for found in keys.values()), "a call that is made again has the same key"
    begun = Counter((e.id, getattr(e, "index", None)) for e in events if isinstance(e, StepStarted | ItemStarted))
    seen["again"] += sum(count - 1 for count in begun.values())
    results = Counter(e.id for e in events if isinstance(e, StepFinished))
    assert set(results.values()) == {1}, "every step has one result"


def cases(count: int, seed: int) -> list[Any]:
    """Every point in turn, at its first, second and third passing, each followed by a second death somewhere."""
    dice = random.Random(seed)
    points = [p for p in POINTS if p not in APPROVAL]
    found: list[Any] = []
    for i in range(count):
        point = points[i % len(points)]
        first = {"kill": f"{point}:{1 + i // len(points) % 4}"}
        second = {"kill": f"{dice.choice(points)}:{dice.randint(1, 3)}"}
        scenario = [*SCENARIOS][(i // len(points) + i) % len(SCENARIOS)]
        found.append(pytest.param(scenario, [first, second], id=f"{scenario}-{first['kill']}-{second['kill']}"))
    return found


@pytest.mark.parametrize(("scenario", "deaths"), cases(9, seed=1))
def test_a_run_that_is_killed_at_a_point_goes_on(
    zygote: Zygote, tmp_path: Path, scenario: str, deaths: list[Any]
) -> None:
    prove(zygote, tmp_path / "case", scenario, deaths)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_many_runs_that_are_killed_at_points_go_on(zygote: Zygote, tmp_path: Path) -> None:
    count = int(os.environ.get("AGENTKIT_TORTURE", "60"))
    seen = Counter[str]()
    for i, case in enumerate(cases(count, seed=2)):
        seen += prove(zygote, tmp_path / str(i), *case.values)
    sys.stderr.write(f"{count} cases: {dict(seen)}\n")
    assert seen["killed"] >= 0.9 * count, "not every scenario passes every point as often"
    assert seen["in_doubt"]
    assert seen["again"]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_runs_that_are_killed_at_random_instants_go_on(zygote: Zygote, tmp_path: Path) -> None:
    count = int(os.environ.get("AGENTKIT_TORTURE", "60")) // 2
    dice, seen = random.Random(3), Counter[str]()
    for i in range(count):
        deaths = [{"after": dice.uniform(0.0, 0.25), "pause": 0.05} for _ in range(3)]
        seen += prove(zygote, tmp_path / str(i), "wide", deaths)
    sys.stderr.write(f"{count} cases: {dict(seen)}\n")
    assert seen["killed"] >= count
