"""What names tell of an argument: which results it may be, and which words and numbers of the task.

Types alone leave a small model too much room: an airport's id is text as much as a product's is. But names say what is
meant, and the task is the only other source that there is:

- What identifies a thing (``restaurant_name``, ``artistId``) comes from a result with that name, or is copied from the
  task; and what identifies a thing of another kind is none. A tool that wants one can't be called before there is one,
  and a flight, with an origin and a destination, not before there are two.
- What a required parameter wants, and the task does not speak of, is the result of the same name where there is one:
  the departure time of a bus that was found is not made up.
- What was said to an earlier step and comes back in its result is said again, not asked of the result.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from agentkit.messages import JsonObject, is_object
from agentkit.model_backend.base import ToolSpec
from agentkit.planners.draft import Draft
from agentkit.planners.identities import (
    Givers,
    count_alike,
    givers,
    is_copied,
    is_named_for,
    is_of_another,
    is_told,
    spans,
    to_call_first,
)
from agentkit.planners.offers import Offer, Sources, takers
from agentkit.planners.plan import ITEM, StepId
from agentkit.planners.retrieval import words
from agentkit.planners.untold import is_to_be_read, is_untold

__all__ = ["Naming"]

_TEXT_WORDS = (
    "body content context data document html input letter markdown message note page paragraph passage prompt report "
    "review source story summary text transcript"
)
_TEXTS = frozenset(words(_TEXT_WORDS))
"""Words in the names of parameters that take a text as it is."""


@dataclass(frozen=True)
class Naming:
    """What the names of tools' parameters and results tell.

    Args:
        tools: The tools that steps may call, by name.
        task: What is asked, where all that may be written out stands in it.
        read: Steps that gave a text, all of which the model has read.
    """

    tools: Mapping[str, ToolSpec]
    task: str = ""
    read: Collection[StepId] = ()

    def given_by(self, tool: str) -> dict[str, Sequence[str]]:
        """Returns for parameters of a tool that identify a thing the tools that give it."""
        required = self._required(tool)
        given = self._givers[tool]
        return {name: by for name, by in given.items() if name in required or name.lower().endswith("id")}

    def is_early(self, tool: str, offered: Sequence[Offer]) -> bool:
        """Returns whether a tool wants what identifies things, and neither the task nor steps give as many."""
        for wanted in self._to_call_first.get(tool, ()):
            by = self._givers[tool][wanted]
            given = {o.ref for o in offered if any(is_named_for(wanted, o.ref.path, giver) for giver in by)}
            has_list = any(isinstance(part, int) for ref in given for part in ref.path)
            is_enough = has_list or len(given) >= count_alike(wanted, self.tools[tool])
            if not is_enough and not is_told(self.task, wanted):
                return True
        return False

    def unread(self, offered: Sequence[Offer]) -> list[str]:
        """Returns the tools that want a number or a date which nothing tells, while there is a text to be read.

        What a step gives beside a text, such as its number of lines, is about the text, and not what it tells.
        """
        texts = {offer.ref.step for offer in offered if is_to_be_read(offer)} if self.task else set[StepId]()
        others = [offer for offer in offered if offer.ref.step not in texts]
        return [tool for tool in self.tools if self._wants_untold(tool, others)] if texts else []

    def sources(self, head: JsonObject, draft: Draft, offered: Sequence[Offer]) -> Sources:
        """Returns what the arguments of a step may be, as far as names tell.

        Args:
            head: The head of the step.
            draft: The plan so far.
            offered: The references that may be used.
        """
        tool = head["tool"]
        return Sources(
            named=self._identifying(head, draft, offered),
            barred=self._barred(head, draft, offered),
            found=self._found(tool, draft, offered) if self.task else {},
            said=self._said(tool, draft),
            words=self._words,
            dollars="$" in self.task or not self.task,
        )

    @cached_property
    def _givers(self) -> Givers:
        return givers(self.tools)

    @cached_property
    def _to_call_first(self) -> Mapping[str, frozenset[str]]:
        return to_call_first(self.tools, self._givers) if self.task else {}

    @cached_property
    def _words(self) -> list[str]:
        return spans(self.task)

    def _properties(self, tool: str) -> Mapping[str, Any]:
        named: Mapping[str, Any] = self.tools[tool].parameters.get("properties", {})
        return named

    def _required(self, tool: str) -> Sequence[str]:
        required: Sequence[str] = self.tools[tool].parameters.get("required", ())
        return required

    def _wants_untold(self, tool: str, offered: Sequence[Offer]) -> bool:
        named = self._properties(tool)
        untold = {name for name in self._required(tool) if is_untold(self.task, named.get(name))}
        return bool(untold) and not untold <= {*takers(self.tools[tool].parameters, offered)}

    def _said(self, tool: str, draft: Draft) -> set[str]:
        """Returns the parameters that are not passed on by reference, because what they want was said before.

        A result often repeats what it was asked for: who books a table in Oslo says Oslo again, and does not ask the
        restaurant that was found there where it is. That is sure of an optional parameter. A required one may be the
        very thing that was made of what was said (a text, translated), unless the tool finds something by several
        keys, and gives the keys with it.
        """
        wanted = self._properties(tool).keys()
        optional = {*wanted} - {*self._required(tool)} - {*self._givers[tool]}
        found: set[str] = set()
        for step in draft.steps:
            asked = self._properties(step.tool).keys()
            given = _keys(draft.results[step.id])
            repeated = asked & given
            is_record = len(repeated) > 1 and not wanted.isdisjoint(given - asked)
            written = {name for name in repeated & wanted if isinstance(step.args.get(name), str | int | float)}
            found |= {name for name in written if is_record or name in optional}
        return found

    def _identifying(self, head: JsonObject, draft: Draft, offered: Sequence[Offer]) -> dict[str, list[str]]:
        """Returns the references that have the name of a parameter that identifies a thing."""
        makers = _makers(head, draft, offered)
        found: dict[str, list[str]] = {}
        for name, by in self._givers[head["tool"]].items():
            if is_copied(name):
                known = {step: maker for step, maker in makers.items() if maker in by}
                found[name] = [str(o.ref) for o in offered if is_named_for(name, o.ref.path, known.get(o.ref.step, ""))]
        return found

    def _found(self, tool: str, draft: Draft, offered: Sequence[Offer]) -> dict[str, list[str]]:
        """Returns for required parameters that the task does not speak of the results of the same name.

        Those that a step was told itself are none: it may have been told something else.
        """
        told = {step.id: step.args.keys() for step in draft.steps}
        spoken = {*words(self.task)}
        named = self._properties(tool)
        found: dict[str, list[str]] = {}
        for name in self._required(tool):
            wanted = words(name)
            if wanted and (spoken.isdisjoint(wanted) or is_untold(self.task, named.get(name))):
                found[name] = [
                    str(offer.ref)
                    for offer in offered
                    if _last_words(offer) == wanted and name not in told.get(offer.ref.step, ())
                ]
        return {name: refs for name, refs in found.items() if refs}

    def _barred(self, head: JsonObject, draft: Draft, offered: Sequence[Offer]) -> dict[str, list[Offer]]:
        """Returns for some parameters references that they can't mean: ids of other things, and texts.

        A text that the model has read is passed on whole only to what is named for text: it is a date that
        `add_to_date` wants of it. A number beside a text, such as that of its lines, is about the text.
        """
        makers = _makers(head, draft, offered)
        texts = {str(offer.ref): offer.ref.step for offer in offered if is_to_be_read(offer)}
        read = {ref for ref, step in texts.items() if step in self.read}

        def is_barred(name: str, offer: Offer) -> bool:
            if is_of_another(name, offer.ref.path, makers.get(offer.ref.step, "")):
                return True
            if str(offer.ref) in texts:
                return str(offer.ref) in read and _TEXTS.isdisjoint(words(name))
            is_about = offer.ref.step in texts.values() and _is_number(offer)
            return is_about and {*words(name)}.isdisjoint(_last_words(offer))

        found = {name: [o for o in offered if is_barred(name, o)] for name in self._properties(head["tool"])}
        return {name: others for name, others in found.items() if others}


def _makers(head: JsonObject, draft: Draft, offered: Sequence[Offer]) -> dict[StepId, str]:
    """Returns the tool of each step, and that of the list that a step runs for each item of."""
    makers = {step.id: step.tool for step in draft.steps}
    if "for_each" in head:
        makers[ITEM] = makers.get(draft.listed(head, offered).ref.step, "")
    return makers


def _is_number(offer: Offer) -> bool:
    return offer.schema is not None and offer.schema.get("type") in ("number", "integer")


def _last_words(offer: Offer) -> list[str]:
    key = offer.ref.path[-1] if offer.ref.path else ""
    return words(key) if isinstance(key, str) else []


def _keys(result: JsonObject | None) -> set[str]:
    """Returns the keys of an object, or of the objects in a list."""
    inside = (result or {}).get("items", result)
    return {*inside.get("properties", ())} if is_object(inside) else set()
