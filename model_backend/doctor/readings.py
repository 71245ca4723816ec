"""Reads turns that were written with nothing to lead the model: is there a call, and is it written as taught."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from agentkit.messages import Text, ToolCall, is_object
from agentkit.model_backend.formats.call_style import CallStyle
from agentkit.model_backend.formats.gemma4 import Gemma4Format
from agentkit.model_backend.formats.gemma4_parse import parse
from agentkit.model_backend.formats.gemma4_tokens import Mark

__all__ = ["Reading", "TurnKind", "read_gemma_turn", "read_json_turn"]

TurnKind: TypeAlias = Literal["call", "loose call", "text", "nothing"]
"""A call as it was taught, a call written otherwise, no call, an empty turn."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a turn holds."""

    kind: TurnKind
    calls: tuple[ToolCall, ...] = ()
    opened: bool = False
    """The call token came."""
    one_token: bool = False
    """And after it the single token ``call``."""


def read_gemma_turn(form: Gemma4Format, opening: Sequence[int], tokens: Sequence[int], names: Sequence[str]) -> Reading:
    """Returns what a turn in Gemma's syntax holds.

    Args:
        form: The file's format.
        opening: Tokens that were put at the start of the turn.
        tokens: What the model wrote.
        names: The tools.
    """
    alphabet = form.alphabet
    parsed = parse(alphabet, [*opening, *tokens], tools=names)
    calls = tuple(piece for piece in parsed.pieces if isinstance(piece, ToolCall))
    call = alphabet.ids[Mark.CALL]
    at = list(tokens).index(call) + 1 if call in tokens else 0
    one_token = 0 < at < len(tokens) and alphabet.vocab.piece(tokens[at]) == b"call"
    texts = [piece for piece in parsed.pieces if isinstance(piece, Text) and piece.text.strip()]
    kind: TurnKind = "call" if calls and not parsed.notes else "loose call" if calls else "text" if texts else "nothing"
    return Reading(kind, calls, at > 0, one_token)


def read_json_turn(style: CallStyle, text: str, names: Sequence[str]) -> Reading:
    """Returns what a turn holds: the first call in the style of the template, or any JSON with a tool's name.

    Args:
        style: How the template writes calls.
        text: What the model wrote.
        names: The tools.
    """
    begin = text.find("{")
    while begin >= 0:
        with contextlib.suppress(ValueError, RecursionError):
            found, _ = json.JSONDecoder().raw_decode(text, begin)
            if is_object(found) and found.get("name") in names:
                arguments = found.get("arguments", found.get("parameters"))
                call = ToolCall(found["name"], arguments if is_object(arguments) else {})
                opening = (style.opening + style.before).strip()
                taught = text[:begin].rstrip().endswith(opening) and is_object(arguments)
                return Reading("call" if taught else "loose call", (call,))
        begin = text.find("{", begin + 1)
    return Reading("text" if text.strip() else "nothing")
