"""``agentkit run``: runs a task file."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agentkit.errors import SchemaError

if TYPE_CHECKING:
    from agentkit.agent import Agent
    from agentkit.task import Task
    from agentkit.task_steps import PlannerName
    from agentkit.trace import Trace

__all__ = ["build_agent", "parse_inputs", "run"]


@click.command(short_help="Run a task file.")
@click.argument("task_file", metavar="TASK.YAML", type=click.Path(path_type=Path))
@click.option("--set", "given", multiple=True, metavar="KEY=VALUE", help="Give an input a value. Repeatable.")
@click.option("--model", metavar="MODEL", help="Catalog id, path to a .gguf, or URL; instead of the file's.")
@click.option("--planner", type=click.Choice(["auto", "graph", "loop"]), help="Instead of the file's planner.")
@click.option("--seed", type=int, help="Make the model's choices repeatable.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of the answer.")
def run(
    task_file: Path,
    given: tuple[str, ...],
    model: str | None,
    planner: PlannerName | None,
    seed: int | None,
    as_json: bool,
) -> int:
    """Run a task file: progress goes to stderr, the answer to stdout.

    File tools work in the folder of the task file. A plan is a task file too (see 'agentkit plan').
    """
    from agentkit.cli.follow import Follower, choose_display, print_answer
    from agentkit.task import read_task

    variables = parse_inputs(given)
    with contextlib.redirect_stdout(sys.stderr):  # what tools print must not end up in the answer
        task = read_task(task_file, variables)
        if planner is not None:
            task = replace(task, planner=planner, given=None)
        follower = Follower(build_agent(task, model=model, seed=seed), choose_display(quiet=as_json))
        try:
            asyncio.run(follower.run(task.task))
        except KeyboardInterrupt:
            _say_what_is_kept(follower.trace)
            return 130
        except SchemaError as error:  # what a model's grammars can't enforce is found out when they are made
            raise task.error_from(error) from None
    trace = follower.trace
    if as_json:
        print(json.dumps(trace.to_json(), ensure_ascii=False), flush=True)
    elif trace.stop_reason == "answer":
        print_answer(trace.output)
    return _exit_code(trace)


def build_agent(task: Task, *, model: str | None = None, seed: int | None = None) -> Agent:
    """Returns the agent that a task file describes.

    Args:
        task: The task.
        model: Used instead of the file's model.
        seed: Makes the model's choices repeatable.

    Raises:
        agentkit.errors.UsageError: A tool does not fit, the plan has an error, or the config file is wrong.
    """
    from agentkit.plan_check import diagnose, refuse_errors

    tools = task.load_tools()
    diagnostics = diagnose(task, tools)
    for diagnostic in diagnostics:
        if diagnostic.severity == "warning":
            _say(str(diagnostic))
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


def _exit_code(trace: Trace) -> int:
    end = trace.end
    if end is None or end.stop_reason != "answer":
        _say(end.message if end is not None else "the run has no end")
        _say(f"look at it with: agentkit trace {trace.run_id} --print")
        return 130 if end is not None and end.stop_reason == "cancelled" else 1
    return 0


def _say_what_is_kept(trace: Trace) -> None:
    from agentkit.trace.text import counted

    if not trace.run_id:
        _say("interrupted before the run began; nothing was done")
        return
    done = [counted(len(trace.turns), "turn")] if trace.turns else []
    done.append(counted(sum(s.ok is not None for s in trace.steps), "finished call"))
    _say(f"interrupted; run {trace.run_id} is kept, with {' and '.join(done)}")
    _say(f"look at it with: agentkit trace {trace.run_id} --print")


def _say(message: str) -> None:
    from agentkit.trace.text import visible

    print(visible(message), file=sys.stderr, flush=True)
