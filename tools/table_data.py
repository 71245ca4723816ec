"""A table, and how it is read from the text of a CSV, JSON or JSONL file. Its cells are JSON values."""

from __future__ import annotations

import csv
import difflib
import io
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeGuard

from agentkit.errors import Retry, ToolFailed
from agentkit.messages import JsonObject, JsonValue
from agentkit.tools.cells import Cell

__all__ = ["Row", "Table", "read_table", "row_to_json"]

Row: TypeAlias = dict[str, Cell]
MAX_ROWS = 200_000
_CELL = 120  # characters of a cell that are shown


@dataclass
class Table:
    """Rows under a name; all rows have all columns."""

    name: str
    columns: list[str]
    rows: list[Row]
    notes: list[str] = field(default_factory=list[str])
    """What was repaired or left out when the table was read."""

    def column(self, name: str) -> str:
        """Returns the column that is meant: case and space around do not matter.

        Raises:
            agentkit.errors.Retry: There is none; names the columns.
        """
        if name in self.columns:
            return name
        same = [c for c in self.columns if c.strip().casefold() == name.strip().casefold()]
        if len(same) == 1:
            return same[0]
        near = difflib.get_close_matches(name, self.columns, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise Retry(f"table {self.name!r} has no column {name!r}; {hint}columns: {', '.join(map(repr, self.columns))}")

    def cells(self, column: str) -> list[Cell]:
        """Returns the cells of a column."""
        return [row[column] for row in self.rows]


def read_table(name: str, path: str, text: str) -> Table:
    """Returns the table in the text of a file; the name's ending says which format it is.

    Raises:
        agentkit.errors.Retry: The file holds no table.
        agentkit.errors.ToolFailed: The table is too large.
    """
    ending = path.rsplit(".", 1)[-1].casefold()
    readers: dict[str, Callable[[str, str], Table]] = {"json": _json, "jsonl": _jsonl, "ndjson": _jsonl}
    table = readers.get(ending, _csv)(path, text)
    table.name = name
    if len(table.rows) > MAX_ROWS:
        raise ToolFailed(f"{path!r} has {len(table.rows):,} rows; tables of up to {MAX_ROWS:,} rows can be loaded")
    return table


def _csv(path: str, text: str) -> Table:
    header = text.lstrip().split("\n", 1)[0]
    delimiter = max(",;\t|", key=header.count)
    csv.field_size_limit(1_000_000)
    try:
        lines = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error as error:
        raise Retry(f"{path!r} can't be read as CSV: {error}") from None
    filled = [line for line in lines if any(cell.strip() for cell in line)]
    if not filled:
        raise Retry(f"{path!r} is empty; give a file with a header line and rows")
    columns = _column_names(filled[0])
    rows: list[Row] = []
    uneven = Counter[str]()
    for line in filled[1:]:
        if len(line) < len(columns):
            uneven["rows with too few cells, the missing ones blank"] += 1
        elif len(line) > len(columns):
            uneven["rows with too many cells, the last ones left out"] += 1
        cells = line + [""] * (len(columns) - len(line))
        rows.append({column: cell.strip() for column, cell in zip(columns, cells, strict=False)})
    notes = [f"{what}: {count}" for what, count in uneven.items()]
    if blank := len(lines) - len(filled):
        notes.append(f"blank lines left out: {blank}")
    return Table("", columns, rows, notes)


def _column_names(header: list[str]) -> list[str]:
    """Returns names that are there and differ."""
    names: list[str] = []
    for number, cell in enumerate(header, 1):
        name = base = cell.strip() or f"column_{number}"
        again = 2
        while name in names:
            name, again = f"{base}_{again}", again + 1
        names.append(name)
    return names


def _json(path: str, text: str) -> Table:
    try:
        value: Any = json.loads(text, parse_constant=str)
    except (ValueError, RecursionError) as error:
        raise Retry(f"{path!r} is not JSON: {error}") from None
    if _is_object(value):
        # Many exports wrap their rows: {"data": [...]}.
        lists = [v for v in value.values() if _is_list(v) and v and _is_object(v[0])]
        value = lists[0] if len(lists) == 1 else [value]
    if not _is_list(value):
        raise Retry(f"{path!r} holds no table; a table is a list of objects")
    return _from_objects(path, value, 0)


def _jsonl(path: str, text: str) -> Table:
    objects: list[Any] = []
    broken = 0
    for line in filter(str.strip, text.splitlines()):
        try:
            objects.append(json.loads(line, parse_constant=str))
        except (ValueError, RecursionError):
            broken += 1
    return _from_objects(path, objects, broken)


def _from_objects(path: str, values: list[Any], broken: int) -> Table:
    objects = [v for v in values if _is_object(v)]
    if not objects:
        raise Retry(f"{path!r} holds no table; a table is a list of objects")
    columns = list(dict.fromkeys(key for item in objects for key in item))
    rows = [{column: _cell(item.get(column)) for column in columns} for item in objects]
    left_out = broken + len(values) - len(objects)
    return Table(
        "", columns, rows, [f"lines or items left out because they are no objects: {left_out}"] * bool(left_out)
    )


def _is_object(value: Any) -> TypeGuard[JsonObject]:
    return isinstance(value, dict)


def _is_list(value: Any) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


def _cell(value: Any) -> Cell:
    if value is None or isinstance(value, str | int | float):
        return value
    return json.dumps(value, ensure_ascii=False)


def row_to_json(row: Row) -> dict[str, JsonValue]:
    """Returns a row as JSON, long cells cut."""
    return {column: _shown(cell) for column, cell in row.items()}


def _shown(cell: Cell) -> JsonValue:
    if isinstance(cell, str) and len(cell) > _CELL:
        return f"{cell[:_CELL]}… ({len(cell) - _CELL} more characters)"
    return cell
