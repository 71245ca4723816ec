"""The run files: finding one, and a line about each."""

from __future__ import annotations

import os
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from agentkit.errors import JournalError, UsageError
from agentkit.journal import read_events
from agentkit.paths import runs_folder
from agentkit.trace.text import shorten
from agentkit.trace.trace import Trace

__all__ = ["RunSummary", "find_run", "run_files", "summarize"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """What a list of runs says about one."""

    id: str
    started: str
    """UTC time in ISO 8601; empty when it is not recorded."""
    state: str
    """The stop reason, ``unfinished``, or ``unreadable``."""
    task: str
    model: str
    """Empty for a given plan, which needs none."""
    steps: int
    """Steps that are done."""
    tokens: int
    """Prompt and output tokens."""


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
    """Returns a line about a run file; it never fails, a damaged file is ``unreadable``."""
    try:
        trace = Trace(*read_events(path))
    except JournalError:
        return RunSummary(id=path.stem, started="", state="unreadable", task="", model="", steps=0, tokens=0)
    start = trace.start
    return RunSummary(
        id=path.stem,
        started=start.started if start else "",
        state=trace.stop_reason or "unfinished",
        task=start.task if start else "",
        model=str(start.model.get("name", "")) if start and start.planner != "given" else "",
        steps=sum(s.ok is not None for s in trace.steps),
        tokens=trace.usage.tokens,
    )
