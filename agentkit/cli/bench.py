"""`agentkit bench`: measures a model on a public suite."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from agentkit.bench.bfcl import model_respondent, run_cases
from agentkit.bench.bfcl_cases import load_cases
from agentkit.bench.nestful_cases import load_nestful
from agentkit.bench.parallelqa_cases import load_parallelqa
from agentkit.bench.plans import planner_respondent, run_plans
from agentkit.cli.bench_suites import BFCL, NESTFUL, PARALLELQA, run_suite
from agentkit.model_backend.loading import open_model
from agentkit.paths import default_model

__all__ = ["bench"]

F = TypeVar("F", bound=Callable[..., Any])


@click.group()
def bench() -> None:
    """Measure a model on a public suite of function calls or plans."""


def _options(command: F) -> F:
    """Gives a command the options of every suite."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print one JSON object."),
        click.option("--seed", type=int, default=0, show_default=True, help="Seed of the sampler."),
        click.option("--limit", type=click.IntRange(min=1), help="Only the first rows of each file."),
        click.option("--model", "name", help="Catalog id, path to a .gguf, or URL; your default model unless given."),
        click.option(
            "--data",
            "files",
            type=click.Path(path_type=Path),
            multiple=True,
            required=True,
            help="JSON Lines in the suite's format; may be given several times.",
        ),
    ):
        command = option(command)
    return command


@bench.command()
@_options
def bfcl(files: tuple[Path, ...], name: str | None, limit: int | None, seed: int, as_json: bool) -> None:
    """Run single-turn cases of the Berkeley Function Calling Leaderboard.

    Each row is one turn in which the model has to call, taking the likeliest token each time. Calls are
    scored by BFCL's own AST rules. A row has an id, a category, a question, the functions in BFCL's
    dialect of JSON Schema, and the possible answers. One line a row goes to standard error. Ctrl-C ends
    early and keeps what is done.
    """
    cases = [case for file in files for case in load_cases(file, limit=limit)]
    name = name or default_model()
    model = open_model(name)
    try:
        run_suite(BFCL, name, len(cases), run_cases(cases, model_respondent(model, seed=seed)), as_json=as_json)
    finally:
        model.close()


@bench.command()
@_options
def nestful(files: tuple[Path, ...], name: str | None, limit: int | None, seed: int, as_json: bool) -> None:
    """Let the model write plans for NESTFUL's nested sequences of calls.

    Each row is one plan, written by the graph planner and not run, taking the likeliest token each time.
    It is compared with the expected one: tools, arguments, edges, and whether nothing differs. A row has
    an id, an input, the tools with their parameters and returns, and gold: the expected steps, each with
    an id, a tool and args. One line a row goes to standard error. Ctrl-C ends early and keeps what is
    done.
    """
    cases = [case for file in files for case in load_nestful(file, limit=limit)]
    name = name or default_model()
    model = open_model(name)
    try:
        run_suite(NESTFUL, name, len(cases), run_plans(cases, planner_respondent(model, seed=seed)), as_json=as_json)
    finally:
        model.close()


@bench.command()
@_options
def parallelqa(files: tuple[Path, ...], name: str | None, limit: int | None, seed: int, as_json: bool) -> None:
    """Let the model write plans for ParallelQA's questions, and judge their shape.

    Each row is one plan, written by the graph planner and not run, taking the likeliest token each time.
    It may search and calculate; expected are as many independent searches as the question has branches,
    and calculations that take all of them. A row has an id, a question and branch, a number. One line a
    row goes to standard error. Ctrl-C ends early and keeps what is done.
    """
    cases = [case for file in files for case in load_parallelqa(file, limit=limit)]
    name = name or default_model()
    model = open_model(name)
    try:
        run_suite(PARALLELQA, name, len(cases), run_plans(cases, planner_respondent(model, seed=seed)), as_json=as_json)
    finally:
        model.close()
