"""``agentkit plan``: shows what a task is going to do, and what is wrong with that, without doing it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shlex
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agentkit.errors import PlanError

if TYPE_CHECKING:
    from agentkit.messages import JsonObject
    from agentkit.plan_check import Diagnostic
    from agentkit.planners.graph import WrittenPlan
    from agentkit.planners.plan import Plan, Step
    from agentkit.task import Task
    from agentkit.tools.tool import Tool

__all__ = ["plan", "write_plan"]


@click.command(short_help="Show the plan of a task, and check it.")
@click.argument("task_file", metavar="TASK.YAML", type=click.Path(path_type=Path))
@click.option("--set", "given", multiple=True, metavar="KEY=VALUE", help="Give an input a value. Repeatable.")
@click.option("--model", metavar="MODEL", help="Catalog id, path to a .gguf, or URL; instead of the file's.")
@click.option("--seed", type=int, help="Make the model's choices repeatable.")
@click.option(
    "--save", metavar="FILE", type=click.Path(path_type=Path), help="Write the plan as a task file, to be run."
)
@click.option("--as", "form", type=click.Choice(["yaml", "mermaid", "dot"]), help="Print the plan in this form.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def plan(
    task_file: Path,
    given: tuple[str, ...],
    model: str | None,
    seed: int | None,
    save: Path | None,
    form: str | None,
    as_json: bool,
) -> int:
    """Show the steps of a task, how they hang together, and what is wrong with them. Nothing is run.

    When the task file has no list of steps, the model writes them. What is found goes to stderr, with file, line and
    column; an error is exit code 2.
    """
    from agentkit.cli.run import parse_inputs
    from agentkit.plan_check import diagnose, diagnose_written
    from agentkit.task import read_task

    if form and as_json:
        raise click.UsageError("--as and --json exclude each other; give one")
    inputs = parse_inputs(given)
    with contextlib.redirect_stdout(sys.stderr):  # what tool files print must not end up in the plan
        task = read_task(task_file, inputs)
        tools = task.load_tools()
        if isinstance(task.planner, tuple):
            steps: Sequence[Step] = task.planner
            diagnostics = diagnose(task, tools)
        else:
            written = write_plan(task, tools, model=model, seed=seed)
            steps = written.steps
            diagnostics = [*_of_writing(task, written), *diagnose_written(task, steps, tools)]
    is_wrong = any(d.severity == "error" for d in diagnostics)
    graph = _graph(steps)
    if as_json:
        print(json.dumps(_to_json(task, graph, tools, diagnostics), ensure_ascii=False))
    else:
        if graph:
            _print_plan(form, task, graph, tools)
        _print_diagnostics(diagnostics)
    if save is not None:
        _save(task, steps, save, is_wrong=is_wrong)
    return 2 if is_wrong else 0


def write_plan(task: Task, tools: Sequence[Tool], *, model: str | None = None, seed: int | None = None) -> WrittenPlan:
    """Lets a model write the plan of a task; nothing of it is run.

    Args:
        task: The task.
        tools: The tools that it may use.
        model: Used instead of the task's model.
        seed: Makes the model's choices repeatable.

    Raises:
        agentkit.errors.TaskFileError: The task's planner makes no plan.
        agentkit.errors.ModelUnavailable: The model is not there.
        agentkit.errors.ModelError: The model failed.
        agentkit.errors.LimitReached: A server's plan does not fit.
    """
    from agentkit.cli.console import console, is_terminal
    from agentkit.cli.display import speed
    from agentkit.model_backend import loading
    from agentkit.model_backend.base import Sampling
    from agentkit.paths import default_model
    from agentkit.planners import graph
    from agentkit.run import tool_spec
    from agentkit.trace.text import visible

    if task.planner == "loop":
        raise task.error("the loop planner decides call by call and makes no plan; write 'planner: graph'", "planner")
    opened = loading.open_model(model or task.model or default_model())
    specs = [*map(tool_spec, tools)]
    sampling = Sampling(seed=seed)
    with console(stderr=True).status("planning") if is_terminal() else contextlib.nullcontext():
        written = asyncio.run(
            graph.write_plan(opened, task.task, specs, thinking=task.thinking or 0, sampling=sampling)
        )
    tokens = f"{written.usage.prompt_tokens:,} tokens in, {speed(written.usage)}"
    print(visible(f"planned by {opened.info.name}: {tokens}"), file=sys.stderr, flush=True)
    return written


def _of_writing(task: Task, written: WrittenPlan) -> list[Diagnostic]:
    """Returns what is to be said about how the model wrote its plan."""
    from agentkit.plan_check import Diagnostic

    said = list(written.problems)
    if not written.steps:
        said.append("the model planned no calls; a run would answer at once")
    elif written.looks:
        said.append("the model wants to see these results and plan more then; a saved plan ends here")
    return [Diagnostic(severity="warning", path=task.path, message=message) for message in said]


def _graph(steps: Sequence[Step]) -> Plan | None:
    """Returns the steps as a plan; ``None`` when they do not make one."""
    from agentkit.planners.plan import Plan

    found = Plan()
    try:
        for step in steps:
            found.add(step)
    except PlanError:
        return None
    return found


def _print_plan(form: str | None, task: Task, graph: Plan, tools: Sequence[Tool]) -> None:
    from agentkit.cli.console import console
    from agentkit.cli.plan_view import render_plan
    from agentkit.plan_approvals import foresee
    from agentkit.plan_file import plan_text
    from agentkit.planners.drawing import to_dot, to_mermaid
    from agentkit.trace.text import visible

    match form:
        case "yaml":
            print(plan_text(task, list(graph), Path.cwd()), end="")
        case "mermaid":
            print(visible(to_mermaid(graph)), end="")
        case "dot":
            print(visible(to_dot(graph)), end="")
        case _:
            named = {tool.name: tool for tool in tools}
            for part in render_plan(task.task, graph, named, foresee(list(graph), named, task.policy)):
                console().print(part)
    sys.stdout.flush()


def _print_diagnostics(diagnostics: Sequence[Diagnostic]) -> None:
    from rich.text import Text

    from agentkit.cli.console import console
    from agentkit.trace.text import counted, visible

    out = console(stderr=True)
    styles = {"error": "bold red", "warning": "yellow", "note": "cyan"}
    for d in diagnostics:
        line = Text.assemble(visible(f"{d.place}: "), (f"{d.severity}: ", styles[d.severity]), visible(d.message))
        out.print(line, soft_wrap=True)
    counts = Counter(d.severity for d in diagnostics)
    if counts["error"]:
        out.print(", ".join(counted(counts[s], s) for s in ("error", "warning", "note") if counts[s]), style="bold")


def _save(task: Task, steps: Sequence[Step], path: Path, *, is_wrong: bool) -> None:
    from agentkit.plan_file import save_plan
    from agentkit.trace.text import visible

    if is_wrong or not steps:
        print(f"not saved, because it has {'errors' if is_wrong else 'no steps'}", file=sys.stderr)
        return
    save_plan(task, steps, path)
    print(visible(f"saved; run it with: agentkit run {shlex.quote(str(path))}"), file=sys.stderr)


def _to_json(task: Task, graph: Plan | None, tools: Sequence[Tool], diagnostics: Sequence[Diagnostic]) -> JsonObject:
    from agentkit.plan_approvals import foresee
    from agentkit.planners.shape import shape_of

    found: JsonObject = {"task": task.task, "steps": None}
    if graph is not None:
        effects = {tool.name: tool.effect for tool in tools}
        found["steps"] = graph.to_list()
        verdicts = foresee(list(graph), {tool.name: tool for tool in tools}, task.policy)
        found["approvals"] = {step: verdict.reason for step, verdict in verdicts.items() if verdict.action == "ask"}
        found["effects"] = {step.id: effects.get(step.tool) for step in graph}
        found |= asdict(shape_of(graph))
    found["findings"] = [
        {"severity": d.severity, "line": d.line, "column": d.column, "message": d.message} for d in diagnostics
    ]
    return found
