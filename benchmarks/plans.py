"""What it costs to run a plan: agentkit, LangGraph, and the scheduling rule of LLMCompiler, side by side.

    python benchmarks/plans.py
    python benchmarks/plans.py --repeat 9 --json

All of them run the same graphs with the same async functions, in turns, and medians are printed. LangGraph is
run when it is installed (pip install langgraph). LLMCompiler is not on PyPI, so its rule is written here in our
own words (`Polling`), from reading its task_fetching_unit.py: this measures the rule, not its code.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import importlib.metadata
import json
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from statistics import median
from typing import Annotated, Any, TypedDict

import click

from agentkit import Agent, Limits, tool
from agentkit.planners.base import Answer, Decision, PlanningContext
from agentkit.planners.plan import Ref, Step, StepId

POLL_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class Node:
    """A step of a graph: adds up what it needs, plus one, after a while."""

    name: str
    needs: tuple[str, ...] = ()
    seconds: float = 0.0


Graph = Sequence[Node]
Runner = Callable[[], Awaitable[None]]
System = Callable[[Graph], Runner]
"""Prepares to run a graph, with no limit on calls at a time; only the runner's time is measured."""


def chain(steps: int) -> list[Node]:
    """Returns steps of which each needs the one before."""
    return [Node(f"n{i}", (f"n{i - 1}",) if i else ()) for i in range(steps)]


def fan(steps: int) -> list[Node]:
    """Returns a first step, many that need only it, and a last one that needs them all."""
    middle = [Node(f"n{i}", ("first",)) for i in range(steps - 2)]
    return [Node("first"), *middle, Node("last", tuple(node.name for node in middle))]


def layers(steps: int, *, slowest: float = 0.0, width: int = 10, seed: int = 1) -> list[Node]:
    """Returns layers of steps that need one to three of the two layers before them."""
    rng = random.Random(seed)
    nodes: list[Node] = []
    for i in range(steps):
        before = [node.name for node in nodes[max(0, i - i % width - 2 * width) : i - i % width]]
        needs = rng.sample(before, min(len(before), rng.choice((1, 2, 3))))
        nodes.append(Node(f"n{i}", tuple(needs), round(rng.uniform(slowest / 20, slowest), 4)))
    return nodes


def longest_path(graph: Graph) -> float:
    """Returns seconds that any schedule takes at least."""
    ends: dict[str, float] = {}
    for node in graph:
        ends[node.name] = node.seconds + max((ends[need] for need in node.needs), default=0.0)
    return max(ends.values())


# agentkit


@tool(effect="pure")
async def work(name: str, inputs: list[int], seconds: float = 0.0) -> int:
    """Add up the inputs, plus one."""
    if seconds:
        await asyncio.sleep(seconds)
    return 1 + sum(inputs)


def step_of(node: Node) -> Step:
    inputs = [Ref(StepId(need)) for need in node.needs]
    args = {"name": node.name, "inputs": inputs} | ({"seconds": node.seconds} if node.seconds else {})
    return Step(id=StepId(node.name), tool="work", args=args)


def agentkit(*, record: bool) -> System:
    """Returns a whole run, with its guards and events; also with its file."""

    def prepare(graph: Graph) -> Runner:
        steps = [step_of(node) for node in graph]
        limits = Limits(calls=len(graph), parallel=len(graph), time=None)

        async def run() -> None:
            result = await Agent(None, [work], planner=steps, limits=limits, record=record).run("Work")
            assert result.ok, result.message

        return run

    return prepare


# LangGraph


def langgraph_compiled(graph: Graph) -> Runner:
    """Returns a run of a state graph that was compiled before."""
    compiled = compile_graph(graph)

    async def run() -> None:
        state = await compiled.ainvoke({"values": {}}, {"recursion_limit": len(graph) + 10})
        assert len(state["values"]) == len(graph)

    return run


def langgraph(graph: Graph) -> Runner:
    """Returns a run of a state graph that is new, as a plan is that a model has made."""

    async def run() -> None:
        await langgraph_compiled(graph)()

    return run


def compile_graph(graph: Graph) -> Any:
    """Returns a compiled state graph with a node for each step."""
    lib: Any = importlib.import_module("langgraph.graph")
    builder = lib.StateGraph(_State)
    for node in graph:
        builder.add_node(node.name, _node_function(node))
        if node.needs:
            builder.add_edge(list(node.needs), node.name)
        else:
            builder.add_edge(lib.START, node.name)
    needed = {need for node in graph for need in node.needs}
    for node in graph:
        if node.name not in needed:
            builder.add_edge(node.name, lib.END)
    return builder.compile()


def _merged(values: dict[str, int], more: dict[str, int]) -> dict[str, int]:
    return values | more


class _State(TypedDict):
    values: Annotated[dict[str, int], _merged]


def _node_function(node: Node) -> Callable[[_State], Awaitable[_State]]:
    async def run(state: _State) -> _State:
        if node.seconds:
            await asyncio.sleep(node.seconds)
        return {"values": {node.name: 1 + sum(state["values"][need] for need in node.needs)}}

    return run


# The rule of LLMCompiler


@dataclass
class Polling:
    """LLMCompiler's scheduling rule, written anew: look every 10 ms for steps that could start.

    Arguments and results are text, and a result is put in by replacing ``$name``. While the plan is being
    written, the rule waits for its next line before it looks again. There is no limit on parallel calls.
    """

    call: Callable[[Node, str], Awaitable[str]]
    results: dict[str, str] = field(default_factory=dict[str, str])
    waiting: list[Node] = field(default_factory=list[Node])
    tasks: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    async def run(self, graph: Graph) -> None:
        """Runs a plan that is there as a whole."""
        self.waiting = list(graph)
        while len(self.results) < len(graph):
            self._start_all()
            await asyncio.sleep(POLL_SECONDS)

    async def run_streamed(self, lines: asyncio.Queue[Node | None]) -> None:
        """Runs a plan whose lines come one after another, ``None`` at the end."""
        known, writing = 0, True
        while writing or len(self.results) < known:
            if writing:
                line = await lines.get()
                if line is None:
                    writing = False
                else:
                    self.waiting.append(line)
                    known += 1
            if not self._start_all():
                await asyncio.sleep(POLL_SECONDS)

    def _start_all(self) -> int:
        ready = [node for node in self.waiting if all(need in self.results for need in node.needs)]
        for node in ready:
            self.waiting.remove(node)
            self.tasks.add(asyncio.create_task(self._run(node)))
        return len(ready)

    async def _run(self, node: Node) -> None:
        text = ", ".join(f"${need}" for need in node.needs)
        for need in sorted(node.needs, reverse=True):
            text = text.replace(f"${need}", self.results[need])
        self.results[node.name] = await self.call(node, text)


def polling(graph: Graph) -> Runner:
    """Returns a run by LLMCompiler's rule."""

    async def call(node: Node, text: str) -> str:
        if node.seconds:
            await asyncio.sleep(node.seconds)
        return str(1 + sum(int(part) for part in text.split(", ") if part))

    return lambda: Polling(call).run(graph)


# A plan that is still being written


LINES = ((0.0, Node("a", (), 0.05)), (0.03, Node("b", ("a",), 0.05)), (1.53, Node("c", (), 0.05)))
"""When each line of a plan is there, in seconds. The second step could start at 0.05 s."""


async def lines() -> AsyncIterator[Node]:
    """Yields the lines of the plan, each at its time."""
    written = 0.0
    for at, node in LINES:
        await asyncio.sleep(at - written)
        written = at
        yield node


class WritingPlanner:
    """Yields the same lines as steps."""

    async def next(self, run: PlanningContext) -> AsyncGenerator[Decision, None]:
        """Yields a step at each time, and then the answer."""
        if run.results:
            yield Answer(output=len(run.results))
            return
        async for node in lines():
            yield step_of(node)


async def start_of_b(system: str) -> float:
    """Returns after how many seconds the second step started."""
    begun = asyncio.get_running_loop().time()
    if system == "agentkit":
        result = await Agent(None, [work], planner=WritingPlanner, record=False).run("Work")
        return next(e.at for e in result.events if e.kind == "step_started" and getattr(e, "id", "") == "b")
    starts: dict[str, float] = {}

    async def call(node: Node, text: str) -> str:
        starts[node.name] = asyncio.get_running_loop().time() - begun
        await asyncio.sleep(node.seconds)
        return text

    async def write() -> None:
        async for node in lines():
            queue.put_nowait(node)
        queue.put_nowait(None)

    queue: asyncio.Queue[Node | None] = asyncio.Queue()
    await asyncio.gather(write(), Polling(call).run_streamed(queue))
    return starts["b"]


# Measuring


def systems() -> dict[str, System]:
    """Returns what can be measured here; agentkit first."""
    found: dict[str, System] = {"agentkit": agentkit(record=False), "agentkit, recorded": agentkit(record=True)}
    if find_spec("langgraph"):
        version = importlib.metadata.version("langgraph")
        found |= {f"LangGraph {version}": langgraph, f"LangGraph {version}, compiled before": langgraph_compiled}
    return found | {"LLMCompiler's rule": polling}


def measure(graph: Graph, repeat: int) -> dict[str, float]:
    """Returns the median seconds of each system; they take turns, so that a busy machine is as bad for all."""
    times: dict[str, list[float]] = {name: [] for name in systems()}
    for _ in range(repeat):
        for name, prepare in systems().items():
            times[name].append(asyncio.run(timed(prepare(graph))))
    return {name: median(seconds) for name, seconds in times.items()}


async def timed(run: Runner) -> float:
    """Returns how many seconds a run takes."""
    gc.collect()
    begun = time.perf_counter()
    await run()
    return time.perf_counter() - begun


@click.command()
@click.option("--repeat", type=click.IntRange(min=1), default=5, show_default=True, help="Runs of each.")
@click.option("--json", "as_json", is_flag=True)
def main(repeat: int, as_json: bool) -> None:
    """Measure what running a plan costs, and how close to the shortest possible time it ends."""
    overhead = {"chain": chain(200), "fan": fan(200), "layers": layers(200), "large layers": layers(1000)}
    slow = layers(100, slowest=0.1)
    report: dict[str, Any] = {
        "us_per_step": {
            name: {s: 1e6 * t / len(graph) for s, t in measure(graph, repeat).items()}
            for name, graph in overhead.items()
        },
        "times_longest_path": {s: t / longest_path(slow) for s, t in measure(slow, repeat).items()},
        "start_of_b": {s: asyncio.run(start_of_b(s)) for s in ("agentkit", "LLMCompiler's rule")},
    }
    if as_json:
        click.echo(json.dumps(report))
        return
    print_report(report, overhead)


def print_report(report: dict[str, Any], graphs: dict[str, list[Node]]) -> None:
    for name, found in report["us_per_step"].items():
        print(f"{name}, {len(graphs[name]):,} steps that take no time: microseconds a step")
        for system, us in found.items():
            print(f"  {system:34}{us:10,.0f}{us / found['agentkit']:8.1f} x")
    print("100 steps of 5 to 100 ms: times the longest path")
    for system, ratio in report["times_longest_path"].items():
        print(f"  {system:34}{ratio:10.3f}")
    print("a step that is ready at 0.05 s, while the plan's next line comes at 1.53 s: started at")
    for system, seconds in report["start_of_b"].items():
        print(f"  {system:34}{seconds:10.3f} s")
    if not find_spec("langgraph"):
        print("LangGraph is not installed")


if __name__ == "__main__":
    main()
