"""What a call to a server gave, as JSON for the run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentkit.errors import ToolFailed
from agentkit.messages import JsonObject, JsonValue
from agentkit.tools.explain import render
from agentkit.tools.json_schema import JsonSchema

__all__ = ["read_result"]

_LONGEST_FAILURE = 4000


def read_result(tool: str, told: JsonObject, schema: JsonSchema | None) -> JsonValue:
    """Returns a result's structured content if it has any, else its text; images and the like become a note.

    Args:
        tool: The tool's name, for messages.
        told: The result, as the server sent it.
        schema: The tool's outputSchema, where it has one.

    Raises:
        agentkit.errors.ToolFailed: The server says that the call failed, or the result is not what it promised.
    """
    text = "\n".join(map(_block_text, told.get("content", ())))
    if told.get("isError"):
        raise ToolFailed(text[:_LONGEST_FAILURE] or f"{tool!r} failed, and its server does not say why")
    structured: JsonObject | None = told.get("structuredContent")
    if schema is None:
        return text if structured is None else structured
    if structured is None:
        raise ToolFailed(f"{tool!r} gave no structured result, though its server promises one (outputSchema)")
    if problems := schema.problems(structured):
        raise ToolFailed(f"{tool!r} gave a result that is not what its outputSchema says:\n{render(problems)}")
    return structured


def _block_text(block: Mapping[str, Any]) -> str:
    match block:
        case {"type": "text", "text": str() as text}:
            return text
        case {"type": "image" | "audio" as kind, "data": str() as data}:
            return f"[{kind} of type {block.get('mimeType')}, {len(data) * 3 // 4:,} bytes, left out]"
        case {"type": "resource_link", "uri": str() as uri}:
            return f"[resource {uri}]"
        case {"type": "resource", "resource": {"text": str() as text}}:
            return text
        case {"type": "resource", "resource": {"uri": uri}}:
            return f"[resource {uri}, not text, left out]"
        case _:
            return f"[{block.get('type')}, left out]"
