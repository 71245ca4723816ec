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
from agentkit.events import (
    ApprovalDecided,
    ApprovalRequested,
    Event,
    InDoubt,
    ItemFinished,
    ItemStarted,
    RunPaused,
    StepFinished,
    StepStarted,
)
from agentkit.journal import read_events
from agentkit.kill_points import POINTS
from tests.durability.checks import assumed, check_world, lines, name_of
from tests.durability.scenarios import EFFECTS, PASSED
from tests.durability.zygotes import Zygote


def prove(zygote: Zygote, folder: Path, scenario: str, deaths: Iterable[dict[str, Any]]) -> Counter[str]:
    """Lets a run live through deaths, then to its end, and checks everything it left.

    Args:
        zygote: Makes the processes.
        folder: An empty folder.
        scenario: Which run.
        deaths: How each life ends.

    Returns:
        What came up: ``killed``, how the lives ended that were not, ``again`` (calls that may be made again and were).
    """
    folder.mkdir()
    world, people, home = folder / "world.txt", folder / "people.txt", folder / "home"
    base: dict[str, Any] = {"scenario": scenario, "world": str(world), "people": str(people), "home": str(home)}
    known: list[Event] = []
    run, seen = "", Counter[str]()
    left = [*deaths]
    for _ in range(len(left) + 6):
        answer = zygote.live(**base, run=run, **(left[0] if left else {}), **assumed(known, world))
        if answer["said"] != "approval":  # a life that waited for a person may have ended before its death
            left = left[1:]
        files = list((home / "runs").glob("*.sqlite"))
        run = files[0].stem if files else ""
        events = _events(files[0]) if files else []
        if files and not events:  # it died before it was said that there is a run
            files[0].unlink()
            run = ""
        assert events[: len(known)] == known, "what was on disk is there, and as it was"
        if "before-approval" in PASSED[scenario]:
            _check_decisions(world, people, known, events)
        known = events
        seen["killed"] += answer["killed"]
        seen[answer["said"]] += not answer["killed"]
        if answer["said"] == "in_doubt":
            _check_doubt(events)
        if answer["said"] == "answer" or (events and getattr(events[-1], "stop_reason", "") == "answer"):
            break
        assert answer["killed"] or answer["said"] in ("in_doubt", "approval"), answer["said"]
    else:
        raise AssertionError(f"the run did not come to its end: {known[-3:]}")
    check_world(world, EFFECTS[scenario], known)
    begun = Counter((e.id, getattr(e, "index", None)) for e in known if isinstance(e, StepStarted | ItemStarted))
    seen["again"] += sum(count - 1 for count in begun.values())
    return seen


def _events(path: Path) -> list[Event]:
    try:
        events, problems = read_events(path)
    except JournalError:  # there are no tables yet
        return []
    assert not problems
    return events


def _check_doubt(events: list[Event]) -> None:
    """A run is in doubt only for a 'once' call that was begun and has no result."""
    begun: set[tuple[str, int | None]] = {
        (e.id, None) for e in events if isinstance(e, StepStarted) and e.effect == "once"
    }
    begun |= {(e.id, e.index) for e in events if isinstance(e, ItemStarted)}
    finished: set[tuple[str, int | None]] = {(e.id, None) for e in events if isinstance(e, StepFinished)}
    finished |= {(e.id, e.index) for e in events if isinstance(e, ItemFinished)}
    assert {(e.id, e.item) for e in events if isinstance(e, InDoubt) and e.tool == "pay"} & (begun - finished)


def _check_decisions(world: Path, people: Path, known: list[Event], events: list[Event]) -> None:
    """What a person was told is decided is kept, what is kept is not asked again, and nothing else was done."""
    told = [line.split() for line in lines(people)]
    people.unlink(missing_ok=True)  # it is about one life
    decided = _decided(events)
    assert {call for word, call in told if word == "decided"} <= decided.keys()
    assert not {call for word, call in told if word == "asked"} & _decided(known).keys()
    for i, event in enumerate(events):
        if isinstance(event, RunPaused) and event.stop_reason == "approval":
            assert not {*event.steps} & _decided(events[:i]).keys()
    allowed = {
        (e.tool, x)
        for e in events
        if isinstance(e, ApprovalRequested) and (said := decided.get(name_of(e))) and said.decision == "allow"
        for x in ([(said.args or e.args)["x"]] if not said.always else range(1000))
    }
    made = {(line.split()[0], int(line.split()[1])) for line in lines(world)}
    assert made <= allowed, f"effects that nobody allowed: {made - allowed}"


def _decided(events: list[Event]) -> dict[str, ApprovalDecided]:
    return {name_of(e): e for e in events if isinstance(e, ApprovalDecided)}


def cases(count: int, seed: int) -> list[Any]:
    """Every point in turn, in each scenario that comes by it, early and late; then a second death somewhere."""
    dice = random.Random(seed)
    found: list[Any] = []
    for i in range(count):
        point, round_ = POINTS[i % len(POINTS)], i // len(POINTS)
        passing = [name for name in PASSED if point in PASSED[name]]
        scenario = passing[round_ % len(passing)]
        first = {"kill": f"{point}:{1 + round_ // len(passing) % PASSED[scenario][point]}"}
        second = {"kill": f"{dice.choice([*PASSED[scenario]])}:{dice.randint(1, 3)}"}
        found.append(pytest.param(scenario, [first, second], id=f"{scenario}-{first['kill']}-{second['kill']}"))
    return found


@pytest.mark.parametrize(("scenario", "deaths"), cases(len(POINTS), seed=1))
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
    assert seen["killed"] >= count, "every run comes by the point of its first death"
    assert seen["in_doubt"]
    assert seen["approval"]
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
