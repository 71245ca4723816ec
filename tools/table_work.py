"""What the table tools do with cells: compare, order, group, add up, and count what does not fit.

The functions that are made here raise ``ValueError`` for a cell that does not fit; the tools skip its row
and say so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Literal, NotRequired, TypeAlias, TypedDict

from agentkit.errors import Retry
from agentkit.tools.cells import Cell, cell_date, column_type, days_first, is_blank, number_to_json, to_number
from agentkit.tools.table_data import Table

__all__ = [
    "Aggregate",
    "Comparison",
    "Skipped",
    "SkippedRows",
    "aggregate",
    "cell_test",
    "filled_number",
    "group_text",
    "month_key",
    "sort_key",
]

Comparison: TypeAlias = Literal["=", "!=", "<", "<=", ">", ">=", "contains"]
Aggregate: TypeAlias = Literal["sum", "mean", "min", "max", "count"]


class Skipped(TypedDict):
    """Rows that could not be used, and why."""

    why: str
    rows: int
    example: NotRequired[str]


class SkippedRows:
    """Counts rows that can't be used, by reason."""

    def __init__(self) -> None:
        self._count = Counter[str]()
        self._example: dict[str, str] = {}

    def add(self, column: str, cell: Cell, error: ValueError) -> None:
        """Counts a row; the error's first argument says why."""
        reason = "is blank" if is_blank(cell) else _reason(str(error))
        self._count[why := f"{column} {reason}"] += 1
        if not is_blank(cell):
            self._example.setdefault(why, str(cell)[:40])

    def to_json(self) -> list[Skipped]:
        """Returns the reasons, most rows first."""
        result: list[Skipped] = []
        for why, rows in self._count.most_common():
            item = Skipped(why=why, rows=rows)
            if why in self._example:
                item["example"] = self._example[why]
            result.append(item)
        return result


def _reason(message: str) -> str:
    if "could be" in message:
        return "could be day/month or month/day"
    return "is not a number" if "number" in message else "is not a date"


def filled_number(cell: Cell) -> Decimal:
    """Returns the number in a cell.

    Raises:
        ValueError: It is blank, or no number.
    """
    if is_blank(cell):
        raise ValueError("it is blank")
    return to_number(cell)


def group_text(cell: Cell) -> str:
    """Returns what rows with this cell are grouped under: blank cells are a group of their own."""
    return "(blank)" if is_blank(cell) else str(cell).strip()


def month_key(table: Table, column: str) -> Callable[[Cell], str]:
    """Returns what gives the month of a cell, as ``2024-03``; it raises ValueError for cells that are no date."""
    day_first = days_first(table.cells(column))
    return lambda cell: f"{cell_date(cell, day_first):%Y-%m}"


def sort_key(table: Table, column: str) -> Callable[[Cell], Any]:
    """Returns what a column is sorted and compared by; it raises ValueError for cells that do not fit."""
    cells = table.cells(column)
    kind = column_type(cells)
    if kind == "number":
        return filled_number
    if kind == "date":
        day_first = days_first(cells)
        return lambda cell: cell_date(cell, day_first)
    return lambda cell: "" if cell is None else str(cell).strip().casefold()


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def cell_test(table: Table, column: str, op: Comparison, value: str | float) -> Callable[[Cell], bool]:
    """Returns the test that a filter makes; it raises ValueError for cells that can't be compared."""
    text = str(value).strip()
    if not text and op in ("=", "!="):
        return lambda cell: is_blank(cell) == (op == "=")
    if op == "contains":
        return lambda cell: text.casefold() in str("" if cell is None else cell).casefold()
    key = sort_key(table, column)
    try:
        wanted = key(text)
    except ValueError as error:
        raise Retry(f"column {column!r} can't be compared with {value!r}: {error}") from None
    return lambda cell: _COMPARE[op](key(cell), wanted)


def _mean(numbers: list[Decimal]) -> Decimal:
    return sum(numbers, Decimal(0)) / len(numbers)


def _count(numbers: list[Decimal]) -> Decimal:
    return Decimal(len(numbers))


def _sum(numbers: list[Decimal]) -> Decimal:
    return sum(numbers, Decimal(0))


_AGGREGATES: dict[str, Callable[[list[Decimal]], Decimal]] = {
    "sum": _sum,
    "mean": _mean,
    "min": min,
    "max": max,
    "count": _count,
}


def aggregate(function: Aggregate, numbers: list[Decimal]) -> int | float:
    """Returns one number for several, worked out exactly and rounded to 10 places."""
    return number_to_json(_AGGREGATES[function](numbers))
