"""The command line's entry: finds the command, loads its module, and turns errors into exit codes.

====  ================================================================
code  meaning
====  ================================================================
0     done
1     the run failed
2     misuse: an option, a task file, a tool or a model that is not there
3     a person is needed
130   interrupted by Ctrl-C
141   the reader of the output went away, as in ``agentkit runs | head``
143   ended by SIGTERM
====  ================================================================
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn, TextIO

import click

from agentkit import __version__
from agentkit.errors import AgentkitError, TaskFileError, UsageError

__all__ = ["COMMANDS", "cli", "execute", "main"]

COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("agentkit.cli.run", "Run a task file."),
    "resume": ("agentkit.cli.resume", "Go on with a run that was interrupted, the latest by default."),
    "replay": ("agentkit.cli.replay", "Repeat a run without a model, and find what is different."),
    "fork": ("agentkit.cli.fork", "Start a new run from a step of an earlier one."),
    "plan": ("agentkit.cli.plan", "Show the plan of a task, and check it."),
    "chat": ("agentkit.cli.chat", "Talk with a model that can call tools."),
    "approve": ("agentkit.cli.approve", "Allow or deny calls that a run waits for."),
    "runs": ("agentkit.cli.runs", "List the runs that left a file."),
    "trace": ("agentkit.cli.trace", "Show a run, the latest by default."),
    "tools": ("agentkit.cli.tools", "List the tools of files, modules and tasks with their schemas."),
    "models": ("agentkit.cli.models", "List, get and remove models."),
    "doctor": ("agentkit.cli.doctor", "Examine a model file and say what to do about it."),
    "bench": ("agentkit.cli.bench", "Measure how well a model calls functions."),
}
"""Module and one line of help of each command; the module's attribute is named like the command."""


class _LazyGroup(click.Group):
    """Lists commands from the table and imports one only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = getattr(import_module(COMMANDS[cmd_name][0]), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], COMMANDS, n=1)
            advice = f"did you mean {near[0]!r}?" if near else f"the commands are {', '.join(COMMANDS)}"
            raise click.UsageError(f"there is no command {args[0]!r}; {advice}", ctx)
        return super().resolve_command(ctx, args)


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="agentkit")
def cli() -> None:
    """Local models call your Python functions."""


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Runs the command line and exits.

    Args:
        args: The arguments; those of the process by default.
    """
    sys.exit(execute(sys.argv[1:] if args is None else args))


def execute(args: Sequence[str]) -> int:
    """Runs one command and returns its exit code; a known error becomes one message on stderr."""
    for stream in (sys.stdout, sys.stderr):
        _never_fail_to_encode(stream)
    try:
        code = _invoke(list(args))
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        return _reader_gone()
    except KeyboardInterrupt:
        return _say("interrupted", 130)
    except click.ClickException as error:
        context = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "agentkit"
        return _say(f"error: {error.format_message()}\nTry '{context} --help'.", 2)
    except TaskFileError as error:
        return _say(str(error), 2)  # starts with path:line:column, which editors can follow
    except UsageError as error:
        return _say(f"error: {error}", 2)
    except AgentkitError as error:
        return _say(f"error: {error}", 1)
    return code


def _invoke(args: list[str]) -> int:
    # Not `cli.main`: it would turn Ctrl-C and closed pipes into exit codes of its own.
    try:
        with cli.make_context("agentkit", args) as context:
            code = cli.invoke(context)
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return 2
    return code if isinstance(code, int) else 0


def _say(message: str, code: int) -> int:
    from agentkit.trace.text import visible

    try:
        print(visible(message), file=sys.stderr, flush=True)
    except BrokenPipeError:
        return _reader_gone()
    return code


def _reader_gone() -> int:
    """Sends what is still buffered nowhere, so that the interpreter does not complain when it exits."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(nowhere, stream.fileno())
    return 141


def _never_fail_to_encode(stream: TextIO) -> None:
    """Makes characters that the terminal's encoding lacks come out as escapes."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")
