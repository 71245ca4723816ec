"""What a server says of one of its tools, and what is made of it here.

All of it is text from somebody else: names and descriptions are shown to a model, so what could hide in them is taken
out, and what can't be made safe is refused with a reason.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from agentkit.errors import SchemaError
from agentkit.messages import JsonObject
from agentkit.tools.mcp.schemas import usable_schema
from agentkit.tools.mcp.text import clean, hidden_characters
from agentkit.tools.tool import Effect

__all__ = ["Definition", "read_definition"]

MAX_DESCRIPTION = 2000
"""Most characters of a description that a model is shown."""
_MAX_NAME = 64  # what OpenAI-compatible servers take
_PINNED = ("description", "inputSchema", "outputSchema", "annotations")


@dataclass(frozen=True, kw_only=True)
class Definition:
    """A server's tool, in the server's words and in ours."""

    remote_name: str
    """What the server calls it."""
    name: str
    """What it is called here: ``SERVER_TOOL``."""
    said: JsonObject = field(repr=False)
    """What the server says of it, as far as it matters; this is what is pinned."""
    description: str
    parameters: JsonObject
    returns: JsonObject | None
    notes: tuple[str, ...] = ()
    """What was changed, in words."""

    @property
    def digest(self) -> str:
        """SHA-256 of name, description, schemas and hints."""
        text = json.dumps([self.remote_name, self.said], sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def is_what(self, told: Mapping[str, Any]) -> bool:
        """Returns whether an entry of the server's list says the same of the same tool."""
        return told["name"] == self.remote_name and _pinned_part(told) == self.said

    @property
    def hinted_effect(self) -> Effect:
        """The effect that the server claims by its hints."""
        hints: Mapping[str, Any] = self.said.get("annotations", {})
        if hints.get("readOnlyHint") is True:
            return "pure"
        return "idempotent" if hints.get("idempotentHint") is True else "once"


def read_definition(server: str, told: Mapping[str, Any]) -> Definition:
    """Returns a tool's definition.

    Args:
        server: The server's name here.
        told: An entry of the server's list of tools, as JSON.

    Raises:
        agentkit.errors.SchemaError: It can't be used; the message is read after the tool's name.
    """
    remote_name: str = told["name"]
    description, notes = clean(told.get("description") or "", MAX_DESCRIPTION)
    notes = [f"description: {note}" for note in notes]
    schemas: dict[str, JsonObject | None] = {}
    for key, what in (("inputSchema", "its inputSchema"), ("outputSchema", "its outputSchema")):
        schemas[key] = None
        if told.get(key) is not None:
            try:
                schemas[key], said = usable_schema(told[key])
            except SchemaError as error:
                raise SchemaError(f"{what} {error}") from None
            notes += said
    parameters = schemas["inputSchema"]
    nothing: JsonObject = {"type": "object", "properties": {}}
    if parameters is None or parameters.get("type") != "object":
        raise SchemaError("its inputSchema is not the schema of an object")
    return Definition(
        remote_name=remote_name,
        name=_local_name(server, remote_name),
        said=_pinned_part(told),
        description=description,
        parameters=nothing | parameters,
        returns=schemas["outputSchema"],
        notes=tuple(notes),
    )


def _pinned_part(told: Mapping[str, Any]) -> JsonObject:
    return {key: told[key] for key in _PINNED if told.get(key) is not None}


def _local_name(server: str, name: str) -> str:
    """Returns ``SERVER_TOOL`` in characters that every model's call syntax and every server takes."""
    if hidden_characters(name) or not re.fullmatch(r"[A-Za-z0-9_./ -]+", name):
        raise SchemaError("its name has other characters than letters, digits, '_', '-', '.' and '/'")
    local = f"{server}_{re.sub(r'[^A-Za-z0-9_]', '_', name)}"
    if len(local) > _MAX_NAME:
        raise SchemaError(f"its name would be {len(local)} characters long with the server's before it; the most is 64")
    return local
