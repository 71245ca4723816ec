"""An answer in parts: JSON values, one a line, each under a schema that depends on those before."""

from __future__ import annotations

import json
from collections.abc import Generator

from agentkit.messages import JsonValue
from agentkit.model_backend.base import Parts
from agentkit.model_backend.constraint import json_schema_grammar
from agentkit.model_backend.script import Constrained, Decoded, Literal, Segment

__all__ = ["joined", "write_parts"]


def write_parts(parts: Parts, *, max_tokens: int) -> Generator[Segment, Decoded, list[Decoded]]:
    """Decodes the parts; gives everything that was decoded, the line breaks between them included.

    The last of it has stopped for ``length`` when the tokens ran out before the answer was whole.

    Args:
        parts: Gives the schema of each part.
        max_tokens: The most tokens of all parts together.
    """
    done: list[JsonValue] = []
    everything: list[Decoded] = []
    while (schema := parts(done)) is not None:
        if done:
            everything.append((yield Literal(text="\n", kind="text")))
        left = max_tokens - sum(len(decoded.tokens) for decoded in everything)
        grammar = json_schema_grammar(schema, closed=True)
        decoded = yield Constrained(grammar=grammar, max_tokens=max(left, 1), kind="text", is_part=True)
        everything.append(decoded)
        if decoded.stop == "length":
            break
        done.append(json.loads(decoded.text))
    return everything


def joined(decoded: list[Decoded]) -> Decoded:
    """Returns what was decoded one after the other as one; nothing at all is a whole, empty text."""
    return Decoded(
        text="".join(d.text for d in decoded),
        tokens=tuple(token for d in decoded for token in d.tokens),
        stop=decoded[-1].stop if decoded else "complete",
    )
