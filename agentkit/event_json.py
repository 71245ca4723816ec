"""Events as JSON, as a run's file and programs hold them."""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from typing import TYPE_CHECKING, Any

from agentkit import events
from agentkit.events import Event
from agentkit.messages import JsonObject

if TYPE_CHECKING:
    from pydantic import TypeAdapter

__all__ = ["EVENT_TYPES", "event_from_json", "event_to_json"]

EVENT_TYPES: dict[str, type[Event]] = {
    found.kind: found
    for found in vars(events).values()
    if isinstance(found, type) and issubclass(found, Event) and found is not Event
}
"""The kinds of events by name."""


def event_to_json(event: Event) -> JsonObject:
    """Returns the event as a JSON object with its ``kind``; it shares its values with the event."""
    return {"kind": type(event).kind} | {f.name: getattr(event, f.name) for f in fields(event)}


def event_from_json(data: JsonObject) -> Event:
    """Returns the event that a JSON object stands for; fields this version does not know are left out.

    Raises:
        KeyError: The kind is unknown.
        ValueError: A field is missing or holds a value of the wrong type.
    """
    cls = EVENT_TYPES[data["kind"]]
    from pydantic import ValidationError

    try:
        event: Event = _reader(cls.kind).validate_python(data)
    except ValidationError as e:
        first = e.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"{cls.kind}: {place}: {first['msg']}") from None
    return event


@cache
def _reader(kind: str) -> TypeAdapter[Any]:
    """Returns what checks the fields of one kind of event; a run's file may come from anywhere."""
    from pydantic import TypeAdapter

    return TypeAdapter(EVENT_TYPES[kind])
