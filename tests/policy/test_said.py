"""Whether a value stands in the user's words: words, numbers, dates, times."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentkit.said import stands_in


@given(st.text(min_size=1, max_size=40), st.text(max_size=40), st.text(max_size=40))
def test_what_stands_between_blanks_stands_in_the_users_words(value: str, before: str, after: str) -> None:
    is_id = value.strip().casefold().isdecimal() and len(value.strip()) < 5
    assert stands_in(value, f"{before} {value} {after}") != is_id


@given(st.integers(-(10**6), 10**6), st.integers(-(10**6), 10**6))
def test_a_number_stands_where_it_is_written(number: int, other: int) -> None:
    assert stands_in(number, f"send {number} to bob")
    assert stands_in(number, f"send {other} to bob") == (number == other)


@pytest.mark.parametrize(
    ("value", "said", "expected"),
    [
        (98.7, "98.70 please", True),
        (30000, "transfer 30,000 in total", True),
        (30000, "transfer 30 000 in total", True),
        (5, "on 2024-05-05", False),
        (12, "at 12:30", False),
        (7, "file7 and 7th", False),
        ("2024-05-19 12:00", "at 12:00 on 2024-05-19", True),
        ("Bob", "write to BOB.", True),
        ("bob", "bob@example.com", False),
        ("www.x.com", "www.x.com/alice", False),
        ("www.x.com", "see www.x.com.", True),
        ("news@x.com", "to bob+news@x.com", False),
        ("strasse.de", "straße.de", False),
        ("andre", "Andre\u0301", False),
        ("André", "Andre\u0301", True),
        (["a@b.c", "d@e.f"], "a@b.c and d@e.f", True),
        (["a@b.c", "x@e.f"], "a@b.c and d@e.f", False),
        ({"to": "bob"}, "to bob", True),
        ({"cc": "bob"}, "to bob", False),
        (True, "true", False),
        (None, "null", False),
        ("", "", True),
        ("12345", "account 12345", True),
        ("1234", "account 1234", False),
    ],
)
def test_the_users_words_are_whole_words(value: Any, said: str, expected: bool) -> None:
    assert stands_in(value, said) is expected


@pytest.mark.parametrize(
    ("value", "said", "expected"),
    [
        ("2025-01-11", "from January 11th to January 15th 2025", True),
        ("2025-01-12", "from January 11th to January 15th 2025", False),
        ("2024-01-11", "from January 11th to January 15th 2025", False),
        ("2024-01-11", "on January 11th", False),
        ("2024-09-03", "Sept. 3, 2024", True),
        ("2024-09-03", "the 3rd of September 2024", True),
        ("2024-09-30", "3 September 2024", False),
        ("2024-02-31", "February 31, 2024", False),
        ("2024-05-20T09:30:00", "on 20 May 2024 at 9:30", True),
        ("2024-05-20T09:30:17", "on 20 May 2024 at 9:30", False),
        ("2024-05-20T09:30:00+02:00", "on 20 May 2024 at 9:30", False),
        ("2024-05-20 21:30", "on 20 May 2024 at 9:30", False),
        ("18:00", "at 6 pm", True),
        ("00:15", "at 12:15 AM", True),
        ("06:00", "at 6 pm", False),
        ("06:00", "6 eggs", False),
        ("2024-05-19 13:00", "at 12:00 on 2024-05-19 for one hour", True),
        ("2024-05-19 13:30", "at 12:00 on 2024-05-19 for one hour", False),
        ("2024-05-20 00:30", "at 23:00 on 2024-05-19, 90 minutes", True),
        ("13:00", "a 1 hour long event at 12:00", True),
        ("13:00", "at 12:00", False),
        ("2024-05-22", "2 nights from 2024-05-20", True),
        ("2024-05-23", "2 nights from 2024-05-20", False),
        ("2024-05-20 01:00", "an hour on 2024-05-20", False),
        ("1000-01-01", "a week", False),
        ("0001-01-01", "a week", False),
    ],
)
def test_dates_and_times_may_be_told_in_other_words(value: str, said: str, expected: bool) -> None:
    assert stands_in(value, said) is expected


MOMENTS = st.datetimes(min_value=datetime(1000, 1, 1))


@given(MOMENTS, MOMENTS)
def test_a_moment_stands_in_words_that_name_it_and_no_other(moment: datetime, other: datetime) -> None:
    value = f"{moment:%Y-%m-%d %H:%M}"
    said = f"On {other:%B} {other.day}, {other.year} at {other.hour}:{other:%M}."
    assert stands_in(value, said) is (value == f"{other:%Y-%m-%d %H:%M}")
    assert stands_in(value, f"On {moment:%B} {moment.day}, {moment.year} at {moment.hour}:{moment:%M}.")
