"""Results as a model is told them: JSON on one line, but a text of several lines as it stands.

The starter model copies a number or a date out of a text that it can read. Of the same text as a JSON string it passes
on all of it, by reference, where a date is wanted.
"""

from __future__ import annotations

import json
from typing import Any

from agentkit.messages import is_object
from agentkit.planners.base import StepResult

__all__ = ["has_text", "told"]


def told(result: StepResult, call: str) -> str:
    """Returns what a model is told of a result.

    Args:
        result: How a step ended.
        call: The step's call, in words.
    """
    if not result.ok:
        return f"{result.id} {call}: FAILED: {result.shown}"
    if (text := _text(result)) is None:
        return f"{result.id} {call}: {json.dumps(result.shown, ensure_ascii=False)}"
    key, block = text
    rest = {name: value for name, value in result.shown.items() if name != key} if is_object(result.shown) else {}
    beside = f" {json.dumps(rest, ensure_ascii=False)}, and the text:" if rest else ""
    fence = '"""'
    while fence in block:  # a text can't end its own quotation, and go on as if it were another result
        fence += '"'
    return f"{result.id} {call}:{beside}\n{fence}\n{block.rstrip()}\n{fence}"


def has_text(result: StepResult) -> bool:
    """Returns whether a result is a text that the model was told as it stands, all of it."""
    return _text(result) is not None


def _text(result: StepResult) -> tuple[str, str] | None:
    """Returns the key of a result's only text of several lines, and the text; nothing when only a part is shown."""
    if not result.ok or result.shown != result.value:
        return None
    fields: dict[str, Any] = result.value if is_object(result.value) else {"": result.value}
    texts = [(key, value) for key, value in fields.items() if isinstance(value, str) and "\n" in value.strip()]
    return texts[0] if len(texts) == 1 else None
