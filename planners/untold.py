"""What a task does not tell: numbers, dates and times that a plan would have to make up.

A small model that plans a trip whose notes it has not read yet makes up the distance. But where a tool requires a
number, the task has none and no result is one, the number can only stand in a text that a step gives: the plan has to
wait until that was read.
"""

from __future__ import annotations

import re

from agentkit.messages import JsonObject
from agentkit.planners.offers import Offer
from agentkit.planners.retrieval import words

__all__ = ["is_to_be_read", "is_untold"]

_MARKER = re.compile(r"^\s*(?:\d+|[a-z])[.)]\s", re.MULTILINE | re.IGNORECASE)
"""What numbers the items of a list."""
_NUMBER = re.compile(
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|twenty|thirty|forty|fifty|sixty|"
    r"seventy|eighty|ninety|hundred|thousand|million|dozen|half|quarter|third|twice|double|triple|zero|once)\b",
    re.IGNORECASE,
)
_DAY = re.compile(
    r"\d|\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mon|tues?|wed|thu|fri|sat|sun|today|tonight|tomorrow|"
    r"yesterday|now|current|next|last|this|week|month|year|christmas|easter|new year)\w*",
    re.IGNORECASE,
)
_TIME = re.compile(
    r"\d{1,2}[:.]\d{2}|\d ?[ap]\.?m\b|\bat \d|"
    r"\b(?:o'clock|noon|midnight|morning|afternoon|evening|night|now|hour|minute)",
    re.IGNORECASE,
)
_BY_FORMAT = {"date": _DAY, "date-time": _DAY, "time": _TIME}
_BY_NAME = {words(name)[0]: told for name, told in (("date", _DAY), ("day", _DAY), ("time", _TIME))}
"""For formats of text, and for the last words of names of parameters: what in a task may tell what they want."""
_TEXTS = {"body", "content", "html", "markdown", "page", "text"}
_CLOSED = {"enum", "const", "format", "pattern", "anyOf"}


def is_untold(task: str, name: str, schema: JsonObject) -> bool:
    """Returns whether a parameter wants a number, a date or a time of day, and a task tells none.

    A text that tells any number counts as telling the one that is wanted.

    Args:
        task: What is asked.
        name: The parameter.
        schema: Its JSON Schema.
    """
    if {"enum", "const", "default", "anyOf"} & schema.keys():
        return False
    told = _MARKER.sub("", task)
    if schema.get("type") in ("number", "integer"):
        return _NUMBER.search(told) is None
    telling = _BY_FORMAT.get(schema.get("format", "")) or _BY_NAME.get("".join(words(name)[-1:]))
    return schema.get("type") == "string" and telling is not None and telling.search(told) is None


def is_to_be_read(offer: Offer) -> bool:
    """Returns whether a part of a result is a text that may tell anything: a file, a page; not a field of a record."""
    key = offer.ref.path[-1] if offer.ref.path else "text"
    schema = {} if offer.schema is None else offer.schema
    return key in _TEXTS and schema.get("type", "string") == "string" and not _CLOSED & schema.keys()
