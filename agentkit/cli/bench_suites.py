"""What the suites of `agentkit bench` show: progress, a table or JSON."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import click
from rich import box
from rich.console import Console
from rich.table import Table

from agentkit.bench.bfcl_report import CallMetrics, CallOutcome, measure_calls
from agentkit.bench.plan_report import PlanMetrics, PlanOutcome, measure_plans
from agentkit.bench.report import Measure, Outcome, by_category, report_json

__all__ = ["BFCL", "NESTFUL", "PARALLELQA", "Suite", "collect", "run_suite", "table"]

O = TypeVar("O", bound=Outcome)  # noqa: E741


@dataclass(frozen=True, slots=True)
class Suite(Generic[O]):
    """How a suite's outcomes are summed up and shown."""

    name: str
    title: str
    measure: Measure[O]
    columns: Mapping[str, Callable[[Any], str]]
    """For each column of the table: its text from the figures."""


def _forced(metrics: CallMetrics) -> str:
    return f"{metrics.forced / metrics.tokens if metrics.tokens else 0.0:.0%}"


BFCL: Suite[CallOutcome] = Suite(
    "bfcl",
    "BFCL",
    measure_calls,
    {
        "accuracy": lambda m: f"{m.accuracy:.3f}",
        "valid calls": lambda m: f"{m.valid:.1%}",
        "tokens/call": lambda m: f"{m.tokens:.1f}",
        "forced": _forced,
        "s/call": lambda m: f"{m.seconds:.2f}",
    },
)


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


_PLAN_COLUMNS: Mapping[str, Callable[[PlanMetrics], str]] = {
    "valid": lambda m: f"{m.valid:.1%}",
    "tool F1": lambda m: _share(m.tool_f1),
    "arg F1": lambda m: _share(m.arg_f1),
    "edge F1": lambda m: _share(m.edge_f1),
    "full match": lambda m: _share(m.full_match),
    "tokens/plan": lambda m: f"{m.tokens:.1f}",
    "s/plan": lambda m: f"{m.seconds:.2f}",
}
NESTFUL: Suite[PlanOutcome] = Suite("nestful", "NESTFUL", measure_plans, _PLAN_COLUMNS)
PARALLELQA: Suite[PlanOutcome] = Suite("parallelqa", "ParallelQA", measure_plans, _PLAN_COLUMNS)


def run_suite(suite: Suite[O], model: str, rows: int, running: AsyncIterator[O], *, as_json: bool) -> None:
    """Waits for the outcomes and prints the report; on Ctrl-C that of the rows that are done, with exit code 130.

    Args:
        suite: What is run.
        model: Name of the model.
        rows: How many outcomes there will be.
        running: Gives the outcomes.
        as_json: Whether to print JSON instead of a table.
    """
    outcomes: list[O] = []
    interrupted = False
    try:
        asyncio.run(collect(running, outcomes, rows))
    except KeyboardInterrupt:
        interrupted = True
        click.echo(f"stopped after {len(outcomes)} of {rows} rows", err=True)
    if as_json:
        click.echo(json.dumps(report_json(suite.name, model, outcomes, suite.measure)))
    elif outcomes:
        groups = by_category(outcomes) | {"all": outcomes}
        Console(width=None if sys.stdout.isatty() else 100).print(table(suite, f"{suite.title}, {model}", groups))
    if interrupted:
        raise SystemExit(130)


async def collect(running: AsyncIterator[O], outcomes: list[O], rows: int) -> None:
    """Appends each outcome, and says on standard error how it went."""
    async for outcome in running:
        outcomes.append(outcome)
        click.echo(f"[{len(outcomes)}/{rows}] {outcome.id}  {outcome.summary}", err=True)


def table(suite: Suite[O], title: str, groups: Mapping[str, Sequence[O]], *, label: str = "category") -> Table:
    """Returns the figures of each group of outcomes as a table, the last group apart when it is for all.

    Args:
        suite: Which figures there are.
        title: What stands above.
        groups: Names, and outcomes of which there is at least one.
        label: What the names are.
    """
    result = Table(title=title, title_justify="left", box=box.SIMPLE)
    result.add_column(label, no_wrap=True)
    for column in ("rows", *suite.columns):
        result.add_column(column, justify="right")
    for name, group in groups.items():
        if name == "all":
            result.add_section()
        metrics = suite.measure(group)
        result.add_row(name, str(len(group)), *(text(metrics) for text in suite.columns.values()))
    return result
