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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from typing import Any

from agentkit.messages import JsonObject, JsonValue, is_object
from agentkit.model_backend.base import Part, ToolSpec
from agentkit.planners.identities import Givers, givers, is_copied, is_named_for, is_told, spans, to_call_first
from agentkit.planners.offers import (
    Offer,
    arguments_schema,
    item_offers,
    items_of,
    offers,
    read_arguments,
    takers,
    takers_of_items,
    uses_item,
)
from agentkit.planners.plan import ITEM, Step, StepId, render_refs
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


@dataclass
class _Draft:
    """What the lines so far say."""

    results: dict[StepId, JsonObject | None]
    steps: list[Step] = field(default_factory=list[Step])
    renamed: dict[StepId, StepId] = field(default_factory=dict[StepId, StepId])
    """Steps whose call was there already, and the step that made it."""

    def offers(self, head: JsonObject | None = None) -> list[Offer]:
        """The references that may be used now, the latest steps first."""
        known = {s: r for s, r in reversed(self.results.items()) if s not in self.renamed}
        offered = offers(known)
        if head is not None and "for_each" in head:
            return [*item_offers(_find(offered, head["for_each"])), *offered]
        return offered


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
    """

    tools: Mapping[str, ToolSpec]
    known: Mapping[StepId, JsonObject | None] = field(default_factory=dict[StepId, "JsonObject | None"])
    first: int = 1
    least: int = 0
    max_steps: int = 16
    task: str = ""
    terminals: Mapping[str, str] = field(default_factory=lambda: {ANSWER: ANSWER, LOOK: LOOK})

    def schema(self, lines: Sequence[JsonValue]) -> JsonObject | None:
        """Returns the schema of the line that follows; ``None`` when the plan is whole."""
        draft = self._draft(lines)
        number = len(lines) // 2
        if len(lines) % 2 == 0:
            return self._head(number, draft)
        head = lines[-1]
        assert is_object(head)
        if head["tool"] in self.terminals:
            return None
        parameters = self.tools[head["tool"]].parameters
        offered = draft.offers(head)
        must = takers_of_items(parameters, offered) if "for_each" in head else []
        return arguments_schema(
            parameters,
            offered,
            must_use_item=must[0] if len(must) == 1 else None,
            only_results=self._only_results[head["tool"]],
            named=self._named(head["tool"], head, draft, offered),
            words=self._spans,
            said=self._said(head["tool"], draft),
            dollars="$" in self.task or not self.task,
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
        tools = [name for name in named if name not in self.terminals]
        # The plan may end before its first step, and has to after its last; else its bracket says that it ends.
        last = [n for n in named if self.terminals.get(n) == LOOK or (n in self.terminals and not (number and tools))]
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
        return self.terminals.get(last["tool"], "") if is_object(last) else ""

    def _head(self, number: int, draft: _Draft) -> JsonObject:
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

    def given_by(self, tool: str) -> dict[str, Sequence[str]]:
        """Returns for parameters of a tool that identify a thing the tools that give it."""
        required = self.tools[tool].parameters.get("required", ())
        given = self._givers[tool]
        return {name: by for name, by in given.items() if name in required or name.lower().endswith("id")}

    @cached_property
    def _givers(self) -> Givers:
        return givers(self.tools)

    @cached_property
    def _to_call_first(self) -> Mapping[str, frozenset[str]]:
        return to_call_first(self.tools, self._givers) if self.task else {}

    @cached_property
    def _spans(self) -> list[str]:
        return spans(self.task)

    def _said(self, tool: str, draft: _Draft) -> set[str]:
        """Returns the parameters that are not passed on by reference, because what they want was said before.

        A result often repeats what it was asked for: who books a table in Oslo says Oslo again, and does not ask the
        restaurant that was found there where it is. That is sure of an optional parameter. A required one may be the
        very thing that was made of what was said (a text, translated), unless the tool finds something by several
        keys, and gives the keys with it.
        """
        wanted = self.tools[tool].parameters.get("properties", {}).keys()
        optional = self._optional(tool)
        found: set[str] = set()
        for step in draft.steps:
            asked: Mapping[str, Any] = self.tools[step.tool].parameters.get("properties", {})
            given = _keys(draft.results[step.id])
            repeated = asked.keys() & given
            is_record = len(repeated) > 1 and not wanted.isdisjoint(given - asked.keys())
            written = {name for name in repeated & wanted if isinstance(step.args.get(name), str | int | float)}
            found |= {name for name in written if is_record or name in optional}
        return found

    def _optional(self, tool: str) -> set[str]:
        parameters = self.tools[tool].parameters
        named: Mapping[str, Any] = parameters.get("properties", {})
        return {*named} - {*parameters.get("required", ())} - {*self._givers[tool]}

    def _named(self, tool: str, head: JsonObject, draft: _Draft, offered: Sequence[Offer]) -> dict[str, list[str]]:
        """Returns the references that have the name of a parameter that identifies a thing."""
        makers = {step.id: step.tool for step in draft.steps}
        if "for_each" in head:
            makers[ITEM] = makers.get(_find(offered, head["for_each"]).ref.step, "")
        found: dict[str, list[str]] = {}
        for name, by in self._givers[tool].items():
            if is_copied(name):
                known = {step: maker for step, maker in makers.items() if maker in by}
                found[name] = [str(o.ref) for o in offered if is_named_for(name, o.ref.path, known.get(o.ref.step, ""))]
        return found

    def _callable(self, offered: Sequence[Offer], among: Iterable[str] | None = None) -> list[str]:
        """Returns the tools whose arguments can all be had; all of them when there is none."""
        names = [*self.tools] if among is None else [*among]
        able = [n for n in names if self._needs(n) <= {*takers(self.tools[n].parameters, offered)}]
        return [n for n in able if not self._is_early(n, offered)] or able or names

    def _is_early(self, name: str, offered: Sequence[Offer]) -> bool:
        """Returns whether a tool wants what identifies a thing, and neither the task nor a step gives such."""
        return any(
            not is_told(self.task, wanted)
            and not any(is_named_for(wanted, o.ref.path, by) for o in offered for by in self._givers[name][wanted])
            for wanted in self._to_call_first.get(name, ())
        )

    def _needs(self, name: str) -> frozenset[str]:
        return self._only_results[name].intersection(self.tools[name].parameters.get("required", ()))

    def _able(self, listed: Offer, offered: Sequence[Offer]) -> tuple[str, ...]:
        """Returns the tools that can be called for an item of a list; none when it is no list."""
        if items_of(listed) is None:
            return ()
        items = item_offers(listed)
        taking = [name for name, tool in self.tools.items() if takers_of_items(tool.parameters, items)]
        return tuple(self._callable([*items, *offered], taking)) if taking else ()

    def _draft(self, lines: Sequence[JsonValue]) -> _Draft:
        draft = _Draft(dict(self.known))
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

    def _step(self, head: JsonObject, arguments: Any, draft: _Draft) -> Step:
        offered = draft.offers(head)
        step = Step(
            id=StepId(head["id"]),
            tool=head["tool"],
            args=read_arguments(arguments, self.tools[head["tool"]].parameters, offered, draft.renamed),
        )
        # The same call for each item, without the item, would be the same call many times.
        if "for_each" in head and uses_item(step.args):
            return replace(step, for_each=_find(offered, head["for_each"]).ref)
        return step


def _grouped(lists: Iterable[tuple[tuple[str, ...], str]]) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    """Yields the tools that are able to take items of the same lists, and those lists."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for able, ref in islice((entry for entry in lists if entry[0]), MAX_LISTS):
        groups.setdefault(able, []).append(ref)
    yield from groups.items()


def _keys(result: JsonObject | None) -> set[str]:
    """Returns the keys of an object, or of the objects in a list."""
    inside = (result or {}).get("items", result)
    return {*inside.get("properties", ())} if is_object(inside) else set()


def _find(offered: Sequence[Offer], written: str) -> Offer:
    return next(offer for offer in offered if str(offer.ref) == written)
