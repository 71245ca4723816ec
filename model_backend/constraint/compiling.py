"""Asks llguidance whether a schema can be made into a grammar. No vocabulary is needed for that."""

from __future__ import annotations

import json
from typing import Any

from llguidance import LLMatcher, LLParserLimits

from agentkit.errors import SchemaError
from agentkit.model_backend.constraint.deadline import TooSlow, within
from agentkit.model_backend.constraint.keywords import is_object
from agentkit.model_backend.constraint.narrowing import narrow

__all__ = ["COMPACT", "compile_error", "is_unsatisfiable", "json_rule"]

COMPACT = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
"""The one way to write JSON: a model can't loop on blanks, and more tokens are forced."""

CHECK_SECONDS = 5.0


def json_rule(schema_text: str) -> str:
    """Returns the Lark expression for JSON that fits a schema, which is given as JSON text."""
    schema: Any = json.loads(schema_text)
    if schema is False:
        schema = {"enum": []}
    if is_object(schema):
        narrow(schema)
    return "%json " + json.dumps({"x-guidance": COMPACT, **(schema if is_object(schema) else {})})


def compile_error(schema: Any) -> str:
    """Returns why the schema can't be made into a grammar, in one line; empty when it can.

    Raises:
        SchemaError: The answer took longer than 5 seconds.
    """
    lark = f"start: {json_rule(json.dumps(schema))}"
    try:
        failed, messages = within(
            CHECK_SECONDS,
            lambda: LLMatcher.validate_grammar_with_warnings(
                LLMatcher.grammar_from_lark(lark), limits=LLParserLimits(verbose_errors=False)
            ),
        )
    except TooSlow as e:
        raise SchemaError(f"the schema takes longer than {CHECK_SECONDS:g} s to compile: simplify it") from e
    return _reason(messages[0]) if failed else ""


def is_unsatisfiable(error: str) -> bool:
    """Returns whether an error says that nothing fits the schema."""
    return "Unsatisfiable schema" in error


def _reason(message: str) -> str:
    """The message without the place in the Lark text, on one line."""
    text = message.partition("failed to compile JSON schema: ")[2] or message
    lines = [line.strip() for line in text.splitlines()]
    kept = [line for line in lines if line and not line.startswith("1 | ") and set(line) != {"^"}]
    return " ".join(kept)[:300]
