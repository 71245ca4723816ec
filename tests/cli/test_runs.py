"""`agentkit runs`: what state each run is in, and how old ones are removed."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agentkit.events import (
    ApprovalDecided,
    Event,
    RunFinished,
    RunPaused,
    RunResumed,
    RunStarted,
    StepFinished,
    TurnFinished,
)
from agentkit.journal import SqliteJournal
from agentkit.paths import runs_folder
from agentkit.trace.runs import run_files
from tests.cli.conftest import Cli

USAGE = {"prompt_tokens": 70, "output_tokens": 30, "turns": 1}
DONE = RunFinished(stop_reason="answer", output="x", usage=USAGE, at=4.0)
ASKS = RunPaused(stop_reason="approval", steps=["s1"], usage=USAGE, message="", at=3.0)


def leave(run_id: str, *events: Event, days: float = 0, task: str = "Count.") -> SqliteJournal:
    """Writes a run that began some days ago; its owner still holds it."""
    journal = SqliteJournal(runs_folder() / f"{run_id}.sqlite")
    started = (datetime.now(UTC) - timedelta(days=days)).isoformat()
    model = {"name": "starter"}
    start = RunStarted(run_id=run_id, task=task, started=started, model=model, planner="loop", tools=[], limits={})
    for event in (start, *events):
        journal.append(event)
    return journal


def listed(cli: Cli) -> dict[str, str]:
    return {r["id"]: r["state"] for r in cli("runs", "--json").json}


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_a_run_says_whether_it_goes_on_waits_or_has_ended(cli: Cli) -> None:
    decided = ApprovalDecided(id="s1", decision="allow", by="agentkit approve")
    going_on = RunResumed(number=1, started="")
    leave("a", DONE).close()
    leave("b", ASKS).close()
    leave("c", ASKS, decided).close()
    leave("d").close()
    leave("f", ASKS, going_on).close()
    owner = leave("e")
    owner.flush().result()
    states = {"a": "answer", "b": "approval", "c": "approval", "d": "interrupted", "e": "running", "f": "interrupted"}
    assert listed(cli) == states
    owner.close()
    assert listed(cli)["e"] == "interrupted"


def test_the_lock_of_a_process_that_died_is_no_owner(cli: Cli) -> None:
    leave("a").close()
    lock = runs_folder() / "a.lock"
    for text in ("999999999", str(os.getpid()), "", "x", "9" * 40):
        lock.write_text(text)
        assert listed(cli) == {"a": "interrupted"}


def test_a_line_has_age_and_cost(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    result = StepFinished(id="s1", tool="t", ok=True, value="x", seconds=1.0, at=2.0)
    turn = TurnFinished(turn=1, pieces=[], stop="calls", usage=USAGE, tokens=[], notes=[], at=1.0)
    leave("a", turn, result, DONE, days=3.1).close()
    leave("b", turn, result, task="long " * 10_000).close()
    rows = {r["id"]: r for r in cli("runs", "--json").json}
    assert [(r["steps"], r["tokens"], r["seconds"]) for r in (rows["a"], rows["b"])] == [(1, 100, 4.0), (1, 100, 2.0)]
    assert rows["b"]["task"] == "long " * 10_000
    line = next(line for line in cli("runs").out.splitlines() if line.startswith("a "))
    assert line.split()[:8] == ["a", "answer", "3", "d", "1", "100", "4.0", "starter"]


def test_old_runs_are_removed_with_all_that_belongs_to_them(cli: Cli) -> None:
    leave("old", DONE, days=40).close()
    leave("new", DONE, days=1).close()
    for ending in ("-wal", "-shm"):
        (runs_folder() / f"old.sqlite{ending}").write_bytes(b"")
    (runs_folder() / "old.lock").write_text("999999999")
    would = cli("runs", "prune", "--days", "30", "--dry-run")
    assert (would.code, would.out) == (0, "old  answer\n")
    assert "1 run would be removed, 0.0 MB" in would.err
    assert len(names(runs_folder())) == 5
    done = cli("runs", "prune", "--days", "30")
    assert (done.code, done.out) == (0, "old  answer\n")
    assert "1 run removed, 0.0 MB" in done.err
    assert names(runs_folder()) == ["new.sqlite"]


def test_the_latest_are_kept(cli: Cli) -> None:
    for i in range(4):
        leave(f"run{i}", DONE, days=3.5 - i).close()
        os.utime(runs_folder() / f"run{i}.sqlite", (i + 1, i + 1))
    assert cli("runs", "prune", "--keep", "2", "--days", "3", "--dry-run").out == "run0  answer\n"
    cli("runs", "prune", "--keep", "2")
    assert [p.stem for p in run_files()] == ["run3", "run2"]


def test_what_may_still_go_on_is_kept_unless_asked_for_and_what_goes_on_always(cli: Cli) -> None:
    leave("waits", ASKS).close()
    leave("killed").close()
    owner = leave("owned")
    owner.flush().result()
    assert cli("runs", "prune", "--keep", "0").out == ""
    assert sorted(cli("runs", "prune", "--keep", "0", "--unfinished").out.split()) == [
        "approval",
        "interrupted",
        "killed",
        "waits",
    ]
    assert [p.stem for p in run_files()] == ["owned"]
    owner.close()


def test_looking_leaves_nothing_behind(cli: Cli) -> None:
    leave("a", DONE).close()
    listed(cli)
    cli("trace", "a", "--print")
    assert names(runs_folder()) == ["a.sqlite"]


def test_prune_wants_to_know_which_runs(cli: Cli) -> None:
    done = cli("runs", "prune")
    assert (done.code, done.out) == (2, "")
    assert "--days N" in done.err
