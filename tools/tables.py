"""Built-in tools for tables: load a CSV or JSON file, filter, sort, group, show rows.

A table stays in the run's state under a short name; the model passes names and never rows. Each result
names the table that it made, so that the next call can use it.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any, NotRequired, TypedDict

from agentkit.errors import Retry
from agentkit.messages import JsonValue
from agentkit.tools.cells import Cell, column_type, is_blank, to_number
from agentkit.tools.context import ToolContext
from agentkit.tools.decorator import tool
from agentkit.tools.table_data import Row, Table, read_table, row_to_json
from agentkit.tools.table_work import (
    Aggregate,
    Comparison,
    Skipped,
    SkippedRows,
    aggregate,
    cell_test,
    filled_number,
    group_text,
    month_key,
    sort_key,
)
from agentkit.tools.workspace import read_text

__all__ = ["filter_table", "group_table", "load_table", "sort_table", "table_rows"]

_FIRST = 3
_ROWS = 50


class Column(TypedDict):
    """A column: its name, what most cells hold, how many hold nothing or something else."""

    name: str
    type: str
    blank: NotRequired[int]


class LoadedTable(TypedDict):
    """A table that was loaded."""

    table: str
    rows: int
    columns: list[Column]
    first_rows: list[dict[str, Any]]
    notes: NotRequired[list[str]]


class NewTable(TypedDict):
    """A table that was made from another."""

    table: str
    rows: int
    first_rows: list[dict[str, Any]]
    skipped: NotRequired[list[Skipped]]


class GroupedTable(TypedDict):
    """A table with one row per group; `largest` is the group with the largest value."""

    table: str
    groups: list[dict[str, Any]]
    left_out: NotRequired[int]
    largest: NotRequired[dict[str, Any]]
    skipped: NotRequired[list[Skipped]]


class TableRows(TypedDict):
    """Some rows of a table."""

    rows: list[dict[str, Any]]
    left_out: NotRequired[int]


@tool(effect="idempotent", source="file")
def load_table(path: str, context: ToolContext) -> LoadedTable:
    """Load a CSV, JSON or JSONL file as a table.

    Args:
        path: Such as "sales.csv", which becomes the table "sales".
        context: The run.

    Returns:
        The table's name for other calls, its columns, and its first rows.

    Raises:
        agentkit.errors.Retry: There is no such file, or it holds no table.
        agentkit.errors.ToolFailed: It is too large or not text.
    """
    text, note = read_text(context.workspace, path)
    table = read_table(PurePosixPath(path.strip()).stem, path, text)
    _tables(context)[table.name] = _Stored(columns=table.columns, rows=table.rows)
    columns: list[Column] = []
    for name in table.columns:
        cells = table.cells(name)
        column = Column(name=name, type=column_type(cells))
        if blank := sum(map(is_blank, cells)):
            column["blank"] = blank
        columns.append(column)
    result = LoadedTable(table=table.name, rows=len(table.rows), columns=columns, first_rows=_first_rows(table))
    if notes := table.notes + [note] * bool(note):
        result["notes"] = notes
    return result


@tool(effect="idempotent")
def filter_table(table: str, column: str, op: Comparison, value: str | float, context: ToolContext) -> NewTable:
    """Keep the rows of a table whose cell fits; numbers and dates are compared as such.

    Args:
        table: Name of a loaded table, such as "sales".
        column: Such as "country".
        op: How to compare the cell with the value.
        value: Such as "DE", 100 or "2024-03-01"; "" is a blank cell.
        context: The run.

    Returns:
        The name of the new table, its size, and its first rows.

    Raises:
        agentkit.errors.Retry: There is no such table or column, or the value does not fit the column.
    """
    source = _table(context, table)
    name = source.column(column)
    test, skipped = cell_test(source, name, op, value), SkippedRows()
    kept: list[Row] = []
    for row in source.rows:
        try:
            if test(row[name]):
                kept.append(row)
        except ValueError as error:
            skipped.add(name, row[name], error)
    return _new_table(context, f"{source.name}_filtered", source.columns, kept, skipped)


@tool(effect="idempotent")
def sort_table(table: str, column: str, context: ToolContext, descending: bool = True, top: int = 0) -> NewTable:
    """Sort a table by a column, the largest first, and keep the top rows.

    Args:
        table: Name of a loaded table, such as "sales".
        column: Such as "amount".
        context: The run.
        descending: False puts the smallest first.
        top: How many rows to keep; 0 keeps all.

    Returns:
        The name of the new table, its size, and its first rows.

    Raises:
        agentkit.errors.Retry: There is no such table or column.
    """
    source = _table(context, table)
    name = source.column(column)
    key, skipped = sort_key(source, name), SkippedRows()
    keyed: list[tuple[Any, Row]] = []
    for row in source.rows:
        try:
            keyed.append((key(row[name]), row))
        except ValueError as error:
            skipped.add(name, row[name], error)
    keyed.sort(key=lambda pair: pair[0], reverse=descending)
    rows = [row for _, row in keyed][: top if top > 0 else None]
    return _new_table(context, f"{source.name}_sorted", source.columns, rows, skipped)


@tool(effect="idempotent")
def group_table(
    table: str,
    function: Aggregate,
    context: ToolContext,
    value: str = "",
    by: tuple[str, ...] = (),
    month_of: str = "",
) -> GroupedTable:
    """Group the rows of a table and work out one number per group.

    Args:
        table: Name of a loaded table, such as "sales".
        function: What to work out; "count" needs no value.
        context: The run.
        value: Column with the numbers, such as "amount".
        by: Columns to group by, such as ["country"]; none for one number over all rows.
        month_of: Date column to group by month, such as "date".

    Returns:
        The groups in order, the largest one, and how many rows were skipped and why.

    Raises:
        agentkit.errors.Retry: There is no such table or column, or the value is missing.
    """
    source = _table(context, table)
    if function != "count" and not value:
        raise Retry(f"value is missing; give the column with the numbers to {function}: {_names(source)}")
    number_column = source.column(value) if value and function != "count" else ""
    parts: list[tuple[str, Callable[[Cell], str]]] = [(source.column(c), group_text) for c in by]
    if month_of:
        date_column = source.column(month_of)
        parts.append((date_column, month_key(source, date_column)))
    groups: dict[tuple[str, ...], list[Decimal]] = {}
    skipped = SkippedRows()
    for row in source.rows:
        name = ""
        try:
            labels: list[str] = []
            for name, label in parts:
                labels.append(label(row[name]))
            name = number_column
            number = filled_number(row[name]) if name else Decimal(1)
        except ValueError as error:
            skipped.add(name, row[name], error)
            continue
        groups.setdefault(tuple(labels), []).append(number)
    headings = [n if label is group_text else "month" for n, label in parts]
    result_column = f"{function}_{number_column}" if number_column else "count"
    rows: list[Row] = [
        {**dict(zip(headings, key, strict=True)), result_column: aggregate(function, numbers)}
        for key, numbers in sorted(groups.items())
    ]
    return _grouped(
        context, f"{source.name}_by_{'_'.join(headings) or 'all'}", [*headings, result_column], rows, skipped
    )


@tool(effect="idempotent", source="file")
def table_rows(table: str, context: ToolContext, count: int = 10, first: int = 1) -> TableRows:
    """Show rows of a table.

    Args:
        table: Name of a loaded table, such as "sales".
        context: The run.
        count: How many rows, at most 50.
        first: Row to start at, counted from 1.

    Returns:
        The rows, and how many come after them.

    Raises:
        agentkit.errors.Retry: There is no such table, or not so many rows.
    """
    source = _table(context, table)
    if not 1 <= first <= max(len(source.rows), 1):
        raise Retry(f"first is {first}, and table {source.name!r} has {len(source.rows)} rows")
    rows = source.rows[first - 1 : first - 1 + min(max(count, 1), _ROWS)]
    result = TableRows(rows=[row_to_json(r) for r in rows])
    if after := len(source.rows) - (first - 1) - len(rows):
        result["left_out"] = after
    return result


class _Stored(TypedDict):
    """A table in the run's state, as JSON."""

    columns: list[str]
    rows: list[Row]


def _tables(context: ToolContext) -> dict[str, _Stored]:
    tables: dict[str, _Stored] = context.state.setdefault("tables", {})
    return tables


def _table(context: ToolContext, name: str) -> Table:
    """Returns a loaded table; a file's name stands for the table that was loaded from it."""
    tables = _tables(context)
    wanted = {name.strip().casefold(), PurePosixPath(name.strip()).stem.casefold()}
    for key, stored in list(tables.items()):  # steps that run at the same time may add tables
        if key.casefold() in wanted:
            return Table(key, stored["columns"], stored["rows"])
    there = f"tables: {', '.join(map(repr, tables))}" if tables else "no table is loaded; call load_table first"
    raise Retry(f"there is no table {name!r}; {there}")


def _names(table: Table) -> str:
    return ", ".join(map(repr, table.columns))


def _first_rows(table: Table) -> list[dict[str, JsonValue]]:
    return [row_to_json(row) for row in table.rows[:_FIRST]]


def _new_table(context: ToolContext, name: str, columns: list[str], rows: list[Row], skipped: SkippedRows) -> NewTable:
    table = _store(context, name, columns, rows)
    result = NewTable(table=table.name, rows=len(rows), first_rows=_first_rows(table))
    if reasons := skipped.to_json():
        result["skipped"] = reasons
    return result


def _grouped(
    context: ToolContext, name: str, columns: list[str], rows: list[Row], skipped: SkippedRows
) -> GroupedTable:
    table = _store(context, name, columns, rows)
    result = GroupedTable(table=table.name, groups=[row_to_json(r) for r in rows[:_ROWS]])
    if len(rows) > _ROWS:
        result["left_out"] = len(rows) - _ROWS
    if len(rows) > 1:
        result["largest"] = row_to_json(max(rows, key=lambda r: to_number(r[columns[-1]])))
    if reasons := skipped.to_json():
        result["skipped"] = reasons
    return result


def _store(context: ToolContext, base: str, columns: list[str], rows: list[Row]) -> Table:
    tables = _tables(context)
    name, again = base, 2
    while name in tables:
        name, again = f"{base}{again}", again + 1
    tables[name] = _Stored(columns=columns, rows=rows)
    return Table(name, columns, rows)
