"""A run's file holds its events in order, whatever happens to it."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentkit.errors import JournalError
from agentkit.event_json import EVENT_TYPES, event_from_json, event_to_json
from agentkit.events import Event, StepFinished, Warned
from agentkit.journal import SqliteJournal, read_events


def warned(n: int) -> Warned:
    return Warned(about="test", message=str(n), at=float(n))


def test_events_come_back_in_the_order_they_were_appended(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "run.sqlite")
    for n in range(500):
        journal.append(warned(n))
    journal.close()
    assert read_events(journal.path) == ([warned(n) for n in range(500)], [])


def test_what_was_flushed_can_be_read_while_the_journal_is_open(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "run.sqlite")
    journal.append(warned(1))
    journal.flush().result(timeout=10)
    assert read_events(journal.path)[0] == [warned(1)]
    journal.close()


def test_a_file_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "run.sqlite"
    path.write_text("mine")
    with pytest.raises(JournalError, match="can't create the run file"):
        SqliteJournal(path)
    assert path.read_text() == "mine"


def test_a_full_disk_is_told_and_does_not_stop_the_appending_side(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "run.sqlite")
    journal.append(warned(1))
    journal.flush().result(timeout=10)
    lock = sqlite3.connect(journal.path, isolation_level=None, timeout=0.1)
    lock.execute("DROP TABLE events")
    lock.close()
    journal.append(warned(2))
    with pytest.raises(JournalError, match="can't write the run file"):
        journal.flush().result(timeout=10)
    with pytest.raises(JournalError):
        journal.close()


def test_closing_twice_is_allowed_and_leaves_no_thread(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "run.sqlite")
    journal.close()
    journal.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("journal")]


def test_a_damaged_row_and_an_unknown_kind_are_left_out_and_told(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "run.sqlite")
    journal.append(warned(1))
    journal.close()
    with sqlite3.connect(journal.path) as db:
        db.execute("INSERT INTO events (kind, at, data) VALUES ('x', 0, '{')")
        db.execute("INSERT INTO events (kind, at, data) VALUES ('y', 0, '{\"kind\": \"from_the_future\"}')")
    db.close()
    events, problems = read_events(journal.path)
    assert events == [warned(1)]
    assert len(problems) == 2
    assert "from_the_future" in problems[1]


@pytest.mark.parametrize(
    "content", [b"", b"not a database at all, but long enough to look", b"SQLite format 3\0" + b"x" * 200]
)
def test_what_is_not_a_run_file_gives_one_message(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "run.sqlite"
    path.write_bytes(content)
    with pytest.raises(JournalError, match="can't be read as a run file"):
        read_events(path)


def test_a_missing_file_says_how_to_list_runs(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="agentkit runs"):
        read_events(tmp_path / "none.sqlite")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(value=json_values, ok=st.booleans())
def test_an_event_survives_json(value: object, ok: bool) -> None:
    event = StepFinished(id="s1", tool="t", ok=ok, value=value, seconds=0.5)  # type: ignore[arg-type]
    assert event_from_json(event_to_json(event)) == event


def test_every_kind_of_event_has_a_name_of_its_own() -> None:
    kinds = {t.kind for t in Event.__subclasses__()}
    assert sorted(kinds) == sorted(EVENT_TYPES)
