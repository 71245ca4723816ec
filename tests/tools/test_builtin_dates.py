"""The date tools read dates as people write them, refuse what could be two, and count by the calendar."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentkit.errors import Retry
from agentkit.tools.dates import add_to_date, current_time, date_difference, date_info, format_date, to_date


@pytest.mark.parametrize(
    "text",
    [
        "2024-03-05",
        " 2024-3-5 ",
        "2024/03/05",
        "2024.03.05",
        "20240305",
        "2024-03-05T10:00:00Z",
        "2024-03-05 10:00",
        "05.03.2024",
        "5 March 2024",
        "5 Mar 2024",
        "5th Mar. 2024",
        "05-Mar-2024",
        "March 5, 2024",
        "Mar 5 2024",
        "Tue, 5 March 2024",
        "Tuesday 5 March 2024, 08:30",
    ],
)
def test_a_date_is_read_as_people_write_it(text: str) -> None:
    assert to_date(text) == date(2024, 3, 5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("05/03/2024", "could be day/month or month/day"),
        ("5-3-2024", "could be day/month or month/day"),
        ("2024-02-30", "2024-02 has 29 days"),
        ("31.04.2024", "2024-04 has 30 days"),
        ("2024-13-01", "no month 13"),
        ("5 Ju 2024", "not a date"),
        ("5 Mai 2024", "not a month"),
        ("tomorrow", "write it as 2027-03-29"),
        ("March 2024", "not a date"),
        ("", "not a date"),
        ("0000-01-01", "not a date"),
    ],
)
def test_what_is_no_date_or_could_be_two_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        to_date(text)
    with pytest.raises(Retry, match=message):
        date_info(text)


def test_who_knows_the_order_can_say_it() -> None:
    assert to_date("05/03/2024", day_first=True) == date(2024, 3, 5)
    assert to_date("05/03/2024", day_first=False) == date(2024, 5, 3)
    assert to_date("31/12/2024") == to_date("12/31/2024") == date(2024, 12, 31)


@given(
    st.dates(min_value=date(1000, 1, 1)), st.sampled_from(["%Y-%m-%d", "%d.%m.%Y", "%d %B %Y", "%B %d, %Y", "%d-%b-%Y"])
)
def test_a_written_date_is_read_back(day: date, form: str) -> None:
    assert to_date(format_date(day.isoformat(), form)) == day


@pytest.mark.parametrize(
    ("start", "step", "end"),
    [
        ("2027-03-29", {"days": 20}, "2027-04-18"),
        ("2027-03-29", {"weeks": -1}, "2027-03-22"),
        ("2024-01-31", {"months": 1}, "2024-02-29"),
        ("2024-02-29", {"years": 1}, "2025-02-28"),
        ("2024-03-31", {"months": -1}, "2024-02-29"),
        ("2024-12-15", {"months": 13, "days": 20}, "2026-02-04"),
        ("29 March 2027", {}, "2027-03-29"),
    ],
)
def test_adding_follows_the_calendar(start: str, step: dict[str, int], end: str) -> None:
    result = add_to_date(start, **step)
    assert result["date"] == end
    assert result["weekday"] == f"{date.fromisoformat(end):%A}"


def test_a_month_that_is_too_short_is_told() -> None:
    assert add_to_date("2024-01-31", months=1).get("note") == "2024-02 has 29 days, so its last day was taken"


@pytest.mark.parametrize("step", [{"years": 99999}, {"days": 10**12}, {"years": -3000}, {"months": 10**15}])
def test_a_date_out_of_range_is_refused(step: dict[str, int]) -> None:
    with pytest.raises(Retry, match="years 1 to 9999"):
        add_to_date("2024-01-31", **step)


@pytest.mark.parametrize(
    ("start", "end", "days", "weeks", "words"),
    [
        ("2027-04-18", "2027-04-24", 6, (0, 6), "6 days"),
        ("2027-03-29", "2027-05-20", 52, (7, 3), "1 month, 21 days"),
        ("2024-01-31", "2024-03-01", 30, (4, 2), "1 month, 1 day"),
        ("2020-02-29", "2024-02-29", 1461, (208, 5), "4 years"),
        ("2024-02-29", "2024-02-29", 0, (0, 0), "0 days"),
        ("2024-03-10", "2024-03-01", -9, (-1, -2), "9 days before the start"),
    ],
)
def test_a_difference_is_counted_in_days_weeks_and_words(
    start: str, end: str, days: int, weeks: tuple[int, int], words: str
) -> None:
    result = date_difference(start, end)
    assert (result["days"], (result["weeks"], result["days_after_weeks"]), result["in_words"]) == (days, weeks, words)


@given(st.dates(), st.integers(-5000, 5000))
def test_adding_undoes_a_difference(day: date, days: int) -> None:
    try:
        end = day + timedelta(days=days)
    except OverflowError:
        return
    assert date_difference(day.isoformat(), add_to_date(day.isoformat(), days=days)["date"])["days"] == (end - day).days


def test_a_date_has_a_weekday_a_week_and_a_month() -> None:
    assert date_info("31 Dec 2024") == {
        "date": "2024-12-31",
        "weekday": "Tuesday",
        "day_of_year": 366,
        "week": 1,
        "days_in_month": 31,
    }


@pytest.mark.parametrize("form", ["long", "", "%" * 200, "x" * 101])
def test_a_format_that_is_none_is_refused(form: str) -> None:
    with pytest.raises(Retry, match="not a date format"):
        format_date("2024-12-31", form)


def test_a_date_is_written_as_asked() -> None:
    assert format_date("2024-12-31") == "31 December 2024"
    assert format_date("2024-12-31", "%A %d/%m/%y") == "Tuesday 31/12/24"


def test_the_time_is_told_in_a_time_zone() -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    told = current_time("Asia/Tokyo")
    assert told["timezone"] == "Asia/Tokyo"
    moment = datetime.fromisoformat(f"{told['date']}T{told['time']}+09:00")
    assert before <= moment <= datetime.now(UTC)


@pytest.mark.parametrize(
    ("name", "message"),
    [("Berlin", "did you mean 'Europe/Berlin'"), ("Mars", "give one such as"), ("", "give one"), ("../x", "give one")],
)
def test_an_unknown_time_zone_is_answered_with_near_ones(name: str, message: str) -> None:
    with pytest.raises(Retry, match=message):
        current_time(name)
