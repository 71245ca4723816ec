"""Reads JSON that a model wrote. No value is lost on the way."""

from __future__ import annotations

import json
from typing import Any

from agentkit.messages import JsonObject, JsonValue

__all__ = ["read_json"]


def read_json(text: str) -> JsonValue:
    """Returns the value that the text says.

    A grammar can't keep a model from giving a key of an open object twice. Python takes the last of two values
    without a word; here two that differ are an error, as they are in Gemma's call syntax.

    Raises:
        ValueError: The text is not JSON, or an object has two values for a key; the message says which.
    """
    value: JsonValue = json.loads(text, object_pairs_hook=_object, parse_constant=_refuse)
    return value


def _object(pairs: list[tuple[str, Any]]) -> JsonObject:
    found = dict(pairs)
    for key, value in pairs:
        if json.dumps(value, sort_keys=True) != json.dumps(found[key], sort_keys=True):
            raise ValueError(f"two values for {key!r}")
    return found


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
