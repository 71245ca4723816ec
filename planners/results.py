"""What is known of results before they are there: of a step's, and of the answer that a given plan makes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agentkit.messages import JsonObject
from agentkit.planners.fit import list_of
from agentkit.planners.plan import Step, StepId
from agentkit.planners.schema_cases import carry

__all__ = ["answer_schema", "result_schema"]

_FAILED: JsonObject = {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]}
"""What stands for an item that failed, where errors are collected."""


def result_schema(step: Step, returns: JsonObject | None) -> JsonObject | None:
    """Returns the schema of a step's result; ``None`` when nothing is known of it.

    Args:
        step: The step.
        returns: What its tool returns.
    """
    if step.for_each is None:
        return returns
    if step.on_error != "collect" or returns is None:
        return list_of(returns)
    value = carry(returns, returns)  # its references may point to "#", which is the list from now on
    defs = value.pop("$defs", {})
    return list_of({"anyOf": [value, _FAILED], "$defs": defs})


def answer_schema(last: Sequence[StepId], results: Mapping[StepId, JsonObject | None]) -> JsonObject | None:
    """Returns the schema of a given plan's answer; ``None`` when nothing is known of it.

    Args:
        last: The steps that nothing waits for.
        results: What is known of their results.
    """
    if len(last) == 1:
        return results[last[0]]
    return {
        "type": "object",
        "properties": dict.fromkeys(last, True),
        "required": [*last],
        "additionalProperties": False,
    }
