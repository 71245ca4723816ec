"""A trace read back from its file: by id, while the run goes on, after it was killed, and when it is damaged."""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from agentkit.errors import UsageError
from agentkit.events import Event, PieceDelta, TurnStarted
from agentkit.journal import SqliteJournal
from agentkit.paths import runs_folder
from agentkit.trace import Trace
from agentkit.trace.runs import summarize

Write = Callable[..., Path]
Show = Callable[..., str]
ID = "20261124-060000-ab12"


def test_what_was_written_is_read_back(events: list[Event], write_run: Write) -> None:
    trace = Trace.load(write_run(events))
    assert list(trace.events) == events
    assert (trace.run_id, trace.stop_reason, trace.output) == (ID, "answer", "January: 250 EUR.")
    assert [(s.id, s.state, s.attempts) for s in trace.steps] == [("s1", "failed", 1), ("s2", "ok", 2)]
    assert [t.stop for t in trace.turns] == ["calls", "answer"]
    assert (trace.usage.turns, trace.usage.tokens, trace.seconds) == (2, 1054, 3.1)
    assert trace.missing == []


def test_the_object_for_programs_has_answer_cost_and_steps(events: list[Event]) -> None:
    found = Trace(events).to_json()
    assert list(found) == ["run_id", "output", "stop_reason", "usage", "steps"]
    assert found["steps"][0] == {
        "id": "s1",
        "tool": "load_csv",
        "args": {"path": "expense.csv"},
        "result": None,
        "error": "there is no file 'expense.csv'",
    }
    assert found["steps"][1]["error"] is None
    assert len(found["steps"][1]["result"]) == 20
    assert json.loads(json.dumps(found)) == found


@pytest.mark.parametrize("name", [ID, "20261124-06", f"runs/{ID}.sqlite", Path(f"runs/{ID}.sqlite")])
def test_a_run_is_found_by_id_beginning_and_path(
    name: str | Path, events: list[Event], write_run: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_run(events)
    write_run(events, "20261125-060000-cd34")
    monkeypatch.chdir(runs_folder().parent)
    assert Trace.load(name).run_id == ID


def test_the_latest_run_is_the_one_last_written(events: list[Event], write_run: Write) -> None:
    write_run(events[:1], "b")
    write_run(events, "a")
    assert len(Trace.load().events) == len(events)


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("20261124-060000-ab13", f"did you mean '{ID}'?"),
        ("2026", "fits 2 runs"),
        ("", "there is no run ''"),
        ("nosuch", "'agentkit runs' lists the runs"),
    ],
)
def test_a_run_that_is_not_there_is_a_usage_error(name: str, part: str, events: list[Event], write_run: Write) -> None:
    write_run(events)
    write_run(events, "20261125-060000-cd34")
    with pytest.raises(UsageError, match=part.replace("?", r"\?")):
        Trace.load(name)


def test_a_run_can_be_read_while_it_is_written(events: list[Event]) -> None:
    journal = SqliteJournal(runs_folder() / f"{ID}.sqlite")
    try:
        for count, event in enumerate(events, 1):
            journal.append(event)
            journal.flush().result(10)
            trace = Trace.load()
            assert list(trace.events) == events[:count]
            assert bool(trace.missing) == (count < len(events))
    finally:
        journal.close()


def test_a_killed_run_says_what_is_missing(events: list[Event], write_run: Write) -> None:
    trace = Trace.load(write_run(events[:9]))
    assert trace.stop_reason is None
    assert trace.missing == [
        "step s2 (load_csv) was called, its result is not recorded",
        "no end is recorded: the run still goes on, or it was stopped from outside",
    ]
    assert trace.usage.turns == 1, "the sum of the turns that are there"


def test_a_turn_that_goes_on_has_what_was_decoded_so_far() -> None:
    deltas = [PieceDelta(turn=1, piece="thought", text=t) for t in ("Let me ", "see.")]
    call = PieceDelta(turn=1, piece="call", text="load_csv(")
    trace = Trace([TurnStarted(turn=1, prompt_tokens=5, context=10, messages=[]), *deltas, call])
    assert trace.turns[0].pieces == [{"thought": "Let me see."}, {"unfinished_call": "load_csv("}]
    assert trace.missing[1] == "turn 1 is not finished"


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ("no JSON", "event 6 can't be read: JSONDecodeError"),
        ("[]", "event 6 can't be read"),
        ('{"kind": "from_the_future", "at": 1.0}', "event 6 can't be read: KeyError: 'from_the_future'"),
        ('{"kind": "step_started", "at": 1.0}', "event 6 can't be read: ValueError"),
    ],
)
def test_an_event_that_can_not_be_read_is_left_out_and_said(
    data: str, problem: str, events: list[Event], write_run: Write, shown: Show
) -> None:
    path = write_run(events)
    with sqlite3.connect(path) as db:
        db.execute("UPDATE events SET data = ? WHERE seq = 6", (data,))
    db.close()
    trace = Trace.load(path)
    assert list(trace.events) == events[:5] + events[6:]
    assert any(p.startswith(problem) for p in trace.problems)
    assert f"missing: {problem}" in shown(trace, 200)


@pytest.mark.parametrize("content", [b"", b"no database", b"SQLite format 3\0" + bytes(500)])
def test_a_file_that_is_no_run_file_is_a_usage_error(content: bytes, home: Path) -> None:
    path = home / "x.sqlite"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    with pytest.raises(UsageError, match="can't be read as a run file"):
        Trace.load(path)
    assert summarize(path).state == "unreadable"


def test_damaged_files_are_shown_or_refused(events: list[Event], write_run: Write, shown: Show) -> None:
    """Cut off, overwritten, and with flipped bits: never an exception that nobody expects."""
    chance = random.Random(11)
    many = events + [e for e in events[5:11] for _ in range(5)]
    path = write_run(many)
    whole = path.read_bytes()
    outcomes = {"whole": 0, "part": 0, "refused": 0}
    for _ in range(120):
        data = bytearray(whole)
        match chance.randrange(3):
            case 0:
                del data[chance.randrange(len(data)) :]
            case 1:
                at = chance.randrange(len(data))
                data[at : at + 512] = chance.randbytes(512)
            case _:
                for _ in range(20):
                    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        path.write_bytes(data)
        try:
            trace = Trace.load(path)
        except UsageError:
            outcomes["refused"] += 1
            assert summarize(path).state == "unreadable"
            continue
        outcomes["part" if trace.problems else "whole"] += 1
        assert shown(trace)
        assert summarize(path).id == ID
    assert min(outcomes.values()) > 3, outcomes
