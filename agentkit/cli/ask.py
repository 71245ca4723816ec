"""Asks on the terminal whether a call may be made, with its arguments in full."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.text import Text

from agentkit.approval import Approval, Decision
from agentkit.errors import ArgumentError
from agentkit.messages import JsonObject, is_object
from agentkit.trace.text import visible

if TYPE_CHECKING:
    from agentkit.tools.tool import Tool

__all__ = ["ask", "edit_text", "read_line", "show_call"]

_CHOICES = "[y]es, [n]o, [a]lways in this run, [e]dit the arguments, Ctrl-D to decide later? "
_AGAIN = "Answer y, n, a or e; after n, words for the model may follow."

_LINE = 4096
"""Bytes that a terminal hands over of a line."""


async def ask(
    asked: Approval,
    out: Console,
    read: Callable[[], Awaitable[str | None]],
    edit: Callable[[str], Awaitable[str | None]],
) -> Decision | None:
    """Asks about a call until there is an answer.

    Args:
        asked: The call.
        out: Where the question is shown.
        read: Reads a line; ``None`` at the end of the input.
        edit: Lets a text be edited; ``None`` when nothing was saved.

    Returns:
        The decision; ``None`` when it is to be made later.
    """
    arguments = asked.arguments
    edited: JsonObject | None = None
    name = asked.step if asked.item is None else f"{asked.step}[{asked.item}]"
    show_call(name, asked.tool.name, arguments, asked.reason, asked.labels, out)
    while True:
        out.print(_CHOICES, end="", style="bold")
        line = await read()
        if line is None:
            out.print("\nleft open; the run pauses when nothing else can be done")
            return None
        word, _, rest = line.strip().partition(" ")
        match word.casefold():
            case "y" | "yes":
                return Decision(allow=True, arguments=edited, by="terminal")
            case "a" | "always":
                return Decision(allow=True, arguments=edited, always=True, by="terminal")
            case "n" | "no":
                return Decision(allow=False, message=rest.strip(), by="terminal")
            case "e" | "edit":
                changed = await _edited(asked.tool, arguments, out, edit)
                if changed is not None and changed != arguments:
                    arguments = edited = changed
                    show_call(name, asked.tool.name, arguments, asked.reason, asked.labels, out)
            case _:
                out.print(_AGAIN)


def show_call(step: str, tool: str, arguments: JsonObject, reason: str, labels: Sequence[str], out: Console) -> None:
    """Shows a call that is asked about, all of it.

    Args:
        step: Its step, with the index of the item when it is one of many.
        tool: What it calls.
        arguments: What the tool would be given.
        reason: Why it is asked.
        labels: Where the call comes from.
        out: Where it is shown.
    """
    out.print(Text.assemble("\n", (visible(step), "bold"), " wants to call ", (visible(tool), "bold cyan")))
    out.print(visible(json.dumps(arguments, indent=2, ensure_ascii=False)), style="cyan", soft_wrap=True)
    out.print(visible(f"why it is asked: {reason}"), style="yellow", soft_wrap=True)
    out.print(visible(f"where it comes from: {', '.join(labels)}"), style="dim", soft_wrap=True)


async def _edited(
    tool: Tool, arguments: JsonObject, out: Console, edit: Callable[[str], Awaitable[str | None]]
) -> JsonObject | None:
    """Returns edited arguments that the tool takes; ``None`` when they stay as they are."""
    text = await edit(json.dumps(arguments, indent=2, ensure_ascii=False))
    if text is None:
        return None
    try:
        changed: Any = json.loads(text)
        if not is_object(changed):
            raise ValueError("the arguments must be one JSON object")
        tool.validate(changed)
    except (ValueError, RecursionError, ArgumentError) as error:
        out.print(visible(f"not taken: {error}"), style="red", soft_wrap=True)
        return None
    return changed


async def read_line() -> str | None:
    """Reads a line from the terminal while other calls go on; ``None`` at the end of the input.

    Not by a thread: one that waits for a line can't be stopped, and Ctrl-C would wait for it.
    """
    loop = asyncio.get_running_loop()
    file = sys.stdin.fileno()
    ready = asyncio.Event()
    read = b""
    while not read.endswith(b"\n"):
        ready.clear()
        loop.add_reader(file, ready.set)
        try:
            await ready.wait()
        finally:
            loop.remove_reader(file)
        part = os.read(file, _LINE)
        if not part:
            return read.decode(errors="replace") or None
        read += part
    return read.decode(errors="replace")


async def edit_text(text: str) -> str | None:
    """Lets a person change a text in an editor (``VISUAL``, ``EDITOR``); ``None`` when nothing was saved."""
    try:
        return await asyncio.to_thread(click.edit, text, extension=".json")
    except click.ClickException as error:
        print(visible(error.format_message()), file=sys.stderr)
        return None
