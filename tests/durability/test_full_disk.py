"""A disk that is full ends a run cleanly, and the run goes on when there is room."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from pathlib import Path

import pytest

from agentkit import Result
from agentkit.cli.main import execute
from agentkit.errors import JournalError
from agentkit.events import Event
from agentkit.journal import SqliteJournal, read_events
from agentkit.paths import runs_folder
from tests.durability import scenarios
from tests.durability.checks import assumed, check_world
from tests.durability.scenarios import EFFECTS, SCENARIOS
from tests.durability.zygotes import Zygote

NAMES = [name for name in SCENARIOS if name != "unattended"]  # whose person comes by later, to the same disk


class SmallDisk(SqliteJournal):
    """A journal that can have only so many pages."""

    pages = 0

    def _connect(self) -> sqlite3.Connection:
        db = super()._connect()
        db.execute(f"PRAGMA max_page_count={self.pages}")
        return db


def only_run() -> Path | None:
    files = list(runs_folder().glob("*.sqlite"))
    assert len(files) <= 1
    return files[0] if files else None


def kept(path: Path | None) -> list[Event]:
    if path is None:
        return []
    db = sqlite3.connect(path)
    assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()
    events, problems = read_events(path)
    assert not problems
    return events


def act(name: str) -> Result | None:
    """Runs a scenario; ``None`` when there was no room for a beginning, so that there is no run."""
    try:
        return SCENARIOS[name]().run_sync("Act")
    except JournalError as error:
        assert "full" in str(error)
        assert only_run() is None
        return None


@pytest.mark.parametrize("pages", range(1, 1 + 50, 1 if "AGENTKIT_TORTURE" in os.environ else 5))
def test_a_run_on_a_full_disk_says_so_and_goes_on_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pages: int
) -> None:
    name = NAMES[pages % len(NAMES)]
    monkeypatch.setattr(scenarios, "world", tmp_path / "world.txt")
    monkeypatch.setattr(scenarios, "people", tmp_path / "people.txt")
    with monkeypatch.context() as patch:
        patch.setattr("agentkit.agent.SqliteJournal", SmallDisk)
        patch.setattr(SmallDisk, "pages", pages)
        result = act(name)
    if result is None or result.ok:
        return
    assert result.stop_reason == "journal_error"
    assert "can't write the run file" in result.message
    assert "full" in result.message
    assert result.events[-1].kind == "run_finished"
    path = only_run()
    assert path is not None
    known = kept(path)
    assert to_the_end(name, path).ok
    assert kept(path)[: len(known)] == known
    check_world(scenarios.world, EFFECTS[name], kept(path))


def to_the_end(name: str, path: Path) -> Result:
    """Goes on, as a person does who looks which payments were made."""
    result = asyncio.run(SCENARIOS[name]().resume(path))
    if result.stop_reason != "in_doubt":
        return result
    return asyncio.run(SCENARIOS[name]().resume(path, **assumed(result.events, scenarios.world)))


@pytest.mark.parametrize("kilobytes", range(5, 55, 5 if "AGENTKIT_TORTURE" in os.environ else 20))
def test_a_file_that_may_not_grow_any_more_says_so_and_the_run_goes_on_later(
    zygote: Zygote, tmp_path: Path, home: Path, kilobytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scenarios, "world", tmp_path / "world.txt")
    job = {"scenario": "loop", "world": str(scenarios.world), "home": str(home), "run": ""}
    answer = zygote.live(**job, largest_file=kilobytes * 1000)
    assert not answer["killed"]
    path = only_run()
    if path is None:  # there was no room for a beginning
        assert "JournalError: can't create the run file" in answer["said"]
        return
    assert answer["said"] == "journal_error"
    known = kept(path)
    assert to_the_end("loop", path).ok
    assert kept(path)[: len(known)] == known
    check_world(scenarios.world, EFFECTS["loop"], kept(path))


def test_the_command_line_says_it_in_one_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = tmp_path / "plan.yaml"
    steps = [f"  - {{id: s{i}, tool: calculate, args: {{expression: '{i} + 1'}}}}\n" for i in range(40)]
    plan.write_text("task: Add.\ntools: [agentkit.tools.arithmetic]\nplanner:\n" + "".join(steps))
    monkeypatch.setattr("agentkit.agent.SqliteJournal", SmallDisk)
    monkeypatch.setattr(SmallDisk, "pages", 8)
    assert execute(["run", str(plan)]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("can't write the run file") == 1
    assert "Traceback" not in said.err
