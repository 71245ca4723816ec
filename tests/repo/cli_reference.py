"""Writes docs/cli.md, or another file, from the commands: `python tests/repo/cli_reference.py [FILE]`."""

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from agentkit.cli.main import cli

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"

_HELP = ["-h", "--help"]

HEAD = """\
# Command line

<!-- Written by `make docs`; a test keeps it equal to the commands. -->

Exit codes: 0 done, 1 the run failed, 2 misuse, 3 needs a person, 130 interrupted, 143 ended by SIGTERM. On a terminal
progress is live; in a pipe it is plain lines; `--json` prints one object for programs.
"""


def cli_reference() -> str:
    """The text of the page: the help of each command, in the order in which a group lists them."""
    return HEAD + "".join(_sections(cli, ("agentkit",)))


def _sections(command: click.Command, path: tuple[str, ...]) -> Iterator[str]:
    context = command.make_context(
        " ".join(path), [], resilient_parsing=True, terminal_width=100, max_content_width=100, help_option_names=_HELP
    )
    yield f"\n## {' '.join(path)}\n\n```text\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            if child is not None and not child.hidden:
                yield from _sections(child, (*path, name))


if __name__ == "__main__":
    (Path(sys.argv[1]) if len(sys.argv) > 1 else PAGE).write_text(cli_reference(), encoding="utf-8")
