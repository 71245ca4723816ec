"""Runs with a real model, of random weights, that are killed: what was decoded is kept, and the rest is decoded."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest

from agentkit import Result
from agentkit.events import Event, StepFinished, TurnFinished, TurnPart
from agentkit.journal import read_events
from agentkit.task_steps import PlannerName
from tests.durability.tiny_run import agent
from tests.durability.zygotes import ROOT
from tests.tiny_gguf import build_tiny_gguf

pytest.importorskip("llama_cpp")
pytest.importorskip("llguidance")

E = TypeVar("E", bound=Event)

WEIGHTS = 9
"""The seed of weights with which a plan has seven lines."""
OTHERS = 6


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_gguf(tmp_path_factory.mktemp("tiny") / "tiny.gguf", seed=WEIGHTS)


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of the same name that decides something else."""
    return build_tiny_gguf(tmp_path_factory.mktemp("other") / "tiny.gguf", seed=OTHERS)


def killed(model: Path, planner: PlannerName, kill: str, home: Path) -> tuple[Path, list[Event]]:
    """Returns the file of a run that was killed, and its events."""
    command = [sys.executable, str(ROOT / "tests/durability/tiny_run.py"), str(model), planner, kill]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100)
    assert done.returncode == -signal.SIGKILL, done.stderr
    (path,) = (home / "runs").glob("*.sqlite")
    events, problems = read_events(path)
    assert not problems
    return path, events


def of(kind: type[E], events: Sequence[Event]) -> list[E]:
    return [e for e in events if isinstance(e, kind)]


@pytest.mark.parametrize(
    ("planner", "kill"),
    [
        pytest.param("graph", "turn_part:4", id="graph, in the middle of the plan"),
        pytest.param("graph", "after-turn:1", id="graph, after its turn"),
        pytest.param("graph", "before-turn:2", id="graph, between turns"),
        pytest.param("loop", "piece_delta:2", id="loop, in the middle of a turn"),
        pytest.param("loop", "after-turn:1", id="loop, after its turn"),
    ],
)
def test_a_run_that_was_killed_keeps_what_was_decoded_and_comes_to_its_end(
    planner: PlannerName, kill: str, model: Path, others: Path, home: Path, tmp_path: Path
) -> None:
    path, before = killed(model, planner, kill, home)
    copy = Path(shutil.copytree(path.parent, tmp_path / "copy"), path.name)
    result = agent(model, planner).resume_sync(path)
    assert result.ok
    assert result.events[: len(before)] == before
    assert [e.turn for e in of(TurnFinished, result.events)] == [*range(1, result.usage.turns + 1)]
    steps = [e.id for e in of(StepFinished, result.events)]
    assert len(steps) == len(set(steps)) == len(result.plan)
    assert asyncio.run(agent(model, planner).replay(path)).whole, "each turn was asked what it would have been"

    # Another model would have decided something else; so what it gives of it was recorded, or forced.
    other = agent(others, planner).resume_sync(copy, force=True)
    assert other.ok
    turns = of(TurnFinished, before)
    assert of(TurnFinished, other.events)[: len(turns)] == turns
    if kill == "turn_part:4":
        assert not turns
        assert len(known := [e.value for e in of(TurnPart, before)]) == 4
        assert lines_of(other)[:4] == known
        shutil.rmtree(home)
        assert lines_of(agent(others, planner).run_sync("Do it"))[:4] != known


def lines_of(result: Result) -> list[Any]:
    """Returns the parts of the plan as they stand in the text of the first turn: each step, then its arguments."""
    turn = of(TurnFinished, result.events)[0]
    written: list[dict[str, Any]] = json.loads("".join(str(piece["text"]) for piece in turn.pieces))
    parts: list[Any] = []
    for line in written:
        arguments = line.pop("args", None)
        parts += [line] if arguments is None else [line, arguments]
    return parts
