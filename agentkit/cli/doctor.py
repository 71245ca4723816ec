"""``agentkit doctor``: examines a model file, or this machine, and says what to do about it."""

from __future__ import annotations

import json
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from agentkit.cli.doctor_machine import examine_machine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.console import Console

    from agentkit.model_backend.doctor import Finding

__all__ = ["doctor"]

_WIDTH = 100
_INDENT = 9
_STYLES = {"ok": "green", "note": "cyan", "warning": "yellow", "problem": "bold red"}


@click.command(short_help="Examine a model file, or this machine, and say what to do.")
@click.argument("model", required=False)
@click.option("--quick", is_flag=True, help="Leave the weights out: a few seconds, nothing is decoded.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def doctor(model: str | None, quick: bool, as_json: bool) -> int:
    """Examine a model file: is it sound, how does it write, what fits this machine, how fast is it.

    MODEL is a catalog id or the path of any GGUF file. Each finding is ok, a note, a warning or a problem;
    with a problem, runs will go wrong, and the exit code is 1. The file is opened in a process of its own,
    so that a damaged or hostile one does no harm.

    Without MODEL, it examines how well this machine keeps tools and commands apart from the rest.
    """
    from agentkit.model_backend.doctor import Finding

    path, steps = ("", examine_machine()) if model is None else _examine_file(model, quick=quick)
    start = time.monotonic()
    findings: list[Finding] = []
    with _silence() if as_json else _display() as (found, stage):
        for step in steps:
            if isinstance(step, Finding):
                findings.append(step)
                found(step)
            else:
                stage(step)
    seconds = time.monotonic() - start
    problems = sum(finding.level == "problem" for finding in findings)
    if as_json:
        print(json.dumps(_to_json(model, path, findings, seconds), ensure_ascii=False))
    else:
        _summarize(findings, seconds)
    return 1 if problems else 0


def _examine_file(model: str, *, quick: bool) -> tuple[str, Iterator[Finding | str]]:
    from agentkit.errors import UsageError
    from agentkit.model_backend.doctor import examine
    from agentkit.model_backend.loading import find_file

    if model.startswith(("http://", "https://")):
        raise UsageError(f"{model}: doctor examines files; name a catalog id or the path of a GGUF file")
    path, entry = find_file(model)
    return str(path), examine(path, entry, quick=quick)


def _to_json(model: str | None, path: str, findings: Sequence[Finding], seconds: float) -> dict[str, object]:
    levels = [finding.level for finding in findings]
    return {
        "model": model,
        "path": path,
        "problems": levels.count("problem"),
        "warnings": levels.count("warning"),
        "seconds": round(seconds, 3),
        "findings": [finding.to_json() for finding in findings],
    }


@contextmanager
def _silence() -> Generator[tuple[Callable[[Finding], None], Callable[[str], None]]]:
    yield (lambda finding: None), (lambda stage: None)


@contextmanager
def _display() -> Generator[tuple[Callable[[Finding], None], Callable[[str], None]]]:
    """Prints findings as they come; on a terminal, a line below them says what goes on."""
    from agentkit.cli.console import console

    out = console()
    if not out.is_terminal or out.is_dumb_terminal:
        yield (lambda finding: _print(out, finding)), (lambda stage: None)
        return
    with out.status("") as status:
        yield (lambda finding: _print(out, finding)), (lambda stage: status.update(f"{stage} ..."))


def _print(out: Console, finding: Finding) -> None:
    from rich.text import Text

    from agentkit.trace.text import visible

    room = max(min(out.width, _WIDTH) - _INDENT, 20)
    first, *rest = _wrapped(f"{finding.topic}: {visible(finding.message)}", room)
    line = Text(f"{finding.level:<{_INDENT}}", _STYLES[finding.level]).append(first, "default")
    line.stylize("bold", _INDENT, _INDENT + len(finding.topic))
    lines = [line, *(Text(" " * _INDENT + text) for text in rest)]
    for detail in finding.details:
        shown = visible(detail).replace("\n", " ")
        lines.append(Text(" " * _INDENT + (shown if len(shown) <= room else shown[: room - 3] + "..."), "dim"))
    if finding.advice:
        lines += [Text(" " * _INDENT + text) for text in _wrapped(f"-> {visible(finding.advice)}", room, further="   ")]
    for line in lines:
        out.print(line, soft_wrap=True)


def _wrapped(text: str, room: int, further: str = "") -> list[str]:
    import textwrap

    return textwrap.wrap(text, room, subsequent_indent=further, break_on_hyphens=False) or [""]


def _summarize(findings: Sequence[Finding], seconds: float) -> None:
    from agentkit.cli.console import console
    from agentkit.trace.text import counted

    levels = [finding.level for finding in findings]
    problems, warnings = (counted(levels.count(level), level) for level in ("problem", "warning"))
    said = [problems] if "problem" in levels else []
    said += [warnings] if "warning" in levels else []
    style = "bold red" if "problem" in levels else "yellow" if said else "green"
    console().print(f"\n{' and '.join(said) or 'nothing wrong'}, after {seconds:.1f} s", style=style)
