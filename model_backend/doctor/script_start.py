"""The beginning of a turn's script: what is put there before the model decides anything."""

from __future__ import annotations

from agentkit.model_backend.base import TurnRequest
from agentkit.model_backend.engine.vocab import Vocab
from agentkit.model_backend.formats.base import Format
from agentkit.model_backend.script import Decoded, Literal, Segment

__all__ = ["script_start"]


def script_start(form: Format, request: TurnRequest, vocab: Vocab) -> tuple[list[int], Segment]:
    """Returns the tokens that stand at the start of a turn, and the first segment that is decoded.

    Args:
        form: Writes the script.
        request: The turn.
        vocab: The model's tokens.
    """
    script = form.script(request)
    tokens: list[int] = []
    try:
        segment = next(script)
        while isinstance(segment, Literal):
            put = list(segment.tokens) or vocab.tokenize(segment.text, special=True)
            tokens += put
            segment = script.send(Decoded(text=segment.text, tokens=tuple(put), stop="complete"))
        return tokens, segment
    finally:
        script.close()
