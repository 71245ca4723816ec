"""A run with a real model of random weights, ``python tiny_run.py MODEL PLANNER KILL``, until it is killed."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from agentkit import Agent, kill_points, tool
from agentkit.events import Event
from agentkit.journal import read_events
from agentkit.paths import runs_folder
from agentkit.task_steps import PlannerName

__all__ = ["agent"]


@tool(effect="pure")
def look(x: bool) -> bool:
    """Look."""
    return not x


@tool(effect="idempotent")
def put(x: bool) -> bool:
    """Put."""
    return x


def agent(model: Path, planner: PlannerName) -> Agent:
    return Agent(model, [look, put], planner=planner)


def main(model: str, planner: PlannerName, kill: str) -> None:
    """Runs until a kill point, or until the n-th event of a kind; what is to be recorded is on disk by then."""
    kind, _, number = kill.partition(":")
    left = int(number)
    kill_points.arm(kill if kind in kill_points.POINTS else "")

    def on_event(event: Event) -> None:
        nonlocal left
        left -= event.kind == kind
        if event.kind == kind and not left:
            while kind == "turn_part" and recorded(kind) < int(number):
                pass
            os.kill(os.getpid(), signal.SIGKILL)

    asyncio.run(agent(Path(model), planner).run("Do it", on_event=on_event))


def recorded(kind: str) -> int:
    (path,) = runs_folder().glob("*.sqlite")
    return sum(e.kind == kind for e in read_events(path)[0])


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
