"""Reads a suite's rows: JSON Lines, in which a line that is no row is named in the message."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from agentkit.errors import UsageError

__all__ = ["load_rows"]

C = TypeVar("C")


def load_rows(path: Path, parse: Callable[[Any], C], *, suite: str, limit: int | None = None) -> list[C]:
    """Returns the cases of a file.

    Args:
        path: A file with one JSON object a line; empty lines are skipped.
        parse: Makes a case of a line's JSON value. A ``ValueError``, or what Python raises for a key that is
            missing or a value of another type than expected, tells that it is not a row of the suite.
        suite: The suite's name, for messages; in small letters it is its command.
        limit: Only that many cases, from the beginning.

    Raises:
        agentkit.errors.UsageError: The file can't be read, or a line is not a row of the suite.
    """
    cases: list[C] = []
    for number, line in _lines(path):
        if limit is not None and len(cases) >= limit:
            break
        try:
            cases.append(parse(json.loads(line)))
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            reason = f"no {error} in it" if isinstance(error, KeyError) else str(error)
            raise UsageError(
                f"{path}:{number}: not a row of {suite} ({reason}); see `agentkit bench {suite.lower()} --help`"
            ) from None
    if not cases:
        raise UsageError(f"{path}: there are no rows in it; expected one JSON object a line")
    return cases


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise UsageError(f"{path}: can't be read ({reason}); expected JSON Lines, one object a line") from None
    return ((number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip())
