"""JSON Schemas that somebody else wrote: checked themselves, and then used to check values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import jsonschema_rs

from agentkit.errors import SchemaError
from agentkit.tools.explain import Problem

__all__ = ["JsonSchema"]

_LONGEST = 300


class JsonSchema:
    """A JSON Schema, ready to check values. Nothing outside of it is ever fetched.

    Args:
        schema: The schema, in the draft that its ``$schema`` names, else in 2020-12.

    Raises:
        agentkit.errors.SchemaError: It is not valid, or refers to something that is not in it.
    """

    def __init__(self, schema: Mapping[str, Any]) -> None:
        try:
            self._validator: Any = jsonschema_rs.validator_for(
                dict(schema), validate_formats=True, retriever=_refuse_to_fetch
            )
        except jsonschema_rs.ValidationError as error:
            raise SchemaError(f"is not a JSON Schema: {_short(error.message)}") from None
        except (jsonschema_rs.ReferencingError, ValueError, RecursionError) as error:
            raise SchemaError(f"can't be used: {_short(str(error))}") from None

    def problems(self, value: Any) -> list[Problem]:
        """Returns what is wrong with a value, with its place; an empty list when it fits."""
        try:
            errors = list(self._validator.iter_errors(value))
        except (ValueError, RecursionError) as error:  # no JSON, or nested deeper than the library goes
            return [Problem((), _short(str(error)))]
        return [Problem(tuple(cast("list[str | int]", e.instance_path)), _short(e.message)) for e in errors]


def _refuse_to_fetch(uri: str) -> Any:
    # Without a retriever of ours the library goes to the network for it.
    raise ValueError(f"{uri!r} is outside the schema, and nothing is fetched")


def _short(message: str) -> str:
    return message if len(message) <= _LONGEST else f"{message[: _LONGEST // 2]} ... {message[-_LONGEST // 2 :]}"
