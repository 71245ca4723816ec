"""Reads rows of ParallelQA (from LLMCompiler) as cases, and scores the shape of plans.

Format, one JSON object a line: ``id``, ``question``, ``answer`` and ``branch``, the number of things that have to be
looked up and do not depend on each other. The look-ups need an encyclopedia, so plans are written and not run, and
what can be judged is their shape: as many different searches as branches, none of them waiting for anything, and then
calculations that take what was found. How many calculations there are is not prescribed; at least one.

What the scores mean here:

- `Scores.tool_f1`: expected are `branch` searches and one calculation; calculations after the first do not count.
- `Scores.arg_f1`: ``None``; what has to be asked and calculated is not said.
- `Scores.edge_f1`: expected is an edge from each of `branch` searches into a calculation. A search counts once, however
  many calculations take it. An edge into a search is wrong, and so is a search that asks what another has asked.
- `Scores.full_match`: `branch` searches, all different and none with an edge into it; every search is taken by a
  calculation; every calculation depends on a search; and no two calls are the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentkit.bench.plan_cases import PlanCase, Scores, f1
from agentkit.bench.plan_values import Call, as_calls, same
from agentkit.bench.rows import load_rows
from agentkit.model_backend.base import ToolSpec
from agentkit.planners.plan import Step

__all__ = ["TOOLS", "ParallelQaCase", "load_parallelqa"]

SEARCH = ToolSpec(
    name="search",
    description=(
        "Look up one thing (a person, a place, an animal, a building ...) in an encyclopedia. "
        "Gives the beginning of its article, with its most important figures."
    ),
    parameters={
        "type": "object",
        "properties": {"query": {"type": "string", "description": "The name of the one thing to look up."}},
        "required": ["query"],
        "additionalProperties": False,
    },
    returns={"type": "string"},
)
MATH = ToolSpec(
    name="math",
    description=(
        "Calculate, or compare numbers. It knows nothing but what it is given: every text with a figure that the "
        "problem needs has to be in the context."
    ),
    parameters={
        "type": "object",
        "properties": {
            "problem": {
                "type": "string",
                "description": "What to calculate, in words, such as 'the height of Mont Blanc plus 10%'.",
            },
            "context": {
                "type": "array",
                "items": {"type": ["string", "number"]},
                "description": "Results of searches and of other calculations.",
            },
        },
        "required": ["problem", "context"],
        "additionalProperties": False,
    },
    returns={"type": "number"},
)
TOOLS = (SEARCH, MATH)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParallelQaCase(PlanCase):
    """A question, and how many look-ups it takes."""

    branch: int

    def score(self, steps: Sequence[Step]) -> Scores:
        """Returns how near the steps come to the expected shape; see the module."""
        if not steps:
            return Scores(tool_f1=0.0, arg_f1=None, edge_f1=0.0, difference="there are no steps")
        shape = _Shape(as_calls(steps))
        calculated = bool(shape.calculations)
        tools = min(len(shape.searches), self.branch) + calculated
        others = len(shape.calls) - len(shape.searches) - len(shape.calculations)
        return Scores(
            tool_f1=f1(tools, len(shape.searches) + calculated + others, self.branch + 1),
            arg_f1=None,
            edge_f1=f1(min(len(shape.taken), self.branch), len(shape.taken) + shape.wrong_edges, self.branch),
            difference=next(self._differences(shape), ""),
        )

    def _differences(self, shape: _Shape) -> Iterator[str]:
        if shape.repeated:
            yield f"step {shape.repeated[0] + 1} repeats an earlier call"
        if waiting := [i for i in shape.searches if shape.calls[i].producers]:
            yield f"step {waiting[0] + 1}, a search, waits for another step"
        if len(shape.searches) != self.branch:
            yield f"{len(shape.searches)} searches instead of {self.branch}"
        if not shape.calculations:
            yield "there is no calculation"
        if left := [i for i in shape.searches if i not in shape.taken]:
            yield f"no calculation takes step {left[0] + 1}"
        if blind := [i for i in shape.calculations if not shape.depends_on_search(i)]:
            yield f"step {blind[0] + 1}, a calculation, depends on no search"
        if len(shape.calls) > len(shape.searches) + len(shape.calculations):
            yield "a step calls neither of the tools"


class _Shape:
    """What there is in a plan, by the positions of its steps."""

    def __init__(self, calls: Sequence[Call]) -> None:
        self.calls = calls
        self.searches = [i for i, call in enumerate(calls) if call.tool == SEARCH.name]
        self.calculations = [i for i, call in enumerate(calls) if call.tool == MATH.name]
        self.repeated = [i for i in range(len(calls)) if any(_is_same(calls[i], earlier) for earlier in calls[:i])]
        taken = {step for i in self.calculations for step in self._producers(i)}
        self.taken = [i for i in self.searches if i in taken and i not in self.repeated]
        """Searches that a calculation takes."""
        waiting = sum(len(self._producers(i)) for i in self.searches)
        self.wrong_edges = waiting + sum(i in taken for i in self.repeated if i in self.searches)

    def depends_on_search(self, position: int) -> bool:
        """Whether a step is given the result of a search, through other steps or at once."""
        return any(
            self.calls[step].tool == SEARCH.name or self.depends_on_search(step)
            for step in self._producers(position)
            if 0 <= step < position
        )

    def _producers(self, position: int) -> set[int]:
        return {step for steps in self.calls[position].producers.values() for step in steps}


def _is_same(call: Call, other: Call) -> bool:
    return call.tool == other.tool and same(dict(call.args), dict(other.args), int.__eq__)


def load_parallelqa(path: Path, *, limit: int | None = None) -> list[ParallelQaCase]:
    """Returns the cases of a file, the first `limit` of them when it is given.

    Raises:
        agentkit.errors.UsageError: The file can't be read, or a line is not a row of ParallelQA; the message
            names the file and the line.
    """
    return load_rows(path, _case, suite="ParallelQA", limit=limit)


def _case(row: Mapping[str, Any]) -> ParallelQaCase:
    branch = row["branch"]
    if not isinstance(branch, int) or branch < 1:
        raise ValueError(f"'branch' is {branch!r}, expected the number of look-ups")
    return ParallelQaCase(
        id=str(row["id"]), category=f"branch {branch}", task=row["question"], tools=TOOLS, branch=branch
    )
