"""Built-in tools for the files of a workspace folder: list, read, write, search.

No path leads out of the workspace; `agentkit.tools.workspace` says how that is held. Results are bounded
and say how much they leave out.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import NotRequired, TypedDict

from agentkit.errors import Retry, ToolSignal
from agentkit.tools.context import ToolContext
from agentkit.tools.decorator import tool
from agentkit.tools.workspace import files_in, read_text, replace_file

__all__ = ["list_files", "read_file", "search_files", "write_file"]

_FILES = 50
_LINES = 200
_CHARACTERS = 8000  # some 2,500 tokens
_LINE = 300
_MATCHES = 20
_REGEX_SECONDS = 10


class ListedFile(TypedDict):
    """A file and its size."""

    path: str
    bytes: int


class FileList(TypedDict):
    """The files that were found."""

    files: list[ListedFile]
    left_out: NotRequired[int]


class FileText(TypedDict):
    """A part of a file, and what is left of it."""

    text: str
    lines: int
    next_line: NotRequired[int]
    note: NotRequired[str]


class WrittenFile(TypedDict):
    """What was written."""

    path: str
    bytes: int
    replaced: bool


class Match(TypedDict):
    """A line that was found."""

    line: int
    text: str


class MatchesInFile(TypedDict):
    """The lines that were found in a file: how many, and the first ones."""

    path: str
    count: int
    first: list[Match]


class SearchResult(TypedDict):
    """All that was found; the files with most matches come first."""

    count: int
    files: list[MatchesInFile]
    note: NotRequired[str]


@tool(effect="idempotent", source="file")
def list_files(context: ToolContext, pattern: str = "*") -> FileList:
    """List the files of the workspace, with sizes.

    Args:
        context: The run.
        pattern: Such as "*.csv" or "logs/*.log".

    Returns:
        Paths relative to the workspace, at most 50, and how many were left out.

    Raises:
        agentkit.errors.Retry: No file fits the pattern.
    """
    found = list(files_in(context.workspace, pattern))
    if not found:
        raise _no_files(context, pattern)
    result = FileList(files=[ListedFile(path=f.path, bytes=f.size) for f in found[:_FILES]])
    if len(found) > _FILES:
        result["left_out"] = len(found) - _FILES
    return result


@tool(effect="idempotent", source="file")
def read_file(path: str, context: ToolContext, first_line: int = 1, max_lines: int = 100) -> FileText:
    """Read a text file, or some of its lines.

    Args:
        path: Such as "notes.txt".
        context: The run.
        first_line: Counted from 1.
        max_lines: At most 200.

    Returns:
        The text, how many lines the file has, and the next line when there is more.

    Raises:
        agentkit.errors.Retry: There is no such file, or not so many lines.
        agentkit.errors.ToolFailed: It is not a text file.
    """
    text, note = read_text(context.workspace, path)
    lines = text.splitlines()
    if not 1 <= first_line <= max(len(lines), 1):
        raise Retry(f"first_line is {first_line}, and {path!r} has {len(lines)} lines; give 1 to {len(lines)}")
    shown: list[str] = []
    room = _CHARACTERS
    for line in lines[first_line - 1 : first_line - 1 + min(max(max_lines, 1), _LINES)]:
        short = _cut(line, _CHARACTERS // 2)
        if len(short) > room:
            break
        shown.append(short)
        room -= len(short) + 1
    result = FileText(text="\n".join(shown), lines=len(lines))
    if (following := first_line + len(shown)) <= len(lines):
        result["next_line"] = following
    if note:
        result["note"] = note
    return result


@tool(effect="idempotent", sink=("path",))
def write_file(path: str, text: str, context: ToolContext) -> WrittenFile:
    """Write a text file; what it held before is replaced.

    Args:
        path: Such as "report.md".
        text: The whole content.
        context: The run.

    Returns:
        The path, the size, and whether a file was replaced.

    Raises:
        agentkit.errors.Retry: The path is outside the workspace or names a folder.
        agentkit.errors.ToolFailed: The file can't be written.
    """
    data = text.encode("utf-8", errors="replace")
    written, existed = replace_file(context.workspace, path, data)
    return WrittenFile(path=written, bytes=len(data), replaced=existed)


@tool(effect="idempotent", source="file")
def search_files(text: str, context: ToolContext, pattern: str = "*", regex: bool = False) -> SearchResult:
    """Count the lines that hold a text, per file, and show the first ones.

    Args:
        text: What to look for, upper and lower case matter. Such as "ERROR".
        context: The run.
        pattern: Which files, such as "*.log" or "logs/api.log".
        regex: Whether the text is a regular expression.

    Returns:
        The count of all lines, and per file its count and first lines.

    Raises:
        agentkit.errors.Retry: The text is empty or no regular expression, or no file fits the pattern.
    """
    if not text:
        raise Retry("text is empty; give what to look for, such as 'ERROR'")
    paths = [f.path for f in files_in(context.workspace, pattern)]
    if not paths:
        raise _no_files(context, pattern)
    found: dict[str, list[Match]] = {}
    unread: list[str] = []
    other_case = 0
    for path in paths:
        context.check_cancelled()
        try:
            lines = read_text(context.workspace, path)[0].splitlines()
        except ToolSignal:  # a binary file, or one that is gone
            unread.append(path)
            continue
        numbers = _lines_with_regex(lines, text) if regex else [n for n, line in enumerate(lines, 1) if text in line]
        if numbers:
            found[path] = [Match(line=n, text=_cut(lines[n - 1].strip(), _LINE)) for n in numbers]
        elif not regex:
            other_case += sum(text.casefold() in line.casefold() for line in lines)
    return _search_result(found, _search_note(len(paths), unread, other_case if not found else 0))


def _search_result(found: dict[str, list[Match]], note: str) -> SearchResult:
    ordered = sorted(found.items(), key=lambda item: -len(item[1]))
    share = max(_MATCHES // max(len(ordered), 1), 1)
    files = [MatchesInFile(path=p, count=len(m), first=m[:share]) for p, m in ordered[:_MATCHES]]
    result = SearchResult(count=sum(map(len, found.values())), files=files)
    if len(ordered) > _MATCHES:
        note = f"{note}; " * bool(note) + f"{len(ordered) - _MATCHES} more files have matches and are left out"
    if note:
        result["note"] = note
    return result


def _search_note(files: int, unread: list[str], other_case: int) -> str:
    notes = [f"{other_case} lines match when upper and lower case are ignored"] if other_case else []
    if unread:
        notes.append(f"{len(unread)} of {files} files are not text and were not searched: {', '.join(unread[:5])}")
    return "; ".join(notes)


_MATCH_LINES = """
import json, re, sys
expression, lines = json.load(sys.stdin)
json.dump([n for n, line in enumerate(lines, 1) if re.search(expression, line)], sys.stdout)
"""


def _lines_with_regex(lines: list[str], expression: str) -> list[int]:
    """Matches in a process of its own: a regular expression can take forever, and holds the lock meanwhile."""
    try:
        re.compile(expression)
    except (re.error, OverflowError, RecursionError) as error:
        raise Retry(f"{expression!r} is not a regular expression: {error}; or set regex to false") from None
    command = [sys.executable, "-I", "-S", "-c", _MATCH_LINES]
    job = json.dumps([expression, lines])
    try:
        done = subprocess.run(command, input=job, capture_output=True, text=True, timeout=_REGEX_SECONDS, check=True)
    except subprocess.TimeoutExpired:
        raise Retry(f"{expression!r} takes longer than {_REGEX_SECONDS} s to match; give a simpler one") from None
    return [int(n) for n in json.loads(done.stdout)]


def _cut(line: str, limit: int) -> str:
    return line if len(line) <= limit else f"{line[:limit]}… ({len(line) - limit} more characters)"


def _no_files(context: ToolContext, pattern: str) -> Retry:
    some = [f.path for f, _ in zip(files_in(context.workspace), range(8), strict=False)]
    there = f"there is {', '.join(map(repr, some))}" if some else "the workspace has no files"
    return Retry(f"no file fits the pattern {pattern!r}; {there}")
