"""An answer in parts: JSON values in a text, each under a schema that depends on those before."""

from __future__ import annotations

import json
from collections.abc import Generator, Sequence
from functools import partial

from agentkit.messages import JsonValue
from agentkit.model_backend.base import Part, Parts
from agentkit.model_backend.constraint.grammar import json_schema_expression, open_object_expression
from agentkit.model_backend.part_text import read_part
from agentkit.model_backend.script import Constrained, Decoded, Grammar, Segment

__all__ = ["joined", "write_parts"]


def write_parts(parts: Parts, *, max_tokens: int) -> Generator[Segment, Decoded, list[Decoded]]:
    """Decodes the parts; gives everything that was decoded.

    The last of it has stopped for ``length`` when the tokens ran out before the answer was whole.

    Args:
        parts: Gives the choices for each part.
        max_tokens: The most tokens of all parts together.
    """
    done: list[JsonValue] = []
    everything: list[Decoded] = []
    while choices := parts(done):
        left = max_tokens - sum(len(decoded.tokens) for decoded in everything)
        read = partial(read_part, choices)
        grammar = Grammar("start: " + " | ".join(map(_expression, choices)))
        decoded = yield Constrained(grammar=grammar, max_tokens=max(left, 1), kind="text", values=read)
        everything.append(decoded)
        if decoded.stop == "length":
            break
        done += read(decoded.text)
    return everything


def joined(decoded: list[Decoded]) -> Decoded:
    """Returns what was decoded one after the other as one; nothing at all is a whole, empty text."""
    return Decoded(
        text="".join(d.text for d in decoded),
        tokens=tuple(token for d in decoded for token in d.tokens),
        stop=decoded[-1].stop if decoded else "complete",
    )


def _expression(part: Part) -> str:
    value = open_object_expression(part.schema) if part.is_open else json_schema_expression(part.schema, closed=True)
    before = json.dumps(part.before, ensure_ascii=False) if part.before else ""
    ends: Sequence[str] = [json.dumps(end, ensure_ascii=False) for end in part.ends]
    return f"{before} {value} ({' | '.join(ends)})"
