"""What may come next: JSON Schemas become grammars, grammars become masks over the vocabulary.

- `schema`: what of a JSON Schema a grammar can enforce, and what has to be checked afterwards.
- `grammar`: the grammar's text.
- `matcher`: a grammar and a vocabulary, moving forward token by token.
- `validation`: the check afterwards; needs no grammar library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agentkit.model_backend.constraint.grammar import json_schema_grammar as json_schema_grammar
    from agentkit.model_backend.constraint.matcher import Constraints as Constraints
    from agentkit.model_backend.constraint.matcher import Matcher as Matcher
    from agentkit.model_backend.constraint.schema import SchemaReport as SchemaReport
    from agentkit.model_backend.constraint.schema import check_schema as check_schema
    from agentkit.model_backend.constraint.validation import Problem as Problem
    from agentkit.model_backend.constraint.validation import validate as validate

# Remote models validate and have no grammar library: a name's module loads when the name is used.
_HOMES = {
    "Constraints": "matcher",
    "Matcher": "matcher",
    "Problem": "validation",
    "SchemaReport": "schema",
    "check_schema": "schema",
    "json_schema_grammar": "grammar",
    "validate": "validation",
}

__all__ = [
    "Constraints",
    "Matcher",
    "Problem",
    "SchemaReport",
    "check_schema",
    "json_schema_grammar",
    "validate",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = globals()[name] = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
