"""A run's file as the viewer reads it: bit by bit, without large values, whatever has become of it."""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agentkit import Agent, ScriptedModel
from agentkit.errors import JournalError, UsageError
from agentkit.events import Event, StepFinished, TurnFinished
from agentkit.journal import SqliteJournal
from agentkit.paths import runs_folder
from agentkit.trace.details import TABS, details
from agentkit.trace.outline import Outline
from agentkit.trace.query import Query
from agentkit.trace.source import RunFile, follow
from agentkit.trace.spans import StepSpan
from agentkit.trace.tree import RunTree
from tests.trace.demo import DEMOS, demo_run, write_run


def test_each_event_is_read_once(tmp_path: Path) -> None:
    events, path = demo_run(), tmp_path / "run.sqlite"
    journal = SqliteJournal(path)
    source = RunFile(path)
    read: list[Event] = []
    for start in range(0, len(events), 20):
        for event in events[start : start + 20]:
            journal.append(event)
        journal.flush().result()
        read += source.read()
        assert source.read() == []
    assert source.going
    journal.close()
    assert not source.going
    assert read == events


def test_events_after_one_that_can_not_be_read_are_not_read_twice(tmp_path: Path) -> None:
    path = write_run(demo_run(), tmp_path / "run.sqlite")
    with sqlite3.connect(path) as db:
        db.execute("UPDATE events SET data = '[]' WHERE seq = 3")
    db.close()
    source = RunFile(path)
    assert len(source.read()) == len(demo_run()) - 1
    journal = SqliteJournal(path, resume=True)
    journal.append(demo_run()[-1])
    journal.close()
    assert source.read() == [demo_run()[-1]]
    assert len(source.problems) == 1


def test_large_values_stay_in_the_file_until_they_are_asked_for(tmp_path: Path) -> None:
    value = {"text": "x" * 3_000_000, "needle": 'say "hi" to the Needle'}
    long_turn = TurnFinished(
        at=19.0,
        turn=5,
        pieces=[{"text": "y" * 20_000}],
        stop="answer",
        usage={},
        tokens=list(range(9_000)),
        notes=["n" * 20_000],
        prompt="p" * 20_000,
    )
    path = write_run(
        [StepFinished(id="s", tool="f", ok=True, value=value, seconds=1.0), long_turn], tmp_path / "run.sqlite"
    )
    source = RunFile(path)
    events = source.read()
    assert source.problems == []
    view = Outline(RunTree(events))
    view.stored = source.find
    span = view.tree.nodes["step:s"].source
    assert isinstance(span, StepSpan)
    assert len(str(span.value)) < 200
    assert source.value(span.value) == value
    assert events[1] == long_turn
    view.query = Query.parse('"say \\"hi\\" to the needle"')
    assert [n.key for n in view.matches] == ["step:s"]


def test_a_value_that_is_gone_is_said_to_be(tmp_path: Path) -> None:
    path = write_run(demo_run(), tmp_path / "run.sqlite")
    assert "missing" in str(RunFile(path).value({"$blob": "0" * 64, "size": 99}))


def test_following_ends_with_the_run(tmp_path: Path) -> None:
    events, path = demo_run(), tmp_path / "run.sqlite"
    journal = SqliteJournal(path)
    journal.append(events[0])
    journal.flush().result()
    left = [events[1:30], events[30:], None]

    def wait(seconds: float) -> None:
        more = left.pop(0)
        for event in more or ():
            journal.append(event)
        journal.flush().result() if more else journal.close()

    assert list(follow(path, wait=wait)) == events


def test_following_a_run_that_nobody_goes_on_with_ends_at_once(tmp_path: Path) -> None:
    path = write_run(demo_run()[:9], tmp_path / "run.sqlite")
    (tmp_path / "run.lock").write_text("4194304999")
    assert len(list(follow(path, wait=_never))) == 9


def _never(seconds: float) -> None:
    raise AssertionError("it waited")


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.sqlite").write_text("no database, but long enough to be looked at as one" * 40)
    with pytest.raises(JournalError, match="can't be read as a run file"):
        RunFile(tmp_path / "x.sqlite").read()
    with pytest.raises(UsageError, match="there is no run file"):
        list(follow(tmp_path / "y.sqlite", wait=_never))


def test_a_real_run_has_the_same_rows_read_from_its_file_and_from_its_events() -> None:
    result = asyncio.run(Agent(ScriptedModel(["Done."])).run("Do it."))
    events = RunFile(runs_folder() / f"{result.run_id}.sqlite").read()
    assert events == list(result.events)


def test_files_in_which_anything_may_have_happened_are_shown_or_refused(tmp_path: Path) -> None:
    """5,000 files: events lost, repeated, out of order, with fields of other types, or cut off anywhere."""
    rng = random.Random(20261128)
    runs = [make() for make in DEMOS.values()]
    for _ in range(5_000):
        events = _mangled(rng.choice(runs), rng)
        view = Outline(RunTree(events))
        nodes = list(view.tree.root.walk())
        assert len(nodes) == len(view.tree.nodes)
        for node in rng.sample(nodes, min(3, len(nodes))):
            view.show(node)
            assert view.rows[view.place] is node
            assert view.facts(node).label
            assert details(node, rng.choice(TABS), view)
        view.root_cause()
        view.is_critical(nodes[-1])


def _mangled(events: list[Event], rng: random.Random) -> list[Event]:
    found = [e for e in events if rng.random() > 0.15]
    for _ in range(rng.randint(0, 6)):
        if not found:
            break
        place = rng.randrange(len(found))
        event = found[place]
        match rng.randrange(5):
            case 0:
                found.insert(rng.randrange(len(found)), event)
            case 1:
                found[place] = replace(event, at=rng.choice([-1.0, 0.0, 1e9, event.at * rng.random()]))
            case 2:
                names = [n for n in ("id", "tool", "value", "args", "turn", "index") if hasattr(event, n)]
                if names:
                    found[place] = _with(event, rng.choice(names), rng)
            case 3:
                rng.shuffle(found)
            case _:
                del found[place:]
    return found


def _with(event: Event, name: str, rng: random.Random) -> Event:
    other: dict[str, Any] = {name: _other(getattr(event, name), rng)}
    return replace(event, **other)


def _other(value: object, rng: random.Random) -> Any:
    if isinstance(value, str):
        return rng.choice(["", "item", "w1", "\x1b[31m", "$w1", "ü" * 300])
    if isinstance(value, bool | int):
        return rng.choice([0, -1, 7, 10**9])
    if isinstance(value, dict):
        return rng.choice([{}, {"a": "$"}, {"a": "${x"}, {"$blob": "0", "size": 5}, {"rows": ["$nothing.x"]}])
    others: list[Any] = [None, [], "text", [{"$blob": "0", "size": 5}], {"a": [[[]]]}]
    return rng.choice(others)


def test_bytes_of_a_file_may_be_anything(tmp_path: Path) -> None:
    rng = random.Random(7)
    whole = write_run(demo_run(), tmp_path / "whole.sqlite").read_bytes()
    for number in range(60):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 40)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        path = tmp_path / f"{number}.sqlite"
        path.write_bytes(data[: rng.choice([len(data), rng.randrange(len(data))])])
        try:
            view = Outline(RunTree(RunFile(path).read()))
        except JournalError:
            continue
        finally:
            os.unlink(path)
        assert all(view.facts(n).label for n in view.rows)
