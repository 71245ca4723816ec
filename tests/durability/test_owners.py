"""A run has one owner, and many processes may run at once in one home."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from agentkit.errors import JournalError
from agentkit.events import RunResumed, StepFinished, Warned
from agentkit.journal import SqliteJournal, read_events
from tests.durability.checks import check_world
from tests.durability.scenarios import EFFECTS
from tests.durability.zygotes import Zygote

MANY = "AGENTKIT_TORTURE" in os.environ


@contextmanager
def zygotes(count: int) -> Generator[list[Zygote]]:
    made = [Zygote() for _ in range(count)]
    try:
        yield made
    finally:
        for zygote in made:
            zygote.close()


def test_of_two_processes_that_go_on_with_a_run_at_once_one_does(tmp_path: Path) -> None:
    with zygotes(2) as pair, ThreadPoolExecutor(2) as threads:
        for number in range(50 if MANY else 3):
            folder = tmp_path / str(number)
            folder.mkdir()
            job = {"scenario": "wide", "world": str(folder / "world.txt"), "home": str(folder / "home")}
            assert pair[0].live(**job, run="", kill="run-started")["killed"]
            (path,) = (folder / "home" / "runs").glob("*.sqlite")
            at = time.time() + 0.05
            lives = [threads.submit(z.live, **job, run=path.stem, begin=at) for z in pair]
            said = sorted(life.result()["said"] for life in lives)
            won = [s for s in said if s == "answer"]
            assert len(won) == 1, said
            (lost,) = [s for s in said if s != "answer"]
            assert "RunOwned" in lost or "has its answer" in lost
            events, problems = read_events(path)
            assert not problems
            assert sum(isinstance(e, RunResumed) for e in events) == 1
            check_world(folder / "world.txt", EFFECTS["wide"], events)


@pytest.mark.timeout(600)
def test_processes_that_run_at_once_in_one_home_lose_nothing(tmp_path: Path) -> None:
    processes, runs = (8, 50) if MANY else (3, 4)
    home = tmp_path / "home"

    def live(zygote: Zygote, number: int) -> list[dict[str, Any]]:
        job = {"scenario": "loop", "world": str(tmp_path / f"world{number}.txt"), "home": str(home), "run": ""}
        return [zygote.live(**job) for _ in range(runs)]

    with zygotes(processes) as made, ThreadPoolExecutor(processes) as threads:
        said = [answer["said"] for answers in threads.map(live, made, range(processes)) for answer in answers]
    assert said == ["answer"] * (processes * runs), "no lock was in the way"
    files = list((home / "runs").glob("*.sqlite"))
    assert len(files) == processes * runs, "no run is lost"
    for path in files:
        events, problems = read_events(path)
        assert not problems
        assert sum(isinstance(e, StepFinished) for e in events) == 5
    assert not list((home / "runs").glob("*-wal")), "nothing is left beside the files"
    assert not list((home / "runs").glob("*.lock"))


@pytest.mark.parametrize("version", [1, 3])
def test_a_run_of_another_version_is_shown_as_far_as_it_goes_and_not_gone_on_with(
    zygote: Zygote, tmp_path: Path, version: int
) -> None:
    job = {"scenario": "loop", "world": str(tmp_path / "world.txt"), "home": str(tmp_path / "home")}
    assert zygote.live(**job, run="", kill="after-turn:2")["killed"]
    (path,) = (tmp_path / "home" / "runs").glob("*.sqlite")
    before, _ = read_events(path)
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version={version}")
    db.close()
    with pytest.raises(JournalError, match=f"its format is {version}, and this version of agentkit writes 2"):
        SqliteJournal(path, resume=True)
    assert f"its format is {version}" in zygote.live(**job, run=path.stem)["said"]
    events, problems = read_events(path)
    assert events == before
    assert problems == (["the file's format is 3, this version of agentkit knows 2"] if version == 3 else [])


def test_a_database_of_someone_else_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE mine (x)")
    db.close()
    before = path.read_bytes()
    with pytest.raises(JournalError, match="its format is 0"):
        SqliteJournal(path, resume=True)
    assert path.read_bytes() == before


def test_reading_a_run_that_is_over_leaves_nothing_beside_it(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "run.sqlite")
    journal.append(Warned(about="x", message="y"))
    journal.close()
    assert len(read_events(journal.path)[0]) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["run.sqlite"]


def test_who_reads_never_writes_to_the_file(zygote: Zygote, tmp_path: Path) -> None:
    job = {"scenario": "loop", "world": str(tmp_path / "world.txt"), "home": str(tmp_path / "home")}
    assert zygote.live(**job, run="", kill="after-turn:2")["killed"]
    (path,) = (tmp_path / "home" / "runs").glob("*.sqlite")
    files = [path, Path(f"{path}-wal")]
    before = [file.read_bytes() for file in files]
    assert before[1], "the events are in the log beside the file"
    assert len(read_events(path)[0]) > 3
    assert [file.read_bytes() for file in files] == before, "a reader does not move the log into the file"
