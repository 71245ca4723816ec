"""Results of an earlier run that stand for calls of this one, as ``make`` keeps what is still up to date.

A call is the same when its tool has the same name, code and effect class and its arguments are the same. A tool that
takes a `ToolContext` may also read what tools share, so that has to be the same too. Files can't be compared with what
they were, so they are looked at as ``make`` does: a call whose arguments name a file that was changed after the call
began is made again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from agentkit.calls import Outcome, resolve_refs
from agentkit.errors import PlanError
from agentkit.events import (
    ApprovalDecided,
    Event,
    ItemFinished,
    ItemStarted,
    RunResumed,
    RunStarted,
    StepAdded,
    StepFinished,
    StepReused,
    StepStarted,
    Warned,
)
from agentkit.for_each import items_of
from agentkit.messages import JsonObject, JsonValue
from agentkit.planners.plan import ITEM, Step, StepId, parse_refs
from agentkit.recorded import whole_events
from agentkit.tools.code import code_digest
from agentkit.tools.tool import FunctionTool, Tool

__all__ = ["Reuse", "state_words"]

_SAFE = ("pure", "idempotent")
_MOST_FILES = 10_000
"""Of a folder with more files than this it is not found out whether one was changed."""


@dataclass(slots=True, kw_only=True)
class _Begun:
    """A call of the earlier run."""

    tool: str
    args: JsonObject
    when: float
    """When it began, in seconds of the system's clock."""
    state: str
    """What tools shared then; not comparable when empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    outcome: Outcome
    when: float
    state: str


@dataclass(slots=True, kw_only=True)
class Reuse:
    """What may be taken from an earlier run.

    Attributes:
        file: The earlier run's file.
        without: Steps of it whose results are not taken, because they are to be made anew.
        effects: Whether results of ``keyed`` and ``once`` calls are taken too.
        run_id: The earlier run's id.
    """

    file: Path
    without: Collection[str] = ()
    effects: bool = False
    run_id: str = ""
    _kept: dict[str, _Kept | None] = field(default_factory=dict[str, "_Kept | None"])
    """By call; ``None`` where the same call had different results."""

    def __post_init__(self) -> None:
        reader = _Reader(whole_events(self.file))
        self.run_id = reader.run_id
        for step, begun, outcome in reader.calls():
            tool = reader.tools.get(begun.tool, {})
            if step in self.without or not (self.effects or tool.get("effect") in _SAFE):
                continue
            call = _words(begun.tool, str(tool.get("code", "")), str(tool.get("effect")), begun.args)
            known = self._kept.get(call)
            same = call not in self._kept or (known is not None and known.outcome == outcome)
            self._kept[call] = _Kept(outcome=outcome, when=begun.when, state=begun.state) if same else None

    @classmethod
    def of(cls, run: Path | str | None = None, *, effects: bool = False) -> Reuse:
        """Returns what may be taken from a run.

        Args:
            run: The run's id, the beginning of one, or the path of its file; the latest run by default.
            effects: Whether results of ``keyed`` and ``once`` calls are taken too.

        Raises:
            agentkit.errors.UsageError: There is no such run.
            agentkit.errors.JournalError: The run's file is damaged.
        """
        from agentkit.trace.runs import find_run

        return cls(file=find_run(run).resolve(), effects=effects)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Reuse | None:
        """Returns what a run that goes on may still take; ``None`` when it takes nothing or the file is gone."""
        file = Path(data.get("file", ""))
        if not data or not file.is_file():
            return None
        return cls(file=file, without=data["without"], effects=data["effects"])

    def to_json(self) -> JsonObject:
        """Returns what `from_json` takes."""
        return {"file": str(self.file), "without": sorted(self.without), "effects": self.effects}

    def find(self, tool: Tool, arguments: JsonObject, *, state: JsonObject, workspace: Path) -> Outcome | None:
        """Returns the result that stands for a call; ``None`` when the call has to be made.

        Args:
            tool: What would be called.
            arguments: With what.
            state: What tools share now, as far as it is JSON.
            workspace: The folder that file names are relative to.
        """
        code = code_digest(tool) if tool.reuse else ""
        kept = self._kept.get(_words(tool.name, code, tool.effect, arguments)) if code else None
        if kept is None:
            return None
        takes_context = not isinstance(tool, FunctionTool) or tool.signature.context is not None
        if takes_context and kept.state != state_words(state):
            return None
        if any(_is_newer(workspace, text, kept.when) for text in _texts(arguments)):
            return None
        return kept.outcome


class _Reader:
    """Reads the calls of a run that succeeded, with what was the case when each began."""

    def __init__(self, events: Sequence[Event]) -> None:
        self._events = events
        start = events[0]
        assert isinstance(start, RunStarted)
        self.run_id = start.run_id
        self.tools: dict[str, JsonObject] = {str(t["name"]): t for t in start.tools}
        self._steps: dict[str, Step] = {}
        self._results: dict[str, JsonValue] = {}
        self._state: JsonObject = {}
        self._is_whole = True
        """Whether all that tools shared so far is recorded."""
        self._edited = {(e.id, e.item) for e in events if isinstance(e, ApprovalDecided) and e.args is not None}

    def calls(self) -> Iterator[tuple[str, _Begun, Outcome]]:
        begun: dict[tuple[str, int | None], _Begun] = {}
        clock = 0.0
        for event in self._events:
            match event:
                case RunStarted() | RunResumed():
                    clock = _clock(event)
                case Warned(about="state_not_kept"):
                    self._is_whole = False
                case StepAdded():
                    self._steps[event.id] = _step(event)
                case StepStarted(items=None) | StepReused(item=None):
                    begun[event.id, None] = self._begin(event.tool, event.args, clock + event.at)
                case ItemStarted() | StepReused():
                    index = event.index if isinstance(event, ItemStarted) else event.item
                    assert index is not None
                    args = None if (event.id, index) in self._edited else self._item_args(event.id, index)
                    if args is not None:
                        begun[event.id, index] = self._begin(self._steps[event.id].tool, args, clock + event.at)
                case StepFinished() | ItemFinished():
                    index = event.index if isinstance(event, ItemFinished) else None
                    self._state |= event.state
                    if isinstance(event, StepFinished):
                        self._results[event.id] = event.value
                    call = begun.pop((event.id, index), None)
                    if call is not None and event.ok:
                        call.state = call.state if self._is_whole else ""
                        yield event.id, call, Outcome(ok=True, value=event.value, state=event.state)
                case _:
                    pass

    def _begin(self, tool: str, args: JsonObject, when: float) -> _Begun:
        return _Begun(tool=tool, args=args, when=when, state=state_words(self._state) if self._is_whole else "")

    def _item_args(self, step_id: str, index: int) -> JsonObject | None:
        """Returns the arguments of a call for an item, which are not recorded: they follow from the list."""
        step = self._steps.get(step_id)
        if step is None or step.for_each is None:
            return None
        try:
            item = items_of(step.for_each, self._results[step.for_each.step])[index]
            args: JsonObject = resolve_refs(
                step.args, lambda r: r.resolve(item if r.step == ITEM else self._results[r.step])
            )
        except (PlanError, KeyError, IndexError):
            return None
        return args


def state_words(state: Mapping[str, JsonValue]) -> str:
    """Returns what tools share as text that can be compared."""
    return json.dumps({k: v for k, v in state.items() if v is not None}, sort_keys=True)


def _step(event: StepAdded) -> Step:
    for_each = parse_refs(event.for_each) if event.for_each else None
    return Step(id=StepId(event.id), tool=event.tool, args=parse_refs(event.args), for_each=for_each)


def _clock(event: RunStarted | RunResumed) -> float:
    """Returns the system's time at which a run's own clock would have been 0."""
    try:
        return datetime.fromisoformat(event.started).timestamp() - event.at
    except ValueError:
        return 0.0  # every file is newer than that


def _words(tool: str, code: str, effect: str, args: JsonObject) -> str:
    return json.dumps([tool, code, effect, args], sort_keys=True)


def _texts(value: JsonValue) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for part in cast("Iterable[JsonValue]", value.values()):
            yield from _texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)


def _is_newer(workspace: Path, name: str, when: float) -> bool:
    """Returns whether a text names a file, or a folder with one, that was changed after a time."""
    path = workspace / name if 0 < len(name) < 1_000 and "\0" not in name else workspace / "\n"
    try:
        if path.stat().st_mtime > when:
            return True
        if not path.is_dir():
            return False
        seen = 0
        for folder, folders, files in os.walk(path):
            seen += len(files) + len(folders)
            if seen > _MOST_FILES:
                return True
            if any(os.lstat(os.path.join(folder, n)).st_mtime > when for n in (*files, *folders)):
                return True
    except OSError:  # it names nothing
        return False
    return False
