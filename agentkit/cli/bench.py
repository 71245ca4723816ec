"""`agentkit bench`: measures a model on a public suite."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import click
from rich import box
from rich.console import Console
from rich.table import Table

from agentkit.bench.bfcl import Respondent, model_respondent, run_cases
from agentkit.bench.bfcl_cases import Case, load_cases
from agentkit.bench.report import Metrics, Outcome, by_category, measure, report_json
from agentkit.model_backend.loading import open_model
from agentkit.paths import default_model

__all__ = ["bench", "outcomes_of", "table"]


@click.group()
def bench() -> None:
    """Measure a model on a public function-calling suite."""


@bench.command()
@click.option(
    "--data",
    "files",
    type=click.Path(path_type=Path),
    multiple=True,
    required=True,
    help="JSON Lines in BFCL's format; may be given several times.",
)
@click.option("--model", "name", help="Catalog id, path to a .gguf, or URL; your default model unless given.")
@click.option("--limit", type=click.IntRange(min=1), help="Only the first rows of each file.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the sampler.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
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
    outcomes: list[Outcome] = []
    interrupted = False
    try:
        asyncio.run(outcomes_of(cases, model_respondent(model, seed=seed), outcomes))
    except KeyboardInterrupt:
        interrupted = True
        click.echo(f"stopped after {len(outcomes)} of {len(cases)} rows", err=True)
    finally:
        model.close()
    if as_json:
        click.echo(json.dumps(report_json("bfcl", name, outcomes)))
    elif outcomes:
        Console(width=None if sys.stdout.isatty() else 100).print(table(f"BFCL, {name}", outcomes))
    if interrupted:
        raise SystemExit(130)


async def outcomes_of(cases: Sequence[Case], respond: Respondent, outcomes: list[Outcome]) -> None:
    """Appends how each case went, and says so on standard error."""
    async for outcome in run_cases(cases, respond):
        outcomes.append(outcome)
        verdict = "right" if outcome.problem is None else f"wrong: {outcome.problem}"
        click.echo(
            f"[{len(outcomes)}/{len(cases)}] {outcome.id}  {outcome.calls} calls  {outcome.tokens} tokens  "
            f"{outcome.seconds:.1f} s  {verdict}",
            err=True,
        )


def table(title: str, outcomes: Sequence[Outcome]) -> Table:
    """Returns the figures of each category and of all cases as a table."""
    result = Table(title=title, title_justify="left", box=box.SIMPLE)
    result.add_column("category", no_wrap=True)
    for column in ("rows", "accuracy", "valid calls", "tokens/call", "forced", "s/call"):
        result.add_column(column, justify="right")
    for name, group in by_category(outcomes).items():
        result.add_row(name, str(len(group)), *_cells(measure(group)))
    result.add_section()
    result.add_row("all", str(len(outcomes)), *_cells(measure(outcomes)))
    return result


def _cells(metrics: Metrics) -> tuple[str, ...]:
    forced = metrics.forced / metrics.tokens if metrics.tokens else 0.0
    return (
        f"{metrics.accuracy:.3f}",
        f"{metrics.valid:.1%}",
        f"{metrics.tokens:.1f}",
        f"{forced:.0%}",
        f"{metrics.seconds:.2f}",
    )
