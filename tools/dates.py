"""Built-in tools for dates: now, adding, differences, weekdays, reading and writing.

Dates go in and out as ISO 8601 (``2027-03-29``); other common ways to write them are read too. What could
be two dates (``05/03/2024``) is refused, not guessed.
"""

from __future__ import annotations

import calendar
import re
from datetime import date, datetime, timedelta, tzinfo
from typing import NotRequired, TypedDict
from zoneinfo import ZoneInfo, available_timezones

from agentkit.errors import Retry
from agentkit.tools.decorator import tool

__all__ = ["add_to_date", "current_time", "date_difference", "date_info", "format_date", "to_date"]

_MONTHS = {name.casefold(): number for number, name in enumerate(calendar.month_name) if name}
_WEEKDAYS = tuple(calendar.day_name)

_YEAR_FIRST = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})")
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})")
_YEAR_LAST = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4})")
_DAY_NAME = re.compile(r"(\d{1,2})(?:st|nd|rd|th)?[-\s.]+([a-z]{3,9})\.?[-\s,]+(\d{4})")
_NAME_DAY = re.compile(r"([a-z]{3,9})\.?\s+(\d{1,2})(?:st|nd|rd|th)?[\s,]+(\d{4})")
_BEFORE = re.compile(r"^(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*[,.\s]+")
_AFTER = re.compile(r"[t,\s]+\d{1,2}:\d{2}.*$")  # a time of day


class Moment(TypedDict):
    """A date and a time of day in a time zone."""

    date: str
    time: str
    weekday: str
    timezone: str


class Day(TypedDict):
    """A date and its weekday."""

    date: str
    weekday: str
    note: NotRequired[str]


class DayInfo(TypedDict):
    """What a calendar says of a date."""

    date: str
    weekday: str
    day_of_year: int
    week: int
    days_in_month: int


class Difference(TypedDict):
    """The time between two dates; negative days when the end is before the start."""

    days: int
    weeks: int
    days_after_weeks: int
    in_words: str


def to_date(text: str, *, day_first: bool | None = None) -> date:
    """Returns the date that a text writes; a time of day after it is left out.

    >>> to_date("Mon, 29 March 2027 08:00").isoformat()
    '2027-03-29'

    Args:
        text: ISO 8601, ``29 March 2027``, ``Mar 29, 2027``, ``2027/3/29``, ``29.03.2027``, and the like.
        day_first: Whether ``05/03/2024`` is in March; ``None`` refuses what could be both.

    Raises:
        ValueError: The text is no date, or could be two.
    """
    short = _BEFORE.sub("", _AFTER.sub("", text.strip().casefold())).strip()
    if match := _YEAR_FIRST.fullmatch(short) or _COMPACT.fullmatch(short):
        return _date(text, *(int(g) for g in match.groups()))
    if match := _DAY_NAME.fullmatch(short):
        return _date(text, int(match[3]), _month(match[2]), int(match[1]))
    if match := _NAME_DAY.fullmatch(short):
        return _date(text, int(match[3]), _month(match[1]), int(match[2]))
    if match := _YEAR_LAST.fullmatch(short):
        return _year_last(text, int(match[1]), match[2], int(match[3]), int(match[4]), day_first)
    raise ValueError(f"{text!r} is not a date; write it as 2027-03-29")


def _year_last(text: str, first: int, separator: str, second: int, year: int, day_first: bool | None) -> date:
    # With dots the day comes first wherever they are used; with slashes it depends on the country.
    if day_first is None and separator != "." and first != second and first <= 12 and second <= 12:
        raise ValueError(f"{text!r} could be day/month or month/day; write it as 2027-03-29")
    if second > 12 or (day_first is False and first <= 12):
        return _date(text, year, first, second)
    return _date(text, year, second, first)


def _month(name: str) -> int:
    found = {n for month, n in _MONTHS.items() if month.startswith(name) or (name == "sept" and n == 9)}
    if len(found) != 1:
        raise ValueError(f"{name!r} is not a month; write the date as 2027-03-29")
    return found.pop()


def _date(text: str, year: int, month: int, day: int) -> date:
    try:
        return date(year, month, day)
    except ValueError:
        if 1 <= month <= 12 and year >= 1:
            days = calendar.monthrange(year, month)[1]
            raise ValueError(f"{text!r} does not exist: month {year}-{month:02} has {days} days") from None
        raise ValueError(f"{text!r} is not a date: there is no month {month} of {year}") from None


def _read(text: str) -> date:
    try:
        return to_date(text)
    except ValueError as error:
        raise Retry(str(error)) from None


def _weekday(day: date) -> str:
    return _WEEKDAYS[day.weekday()]


@tool(effect="idempotent", reuse=False)
def current_time(timezone: str = "UTC") -> Moment:
    """Tell today's date, the weekday and the time.

    Args:
        timezone: Such as "Europe/Berlin".

    Returns:
        The date as ISO 8601, the time, and the weekday.

    Raises:
        agentkit.errors.Retry: There is no such time zone; names near ones.
    """
    now = datetime.now(_zone(timezone))
    return Moment(date=now.date().isoformat(), time=f"{now:%H:%M:%S}", weekday=_weekday(now.date()), timezone=timezone)


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        city = name.rsplit("/", 1)[-1].strip().replace(" ", "_").casefold()
        near = sorted(z for z in available_timezones() if len(city) > 2 and city in z.casefold())[:5]
        there = f"did you mean {', '.join(map(repr, near))}?" if near else "give one such as 'Europe/Berlin' or 'UTC'"
        raise Retry(f"there is no time zone {name!r}; {there}") from None


@tool(effect="pure")
def add_to_date(date: str, days: int = 0, weeks: int = 0, months: int = 0, years: int = 0) -> Day:
    """Add days, weeks, months or years to a date; negative numbers go back.

    Args:
        date: The date, as YYYY-MM-DD.
        days: Days to add.
        weeks: Weeks to add.
        months: Months to add.
        years: Years to add.

    Returns:
        The new date and its weekday.

    Raises:
        agentkit.errors.Retry: It is not a date, or the result is not in the years 1 to 9999.
    """
    start = _read(date)
    note = ""
    try:
        year, month = divmod(start.year * 12 + start.month - 1 + years * 12 + months, 12)
        last = calendar.monthrange(year, month + 1)[1]
        moved = start.replace(year=year, month=month + 1, day=min(start.day, last))
        if moved.day != start.day:
            note = f"{year}-{month + 1:02} has {last} days, so its last day was taken"
        end = moved + timedelta(days=days, weeks=weeks)
    except (ValueError, OverflowError, calendar.IllegalMonthError):
        raise Retry("the result is not in the years 1 to 9999; give smaller numbers") from None
    result = Day(date=end.isoformat(), weekday=_weekday(end))
    if note:
        result["note"] = note
    return result


@tool(effect="pure")
def date_difference(start: str, end: str) -> Difference:
    """Count the days from one date to another.

    Args:
        start: The first date, as YYYY-MM-DD.
        end: The second date, as YYYY-MM-DD.

    Returns:
        Days, whole weeks with the days left over, and months and days in words.

    Raises:
        agentkit.errors.Retry: One is not a date.
    """
    first, last = _read(start), _read(end)
    days = (last - first).days
    weeks, rest = divmod(abs(days), 7)
    sign = -1 if days < 0 else 1
    words = _in_words(min(first, last), max(first, last)) + (" before the start" if days < 0 else "")
    return Difference(days=days, weeks=sign * weeks, days_after_weeks=sign * rest, in_words=words)


def _in_words(first: date, last: date) -> str:
    months = (last.year - first.year) * 12 + last.month - first.month - (last.day < first.day)
    year, month = divmod(first.year * 12 + first.month - 1 + months, 12)
    day = min(first.day, calendar.monthrange(year, month + 1)[1])
    days = (last - date(year, month + 1, day)).days
    counts = {"year": months // 12, "month": months % 12, "day": days}
    return ", ".join(f"{n} {unit}{'s' * (n != 1)}" for unit, n in counts.items() if n) or "0 days"


@tool(effect="pure")
def date_info(date: str) -> DayInfo:
    """Tell the weekday of a date, its week, and how many days its month has.

    Args:
        date: The date, as YYYY-MM-DD or in words.

    Returns:
        The date as ISO 8601, the weekday, the day of the year, the ISO week, the length of the month.

    Raises:
        agentkit.errors.Retry: It is not a date.
    """
    day = _read(date)
    return DayInfo(
        date=day.isoformat(),
        weekday=_weekday(day),
        day_of_year=day.timetuple().tm_yday,
        week=day.isocalendar().week,
        days_in_month=calendar.monthrange(day.year, day.month)[1],
    )


@tool(effect="pure")
def format_date(date: str, format: str = "%d %B %Y") -> str:
    """Write a date in another format.

    Args:
        date: The date, as YYYY-MM-DD.
        format: As in strftime: "%A, %d %B %Y" gives Monday, 29 March 2027.

    Returns:
        The date as text.

    Raises:
        agentkit.errors.Retry: It is not a date, or the format can't be used.
    """
    day = _read(date)
    if len(format) > 100 or "%" not in format:
        raise Retry(f"{format!r} is not a date format; give one such as '%d %B %Y'")
    try:
        return day.strftime(format)
    except ValueError as error:
        raise Retry(f"{format!r} is not a date format ({error}); give one such as '%d %B %Y'") from None
