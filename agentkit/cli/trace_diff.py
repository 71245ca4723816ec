"""``agentkit trace diff``: shows how two runs differ."""

from __future__ import annotations

import json

import click

__all__ = ["diff"]


@click.command(short_help="Show how two runs differ.")
@click.argument("a")
@click.argument("b")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def diff(a: str, b: str, as_json: bool) -> None:
    """Show how run B differs from run A, step by step: the plan, arguments, results, times, tokens, and the end.

    Steps are the same when their ids and tools are, or else their tools and arguments. Each run is an id, the
    beginning of one, or the path of a run file. Differences are no error: the exit code is 0 with or without them.
    """
    from agentkit.trace.diff import compare
    from agentkit.trace.trace import Trace

    found = compare(Trace.load(a), Trace.load(b))
    if as_json:
        print(json.dumps(found.to_json(), ensure_ascii=False))
        return
    from agentkit.cli.console import console

    console().print(found)
