"""Where rich prints: consoles that take text literally and say so when their reader is gone."""

from __future__ import annotations

import sys
from typing import NoReturn

from rich.console import Console

__all__ = ["console", "is_terminal"]


class _Console(Console):
    def on_broken_pipe(self) -> NoReturn:
        """Raises what any other print would raise; the entry turns it into an exit code."""
        raise BrokenPipeError


def console(*, stderr: bool = False) -> Console:
    """Returns a console on stdout or stderr, without markup, emoji codes and highlighting."""
    return _Console(stderr=stderr, markup=False, emoji=False, highlight=False)


def is_terminal() -> bool:
    """Returns whether progress can be drawn: stderr is a terminal that can move its cursor."""
    if not sys.stderr.isatty():
        return False
    drawn = console(stderr=True)
    return drawn.is_terminal and not drawn.is_dumb_terminal
