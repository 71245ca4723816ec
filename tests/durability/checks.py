"""What has to hold of a run of `tests.durability.scenarios` that was interrupted, however that was."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agentkit.events import ApprovalDecided, ApprovalRequested, Event, InDoubt, StepFinished

__all__ = ["assumed", "check_world", "lines", "name_of"]


def assumed(events: Sequence[Event], world: Path) -> dict[str, Any]:
    """What a person says who has looked which of the calls in doubt were made."""
    doubts = [e for e in events if isinstance(e, InDoubt)]
    if not doubts or events[-1].kind != "run_paused":
        return {}
    made = {line.split()[2] for line in lines(world)}
    return {"assume": {name_of(e): "done" if e.key in made else "not-done" for e in doubts}}


def check_world(world: Path, effects: set[str], events: Sequence[Event]) -> None:
    """Every effect is there, payments once; each call had one key in all lives, and each step has one result."""
    made = [line.split() for line in lines(world)]
    count = Counter(f"{name} {x}" for name, x, _ in made)
    assert count.keys() == effects
    assert all(n == 1 for what, n in count.items() if what.startswith("pay")), f"a payment was made twice: {count}"
    keys = {(name, x): {k for n, y, k in made if (n, y) == (name, x)} for name, x, _ in made}
    assert all(len(found) == 1 for found in keys.values()), "a call that is made again has the same key"
    results = Counter(e.id for e in events if isinstance(e, StepFinished))
    assert set(results.values()) == {1}, "every step has one result"


def name_of(event: ApprovalRequested | ApprovalDecided | InDoubt) -> str:
    """Returns a call as a person names it."""
    return event.id if event.item is None else f"{event.id}[{event.item}]"


def lines(path: Path) -> list[str]:
    """Returns the lines of a file; none when it is not there."""
    return path.read_text().splitlines() if path.exists() else []
