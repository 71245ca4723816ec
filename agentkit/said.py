"""What the user said: whether a value stands in the user's words, as it is or as dates and times are told.

A date stands there as it is, or by its month's name: ``2025-01-11`` in "January 11th 2025". A time stands there as
``18:00`` or "6 pm". An end follows from a start and a duration that both stand there: ``13:00`` from "at 12:00 for one
hour". All else has to stand there word by word.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime, timedelta
from functools import lru_cache

from agentkit.messages import JsonValue, is_array, is_object

__all__ = ["stands_in"]

_NUMBER = re.compile(r"(?<![\w.,])(?<!\w[-./:])-?\d+(?:[ ,']\d{3})*(?:\.\d+)?(?![\w]|[-./:]\w)")
_JOINED = r"[-./:@_+&=%#~?$*\\]"
"""Between letters or digits, these make one word of two: ``13`` does not stand in ``2024-05-13``."""

_LONG = 5
"""Digits that a number must have to be the name of something, such as an account."""

_MOMENT = re.compile(r"(?:([1-9]\d{3}-\d\d-\d\d))?(?:(?:^|[T ])(\d\d:\d\d)(?::00(?:\.0+)?)?)?")
"""A date, a time, or both, as tools take them; with seconds or a time zone it is more than people say."""
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    r"(jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_DAY = r"(\d{1,2})(?:st|nd|rd|th)?"
_MONTH_DAY = re.compile(rf"\b{_MONTH}\.?\s+{_DAY}(?![\w:])")
_DAY_MONTH = re.compile(rf"\b{_DAY}(?:\s+of)?\s+{_MONTH}(?!\w)")
_CLOCK = re.compile(r"(?<![\w.,:-])(\d{1,2})(?::(\d\d))?(?:\s?([ap])\.?m\b)?(?![\w:])")
_COUNTS = {
    "half an": 0.5,
    "an": 1,
    "a": 1,
    "one": 1,
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
}
_UNITS = {"minute": 1, "min": 1, "hour": 60, "hr": 60, "day": 1440, "night": 1440, "week": 10080}
_DURATION = re.compile(rf"(?<![\w.,:-])({'|'.join(_COUNTS)}|\d{{1,3}}(?:\.5)?)[\s-]({'|'.join(_UNITS)})s?(?!\w)")


def stands_in(value: JsonValue, said: str) -> bool:
    """Returns whether the user said all that a value holds: each number, each date, and each word of each text.

    A text of a few digits is an id rather than a word: that ``13`` stands in "June 13" says nothing of file 13.
    """
    if is_object(value):
        return all(stands_in(part, said) for item in value.items() for part in item)
    if is_array(value):
        return all(stands_in(part, said) for part in value)
    if isinstance(value, bool) or value is None:
        return False
    if isinstance(value, int | float):
        return value in _numbers(said)
    text = _folded(str(value))
    if text.isdecimal() and len(text) < _LONG:
        return False
    return all(_has_word(word, said) for word in text.split()) or _tells(text.strip(), said)


def _has_word(word: str, said: str) -> bool:
    return re.search(rf"(?<!\w)(?<!\w{_JOINED}){re.escape(word)}(?!\w)(?!{_JOINED}\w)", _folded(said)) is not None


def _tells(text: str, said: str) -> bool:
    """Returns whether a text is a date or a time that the user told, also by a start and a duration."""
    found = _MOMENT.fullmatch(text.upper())
    if not text or found is None:
        return False
    try:
        moment = datetime.fromisoformat(f"{found[1] or '2000-01-02'} {found[2] or '00:00'}")
    except ValueError:  # there is no such day
        return False
    parts = [kind for kind, part in (("day", found[1]), ("time", found[2])) if part]
    if _told(moment, parts, said):
        return True
    return any(
        _told(moment - timedelta(minutes=minutes), parts, said)
        for minutes in _durations(said)
        if "time" in parts or minutes % 1440 == 0
    )


def _told(moment: datetime, parts: list[str], said: str) -> bool:
    day = (moment.month, moment.day)
    is_day = _has_word(f"{moment:%Y-%m-%d}", said) or (day in _days(said) and _has_word(f"{moment:%Y}", said))
    return ("day" not in parts or is_day) and ("time" not in parts or (moment.hour, moment.minute) in _times(said))


@lru_cache(maxsize=64)
def _folded(text: str) -> str:
    """Returns a text in lower case; not by `str.casefold`, which makes one host name of two (``ß`` and ``ss``)."""
    return unicodedata.normalize("NFC", text).lower()


@lru_cache(maxsize=64)
def _numbers(said: str) -> set[float]:
    return {float(re.sub(r"[ ,']", "", found)) for found in _NUMBER.findall(said)}


@lru_cache(maxsize=64)
def _days(said: str) -> set[tuple[int, int]]:
    """Returns the days that are told by name, as month and day."""
    text = _folded(said)
    pairs = [*_MONTH_DAY.findall(text), *((month, day) for day, month in _DAY_MONTH.findall(text))]
    return {(_MONTHS.index(month[:3]) + 1, int(day)) for month, day in pairs}


@lru_cache(maxsize=64)
def _times(said: str) -> set[tuple[int, int]]:
    """Returns the times of day that are told, as hour and minute."""
    found: set[tuple[int, int]] = set()
    for hour, minute, half in _CLOCK.findall(_folded(said)):
        if half and 1 <= int(hour) <= 12:
            found.add((int(hour) % 12 + 12 * (half == "p"), int(minute or 0)))
        elif minute and not half:
            found.add((int(hour), int(minute)))
    return found


@lru_cache(maxsize=64)
def _durations(said: str) -> set[float]:
    """Returns the lengths of time that are told, in minutes."""
    return {float(_COUNTS.get(n, 0) or n) * _UNITS[unit] for n, unit in _DURATION.findall(_folded(said))}
