"""A machine that loses power loses nothing that was acknowledged, or with less durability the end and nothing else."""

from __future__ import annotations

import os
import random
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest

from agentkit.errors import JournalError
from agentkit.events import Event, StepFinished
from agentkit.journal import read_events, sqlite
from tests.journal.power import Disk, Operation, PowerLossJournal

CUTS = 200 if "AGENTKIT_TORTURE" in os.environ else 40


def record(folder: Path, durability: Any) -> tuple[Disk, list[Event]]:
    """Writes a run, acknowledged event by event and in groups, long enough for the log to be put into the file."""
    disk = PowerLossJournal.disk = Disk()
    journal = PowerLossJournal(folder / "run.sqlite", durability=durability)
    dice, events = random.Random(1), list[Event]()
    disk.acknowledged(0)
    while len(events) < 150:
        for _ in range(dice.randint(1, 4)):
            value = "x" * dice.choice((10, 1_000, 60_000))
            events.append(
                StepFinished(id=f"s{len(events)}", tool="t", ok=True, value=value + str(len(events)), seconds=0)
            )
            journal.append(events[-1])
        journal.flush().result(timeout=60)
        disk.acknowledged(len(events))
    journal.close()
    return disk, events


@pytest.mark.parametrize("durability", ["full", "normal"])
def test_a_loss_of_power_at_any_instant(tmp_path: Path, durability: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def sync_folder(folder: Path) -> None:
        PowerLossJournal.disk.log.append(Operation("sync folder"))

    monkeypatch.setattr(sqlite, "_sync_folder", sync_folder)
    disk, events = record(tmp_path, durability)
    assert any(op.kind == "sync" and op.file == "run.sqlite" for op in disk.log[len(disk.log) // 4 :])
    dice, lost = random.Random(2), 0
    first = next(i for i, op in enumerate(disk.log) if op.kind == "acknowledged")
    for number in range(CUTS):
        folder = tmp_path / str(number)
        folder.mkdir()
        at = dice.randint(first + 1, len(disk.log) - 1)
        acknowledged = disk.cut(at, folder, dice)
        found = _found(folder / "run.sqlite")
        assert found == events[: len(found)], "what is there is a beginning"
        lost += max(0, acknowledged - len(found))
        if durability == "full":
            assert len(found) >= acknowledged
    sys.stderr.write(f"{durability}: {CUTS} cuts in {len(disk.log)} operations, {lost} acknowledged events lost\n")
    assert (lost > 0) == (durability == "normal"), "the disk of this test does lose what was not synced"


def _found(path: Path) -> list[Event]:
    db = sqlite3.connect(path)
    assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()
    try:
        events, problems = read_events(path)
    except JournalError as error:
        assert "no such table" in str(error)
        return []
    assert not problems
    return events
