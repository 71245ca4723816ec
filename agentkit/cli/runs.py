"""``agentkit runs``: lists the runs that left a file."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from agentkit.trace.runs import RunSummary

__all__ = ["runs"]


@click.command(short_help="List the runs that left a file.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many, the latest first.")
@click.option("--json", "as_json", is_flag=True, help="Print a list of JSON objects.")
def runs(limit: int, as_json: bool) -> None:
    """List the runs that left a file, the latest first."""
    from agentkit.paths import runs_folder
    from agentkit.trace.runs import run_files, summarize

    found = [summarize(path) for path in run_files()[:limit]]
    if as_json:
        print(json.dumps([asdict(r) for r in found], indent=2, ensure_ascii=False))
    elif found:
        _print_table(found)
    else:
        print(f"no runs in {str(runs_folder())!r} yet; start one with 'agentkit run task.yaml'", file=sys.stderr)


def _print_table(found: list[RunSummary]) -> None:
    from rich.table import Table
    from rich.text import Text

    from agentkit.cli.console import console
    from agentkit.trace.text import one_line

    out = console()
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    ids = max(len(r.id) for r in found)
    table.add_column("run", no_wrap=True, min_width=min(ids, out.width), overflow="fold")  # it is there to be copied
    table.add_column("state", no_wrap=True)
    for heading in ("steps", "tokens"):
        table.add_column(heading, no_wrap=True, justify="right")
    for heading in ("model", "task"):  # what is cut when the terminal is narrow: the cells don't wrap
        table.add_column(heading)
    for run in found:
        style = "green" if run.state == "answer" else "yellow" if run.state == "unfinished" else "red"
        table.add_row(
            Text(one_line(run.id, 60)),
            Text(run.state, style=style),
            f"{run.steps:,}",
            f"{run.tokens:,}",
            Text(one_line(run.model, 24), no_wrap=True, overflow="ellipsis"),
            Text(one_line(run.task, 200), no_wrap=True, overflow="ellipsis"),
        )
    out.print(table)
