"""``agentkit runs``: lists the runs that left a file, and removes old ones."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pathlib import Path

    from agentkit.trace.runs import RunSummary

__all__ = ["runs"]

_STYLES = {
    "answer": "green",
    "running": "cyan",
    "approval": "yellow",
    "in_doubt": "yellow",
    "interrupted": "yellow",
}


@click.group(invoke_without_command=True, short_help="List the runs that left a file, or remove old ones.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many, the latest first.")
@click.option("--json", "as_json", is_flag=True, help="Print a list of JSON objects.")
@click.pass_context
def runs(context: click.Context, limit: int, as_json: bool) -> None:
    """List the runs that left a file, the latest first.

    The state is why a run ended or what it waits for; "running" while a process goes on with it, and "interrupted"
    when none does and 'agentkit resume' can.
    """
    if context.invoked_subcommand is not None:
        return
    from agentkit.paths import runs_folder
    from agentkit.trace.runs import run_files, summarize

    found = [summarize(path) for path in run_files()[:limit]]
    if as_json:
        print(json.dumps([asdict(r) for r in found], indent=2, ensure_ascii=False))
    elif found:
        _print_table(found)
    else:
        print(f"no runs in {str(runs_folder())!r} yet; start one with 'agentkit run task.yaml'", file=sys.stderr)


@runs.command(short_help="Remove the files of old runs.")
@click.option("--days", type=click.IntRange(min=0), help="Those that began more than this many days ago.")
@click.option("--keep", type=click.IntRange(min=0), help="All but this many, the latest.")
@click.option("--unfinished", is_flag=True, help="Also those that were interrupted or wait for a person.")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
def prune(days: int | None, keep: int | None, unfinished: bool, dry_run: bool) -> None:
    """Remove the files of old runs.

    With both --days and --keep, a run has to be old and not among the latest. A run that is going on is never removed.
    """
    from agentkit.trace.runs import remove_run, run_files, summarize

    if days is None and keep is None:
        raise click.UsageError("say which runs: --days N for those that are older, --keep N for all but the latest")
    count = freed = 0
    for path in run_files()[keep or 0 :]:
        run = summarize(path)
        if run.state == "running" or (run.can_go_on and not unfinished) or _age(run, path) < (days or 0) * 86_400:
            continue
        freed += path.stat().st_size if dry_run else remove_run(path)
        count += 1
        print(f"{run.id}  {run.state}")
    done = "would be removed" if dry_run else "removed"
    print(f"{count:,} {'run' if count == 1 else 'runs'} {done}, {freed / 1e6:,.1f} MB", file=sys.stderr)


def _age(run: RunSummary, path: Path) -> float:
    """Returns how many seconds ago a run began; that of its file, when it does not say so."""
    try:
        began = datetime.fromisoformat(run.started).timestamp()
    except ValueError:
        began = path.stat().st_mtime
    return datetime.now(UTC).timestamp() - began


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
    for heading in ("age", "steps", "tokens", "seconds"):
        table.add_column(heading, no_wrap=True, justify="right")
    for heading in ("model", "task"):  # what is cut when the terminal is narrow: the cells don't wrap
        table.add_column(heading)
    for run in found:
        table.add_row(
            Text(one_line(run.id, 60)),
            Text(run.state.replace("_", " "), style=_STYLES.get(run.state, "red")),
            _ago(run.started),
            f"{run.steps:,}",
            f"{run.tokens:,}",
            f"{run.seconds:,.1f}",
            Text(one_line(run.model, 24), no_wrap=True, overflow="ellipsis"),
            Text(one_line(run.task, 200), no_wrap=True, overflow="ellipsis"),
        )
    out.print(table)


def _ago(started: str) -> str:
    """Returns how long ago a run began, in its largest unit; nothing when that is not known."""
    try:
        seconds = datetime.now(UTC).timestamp() - datetime.fromisoformat(started).timestamp()
    except ValueError:
        return ""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"
