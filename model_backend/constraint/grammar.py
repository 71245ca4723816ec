"""Grammars made from JSON Schemas."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from agentkit.model_backend.constraint.schema import check_schema
from agentkit.model_backend.constraint.scientific import expression
from agentkit.model_backend.script import Grammar

__all__ = ["json_schema_expression", "json_schema_grammar", "open_object_expression"]


def json_schema_grammar(schema: Mapping[str, Any] | bool, *, closed: bool = False) -> Grammar:
    """Returns the grammar of JSON text, with no optional blanks, that fits the schema.

    Properties come in the schema's order. What `check_schema` reports as relaxed is left to
    `agentkit.model_backend.constraint.validation.validate`.

    Args:
        schema: A JSON Schema.
        closed: Whether objects that list their properties allow no others.

    Raises:
        agentkit.errors.SchemaError: The schema is refused; see `check_schema`.
    """
    return Grammar(lark=f"start: {json_schema_expression(schema, closed=closed)}")


def json_schema_expression(schema: Mapping[str, Any] | bool, *, closed: bool = False) -> str:
    """Returns the same as an expression, to stand in a rule of a larger Lark grammar."""
    return expression(json.loads(check_schema(schema, closed=closed).grammar_text))


def open_object_expression(schema: Mapping[str, Any]) -> str:
    """Returns the expression for an object without the bracket that ends it; what stands in it may then go on.

    Args:
        schema: Schema of an object with all of its keys, or ``anyOf`` such.
    """
    return f"({' | '.join(map(_opened, schema.get('anyOf', [schema])))})"


def _opened(schema: Mapping[str, Any]) -> str:
    members = (
        f'{json.dumps(json.dumps(name))} ": " {json_schema_expression(inner, closed=True)}'
        for name, inner in schema["properties"].items()
    )
    return '"{" ' + ' ", " '.join(members)
