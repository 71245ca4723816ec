"""``agentkit approve``: decides about calls that a run waits for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agentkit.errors import UsageError

if TYPE_CHECKING:
    from agentkit.events import ApprovalRequested
    from agentkit.messages import JsonObject
    from agentkit.trace.trace import Trace

__all__ = ["approve"]


@click.command(short_help="Allow or deny calls that a run waits for.")
@click.argument("run", required=False)
@click.argument("steps", metavar="[STEP]...", nargs=-1)
@click.option("--deny", is_flag=True, help="Deny the calls instead.")
@click.option("--message", default="", metavar="TEXT", help="For the model, with --deny.")
@click.option("--args", "written", metavar="JSON", help="Call it with these arguments instead.")
@click.option("--always", is_flag=True, help="Also allow all further calls of the same tool in this run.")
@click.option("--resume", "go_on", is_flag=True, help="Go on with the run then.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: what waits, or what was decided.")
def approve(
    run: str | None,
    steps: tuple[str, ...],
    deny: bool,
    message: str,
    written: str | None,
    always: bool,
    go_on: bool,
    as_json: bool,
) -> int:
    """Allow or deny calls that a run waits for; without a STEP, show what waits.

    The decision is kept in the run's file. A STEP is a step's id, or step[index] for one item of a list.

    RUN is a run's id or the beginning of one, or the path of a run file; the latest run by default.
    """
    from agentkit.cli.follow import say
    from agentkit.trace.runs import find_run
    from agentkit.trace.trace import Trace

    if deny and (written is not None or always):
        raise click.UsageError("--deny can't go with --args or --always")
    if message and not deny:
        raise click.UsageError("--message is for the model when a call is denied; add --deny")
    path = find_run(run)
    trace = Trace.load(path)
    waiting = _waiting(trace)
    if not steps:
        if deny or written is not None or always or go_on:
            raise click.UsageError("name the step, such as s1; without options, 'agentkit approve' shows what waits")
        _show(trace, waiting, as_json=as_json)
        return 0
    chosen = [_find(trace, waiting, step) for step in steps]
    args = _read_args(trace, chosen, written) if written is not None else None
    _decide(path, trace, chosen, args, deny=deny, always=always, message=message)
    left = [name for name in waiting if waiting[name] not in chosen]
    decision = "deny" if deny else "allow"
    if as_json and not go_on:
        print(json.dumps({"run_id": trace.run_id, "decision": decision, "steps": list(steps), "left": left}))
    elif not go_on:
        say(
            f"{'denied' if deny else 'allowed'}: {', '.join(steps)}" + (f"; waiting: {', '.join(left)}" if left else "")
        )
        say(f"go on with: agentkit resume {trace.run_id}")
    if go_on:
        from agentkit.cli.resume import go_on_with

        return go_on_with(path, as_json=as_json)
    return 0


def _waiting(trace: Trace) -> dict[str, ApprovalRequested]:
    """Returns the calls that are asked about and not decided, by their names."""
    from agentkit.events import ApprovalDecided, ApprovalRequested

    decided = {(e.id, e.item) for e in trace.events if isinstance(e, ApprovalDecided)}
    return {_name(e): e for e in trace.events if isinstance(e, ApprovalRequested) and (e.id, e.item) not in decided}


def _name(asked: ApprovalRequested) -> str:
    return asked.id if asked.item is None else f"{asked.id}[{asked.item}]"


def _find(trace: Trace, waiting: dict[str, ApprovalRequested], step: str) -> ApprovalRequested:
    from agentkit.planners.check_graph import nearest

    if step in waiting:
        return waiting[step]
    hint = nearest(step, waiting, "calls that wait") if waiting else "nothing in it waits to be allowed"
    raise UsageError(f"no call of step {step!r} waits in run {trace.run_id!r}; {hint}")


def _read_args(trace: Trace, chosen: list[ApprovalRequested], written: str) -> JsonObject:
    """Returns the arguments of ``--args``, which have to fit the tool's schema."""
    from agentkit.messages import is_object
    from agentkit.model_backend.constraint import validate

    if len(chosen) > 1:
        raise click.UsageError("--args is for one step; give one")
    try:
        args: Any = json.loads(written)
    except (ValueError, RecursionError) as error:
        raise click.UsageError(f"--args is not JSON: {error}") from None
    if not is_object(args):
        raise click.UsageError("--args must be a JSON object, such as '{\"amount\": 50}'")
    tools = trace.start.tools if trace.start is not None else []
    for schema in (tool["parameters"] for tool in tools if tool["name"] == chosen[0].tool):
        if problems := validate(schema, args):
            raise click.UsageError(f"--args does not fit {chosen[0].tool!r}: {problems[0]}")
    return args


def _decide(
    path: Path,
    trace: Trace,
    chosen: list[ApprovalRequested],
    args: JsonObject | None,
    *,
    deny: bool,
    always: bool,
    message: str,
) -> None:
    from agentkit.events import ApprovalDecided
    from agentkit.journal import SqliteJournal
    from agentkit.kill_points import kill_point

    journal = SqliteJournal(path, resume=True)
    try:
        for asked in chosen:
            kill_point("before-approval")
            journal.append(
                ApprovalDecided(
                    at=trace.seconds,
                    id=asked.id,
                    item=asked.item,
                    decision="deny" if deny else "allow",
                    by="agentkit approve",
                    args=args,
                    always=always,
                    message=message,
                )
            )
        journal.flush().result()
        kill_point("after-approval")
    finally:
        journal.close()


def _show(trace: Trace, waiting: dict[str, ApprovalRequested], *, as_json: bool) -> None:
    from agentkit.cli.console import console
    from agentkit.cli.follow import say

    if as_json:
        calls = [
            {"step": name, "tool": e.tool, "args": e.args, "reason": e.reason, "labels": e.labels}
            for name, e in waiting.items()
        ]
        print(json.dumps({"run_id": trace.run_id, "waiting": calls}, ensure_ascii=False))
        return
    if not waiting:
        say(f"nothing in run {trace.run_id} waits to be allowed")
        return
    from agentkit.cli.ask import show_call

    for name, asked in waiting.items():
        show_call(name, asked.tool, asked.args, asked.reason, asked.labels, console())
    say(f"\nallow one with: agentkit approve {trace.run_id} {next(iter(waiting))}; deny it with --deny")
