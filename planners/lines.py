"""A plan as a model writes it: lines of JSON, and what the next one may be.

It is a JSON list of steps, as small models write one by themselves::

    [
      {"id": "s1", "tool": "load_csv", "args": {"path": "expenses.csv"}},
      {"id": "s2", "tool": "total", "args": {"rows": "$s1.rows"}}
    ]

It is decoded and read as lines: for each step its head (id and tool) and its arguments, whose schema depends on the
head, and at the end a head that names what ends the plan, which the closing bracket stands for.

What was tried: each line as a JSON object of its own, with "answer" as the last tool. The starter model then ended
after one step of four, or went on with what nobody asked for. Nor is it told to say what a step is for: it copies that
from the example, and then does what it says.

Under the schemas that are given here, a head can name only tools that there are, and arguments can refer only to
earlier steps, and only to what has a fitting type. So the graph has no cycle and nothing dangles, whatever the model's
weights say.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from typing import Any

from agentkit.messages import JsonObject, JsonValue, is_object
from agentkit.model_backend.base import Part, ToolSpec
from agentkit.planners.draft import Draft
from agentkit.planners.naming import Naming
from agentkit.planners.offers import (
    Offer,
    arguments_schema,
    item_offers,
    items_of,
    read_arguments,
    takers,
    takers_of_items,
    uses_item,
)
from agentkit.planners.plan import Step, StepId, render_refs
from agentkit.planners.results import result_schema
from agentkit.planners.sources import only_results

__all__ = ["ANSWER", "LOOK", "PlanWriter"]

ANSWER = "answer"
"""What the last head names instead of a tool: the results are all that is needed."""
LOOK = "look"
"""The same, when more steps have to be planned after the results were seen."""

MAX_LISTS = 30
"""Lists offered for a step to run for each item of."""
MAX_REPETITIONS = 2
"""Calls that were there already, before the plan has to end: small models go round in circles."""


@dataclass(frozen=True)
class PlanWriter:
    """Gives the schemas of a plan's lines, and reads the lines as steps.

    Args:
        tools: The tools that steps may call, by name.
        known: Result schemas of steps that are done and may be referred to, by id.
        first: Number of the first new step.
        least: The fewest new steps.
        max_steps: The most new steps.
        task: What is asked, where all that may be written out stands in it.
        terminals: The names of what may end the plan, and which of `ANSWER` and `LOOK` each stands for.
        read: Steps that gave a text, all of which the model has read.
    """

    tools: Mapping[str, ToolSpec]
    known: Mapping[StepId, JsonObject | None] = field(default_factory=dict[StepId, "JsonObject | None"])
    first: int = 1
    least: int = 0
    max_steps: int = 16
    task: str = ""
    terminals: Mapping[str, str] = field(default_factory=lambda: {ANSWER: ANSWER, LOOK: LOOK})
    read: Collection[StepId] = ()

    def schema(self, lines: Sequence[JsonValue]) -> JsonObject | None:
        """Returns the schema of the line that follows; ``None`` when the plan is whole."""
        draft = self._draft(lines)
        number = len(lines) // 2
        if len(lines) % 2 == 0:
            return self._head(number, draft)
        head = lines[-1]
        assert is_object(head)
        if self._ending(head, draft):
            return None
        parameters = self.tools[head["tool"]].parameters
        offered = draft.offers(head)
        must = takers_of_items(parameters, offered) if "for_each" in head else []
        return arguments_schema(
            parameters,
            offered,
            self.naming.sources(head, draft, offered),
            must_use_item=must[0] if len(must) == 1 else None,
            only_results=self._only_results[head["tool"]],
        )

    def parts(self, lines: Sequence[JsonValue]) -> list[Part]:
        """Returns how the line that follows may be written; nothing when the plan is whole."""
        schema = self.schema(lines)
        if schema is None:
            return []
        number, is_arguments = divmod(len(lines), 2)
        if is_arguments:
            return [Part(schema=schema, before=" ", ends=self._ends(number + 1))]
        before = "  " if number else "[\n  "
        plain, *for_each = schema.get("anyOf", [schema])
        named: list[str] = plain["properties"]["tool"]["enum"]
        unread = [name for name in self.naming.unread(self._draft(lines)) if name in named]
        tools = [name for name in named if name not in self.terminals and name not in unread]
        # The plan may end before its first step, and has to after its last; else its bracket says that it ends.
        last = [n for n in named if self.terminals.get(n) == LOOK or (n in self.terminals and not (number and tools))]
        last += unread
        choices: list[Part] = []
        if tools:
            heads: JsonObject = {"anyOf": [self._head_form(number, tools), *for_each]}
            choices.append(Part(schema=heads, before=before, ends={', "args":': ()}, is_open=True))
        if last:
            choices.append(Part(schema=self._head_form(number, last), before=before, ends={"\n]": ()}))
        return choices

    def _ends(self, number: int) -> dict[str, Sequence[JsonValue]]:
        """Returns what may follow the arguments of a step, when there are `number` steps by then."""
        ends: dict[str, Sequence[JsonValue]] = {}
        if number < self.max_steps:
            ends["},\n"] = ()
        if number >= self.least or not ends:
            ends["}\n]"] = (self.answer(number),)
        return ends

    def answer(self, number: int) -> JsonObject:
        """Returns the head that ends a plan of `number` steps."""
        name = next(name for name, meaning in self.terminals.items() if meaning == ANSWER)
        return {"id": f"s{self.first + number}", "tool": name}

    def steps(self, lines: Sequence[JsonValue]) -> list[Step]:
        """Returns the steps of the lines so far. The same call twice is one step: it could give nothing new."""
        return self._draft(lines).steps

    def ending(self, lines: Sequence[JsonValue]) -> str:
        """Returns what ended the plan: `ANSWER`, `LOOK`, or nothing when it was cut off."""
        last = lines[-1] if len(lines) % 2 else None
        return self._ending(last, self._draft(lines)) if is_object(last) else ""

    def _ending(self, head: JsonObject, draft: Draft) -> str:
        # Who names a tool for which results have to be read first wants to look at them.
        is_unread = "for_each" not in head and head["tool"] in self.naming.unread(draft)
        return self.terminals.get(head["tool"], LOOK if is_unread else "")

    def _head(self, number: int, draft: Draft) -> JsonObject:
        is_over = number == self.max_steps or len(draft.renamed) >= MAX_REPETITIONS
        names = [] if is_over else self._callable(draft.offers())
        if number >= self.least or not names:
            names += self.terminals
        plain = self._head_form(number, names)
        offered = [] if names == [*self.terminals] else draft.offers()
        for_each = [
            self._head_form(number, able, for_each=group)
            for able, group in _grouped((self._able(offer, offered), str(offer.ref)) for offer in offered)
        ]
        return {"anyOf": [plain, *for_each]} if for_each else plain

    def _head_form(self, number: int, names: Sequence[str], for_each: Sequence[str] = ()) -> JsonObject:
        # The list comes before the tool: a small model that has named the list can't but take a tool for its items.
        properties: JsonObject = {
            "id": {"const": f"s{self.first + number}"},
            **({"for_each": {"enum": [*for_each]}} if for_each else {}),
            "tool": {"enum": [*names]},
        }
        return {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}

    @cached_property
    def _only_results(self) -> Mapping[str, frozenset[str]]:
        return only_results(self.tools)

    @cached_property
    def naming(self) -> Naming:
        """What the names of the tools' parameters and results tell."""
        return Naming(self.tools, self.task, read=self.read)

    def _callable(self, offered: Sequence[Offer], among: Iterable[str] | None = None) -> list[str]:
        """Returns the tools whose arguments can all be had; all of them when there is none."""
        names = [*self.tools] if among is None else [*among]
        able = [n for n in names if self._needs(n) <= {*takers(self.tools[n].parameters, offered)}]
        return [n for n in able if not self.naming.is_early(n, offered)] or able or names

    def _needs(self, name: str) -> frozenset[str]:
        return self._only_results[name].intersection(self.tools[name].parameters.get("required", ()))

    def _able(self, listed: Offer, offered: Sequence[Offer]) -> tuple[str, ...]:
        """Returns the tools that can be called for an item of a list; none when it is no list."""
        if items_of(listed) is None:
            return ()
        items = item_offers(listed)
        taking = [name for name, tool in self.tools.items() if takers_of_items(tool.parameters, items)]
        return tuple(self._callable([*items, *offered], taking)) if taking else ()

    def _draft(self, lines: Sequence[JsonValue]) -> Draft:
        draft = Draft(dict(self.known))
        made: dict[str, StepId] = {}
        for head, arguments in zip(lines[::2], lines[1::2], strict=False):
            assert is_object(head)
            step = self._step(head, arguments, draft)
            draft.results[step.id] = result_schema(step, self.tools[step.tool].returns)
            call = json.dumps([step.tool, str(step.for_each), render_refs(step.args)], sort_keys=True)
            if call in made:
                draft.renamed[step.id] = made[call]
            else:
                made[call] = step.id
                draft.steps.append(step)
        return draft

    def _step(self, head: JsonObject, arguments: Any, draft: Draft) -> Step:
        offered = draft.offers(head)
        step = Step(
            id=StepId(head["id"]),
            tool=head["tool"],
            args=read_arguments(arguments, self.tools[head["tool"]].parameters, offered, draft.renamed),
        )
        # The same call for each item, without the item, would be the same call many times.
        if "for_each" in head and uses_item(step.args):
            return replace(step, for_each=draft.listed(head, offered).ref)
        return step


def _grouped(lists: Iterable[tuple[tuple[str, ...], str]]) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    """Yields the tools that are able to take items of the same lists, and those lists."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for able, ref in islice((entry for entry in lists if entry[0]), MAX_LISTS):
        groups.setdefault(able, []).append(ref)
    yield from groups.items()
