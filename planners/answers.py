"""What a model's last turn gives as the answer of the run."""

from __future__ import annotations

from agentkit.errors import LimitReached
from agentkit.messages import JsonValue
from agentkit.model_backend.base import Turn
from agentkit.model_backend.constraint.json_text import read_json

__all__ = ["answer_of"]


def answer_of(turn: Turn, *, structured: bool) -> JsonValue:
    """Returns the answer that a turn gives.

    Args:
        turn: A turn that made no calls.
        structured: Whether the answer was asked for as JSON.

    Raises:
        agentkit.errors.LimitReached: There is none, or it was cut off.
    """
    text = turn.message.text.strip()
    if turn.stop == "length":
        raise LimitReached(
            f"the model's answer was cut off after {turn.usage.output_tokens} tokens", reason="no_answer"
        )
    if not text:
        raise LimitReached("the model gave an empty answer", reason="no_answer")
    if not structured:
        return text
    try:
        value: JsonValue = read_json(text)
    except ValueError as e:
        raise LimitReached(f"the model's answer is not JSON ({e}): {text[:200]!r}", reason="no_answer") from None
    return value
