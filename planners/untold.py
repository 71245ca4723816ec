"""What a task does not tell: numbers and dates that a plan would have to make up.

A small model that plans a trip whose notes it has not read yet makes up the distance. But where a tool requires a
number, the task has none and no result is one, the number can only stand in a text that a step gives: the plan has to
wait until that was read.
"""

from __future__ import annotations

import re
from typing import Any

from agentkit.messages import is_object
from agentkit.planners.offers import Offer

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
_TEXTS = {"body", "content", "html", "markdown", "page", "text"}
_CLOSED = {"enum", "const", "format", "pattern", "anyOf"}
_DAYS = {"date", "date-time"}
_NUMBERS = {"number", "integer"}


def is_untold(task: str, schema: Any) -> bool:
    """Returns whether a parameter wants a number or a date, and a task tells none.

    A text that tells any number counts as telling the one that is wanted.

    Args:
        task: What is asked.
        schema: JSON Schema of the parameter.
    """
    if not is_object(schema) or {"enum", "const", "default", "anyOf"} & schema.keys():
        return False
    told = _MARKER.sub("", task)
    if schema.get("type") in _NUMBERS:
        return _NUMBER.search(told) is None
    return schema.get("type") == "string" and schema.get("format") in _DAYS and _DAY.search(told) is None


def is_to_be_read(offer: Offer) -> bool:
    """Returns whether a part of a result is a text that may tell anything: a file, a page; not a field of a record."""
    key = offer.ref.path[-1] if offer.ref.path else "text"
    schema = {} if offer.schema is None else offer.schema
    return key in _TEXTS and schema.get("type", "string") == "string" and not _CLOSED & schema.keys()
