"""``agentkit trace``: shows a run from its file."""

from __future__ import annotations

import json

import click

__all__ = ["trace"]


@click.command(short_help="Show a run, the latest by default.")
@click.argument("run", required=False)
@click.option("--print", "as_text", is_flag=True, help="Print the run as a tree; the default.")
@click.option("--json", "as_json", is_flag=True, help="Print the object that 'agentkit run --json' prints.")
def trace(run: str | None, as_text: bool, as_json: bool) -> None:
    """Show a run from its file, also while it goes on or after it was killed.

    RUN is a run's id or the beginning of one, or the path of a run file.
    """
    from agentkit.trace.trace import Trace

    if as_text and as_json:
        raise click.UsageError("--print and --json exclude each other; give one")
    found = Trace.load(run)
    if as_json:
        print(json.dumps(found.to_json(), ensure_ascii=False))
        return
    from agentkit.cli.console import console

    console().print(found)
