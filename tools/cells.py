"""What the cells of a table hold: numbers and dates in the ways that people write them.

Nothing is guessed: a text that is no number, or could be two dates, is refused, and the tables count it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Literal, TypeAlias

from agentkit.tools.dates import to_date

__all__ = [
    "Cell",
    "ColumnType",
    "cell_date",
    "column_type",
    "is_blank",
    "is_date",
    "days_first",
    "number_to_json",
    "to_number",
]

Cell: TypeAlias = "str | int | float | bool | None"
ColumnType: TypeAlias = Literal["number", "date", "text", "blank"]

_PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,2})?", re.IGNORECASE)
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?")
_POINT_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(\.\d{3})+,\d*")
_COMMA_DECIMAL = re.compile(r"[+-]?(\d+,(\d{1,2}|\d{4,})|0,\d+)")
_NO_MEANING = re.compile(r"[\s'_’€$£¥]")
_MOSTLY = 0.6  # the share of cells that makes a column one of numbers or of dates


def is_blank(cell: Cell) -> bool:
    """Says whether a cell holds nothing."""
    return cell is None or (isinstance(cell, str) and not cell.strip())


def to_number(cell: Cell) -> Decimal:
    """Returns the number in a cell.

    Reads ``1234.5``, ``1,234.50``, ``1.234,50``, ``1 234,50``, ``€12``, ``(12.50)`` as -12.50. A single
    comma before three digits separates thousands: ``1,234`` is 1234.

    Raises:
        ValueError: It is no number.
    """
    if isinstance(cell, bool) or cell is None:
        raise ValueError(f"{cell!r} is not a number")
    if isinstance(cell, int | float):
        return Decimal(repr(cell))  # the digits that were written, not the binary fraction
    text = _NO_MEANING.sub("", cell).replace("−", "-")
    if text.startswith("(") and text.endswith(")"):
        text = f"-{text[1:-1]}"
    if _PLAIN.fullmatch(text):
        return Decimal(text)
    if _THOUSANDS.fullmatch(text):
        return Decimal(text.replace(",", ""))
    if _POINT_THOUSANDS.fullmatch(text):
        return Decimal(text.replace(".", "").replace(",", "."))
    if _COMMA_DECIMAL.fullmatch(text):
        return Decimal(text.replace(",", "."))
    raise ValueError(f"{cell!r} is not a number")


def number_to_json(number: Decimal) -> int | float:
    """Returns a number as JSON has it: whole ones without a point."""
    return int(number) if number == number.to_integral_value() else float(round(number, 10))


def days_first(cells: Iterable[Cell]) -> bool | None:
    """Says whether a column writes the day before the month, as ``31/12/2024`` shows.

    ``None`` when no cell shows it, or cells show both.
    """
    seen: set[bool] = set()
    for cell in cells:
        if isinstance(cell, str) and (match := re.match(r"\s*(\d{1,2})[-/](\d{1,2})[-/]\d{4}", cell)):
            first, second = int(match[1]), int(match[2])
            if (first > 12) != (second > 12):
                seen.add(first > 12)
    return seen.pop() if len(seen) == 1 else None


def cell_date(cell: Cell, day_first: bool | None) -> date:
    """Returns the date in a cell.

    Args:
        cell: The cell.
        day_first: What `days_first` says of the column.

    Raises:
        ValueError: It is no date, or could be two.
    """
    if not isinstance(cell, str):
        raise ValueError(f"{cell!r} is not a date")
    return to_date(cell, day_first=day_first)


def column_type(cells: list[Cell]) -> ColumnType:
    """Returns what most cells of a column hold."""
    filled = [c for c in cells if not is_blank(c)]
    if not filled:
        return "blank"
    day_first = days_first(filled)
    if sum(_is_number(c) for c in filled) >= _MOSTLY * len(filled):
        return "number"
    if sum(is_date(c, day_first) for c in filled) >= _MOSTLY * len(filled):
        return "date"
    return "text"


def _is_number(cell: Cell) -> bool:
    try:
        to_number(cell)
    except ValueError:
        return False
    return True


def is_date(cell: Cell, day_first: bool | None) -> bool:
    """Says whether a cell holds a date."""
    try:
        cell_date(cell, day_first)
    except ValueError:
        return False
    return True
