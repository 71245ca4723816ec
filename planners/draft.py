"""What the lines of a plan say so far: its steps, their results, and what may be referred to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from agentkit.messages import JsonObject
from agentkit.planners.offers import Offer, item_offers, offers
from agentkit.planners.plan import Step, StepId

__all__ = ["Draft"]


@dataclass
class Draft:
    """A plan that is being written."""

    results: dict[StepId, JsonObject | None]
    """The schema of each result, where it is known."""
    steps: list[Step] = field(default_factory=list[Step])
    renamed: dict[StepId, StepId] = field(default_factory=dict[StepId, StepId])
    """Steps whose call was there already, and the step that made it."""

    def offers(self, head: JsonObject | None = None) -> list[Offer]:
        """Returns the references that may be used now, the latest steps first.

        Args:
            head: The head of the step they are for; with it, the items of the list that it runs for.
        """
        known = {s: r for s, r in reversed(self.results.items()) if s not in self.renamed}
        offered = offers(known)
        if head is not None and "for_each" in head:
            return [*item_offers(self.listed(head, offered)), *offered]
        return offered

    def listed(self, head: JsonObject, offered: Sequence[Offer]) -> Offer:
        """Returns the list that a step runs for each item of."""
        return next(offer for offer in offered if str(offer.ref) == head["for_each"])
