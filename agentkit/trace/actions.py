"""What the viewer can do with a run: decide what waits, go on with it, repeat it, fork it.

Each is a command of ``agentkit`` in a process of its own, which outlives the viewer; the viewer follows its file.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from agentkit.events import RunFinished
from agentkit.messages import JsonObject
from agentkit.trace.outline import Outline
from agentkit.trace.spans import StepSpan, Wait

__all__ = ["AGENTKIT", "Action", "Choice", "Command", "choices", "fork_command", "replay_command"]

AGENTKIT = (sys.executable, "-c", "from agentkit.cli.main import main; main()")
"""Starts the command line of this environment; arguments follow."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command, and what it does in a few words."""

    arguments: tuple[str, ...]
    words: str


@dataclass(frozen=True, slots=True)
class Choice:
    """A question about a run, and the command for each answer, by the key that gives it."""

    question: str
    answers: dict[str, Command]


def choices(outline: Outline, path: Path) -> Choice | None:
    """Returns what a person can decide about a run: what the selected row waits for, else what the run waits for.

    Args:
        outline: The run, with its cursor.
        path: The run's file.

    Returns:
        ``None`` for a run that goes on, or that is done.
    """
    wait = _wait(outline)
    run = str(path)
    if outline.now is not None:
        return None
    if wait is not None and wait.kind == "approval":
        name = wait.step if wait.item is None else f"{wait.step}[{wait.item}]"
        go_on = () if len(_open_waits(outline)) > 1 else ("--resume",)
        return Choice(
            "\n".join([f"May {name} be called?", "", _call(wait), "", *_why(wait)]),
            {
                "y": Command(("approve", run, name, *go_on), f"allow {name}"),
                "n": Command(("approve", run, name, "--deny", *go_on), f"deny {name}"),
            },
        )
    if wait is not None:
        return Choice(
            f"{wait.step} was begun, and nobody knows whether it was done. Look it up where it has its effect.\n\n"
            f"{_call(wait)}\nkey {wait.key}",
            {
                "d": Command(("resume", run, "--assume", "done"), "it was done, go on"),
                "n": Command(("resume", run, "--assume", "not-done"), "it was not done, do it now"),
            },
        )
    end = outline.tree.end
    if isinstance(end, RunFinished) and end.stop_reason == "answer":
        return None
    return Choice(
        "The run has no answer. What is done is not done again.",
        {"g": Command(("resume", run), "go on with the run")},
    )


def _open_waits(outline: Outline) -> list[Wait]:
    return [w for s in outline.tree.builder.steps.values() for w in s.waits if w.end is None]


def _wait(outline: Outline) -> Wait | None:
    source = outline.cursor.source
    if isinstance(source, Wait) and source.end is None:
        return source
    if isinstance(source, StepSpan) and source.open_wait is not None:
        return source.open_wait
    return next(iter(_open_waits(outline)), None)


def _call(wait: Wait) -> str:
    return f"{wait.tool} {json.dumps(wait.args, ensure_ascii=False, indent=1)}"


def _why(wait: Wait) -> list[str]:
    found = [wait.reason] if wait.reason else []
    return [*found, f"the data came from: {', '.join(wait.labels)}"] if wait.labels else found


def replay_command(path: Path) -> Command:
    """Returns the command that repeats a run from its file, without a model and without calls, and compares."""
    return Command(("replay", str(path)), "replay")


def fork_command(path: Path, step: str, *, args: JsonObject | None, model: str) -> Command:
    """Returns the command that starts a new run from a step of this one; what was done before it is not done again.

    Args:
        path: The run's file.
        step: The step to begin at.
        args: Its arguments; ``None`` for those that it had.
        model: The model for what comes then; empty for the one that the run had.
    """
    changed = () if args is None else ("--args", json.dumps(args, ensure_ascii=False))
    other = ("--model", model) if model else ()
    return Command(("fork", str(path), step, *changed, *other), f"a new run from {step}")


@dataclass(slots=True)
class Action:
    """A command that was started.

    Args:
        command: What.
        start: What starts ``agentkit``; arguments follow.
    """

    command: Command
    start: tuple[str, ...] = AGENTKIT
    begun: float = field(default_factory=time.monotonic)
    _process: subprocess.Popen[bytes] = field(init=False)
    _said: IO[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  # closed by `close`
        self._process = subprocess.Popen(
            [*self.start, *self.command.arguments],
            stdin=subprocess.DEVNULL,
            stdout=self._said,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C and the end of the viewer are not meant for it
        )

    @property
    def code(self) -> int | None:
        """The exit code; ``None`` while it goes on."""
        return self._process.poll()

    @property
    def said(self) -> list[str]:
        """The lines that it printed so far."""
        self._said.seek(0)
        return self._said.read().decode("utf-8", "replace").splitlines()

    def close(self) -> None:
        """Forgets the command; it goes on by itself."""
        self._said.close()
