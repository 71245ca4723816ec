"""Does a short list of tools hold those that a task needs? NESTFUL's tasks, each with a pool of many tools.

    python benchmarks/retrieval.py --data nestful.jsonl --more bfcl.jsonl --pool 200

The pool of a task has the tools that its expected plan calls, other tools of NESTFUL, and functions of BFCL until it
is full; it is the same in every run. Functions of BFCL do not say what they return, so they can't be chosen for that.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from agentkit.bench.bfcl_cases import load_cases
from agentkit.bench.nestful_cases import NestfulCase, load_nestful
from agentkit.model_backend.base import ToolSpec
from agentkit.planners.retrieval import choose_tools


@click.command()
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Rows of NESTFUL.")
@click.option("--more", "files", type=click.Path(path_type=Path), multiple=True, help="Rows of BFCL, for more tools.")
@click.option("--pool", type=click.IntRange(min=1), default=200, show_default=True, help="Tools of each task.")
@click.option("--limit", "limits", type=click.IntRange(min=1), multiple=True, default=(10, 20, 30), show_default=True)
@click.option("--misses", is_flag=True, help="Print what is missing at the largest limit.")
@click.option("--json", "as_json", is_flag=True)
def main(data: Path, files: tuple[Path, ...], pool: int, limits: tuple[int, ...], misses: bool, as_json: bool) -> None:
    """Print how often all tools that a task needs are chosen, and which share of them, for each limit."""
    cases = load_nestful(data)
    own = {tool.name: tool for case in cases for tool in case.tools}
    more = {tool.name: tool for file in files for case in load_cases(file) for tool in case.tools}
    others = [more[name] for name in sorted(more.keys() - own.keys())]
    if len(own) + len(others) < pool:
        raise click.UsageError(f"there are {len(own) + len(others)} tools, not {pool}; give more with --more")
    figures: dict[int, dict[str, float]] = {}
    for limit in sorted(limits):
        found = [_shares(case, tools, limit) for case, tools in _pools(cases, own, others, pool)]
        figures[limit] = {"all": sum(s == 1 for s in found) / len(found), "share": sum(found) / len(found)}
    if misses:
        _print_misses(cases, own, others, pool, max(limits))
    if as_json:
        click.echo(json.dumps({"rows": len(cases), "pool": pool, "limits": figures}))
        return
    print(f"{len(cases)} rows, {pool} tools each")
    for limit, of in figures.items():
        print(f"  {limit:3} chosen: all that are needed in {of['all']:.1%} of rows; {of['share']:.1%} of tools")


def _pools(
    cases: Sequence[NestfulCase], own: dict[str, ToolSpec], others: Sequence[ToolSpec], size: int
) -> Iterator[tuple[NestfulCase, list[ToolSpec]]]:
    for case in cases:
        draw = random.Random(case.id)
        needed = {step.tool for step in case.gold}
        rest = draw.sample(sorted(own.keys() - needed), min(len(own) - len(needed), max(0, size - len(needed))))
        pool = [own[name] for name in (*sorted(needed), *rest)]
        pool += draw.sample(others, size - len(pool)) if len(pool) < size else []
        draw.shuffle(pool)
        yield case, pool


def _missing(case: NestfulCase, pool: Sequence[ToolSpec], limit: int) -> set[str]:
    return {step.tool for step in case.gold} - {tool.name for tool in choose_tools(case.task, pool, limit=limit).tools}


def _shares(case: NestfulCase, pool: Sequence[ToolSpec], limit: int) -> float:
    """Returns the share of the needed tools that is chosen."""
    return 1 - len(_missing(case, pool, limit)) / len({step.tool for step in case.gold})


def _print_misses(
    cases: Sequence[NestfulCase], own: dict[str, ToolSpec], others: Sequence[ToolSpec], size: int, limit: int
) -> None:
    for case, pool in _pools(cases, own, others, size):
        if missing := _missing(case, pool, limit):
            print(f"{case.id}: {', '.join(sorted(missing))}")


if __name__ == "__main__":
    main()
