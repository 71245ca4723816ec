"""``agentkit fork``: starts a new run from within an earlier one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from agentkit.messages import JsonObject

__all__ = ["fork"]


@click.command(short_help="Start a new run from a step of an earlier one.")
@click.argument("run")
@click.argument("step")
@click.option("--args", "said", metavar="JSON", help="New arguments of the step, as one JSON object.")
@click.option("--model", metavar="MODEL", help="Catalog id, path to a .gguf, or URL; instead of the run's.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of the answer.")
def fork(run: str, step: str, said: str | None, model: str | None, as_json: bool) -> int:
    """Start a new run that takes over what an earlier one did before a step, and goes on from there.

    The step and those that need it are made again, also where they change something. What the model decided after it
    had seen their results is decided again. Another model decides on the step itself too, unless --args say what is to
    be done. The earlier run stays as it is.

    RUN is a run's id or the beginning of one, or the path of a run file.
    """
    from agentkit.cli.follow import Follower, choose_display, follow_to_the_end
    from agentkit.cli.resume import agent_of
    from agentkit.trace.runs import find_run

    args = None if said is None else _read_args(said)
    path = find_run(run)
    follower = Follower(choose_display(quiet=as_json))
    agent = agent_of(path, model=model, approve=follower.approve)
    return follow_to_the_end(follower, lambda take: agent.fork(path, step, args=args, on_event=take), as_json=as_json)


def _read_args(said: str) -> JsonObject:
    try:
        args: Any = json.loads(said)
    except ValueError as error:
        raise click.UsageError(f"--args {said!r:.100} is not JSON: {error}") from None
    if not isinstance(args, dict):
        raise click.UsageError(f'--args {said!r:.100} is not a JSON object such as {{"city": "Oslo"}}')
    return args  # pyright: ignore[reportUnknownVariableType]
