"""Ten tools with one call each: what a model that can call tools has to be able to write.

Every value is bounded, so that even random weights come to the end of a call.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agentkit.messages import JsonObject, ToolCall
from agentkit.model_backend.base import ToolSpec

__all__ = ["GOLDEN", "Golden"]


@dataclass(frozen=True, slots=True)
class Golden:
    """A tool, a question, and the call that answers it."""

    tool: ToolSpec
    question: str
    call: ToolCall


def _golden(name: str, description: str, question: str, arguments: JsonObject, **properties: JsonObject) -> Golden:
    """A golden call; the properties whose schema has no ``default`` are required."""
    required = [key for key, schema in properties.items() if "default" not in schema]
    parameters: JsonObject = {"type": "object", "properties": properties, "required": required}
    return Golden(
        ToolSpec(name=name, description=description, parameters=parameters), question, ToolCall(name, arguments)
    )


def _text(most: int = 40, **more: Any) -> JsonObject:
    return {"type": "string", "maxLength": most, **more}


def _list(items: Mapping[str, Any], most: int = 4) -> JsonObject:
    return {"type": "array", "items": dict(items), "maxItems": most}


def _object(**properties: JsonObject) -> JsonObject:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


_WHOLE: JsonObject = {"type": "integer", "minimum": 0, "maximum": 100_000}
_NUMBER: JsonObject = {"type": "number", "minimum": -1000, "maximum": 1000}

GOLDEN: tuple[Golden, ...] = (
    _golden(
        "get_weather",
        "Get the weather of a city.",
        "How is the weather in Tokyo, in celsius?",
        {"city": "Tokyo", "unit": "celsius"},
        city=_text(),
        unit={"type": "string", "enum": ["celsius", "fahrenheit"]},
    ),
    _golden("ping", "Check that the server answers.", "Does the server answer? Ping it.", {}),
    _golden(
        "set_timer",
        "Start a timer.",
        "Start a timer of 300 seconds.",
        {"seconds": 300},
        seconds={"type": "integer", "minimum": 1, "maximum": 86_400},
        repeat={"type": "boolean", "default": False},
    ),
    _golden(
        "move",
        "Move the robot by metres.",
        "Move the robot by x -1.5 and y 0.25.",
        {"x": -1.5, "y": 0.25},
        x=_NUMBER,
        y=_NUMBER,
    ),
    _golden(
        "tag_photo",
        "Add tags to a photo.",
        'Tag photo 17 with "beach" and "sunset".',
        {"photo": 17, "tags": ["beach", "sunset"]},
        photo=_WHOLE,
        tags=_list(_text(16)),
    ),
    _golden(
        "order",
        "Order items.",
        "Order 2 apples and 1 bread, as a gift.",
        {"items": [{"name": "apples", "count": 2}, {"name": "bread", "count": 1}], "gift": True},
        items=_list(_object(name=_text(16), count=_WHOLE), 3),
        gift={"type": "boolean"},
    ),
    _golden(
        "book_table",
        "Book a table.",
        "Book a table on 2026-05-17 for Ada Byron, no phone number.",
        {"date": "2026-05-17", "guest": {"name": "Ada Byron", "phone": None}},
        date={"type": "string", "format": "date"},
        guest=_object(name=_text(24), phone={"type": ["string", "null"], "maxLength": 16}),
    ),
    _golden(
        "write_note",
        "Save a note.",
        'Save the note: He said "it\'s {fine}", <b>then</b> left.',
        {"text": 'He said "it\'s {fine}", <b>then</b> left.'},
        text=_text(60),
    ),
    _golden(
        "find_user",
        "Find a user by id or by code.",
        "Find the user with the code AB-123.",
        {"by": "AB-123"},
        by={"anyOf": [_WHOLE, {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{1,3}$"}]},
    ),
    _golden(
        "translate",
        "Translate a text.",
        "Translate こんにちは from ja to fr.",
        {"text": "こんにちは", "source": "ja", "target": "fr"},
        text=_text(),
        source={"type": "string", "enum": ["de", "en", "fr", "ja"]},
        target={"type": "string", "enum": ["de", "en", "fr", "ja"]},
    ),
)
