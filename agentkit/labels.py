"""Where values come from: labels that travel with the results of steps, and with what a model has read.

A label is a word: ``user``, ``model``, ``tool:NAME``, ``file``, ``web``, ``mcp:SERVER``, ``untrusted``. An argument has
the labels of the results that it refers to. A call has, besides, those of all that its writer had seen: a model that
has read a web page may write whatever the page says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from agentkit.handles import READ_RESULT
from agentkit.messages import Message, ToolResult
from agentkit.planners.check_graph import Use, uses
from agentkit.planners.plan import ITEM, Step, StepId

__all__ = ["UNTRUSTED", "CallLabels", "LabelBook", "Labels", "untrusted"]

Labels: TypeAlias = frozenset[str]

UNTRUSTED = "untrusted"
_USER = "user"
_MODEL = "model"


def untrusted(labels: Iterable[str]) -> list[str]:
    """Returns the labels of text that strangers may have written, in order."""
    return sorted(label for label in labels if label in ("web", UNTRUSTED) or label.startswith("mcp:"))


@dataclass(frozen=True, slots=True, kw_only=True)
class CallLabels:
    """Where a call comes from."""

    writer: Labels = frozenset({_USER})
    """What the writer of the call had seen when it was written."""
    arguments: Mapping[str, Labels] = field(default_factory=dict[str, Labels])
    """For each argument, the labels of the results that it refers to; what stands in it literally is its writer's."""
    foreseen: bool = True
    """Whether this call of the tool was wanted for the task before anything untrusted was read."""

    @property
    def all(self) -> Labels:
        """The labels of all that went into the call."""
        return self.writer.union(*self.arguments.values())


class LabelBook:
    """Keeps the labels of one run: what its results are, and what its model has seen.

    A value that goes around the plan is covered too: when a call changed something with untrusted text, such as a file,
    all that is read later may hold that text, and is labelled so.
    """

    def __init__(self, source: Callable[[str], str | None], own: Callable[[str], Sequence[str]] = lambda _: ()) -> None:
        """Opens a book.

        Args:
            source: Says for the name of a tool what its results hold, as `agentkit.tools.tool.Tool.source` does.
            own: Says which fields of them the tool makes itself, as `agentkit.tools.tool.Tool.own` does.
        """
        self._source = source
        self._own = own
        self._seen: Labels = frozenset({_USER})
        self._world: Labels = frozenset()
        self._writers: dict[StepId, Labels] = {}
        self._results: dict[StepId, Labels] = {}
        self._tools: dict[StepId, str] = {}
        self._wanted: Counter[str] = Counter()
        """How many calls of each tool are still wanted."""
        self._foreseen: set[StepId] = set()

    @property
    def seen(self) -> Labels:
        """What the model has seen so far."""
        return self._seen

    def __getitem__(self, step: str) -> Labels:
        """The labels of a step's result; none before it has one."""
        return self._results.get(StepId(step), frozenset())

    def read_history(self, history: Sequence[Message], tools: Iterable[str]) -> None:
        """Takes in an earlier conversation: it may hold whatever the run's tools gave, also in other words.

        Args:
            history: The messages.
            tools: The tools of the run.
        """
        if history:
            named = {m.name for m in history if isinstance(m, ToolResult)}
            self._seen |= self._of_tools({*named, *tools})

    def begin_turn(self) -> None:
        """Takes in that a model turn begins: the model may see every result that there is."""
        self._seen |= frozenset({_MODEL}).union(*self._results.values())

    def foresee(self, tools: Iterable[str]) -> None:
        """Takes in which calls the model wants to make, by tool, unless it has read untrusted text by now."""
        if not untrusted(self._seen):
            for tool in tools:
                self._wanted[tool] += 1

    def write(self, step: Step) -> Labels:
        """Takes in that a step was written now, and returns the labels of its writer."""
        self._writers[step.id] = self._seen
        if self._wanted[step.tool] or not untrusted(self._seen):
            self._foreseen.add(step.id)
            self._wanted[step.tool] = max(self._wanted[step.tool] - 1, 0)
        return self._seen

    def call(self, step: Step) -> CallLabels:
        """Returns where a step's call comes from; the steps that it refers to have results."""
        arguments: dict[str, Labels] = {}
        for use in uses(step):
            if use.place[0] == "args":
                name = str(use.place[1])
                arguments[name] = arguments.get(name, frozenset()) | self._of_use(use, step)
        return CallLabels(
            writer=self._writers.get(step.id, self._seen),
            arguments=arguments,
            foreseen=step.id in self._foreseen and step.for_each is None,
        )

    def finish(self, step: Step, *, effect: bool, ok: bool = True, of: str = "", known: Iterable[str] = ()) -> Labels:
        """Takes in that a step has a result, also one that says that it failed, and returns the labels of that.

        Args:
            step: The step.
            effect: Whether the call may have changed something.
            ok: Whether it did what it should; a call that was wanted and came to nothing may be made again.
            of: Another step whose result this one's is, or holds.
            known: The labels, when they were recorded earlier.
        """
        found = self.call(step).all | self._world | self._of_tools([step.tool]) | self[of] | frozenset(known)
        if step.tool == READ_RESULT:
            found |= self[str(step.args.get("handle", ""))]
        if step.for_each is not None:
            found |= self[step.for_each.step]
        if effect:
            self._world |= frozenset(untrusted(found))
        elif (of or not ok) and step.id in self._foreseen:
            self._wanted[step.tool] += 1
        self._results[step.id] = found
        self._tools[step.id] = step.tool
        return found

    def _of_use(self, use: Use, step: Step) -> Labels:
        """Returns the labels of a reference: those of the result; no source for a field that the tool makes itself."""
        path = () if use.ref is None else use.ref.path
        origin = use.step
        if origin == ITEM and step.for_each is not None:
            origin, path = step.for_each.step, (*step.for_each.path, *path)
        tool = self._tools.get(origin, "")
        keys = [key for key in path if isinstance(key, str)]
        if any(keys == field.split(".") for field in self._own(tool)):
            return frozenset({f"tool:{tool}"})
        return self[origin]

    def _of_tools(self, names: Iterable[str]) -> Labels:
        found: set[str] = set()
        for name in names:
            source = self._source(name)
            found |= {f"tool:{name}"} if source is None else {f"tool:{name}", source}
        return frozenset(found)
