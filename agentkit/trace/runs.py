"""The run files: finding one, and a line about each."""

from __future__ import annotations

import json
import os
import sqlite3
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from agentkit.errors import JournalError, UsageError
from agentkit.journal import RunLock
from agentkit.journal.lock import is_held
from agentkit.journal.reading import opened, read_blob
from agentkit.journal.tables import BLOB
from agentkit.messages import JsonObject, JsonValue, is_object
from agentkit.paths import runs_folder
from agentkit.trace.spans import usage_from_json
from agentkit.trace.text import shorten

__all__ = ["RunSummary", "find_run", "remove_run", "run_files", "summarize"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """What a list of runs says about one."""

    id: str
    started: str = ""
    """UTC time in ISO 8601; empty when it is not recorded."""
    state: str = "unreadable"
    """The stop reason, ``running``, ``interrupted``, or ``unreadable``."""
    task: str = ""
    model: str = ""
    """Empty for a given plan, which needs none."""
    steps: int = 0
    """Steps that are done."""
    tokens: int = 0
    """Prompt and output tokens."""
    seconds: float = 0.0
    """How long it went on."""

    @property
    def can_go_on(self) -> bool:
        """Whether something may still come of the run: it goes on, waits for a person, or was interrupted."""
        return self.state in ("running", "approval", "in_doubt", "interrupted")


def run_files() -> list[Path]:
    """Returns the run files, the latest first.

    Raises:
        agentkit.errors.UsageError: The folder can't be read.
    """
    try:
        files = [(p.stat().st_mtime, p) for p in runs_folder().glob("*.sqlite")]
    except OSError as error:
        raise UsageError(f"the folder of the runs can't be read: {error}") from None
    return [p for _, p in sorted(files, reverse=True)]


def find_run(run: Path | str | None = None) -> Path:
    """Returns the path of a run file.

    Args:
        run: A path, a run's id or a beginning of it; ``None`` for the latest run.

    Raises:
        agentkit.errors.UsageError: There is no such run, or more than one.
    """
    if run is not None and os.path.isfile(run):  # also false for names that no file can have
        return Path(run)
    files = run_files()
    if not files:
        raise UsageError(f"there are no runs in {str(runs_folder())!r} yet; start one with 'agentkit run task.yaml'")
    if run is None:
        return files[0]
    ids = {p.stem: p for p in files}
    if str(run) in ids:
        return ids[str(run)]
    fitting = [i for i in ids if i.startswith(str(run))] if str(run) else []
    if len(fitting) == 1:
        return ids[fitting[0]]
    if fitting:
        listed = ", ".join(fitting[:5])
        raise UsageError(f"{str(run)!r} fits {len(fitting)} runs: {listed}; give more of the id")
    near = get_close_matches(str(run), list(ids), n=1)
    advice = f"did you mean {near[0]!r}? " if near else ""
    raise UsageError(f"there is no run {shorten(str(run), 80)!r}; {advice}'agentkit runs' lists the runs")


def summarize(path: Path) -> RunSummary:
    """Returns a line about a run file; it never fails, a damaged file is ``unreadable``.

    Only what the line needs is read, so that a folder with thousands of runs is listed at once.
    """
    try:
        with opened(path) as db:
            return _summarize(path, db)
    except (JournalError, sqlite3.Error, LookupError, ValueError, TypeError, AttributeError):
        return RunSummary(id=path.stem)


def _summarize(path: Path, db: sqlite3.Connection) -> RunSummary:
    start = _json(db, "kind = 'run_started' ORDER BY seq LIMIT 1")
    end = _json(db, "kind IN ('run_finished', 'run_paused', 'run_resumed') ORDER BY seq DESC LIMIT 1")
    state = end.get("stop_reason") or ("running" if is_held(path) else "interrupted")
    usages = [end["usage"]] if "usage" in end else _usages(db)
    (steps,) = db.execute("SELECT count(*) FROM events WHERE kind = 'step_finished'").fetchone()
    (seconds,) = db.execute("SELECT max(at) FROM events").fetchone()
    model = start.get("model", {}).get("name", "") if start.get("planner") != "given" else ""
    task: JsonValue = start.get("task", "")
    return RunSummary(
        id=path.stem,
        started=str(start.get("started", "")),
        state=str(state),
        task=str(read_blob(path, task[BLOB]) if is_object(task) else task),
        model=str(model),
        steps=steps,
        tokens=sum(usage_from_json(u).tokens for u in usages),
        seconds=float(seconds or 0.0),
    )


def _json(db: sqlite3.Connection, where: str) -> JsonObject:
    row = db.execute(f"SELECT data FROM events WHERE {where}").fetchone()
    data: JsonObject = {} if row is None else json.loads(row[0])
    return data


def _usages(db: sqlite3.Connection) -> list[JsonObject]:
    rows = db.execute("SELECT json_extract(data, '$.usage') FROM events WHERE kind = 'turn_finished'")
    return [json.loads(usage) for (usage,) in rows]


def remove_run(path: Path) -> int:
    """Removes the file of a run and what belongs to it.

    Returns:
        How many bytes that frees.

    Raises:
        agentkit.errors.RunOwned: The run is going on.
    """
    lock = RunLock(path)
    freed = 0
    try:
        for part in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
            try:
                freed += part.stat().st_size
                part.unlink()
            except FileNotFoundError:
                continue
    finally:
        lock.release()
    return freed
