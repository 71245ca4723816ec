"""``agentkit trace``: shows a run from its file, on a terminal to look around in, elsewhere as text."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import click

from agentkit.cli.trace_diff import diff

__all__ = ["has_screen", "trace"]


class _Trace(click.Group):
    """``agentkit trace [RUN]`` and ``agentkit trace diff A B``: no run's id is ``diff``."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Reads the arguments: those of a command below this one when its name comes first."""
        if args and args[0] in self.commands:
            return self.commands[args[0]].make_context(f"{info_name} {args[0]}", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Refuses a second run."""
        raise click.UsageError("one run is shown at a time; 'agentkit trace diff A B' compares two", ctx)


@click.group(
    cls=_Trace,
    short_help="Show a run, the latest by default.",
    invoke_without_command=True,
    context_settings={"allow_interspersed_args": True},
    subcommand_metavar="",
    commands={"diff": diff},
)
@click.argument("run", required=False)
@click.option("--print", "as_text", is_flag=True, help="Print the run; the default where there is no terminal.")
@click.option("--json", "as_json", is_flag=True, help="Print the object that 'agentkit run --json' prints.")
@click.option("--follow", is_flag=True, help="Print a line for each thing that happens, until the run ends.")
@click.option("--export", "form", type=click.Choice(["html", "svg", "jsonl", "otlp-json"]), help="Write it for others.")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Where --export writes to.")
@click.option("--web", is_flag=True, help="Open the viewer in a browser on this machine.")
def trace(
    run: str | None, as_text: bool, as_json: bool, follow: bool, form: str | None, output: Path | None, web: bool
) -> None:
    """Show a run from its file, also while it goes on or after it was killed.

    On a terminal this opens the viewer: '?' there shows its keys. RUN is a run's id or the beginning of one, or the
    path of a run file.
    """
    from agentkit.trace.runs import find_run

    if as_text + as_json + follow + (form is not None) + web > 1:
        raise click.UsageError("--print, --json, --follow, --export and --web exclude each other; give one")
    if output is not None and form is None:
        raise click.UsageError("-o says where an export goes; give --export too")
    path = find_run(run)
    if as_json:
        from agentkit.trace.trace import Trace

        print(json.dumps(Trace.load(path).to_json(), ensure_ascii=False))
    elif follow:
        _follow(path)
    elif form is not None:
        _export(path, form, output)
    elif web:
        from agentkit.cli.trace_web import serve

        serve(path)
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


def _export(path: Path, form: str, output: Path | None) -> None:
    from agentkit.errors import UsageError
    from agentkit.trace.export import FORMATS, export
    from agentkit.trace.trace import Trace

    text = export(Trace.load(path), next(f for f in FORMATS if f == form))
    if output is None:
        print(text, end="")
        return
    try:
        output.write_text(text, encoding="ascii")
    except OSError as error:
        raise UsageError(f"can't write {str(output)!r}: {error.strerror or error}") from None


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
