"""What names tell of an argument: which results it may be, and which words and numbers of the task.

Types alone leave a small model too much room: an airport's id is text as much as a product's is. But names say what is
meant, and the task is the only other source that there is:

- What identifies a thing (``restaurant_name``, ``artistId``) comes from a result with that name, or is copied from the
  task. A tool that wants one can't be called before there is one, and a flight, with an origin and a destination, not
  before there are two.
- A result of the same name as a required parameter is meant rather than others (``departure_time``); and where the task
  tells no time, it is not made up.
- What was said to an earlier step and comes back in its result is said again, not asked of the result.

What was tried: to bar ids of other kinds (no flight's id for a product). But one tool's ``geoId`` is another one's
``locationId``, and an ``order_number`` an ``order_id``.
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
    givers,
    has_opposite,
    is_copied,
    is_named_for,
    is_told,
    spans,
    to_call_first,
)
from agentkit.planners.offers import Offer, Sources, takers
from agentkit.planners.plan import ITEM, StepId
from agentkit.planners.retrieval import words
from agentkit.planners.untold import is_to_be_read, is_untold

__all__ = ["Naming"]

_COMPOSED_WORDS = (
    "body caption code comment content context data description document html input markdown message note page prompt "
    "query report subject summary text title"
)
_COMPOSED = frozenset(words(_COMPOSED_WORDS))
"""Words in the names of parameters whose text may be put together of anything."""
_SHORT = frozenset(words("amount count date day deadline due duration end hour id month number price start time year"))
"""Words in the names of parameters that never want a whole text."""
_MEASURES = frozenset(words("byte character count length line offset page part size word"))
"""Words in the names of numbers that say how large a text is, or where it goes on."""


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
            is_enough = has_list or len(given) > has_opposite(wanted, self.tools[tool])
            if not is_enough and not is_told(self.task, wanted):
                return True
        return False

    def unread(self, draft: Draft) -> list[str]:
        """Returns the tools that want a number or a date which nothing tells, while there is a text to be read.

        A result that is nothing but text counts only where its tool is pure: others say in words what they have done.
        """
        offered = draft.offers()
        pure = {step.id for step in draft.steps if self.tools[step.tool].pure}
        texts = [offer for offer in offered if is_to_be_read(offer) and (offer.ref.path or offer.ref.step in pure)]
        if not self.task or not texts:
            return []
        measures = _measures(offered)
        others = [offer for offer in offered if offer not in measures]
        return [tool for tool in self.tools if self._wants_untold(tool, others)]

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
            barred=self._barred(tool, draft, offered),
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

    def _properties(self, tool: str) -> Mapping[str, JsonObject]:
        """Returns the parameters of which something is said: a schema may also be true."""
        named: Mapping[str, Any] = self.tools[tool].parameters.get("properties", {})
        return {name: schema for name, schema in named.items() if is_object(schema)}

    def _required(self, tool: str) -> Mapping[str, JsonObject]:
        named = self._properties(tool)
        return {name: named[name] for name in self.tools[tool].parameters.get("required", ()) if name in named}

    def _wants_untold(self, tool: str, offered: Sequence[Offer]) -> bool:
        untold = {name for name, schema in self._required(tool).items() if is_untold(self.task, name, schema)}
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
        makers = {step.id: step.tool for step in draft.steps}
        if "for_each" in head:
            makers[ITEM] = makers.get(draft.listed(head, offered).ref.step, "")
        found: dict[str, list[str]] = {}
        for name, by in self._givers[head["tool"]].items():
            if is_copied(name):
                known = {step: maker for step, maker in makers.items() if maker in by}
                found[name] = [str(o.ref) for o in offered if is_named_for(name, o.ref.path, known.get(o.ref.step, ""))]
        return found

    def _found(self, tool: str, draft: Draft, offered: Sequence[Offer]) -> dict[str, list[str]]:
        """Returns for required parameters which the task does not tell the results of the same name."""
        untold = [name for name, schema in self._required(tool).items() if is_untold(self.task, name, schema)]
        found = {name: [str(offer.ref) for offer in _of_same_name(name, draft, offered)] for name in untold}
        return {name: refs for name, refs in found.items() if refs}

    def _barred(self, tool: str, draft: Draft, offered: Sequence[Offer]) -> dict[str, set[str]]:
        """Returns for some parameters references that they do not mean.

        - Those that are called otherwise, where there is one of the name of a required parameter; but not of a single
          word, which many things have in common, and not for text that may be put together of anything.
        - A text that the model has read, for what never wants all of it: `add_to_date` wants a date.
        - What tells how large a text is, for what is not called so.
        """
        required = self._required(tool)
        every = {str(offer.ref) for offer in offered}
        read = {str(offer.ref) for offer in offered if offer.ref.step in self.read and is_to_be_read(offer)}
        measures = {str(offer.ref) for offer in _measures(offered)}
        found: dict[str, set[str]] = {}
        for name, schema in self._properties(tool).items():
            wanted = words(name)
            is_sure = len(wanted) > 1 and _COMPOSED.isdisjoint(wanted) and schema.get("type") == "string"
            same = _of_same_name(name, draft, offered) if is_sure and name in required else []
            others = every - {str(offer.ref) for offer in same} if same else set[str]()
            if not _SHORT.isdisjoint(wanted):
                others |= read
            if _MEASURES.isdisjoint(wanted):
                others |= measures
            found[name] = others
        return {name: others for name, others in found.items() if others}


def _of_same_name(name: str, draft: Draft, offered: Sequence[Offer]) -> list[Offer]:
    """Returns the results that have the name of a parameter, but for those that their step was told itself."""
    wanted = words(name)
    told = {step.id for step in draft.steps if name in step.args}
    return [offer for offer in offered if wanted and _last_words(offer) == wanted and offer.ref.step not in told]


def _measures(offered: Sequence[Offer]) -> list[Offer]:
    """Returns the numbers that tell how large a text is that stands beside them."""
    texts = {offer.ref.step for offer in offered if is_to_be_read(offer)}
    return [
        offer
        for offer in offered
        if offer.ref.step in texts
        and offer.schema is not None
        and offer.schema.get("type") in ("number", "integer")
        and not _MEASURES.isdisjoint(_last_words(offer))
    ]


def _last_words(offer: Offer) -> list[str]:
    key = offer.ref.path[-1] if offer.ref.path else ""
    return words(key) if isinstance(key, str) else []


def _keys(result: JsonObject | None) -> set[str]:
    """Returns the keys of an object, or of the objects in a list."""
    inside = (result or {}).get("items", result)
    return {*inside.get("properties", ())} if is_object(inside) else set()
