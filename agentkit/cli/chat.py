"""``agentkit chat``: talks with a model, line by line."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from agentkit.agent import Agent
    from agentkit.approval import Approve
    from agentkit.cli.follow import Follower
    from agentkit.messages import JsonObject, Message

__all__ = ["agent_of_chat", "chat", "talk"]

_HELP = "/quit or Ctrl-D ends the chat, Ctrl-C stops an answer"


@click.command(short_help="Talk with a model that can call tools.")
@click.option("--model", metavar="MODEL", help="Catalog id, path to a .gguf, or URL.")
@click.option("--tools", "sources", multiple=True, metavar="SOURCE", help="File or module with tools. Repeatable.")
@click.option("--seed", type=int, help="Make the model's choices repeatable.")
def chat(model: str | None, sources: tuple[str, ...], seed: int | None) -> int:
    """Talk with a model, line by line; it remembers what was said.

    File tools work in the current folder.
    """
    from agentkit.agent import Agent
    from agentkit.cli.follow import Follower, choose_display
    from agentkit.model_backend import loading
    from agentkit.model_backend.base import Sampling
    from agentkit.paths import default_model
    from agentkit.tools.loading import load_tools

    follower = Follower(choose_display())
    model = model or default_model()
    source = {"chat": True, "model": model, "tools": list(sources), "seed": seed, "workspace": str(Path.cwd())}
    with contextlib.redirect_stdout(sys.stderr):  # what tools print must not end up in the answers
        tools = [tool for source in sources for tool in load_tools(source)]  # first: a wrong one is quickly found
        opened = loading.open_model(model)
        agent = Agent(opened, tools, sampling=Sampling(seed=seed), approve=follower.approve, source=source)
    return talk(agent, follower)


def agent_of_chat(source: JsonObject, *, approve: Approve | None) -> Agent:
    """Returns the agent of a chat, to go on with an answer that waited for a person.

    Args:
        source: What the chat was started from.
        approve: Asks a person about a call; ``None`` when nobody is there.

    Raises:
        agentkit.errors.UsageError: Its tools are not there any more.
    """
    from agentkit.agent import Agent
    from agentkit.model_backend.base import Sampling
    from agentkit.tools.loading import load_tools

    folder = Path(source["workspace"])
    return Agent(
        source["model"],
        [tool for place in source["tools"] for tool in load_tools(place, base=folder)],
        sampling=Sampling(seed=source["seed"]),
        workspace=folder,
        approve=approve,
        source=source,
    )


def talk(agent: Agent, follower: Follower) -> int:
    """Reads lines from stdin and answers each, until ``/quit`` or the end; returns the exit code."""
    interactive = sys.stdin.isatty()
    if interactive:
        print(_HELP, file=sys.stderr)
    history: list[Message] = []
    with asyncio.Runner() as runner:
        while (line := _read(interactive)) is not None:
            if line == "/quit":
                break
            if line.startswith("/"):
                print(f"unknown command; {_HELP}", file=sys.stderr)
            elif line:
                _answer(agent, follower, runner, line, history)
    return 0


def _read(interactive: bool) -> str | None:
    """Returns the next line without blanks around it; ``None`` at the end of the input."""
    if not interactive:
        line = sys.stdin.readline()
        return line.strip() if line else None
    with contextlib.suppress(ImportError):
        import_module("readline")  # gives input() line editing and history
    try:
        return input("> ").strip()
    except EOFError:
        print(file=sys.stderr)
        return None


def _answer(agent: Agent, follower: Follower, runner: asyncio.Runner, line: str, history: list[Message]) -> None:
    from agentkit.cli.follow import print_answer
    from agentkit.trace.text import visible

    try:
        with contextlib.redirect_stdout(sys.stderr):
            result = runner.run(follower.follow(lambda take: agent.run(line, history=tuple(history), on_event=take)))
    except KeyboardInterrupt:
        print("stopped; the chat goes on without this answer", file=sys.stderr)
        return
    if result.ok:
        history[:] = result.messages
        print_answer(result.output)
    else:
        print(visible(f"{result.stop_reason}: {result.message}"), file=sys.stderr)
