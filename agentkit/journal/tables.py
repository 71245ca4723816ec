"""The tables of a run's file, and how events become rows.

``events`` is the only truth: a row for each event, in order. ``blobs`` holds each large value once, under its SHA-256;
in the event stands ``{"$blob": digest, "size": characters}`` for it. The views put the log in the words of a person who
opens the file with ``sqlite3``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

from agentkit.event_json import event_to_json
from agentkit.events import Event
from agentkit.messages import JsonObject, JsonValue, is_object

__all__ = ["BLOB", "FORMAT", "SCHEMA", "filled", "row"]

FORMAT = 2
"""Version of the tables, kept in ``PRAGMA user_version``."""

BLOB = "$blob"
BLOB_CHARS = 16_000
"""A field of an event that is longer than this, as JSON, becomes a blob."""

SCHEMA = """
CREATE TABLE events (
    seq  INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    at   REAL NOT NULL,
    data TEXT NOT NULL
) STRICT;
CREATE TABLE blobs (
    digest TEXT PRIMARY KEY,
    data   TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE VIEW plan AS
    SELECT seq, json_extract(data, '$.id') AS step, json_extract(data, '$.tool') AS tool,
           json_extract(data, '$.args') AS args, json_extract(data, '$.after') AS after,
           json_extract(data, '$.purpose') AS purpose
    FROM events WHERE kind = 'step_added';
CREATE VIEW results AS
    SELECT seq, json_extract(data, '$.id') AS step, json_extract(data, '$.index') AS item,
           json_extract(data, '$.ok') AS ok, json_extract(data, '$.value') AS value
    FROM events WHERE kind IN ('step_finished', 'item_finished');
CREATE VIEW effects AS
    SELECT begun.step, begun.item, begun.key, begun.attempt,
           CASE results.ok WHEN 1 THEN 'done' WHEN 0 THEN 'failed' ELSE 'begun' END AS state
    FROM (SELECT seq, json_extract(data, '$.id') AS step, json_extract(data, '$.index') AS item,
                 json_extract(data, '$.key') AS key, json_extract(data, '$.attempt') AS attempt
          FROM events WHERE kind IN ('step_started', 'item_started')) AS begun
    LEFT JOIN results ON results.step = begun.step AND results.item IS begun.item AND results.seq > begun.seq
    WHERE begun.key <> '';
"""


def row(event: Event) -> tuple[tuple[str, float, str], dict[str, str]]:
    """Returns an event as a row of ``events``, and the blobs that it needs, by digest."""
    blobs: dict[str, str] = {}
    data = {key: _packed(value, blobs) for key, value in event_to_json(event).items()}
    return (event.kind, event.at, _text(data)), blobs


def _text(value: JsonValue) -> str:
    """Returns JSON that UTF-8 can hold: text from outside may have lone surrogates in it."""
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value)
    return text


def _packed(value: JsonValue, blobs: dict[str, str]) -> JsonValue:
    if not isinstance(value, str | list | dict):
        return value
    text = _text(value)
    if len(text) <= BLOB_CHARS and BLOB not in text:  # what looks like a blob is kept as one, to come back as it was
        return value
    digest = hashlib.sha256(text.encode()).hexdigest()
    blobs[digest] = text
    return {BLOB: digest, "size": len(text)}


def filled(data: JsonObject, find: Callable[[str], str], *, whole: bool = True) -> JsonObject:
    """Returns an event's JSON with its blobs put in.

    Args:
        data: The event as its row has it.
        find: Returns a blob's text.
        whole: Whether to put in all of them. Otherwise what stands for it is left for each large value that may be
            any JSON, and a list of that where a list of objects is expected; all else is put in.
    """

    def fill(key: str, value: Any) -> Any:
        if not (is_object(value) and BLOB in value):
            return value
        if not whole and key in _ANY:
            return value
        return [value] if not whole and key in _LISTS else json.loads(find(value[BLOB]))

    return {key: fill(key, value) for key, value in data.items()}


_ANY = {"value", "args", "output", "state", "source"}
_LISTS = {"messages", "pieces", "tools", "history", "plan"}
"""Fields of events that hold any JSON or any object, and those that hold lists of objects."""
