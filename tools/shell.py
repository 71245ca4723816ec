"""Built-in tool that runs commands which a model wrote, in the best sandbox of this machine.

No shell reads a command: its words are the program and its arguments. `agentkit.tools.sandbox` says how it is confined.
"""

from __future__ import annotations

import asyncio
import os
import shlex
from typing import NotRequired, TypedDict

from agentkit.errors import Retry
from agentkit.tools.context import ToolContext
from agentkit.tools.decorator import tool
from agentkit.tools.sandbox import best_level, check_level, run_confined

__all__ = ["run_command"]

_SECONDS = 60.0
_CHARACTERS = 16_000  # some 5,000 tokens


class CommandResult(TypedDict):
    """How a command ended, and what it wrote."""

    exit_code: int
    output: str
    errors: NotRequired[str]
    note: NotRequired[str]


@tool(effect="once")
async def run_command(command: list[str] | str, context: ToolContext) -> CommandResult:
    """Run a program in the workspace. There is no shell: no pipes, no redirection, no variables, no network.

    Args:
        command: The program and its arguments, such as ["grep", "-c", "ERROR", "api.log"].
        context: The run.

    Returns:
        Exit code (0 when all went well), output, and error output.

    Raises:
        agentkit.errors.Retry: The command is empty, or not written so that its words can be told apart.
        agentkit.errors.ToolFailed: It writes without end.
        agentkit.errors.ToolTimeout: It does not end.
        agentkit.errors.UsageError: A sandbox is required, and this machine has none.
    """
    words = _words(command)
    mode = context.access.sandbox
    level = "limits" if mode == "off" else await asyncio.to_thread(best_level)
    check_level(mode, "run_command", "bwrap", level)
    context.sandbox = level
    finished = await run_confined(
        words,
        tool="run_command",
        workspace=context.workspace.resolve(),
        level=level,
        seconds=_SECONDS,
        most_output=_CHARACTERS,
    )
    result = CommandResult(exit_code=finished.code, output=finished.out.decode(errors="replace"))
    if finished.err:
        result["errors"] = finished.err.decode(errors="replace")
    if finished.left_out:
        result["note"] = f"{finished.left_out:,} bytes of its output are left out"
    return result


def _words(command: list[str] | str) -> list[str]:
    example = 'such as ["ls", "-l"]'
    try:
        words = shlex.split(command) if isinstance(command, str) else command
    except ValueError as error:
        raise Retry(f"{command!r} can't be read: {error}; give a list of words, {example}") from None
    if not words or not words[0].strip():
        raise Retry(f"the command is empty; give the program and its arguments, {example}")
    if any("\0" in word for word in words):
        raise Retry("a word of the command holds a NUL character, which no program takes; leave it out")
    if sum(len(os.fsencode(word)) + 1 for word in words) > 100_000:
        raise Retry("the command is longer than 100,000 bytes; write long text to a file and name that")
    return words
