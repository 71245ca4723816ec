"""``agentkit run``: runs a task file."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agentkit.errors import SchemaError

if TYPE_CHECKING:
    from agentkit.agent import Agent
    from agentkit.approval import Approve
    from agentkit.messages import JsonObject
    from agentkit.reuse import Reuse
    from agentkit.task import Task
    from agentkit.task_steps import PlannerName

__all__ = ["build_agent", "parse_inputs", "run"]


@click.command(short_help="Run a task file.")
@click.argument("task_file", metavar="TASK.YAML", type=click.Path(path_type=Path))
@click.option("--set", "given", multiple=True, metavar="KEY=VALUE", help="Give an input a value. Repeatable.")
@click.option("--model", metavar="MODEL", help="Catalog id, path to a .gguf, or URL; instead of the file's.")
@click.option("--planner", type=click.Choice(["auto", "graph", "loop"]), help="Instead of the file's planner.")
@click.option("--seed", type=int, help="Make the model's choices repeatable.")
@click.option("--reuse", metavar="RUN", help="Make only those calls again that are not as they were in this run.")
@click.option("--reuse-all", is_flag=True, help="With --reuse: do not repeat keyed and once calls either.")
@click.option("--trace", "viewer", is_flag=True, help="Open the viewer (see 'agentkit trace') while the run goes on.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of the answer.")
def run(
    task_file: Path,
    given: tuple[str, ...],
    model: str | None,
    planner: PlannerName | None,
    seed: int | None,
    viewer: bool,
    reuse: str | None,
    reuse_all: bool,
    as_json: bool,
) -> int:
    """Run a task file: progress goes to stderr, the answer to stdout.

    File tools work in the folder of the task file. A plan is a task file too (see 'agentkit plan').

    With --reuse, as with make, a pure or idempotent call is not made again when its tool's code, its arguments and the
    files that these name are as they were in an earlier run: its result is taken from there.
    """
    if reuse_all and reuse is None:
        raise click.UsageError("--reuse-all needs --reuse RUN")
    from agentkit.cli.follow import Follower, choose_display, follow_to_the_end
    from agentkit.cli.trace import has_screen
    from agentkit.task import read_task

    if viewer and not has_screen():
        raise click.UsageError("--trace opens the viewer, and there is no terminal to draw it on; leave it out")
    follower = Follower(choose_display(quiet=as_json, viewer=viewer))
    with contextlib.redirect_stdout(sys.stderr):  # what a tool's module prints must not end up in the answer
        task = read_task(task_file, parse_inputs(given))
        if planner is not None:
            task = replace(task, planner=planner, given=None)
        options: JsonObject = {"inputs": parse_inputs(given), "model": model, "planner": planner, "seed": seed}
        source = {"task_file": str(task_file.resolve())} | options
        agent = build_agent(task, model=model, seed=seed, source=source, approve=None if viewer else follower.approve)
    known = None if reuse is None else _results_of(reuse, effects=reuse_all)
    try:
        return follow_to_the_end(
            follower, lambda take: agent.run(task.task, reuse=known, on_event=take), as_json=as_json
        )
    except SchemaError as error:  # what a model's grammars can't enforce is found out when they are made
        raise task.error_from(error) from None


def _results_of(run: str, *, effects: bool) -> Reuse:
    from agentkit.reuse import Reuse

    return Reuse.of(run, effects=effects)


def build_agent(
    task: Task,
    *,
    model: str | None = None,
    seed: int | None = None,
    source: JsonObject | None = None,
    approve: Approve | None = None,
) -> Agent:
    """Returns the agent that a task file describes.

    Args:
        task: The task.
        model: Used instead of the file's model.
        seed: Makes the model's choices repeatable.
        source: What the run is started from; see `agentkit.events.RunStarted`.
        approve: Asks a person about a call; ``None`` when nobody is there.

    Raises:
        agentkit.errors.UsageError: A tool does not fit, the plan has an error, or the config file is wrong.
    """
    from agentkit.cli.follow import say
    from agentkit.plan_check import diagnose, refuse_errors

    tools = task.load_tools(hidden=True)
    for note in task.notes:
        say(note)
    diagnostics = diagnose(task, [tool for tool in tools if task.policy.permits(tool.name)])
    for diagnostic in diagnostics:
        if diagnostic.severity == "warning":
            say(str(diagnostic))
    refuse_errors(diagnostics)
    from agentkit.agent import Agent
    from agentkit.model_backend.base import Sampling
    from agentkit.paths import default_model

    given = isinstance(task.planner, tuple)
    return Agent(
        None if given else model or task.model or default_model(),
        tools,
        planner=task.planner,
        output=task.output,
        limits=task.limits,
        thinking=task.thinking or 0,
        sampling=Sampling(seed=seed),
        workspace=task.workspace,
        policy=task.policy,
        approve=approve,
        secrets=task.secrets,
        hosts=task.hosts,
        sandbox=task.sandbox,
        source=source,
    )


def parse_inputs(given: tuple[str, ...]) -> dict[str, str]:
    """Returns the values of ``--set KEY=VALUE`` by key.

    Raises:
        click.UsageError: One is not written so.
    """
    found: dict[str, str] = {}
    for item in given:
        name, equals, value = item.partition("=")
        if not name or not equals:
            raise click.UsageError(f"--set {item!r}: write KEY=VALUE, such as --set currency=EUR")
        found[name] = value
    return found
