"""Time and tokens of planning ahead against going on turn by turn: the examples, and six slow look-ups.

    python benchmarks/plan_vs_loop.py --model starter --seed 1 --repeat 2

The look-ups take half a second each and need nothing from each other. Both planners have the same model, which is
loaded once. The prompts of the two have nothing in common, so the first run of each finds nothing of its own in the
prompt cache, and a repeated one what does not change from run to run.
"""

from __future__ import annotations

import asyncio
import itertools
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import click
from rich.console import Console
from rich.table import Table

from agentkit import Agent, Result, tool
from agentkit.messages import JsonObject
from agentkit.model_backend.base import Model, Sampling
from agentkit.model_backend.loading import open_model
from agentkit.task import load_task
from agentkit.tools.tool import Tool

EXAMPLES = Path(__file__).parents[1] / "examples"
PLANNERS: tuple[Literal["graph", "loop"], ...] = ("graph", "loop")
SECONDS = 0.5
FACTS = {
    "population": 545_796,
    "area": 100,
    "elevation": 2,
    "rainfall": 774,
    "sunshine": 2_806,
    "bridges": 2,
}
"""What is asked of Lisbon."""


def lookups() -> list[Tool]:
    """Returns a tool for each fact."""
    return [_lookup(name, value) for name, value in FACTS.items()]


def _lookup(name: str, value: int) -> Tool:
    async def look(city: str) -> int:
        await asyncio.sleep(SECONDS)
        return value

    look.__doc__ = f"Look up the {name} of a city.\n\nArgs:\n    city: Name of the city."
    return tool(look, name=f"get_{name}", effect="pure")


@dataclass(frozen=True)
class Job:
    """One task."""

    name: str
    task: str
    tools: Sequence[Tool]
    output: JsonObject
    folder: Path | None = None


def jobs() -> list[Job]:
    """Returns the six look-ups and the examples."""
    schema: JsonObject = {
        "type": "object",
        "properties": {name: {"type": "integer"} for name in FACTS},
        "required": [*FACTS],
        "additionalProperties": False,
    }
    facts = ", ".join(FACTS)
    found = [Job("six look-ups", f"Look up for the city Lisbon: {facts}.", lookups(), schema)]
    for name in ("expenses", "logs", "orders", "travel"):
        folder = Path(tempfile.mkdtemp()) / name
        shutil.copytree(EXAMPLES / name, folder)
        task = load_task(folder / "task.yaml")
        assert isinstance(task.output, dict)
        found.append(Job(name, task.task, task.load_tools(), task.output, folder))
    return found


def is_right(job: Job, result: Result) -> bool:
    """Returns whether the answer is right, by the example's own check."""
    if not result.ok:
        return False
    if job.folder is None:
        return bool(result.output == FACTS)
    check: dict[str, Any] = {"__file__": str(job.folder / f"check_{job.name}.py"), "__name__": "check"}
    exec(Path(check["__file__"]).read_text(encoding="utf-8"), check)
    problems: Callable[..., list[str]] = check["problems"]
    report = job.folder / "report.md"
    extra = [report.read_text(encoding="utf-8") if report.exists() else ""] if job.name == "logs" else []
    return problems(result.output, *extra) == []


async def run(job: Job, model: Model, planner: Literal["graph", "loop"], seed: int) -> tuple[Result, float]:
    """Runs a job; returns the result and the seconds it took."""
    agent = Agent(
        model,
        job.tools,
        planner=planner,
        output=job.output,
        sampling=Sampling(seed=seed),
        workspace=job.folder,
        record=False,
    )
    started = time.perf_counter()
    result = await agent.run(job.task)
    return result, time.perf_counter() - started


@click.command()
@click.option("--model", "name", default="starter", show_default=True, help="Catalog id or path of a GGUF file.")
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--job", "names", multiple=True, help="Name of a job; all unless given.")
@click.option("--repeat", type=click.IntRange(min=1), default=1, show_default=True, help="Runs of each job.")
def main(name: str, seed: int, names: tuple[str, ...], repeat: int) -> None:
    """Run each job with each planner, and print one table."""
    model = open_model(name)
    table = Table("job", "planner", "run", "right", "seconds", "turns", "prompt tokens", "computed", "output tokens")
    try:
        wanted = [job for job in jobs() if not names or job.name in names]
        for job, planner, number in itertools.product(wanted, PLANNERS, range(1, repeat + 1)):
            result, seconds = asyncio.run(run(job, model, planner, seed))
            usage = result.usage
            computed = usage.prompt_tokens - usage.reused_tokens
            figures = (usage.turns, usage.prompt_tokens, computed, usage.output_tokens)
            right = "yes" if is_right(job, result) else "no"
            row = (job.name, planner, str(number), right, f"{seconds:.1f}", *(f"{n:,}" for n in figures))
            table.add_row(*row)
            click.echo("  ".join(row), err=True)
    finally:
        model.close()
    Console().print(table)


if __name__ == "__main__":
    main()
