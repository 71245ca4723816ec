"""What it costs that a run can be gone on with: a step that is recorded, next to LangGraph and DBOS.

    python benchmarks/journal.py
    python benchmarks/journal.py --steps 400 --repeat 5 --json

Each step is a call of an async function that changes something, so that it has to be on disk before and after that it
is made. Serially each waits for the one before; 16 wide, sixteen go on at a time. LangGraph (its SqliteSaver, with
durability="sync") and DBOS (on SQLite, as shipped) are run where they are installed (pip install langgraph
langgraph-checkpoint-sqlite dbos); both record less of a step than agentkit does, and neither stops in doubt.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any, TypedDict

import click

from agentkit import Agent, Limits, tool
from agentkit.planners.plan import Step, StepId

WIDE = 16
Measured = Callable[[int, Path], float]
"""Runs so many steps with its files in a folder, and returns the seconds."""


@tool(effect="idempotent")
async def act(x: int) -> int:
    """Change something."""
    return x


def agentkit(durability: Any, *, wide: bool) -> Measured:
    """Measures agentkit; `durability` is ``None`` for a run that is not recorded."""

    def run(count: int, folder: Path) -> float:
        os.environ["AGENTKIT_HOME"] = str(folder)
        steps = [
            Step(id=StepId(f"s{i}"), tool="act", args={"x": i}, after=() if wide or not i else (StepId(f"s{i - 1}"),))
            for i in range(count)
        ]
        limits = Limits(calls=count, parallel=WIDE)
        agent = Agent(None, [act], planner=steps, limits=limits, record=durability is not None)
        if durability is not None:
            agent = Agent(None, [act], planner=steps, limits=limits, durability=durability)
        started = time.perf_counter()
        assert agent.run_sync("Act").ok
        return time.perf_counter() - started

    return run


class State(TypedDict):
    """The state of LangGraph's graph."""

    x: int


def langgraph(count: int, folder: Path) -> float:
    """Measures LangGraph: a node that calls itself again."""
    graphs: Any = importlib.import_module("langgraph.graph")
    savers: Any = importlib.import_module("langgraph.checkpoint.sqlite")
    graph = graphs.StateGraph(State)

    def act(state: State) -> State:
        return {"x": state["x"] + 1}

    def onward(state: State) -> str:
        return str(graphs.END) if state["x"] >= count else "act"

    graph.add_node("act", act)
    graph.add_edge(graphs.START, "act")
    graph.add_conditional_edges("act", onward)
    with savers.SqliteSaver.from_conn_string(str(folder / "langgraph.sqlite")) as saver:
        compiled = graph.compile(checkpointer=saver)
        config = {"configurable": {"thread_id": "1"}, "recursion_limit": count + 5}
        started = time.perf_counter()
        assert compiled.invoke({"x": 0}, config, durability="sync")["x"] == count
        return time.perf_counter() - started


def dbos(*, wide: bool) -> Measured:
    """Measures DBOS: one workflow with many steps."""

    def run(count: int, folder: Path) -> float:
        engine: Any = importlib.import_module("dbos").DBOS
        engine(config={"name": "bench", "system_database_url": f"sqlite:///{folder}/dbos.sqlite", "log_level": "ERROR"})

        @engine.step()  # type: ignore[untyped-decorator]
        async def step(x: int) -> int:
            return x

        @engine.workflow()  # type: ignore[untyped-decorator]
        async def serial() -> None:
            for i in range(count):
                await step(i)

        @engine.workflow()  # type: ignore[untyped-decorator]
        async def side_by_side() -> None:
            for first in range(0, count, WIDE):
                await asyncio.gather(*map(step, range(first, min(first + WIDE, count))))

        engine.launch()
        try:
            started = time.perf_counter()
            asyncio.run(side_by_side() if wide else serial())
            return time.perf_counter() - started
        finally:
            engine.destroy()

    return run


def systems() -> dict[str, Measured]:
    """Returns what can be measured here."""
    found: dict[str, Measured] = {}
    for name, durability in (("full", "full"), ("normal", "normal"), ("not recorded", None)):
        found[f"agentkit {name}, serial"] = agentkit(durability, wide=False)
        found[f"agentkit {name}, 16 wide"] = agentkit(durability, wide=True)
    if find_spec("langgraph") and find_spec("langgraph.checkpoint.sqlite"):
        found["langgraph SqliteSaver sync, serial"] = langgraph
    if find_spec("dbos"):
        found["dbos SQLite, serial"] = dbos(wide=False)
        found["dbos SQLite, 16 wide"] = dbos(wide=True)
    return found


def measure(steps: int, repeat: int) -> dict[str, Sequence[float]]:
    """Returns microseconds for each step, of each system in turns."""
    found: dict[str, list[float]] = {name: [] for name in systems()}
    for _ in range(repeat):
        for name, run in systems().items():
            with tempfile.TemporaryDirectory() as folder:
                found[name].append(run(steps, Path(folder)) / steps * 1e6)
    return {name: sorted(times) for name, times in found.items()}


@click.command()
@click.option("--steps", default=200, help="Steps of each run.")
@click.option("--repeat", default=3, help="How often each is run.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def main(steps: int, repeat: int, as_json: bool) -> None:
    """Prints microseconds for each step: the median, and the range."""
    found = measure(steps, repeat)
    if as_json:
        print(json.dumps(found))
        return
    for name, times in found.items():
        print(f"{name:<36} {median(times):>9,.0f} us a step   ({times[0]:,.0f} to {times[-1]:,.0f})")


if __name__ == "__main__":
    main()
