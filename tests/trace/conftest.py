from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console, RenderableType

from agentkit.events import (
    Event,
    RunFinished,
    RunStarted,
    StepAdded,
    StepFinished,
    StepProgress,
    StepStarted,
    TurnFinished,
    TurnStarted,
    Warned,
)
from agentkit.journal import SqliteJournal
from agentkit.paths import runs_folder


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own for each test, and no colour settings from outside."""
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AGENTKIT_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def write_run() -> Callable[..., Path]:
    """Writes a run file of events and returns its path."""

    def write(events: list[Event], run_id: str = "20261124-060000-ab12") -> Path:
        path = runs_folder() / f"{run_id}.sqlite"
        journal = SqliteJournal(path)
        for event in events:
            journal.append(event)
        journal.close()
        return path

    return write


@pytest.fixture
def shown() -> Callable[..., str]:
    """Renders to plain text, as in a pipe."""

    def render(what: RenderableType, width: int = 100, *, encoding: str = "utf-8") -> str:
        buffer = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="backslashreplace")
        Console(file=buffer, width=width, markup=False, emoji=False, highlight=False).print(what)
        buffer.seek(0)
        return buffer.read()

    return render


def _usage(**counts: float) -> dict[str, float]:
    return {"turns": 1, **counts}


@pytest.fixture
def events() -> list[Event]:
    """A run with a thought, a failing and a good call, a warning, and an answer."""
    return [
        RunStarted(
            run_id="20261124-060000-ab12",
            task="Total the expenses by month.",
            started="2026-11-24T06:00:00.000+00:00",
            model={"name": "starter", "kind": "local", "context": 8192},
            planner="loop",
            tools=[{"name": "load_csv"}, {"name": "total"}],
            limits={"calls": 50},
        ),
        TurnStarted(at=0.1, turn=1, prompt_tokens=412, context=8192, messages=[]),
        TurnFinished(
            at=1.5,
            turn=1,
            pieces=[
                {"thought": "I should load the file first."},
                {"call": "load_csv", "args": {"path": "expense.csv"}, "id": "s1"},
                {"call": "load_csv", "args": {"path": "expenses.csv"}, "id": "s2"},
            ],
            stop="calls",
            usage=_usage(prompt_tokens=412, output_tokens=35, thought_tokens=8, forced_tokens=14, output_seconds=1.4),
            tokens=[],
            notes=["the thought was cut at its budget"],
        ),
        StepAdded(at=1.5, id="s1", tool="load_csv", args={"path": "expense.csv"}, after=[], purpose=""),
        StepAdded(at=1.5, id="s2", tool="load_csv", args={"path": "expenses.csv"}, after=["s1"], purpose="the rows"),
        StepStarted(at=1.5, id="s1", tool="load_csv", args={"path": "expense.csv"}),
        StepFinished(at=1.6, id="s1", tool="load_csv", ok=False, value="there is no file 'expense.csv'", seconds=0.01),
        StepStarted(at=1.6, id="s2", tool="load_csv", args={"path": "expenses.csv"}, attempt=2),
        StepProgress(at=1.7, id="s2", message="100 rows read"),
        StepFinished(
            at=1.8,
            id="s2",
            tool="load_csv",
            ok=True,
            value=[{"month": "2026-01", "eur": 12.5}] * 20,
            seconds=0.25,
            handle="s2",
        ),
        Warned(at=1.9, about="repeated_call", message="step 's3' repeats 's2'"),
        TurnStarted(at=2.0, turn=2, prompt_tokens=600, context=8192, messages=[]),
        TurnFinished(
            at=3.0,
            turn=2,
            pieces=[{"text": "January: 250 EUR."}],
            stop="answer",
            usage=_usage(prompt_tokens=600, reused_tokens=400, output_tokens=7, output_seconds=0.5),
            tokens=[],
            notes=[],
        ),
        RunFinished(
            at=3.1,
            stop_reason="answer",
            output="January: 250 EUR.",
            usage={
                "turns": 2,
                "prompt_tokens": 1012,
                "reused_tokens": 400,
                "output_tokens": 42,
                "thought_tokens": 8,
                "forced_tokens": 14,
                "output_seconds": 1.9,
            },
        ),
    ]
