"""``agentkit replay``: repeats a recorded run, and finds what is different."""

from __future__ import annotations

import asyncio
import contextlib
import sys

import click

__all__ = ["replay"]


@click.command(short_help="Repeat a run without a model, and find what is different.")
@click.argument("run", required=False)
def replay(run: str | None) -> None:
    """Repeat a recorded run without a model and without effects, the latest by default.

    The planner is run again over what is recorded. Prompts, steps, arguments and the answer have to be as they were;
    at the first difference it ends with exit code 1 and says what is different.

    RUN is a run's id or the beginning of one, or the path of a run file.
    """
    from agentkit.cli.resume import agent_of
    from agentkit.trace.runs import find_run

    path = find_run(run)
    with contextlib.redirect_stdout(sys.stderr):  # what tools' modules print is not what was asked for
        agent = agent_of(path)
        done = asyncio.run(agent.replay(path))
    print(f"{path.stem}: {done}")
