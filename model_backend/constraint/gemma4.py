r"""Grammars of calls in Gemma's own syntax: ``<|tool_call>call:NAME{...}<tool_call|>``, once or several times.

Control tokens stand in the grammar by id, so no spelling of a marker with ordinary characters passes for one, and
strings hold any text and never a control token.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from agentkit.messages import JsonObject
from agentkit.model_backend.constraint.gemma4_values import Rules
from agentkit.model_backend.constraint.grammar import json_schema_expression
from agentkit.model_backend.constraint.schema import check_schema
from agentkit.model_backend.script import Grammar

__all__ = ["CallGrammar", "CallTokens", "call_grammar"]


@dataclass(frozen=True, slots=True)
class CallTokens:
    """Ids of the control tokens in calls."""

    call: int
    call_end: int
    quote: int


@dataclass(frozen=True, slots=True)
class CallGrammar:
    """A grammar of calls."""

    grammar: Grammar
    relaxed: tuple[str, ...]
    """Where it allows more than the schemas, tool by tool; checked after decoding."""


def call_grammar(
    tools: Mapping[str, JsonObject],
    tokens: CallTokens,
    *,
    max_calls: int = 8,
    answer: JsonObject | None = None,
) -> CallGrammar:
    """Returns the grammar of one or more calls. It may end after each; what ends the turn is not in it.

    Args:
        tools: The parameters' JSON Schema of each tool, by name.
        tokens: The control tokens.
        max_calls: The most calls.
        answer: JSON Schema of an answer that may come instead of calls; its objects allow no keys but those listed.

    Raises:
        agentkit.errors.SchemaError: A schema is refused; see `schema.check_schema`.
    """
    return _call_grammar(json.dumps(tools), tokens, max_calls, None if answer is None else json.dumps(answer))


@lru_cache(maxsize=64)
def _call_grammar(tools: str, tokens: CallTokens, max_calls: int, answer: str | None) -> CallGrammar:
    rules = Rules(f"<[{tokens.quote}]>")
    relaxed: list[str] = []
    bodies: list[str] = []
    for name, parameters in json.loads(tools).items():
        report = check_schema({"type": "object", **parameters}, closed=True)
        before = len(rules.relaxed)
        arguments = rules.schema(json.loads(report.grammar_text))
        bodies.append(rules.rule(f"{json.dumps('call:' + name, ensure_ascii=False)} {arguments}"))
        relaxed += [f"{name}: {what}" for what in (*map(str, report.relaxed), *rules.relaxed[before:])]
    call = rules.rule(f"<[{tokens.call}]> ({' | '.join(bodies)}) <[{tokens.call_end}]>")
    start = f"{call} ({call}){{0,{max_calls - 1}}}" if max_calls > 1 else call
    if answer is not None:
        start += f" | {rules.rule(json_schema_expression(json.loads(answer), closed=True))}"
    return CallGrammar(Grammar(lark=f"start: {start}\n{rules.text}"), tuple(relaxed))
