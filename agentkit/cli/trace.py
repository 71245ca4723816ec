"""``agentkit trace``: shows a run from its file, on a terminal to look around in, elsewhere as text."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import click

__all__ = ["has_screen", "trace"]


@click.command(short_help="Show a run, the latest by default.")
@click.argument("run", required=False)
@click.option("--print", "as_text", is_flag=True, help="Print the run; the default where there is no terminal.")
@click.option("--json", "as_json", is_flag=True, help="Print the object that 'agentkit run --json' prints.")
@click.option("--follow", is_flag=True, help="Print a line for each thing that happens, until the run ends.")
def trace(run: str | None, as_text: bool, as_json: bool, follow: bool) -> None:
    """Show a run from its file, also while it goes on or after it was killed.

    On a terminal this opens the viewer: '?' there shows its keys. RUN is a run's id or the beginning of one, or the
    path of a run file.
    """
    from agentkit.trace.runs import find_run

    if as_text + as_json + follow > 1:
        raise click.UsageError("--print, --json and --follow exclude each other; give one")
    path = find_run(run)
    if as_json:
        from agentkit.trace.trace import Trace

        print(json.dumps(Trace.load(path).to_json(), ensure_ascii=False))
    elif follow:
        _follow(path)
    elif as_text or not has_screen():
        _print(path)
    else:
        _view(path)


def has_screen() -> bool:
    """Returns whether the viewer can be drawn, and is wanted: who sets NO_COLOR gets plain text."""
    dumb = os.environ.get("TERM", "dumb") in ("dumb", "unknown") or "NO_COLOR" in os.environ
    return sys.stdin.isatty() and sys.stdout.isatty() and not dumb


def _print(path: Path) -> None:
    from agentkit.cli.console import console
    from agentkit.trace.timeline import timeline
    from agentkit.trace.trace import Trace

    out, found = console(), Trace.load(path)
    out.print(found)
    shown = timeline(found)
    if shown is not None:
        out.print()
        out.print(shown)


def _follow(path: Path) -> None:
    from agentkit.cli.display import Lines
    from agentkit.trace.source import follow

    lines = Lines()
    for event in follow(path):
        for _, line in lines.of(event):
            print(line, flush=True)


def _view(path: Path) -> None:
    from agentkit.errors import JournalError, UsageError
    from agentkit.trace.source import RunFile
    from agentkit.trace.viewer.app import TraceApp

    try:
        app = TraceApp(RunFile(path), light=_is_light())
    except JournalError as error:
        raise UsageError(str(error)) from None
    app.run()


def _is_light() -> bool:
    """Returns whether the terminal says that its background is light, as some do in COLORFGBG."""
    background = os.environ.get("COLORFGBG", "").rpartition(";")[2]
    return background in ("7", "15")
