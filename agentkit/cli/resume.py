"""``agentkit resume``: goes on with a run that was interrupted, or that waited for a person."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from agentkit.errors import UsageError

if TYPE_CHECKING:
    from agentkit.agent import Agent
    from agentkit.approval import Approve
    from agentkit.calls import Assume
    from agentkit.messages import JsonObject

__all__ = ["agent_of", "go_on_with", "resume"]


@click.command(short_help="Go on with a run that was interrupted, the latest by default.")
@click.argument("run", required=False)
@click.option(
    "--assume",
    "said",
    multiple=True,
    metavar="[STEP=]done|not-done",
    help="Whether calls were made that a crash left in doubt: all of them, or that of a step. Repeatable.",
)
@click.option("--force", is_flag=True, help="Go on though the task, its tools or its plan are not what they were.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of the answer.")
def resume(run: str | None, said: tuple[str, ...], force: bool, as_json: bool) -> int:
    """Go on with a run that was interrupted, stopped by a limit, or that waited for a person.

    Model turns that were taken are not taken again, and calls that have a result are not made again. A call that was
    begun and has no result is made again under the same key, except by a tool with the effect "once": then the run
    ends with exit code 3, and --assume says what is the case.

    RUN is a run's id or the beginning of one, or the path of a run file.
    """
    from agentkit.trace.runs import find_run

    return go_on_with(find_run(run), assume=_read_assume(said), force=force, as_json=as_json)


def go_on_with(path: Path, *, assume: Assume | None = None, force: bool = False, as_json: bool = False) -> int:
    """Goes on with a run and returns the exit code.

    Args:
        path: The run's file.
        assume: Whether calls were made that are in doubt.
        force: Whether to go on though the task or its tools are not what they were.
        as_json: Whether to print one JSON object instead of the answer.
    """
    from agentkit.cli.follow import Follower, choose_display, follow_to_the_end

    follower = Follower(choose_display(quiet=as_json))
    agent = agent_of(path, approve=follower.approve)
    return follow_to_the_end(
        follower, lambda take: agent.resume(path, assume=assume, force=force, on_event=take), as_json=as_json
    )


def _read_assume(said: tuple[str, ...]) -> Assume | None:
    """Returns what ``--assume`` says, of all calls or of each.

    Raises:
        click.UsageError: One is not written so, or both ways are mixed.
    """
    found: dict[str, Literal["done", "not-done"]] = {}
    for text in said:
        step, _, word = text.rpartition("=")
        if word not in ("done", "not-done") or (step in found) or (bool(step) != ("" not in found) and found):
            raise click.UsageError(
                f"--assume {text!r}: write done or not-done for all calls, or STEP=done, STEP=not-done for each"
            )
        found[step] = "done" if word == "done" else "not-done"
    return found.get("", found or None)


def agent_of(path: Path, *, model: str | None = None, approve: Approve | None = None) -> Agent:
    """Returns the agent that a run was started with, from its task file, or from the options of its chat.

    Args:
        path: The run's file.
        model: Used instead of the model that the run was started with.
        approve: Asks a person about a call; ``None`` when nobody is there.

    Raises:
        agentkit.errors.UsageError: A program started it, or its task file is gone or wrong.
    """
    from agentkit.cli.run import build_agent
    from agentkit.task import read_task
    from agentkit.trace.trace import Trace

    start = Trace.load(path).start
    source: JsonObject = start.source if start is not None else {}
    if "chat" in source:
        from agentkit.cli.chat import agent_of_chat

        with contextlib.redirect_stdout(sys.stderr):
            return agent_of_chat(source | ({} if model is None else {"model": model}), approve=approve)
    if "task_file" not in source:
        raise UsageError(
            f"run {path.stem!r} was started by a program and not by a task file; go on with it there: "
            f"Agent(...).resume({path.stem!r})"
        )
    if model is not None:
        source = source | {"model": model}
    with contextlib.redirect_stdout(sys.stderr):  # what a tool's module prints must not end up in the answer
        task = read_task(Path(source["task_file"]), source["inputs"])
        if source["planner"] is not None:
            task = replace(task, planner=source["planner"], given=None)
        return build_agent(task, model=source["model"], seed=source["seed"], source=source, approve=approve)
