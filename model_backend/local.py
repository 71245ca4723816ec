"""A model in this process: a format writes and reads, an engine decodes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, TypeVar

from agentkit.errors import UsageError
from agentkit.messages import Assistant, Piece, ToolCall, User
from agentkit.model_backend.base import Emit, ModelInfo, Sampling, ToolSpec, Turn, TurnRequest
from agentkit.model_backend.constraint import validate
from agentkit.model_backend.engine.settings import ResolvedSampling
from agentkit.model_backend.formats.base import Format
from agentkit.model_backend.script import Constrained, Script

if TYPE_CHECKING:
    from agentkit.model_backend.engine import Engine

__all__ = ["LocalModel"]

T = TypeVar("T")

_UNSET = Sampling()
_FALLBACK = Sampling(temperature=0.0, top_k=0, top_p=1.0, min_p=0.0, repeat_penalty=1.0, seed=0)
"""Greedy: small models choose tools best so, and a run can be repeated."""


class LocalModel:
    """A GGUF model.

    Sampling values come from the request, else from ``defaults``, else greedy decoding.

    Args:
        engine: The loaded file; closed with the model.
        format: How this model writes conversations and calls.
        info: What a run records of the model.
        defaults: What the catalog says suits the model.
    """

    def __init__(self, engine: Engine, format: Format, info: ModelInfo, defaults: Sampling = _UNSET) -> None:
        self._engine = engine
        self._format = format
        self._info = info
        self._defaults = defaults

    @property
    def info(self) -> ModelInfo:
        """What the model is."""
        return self._info

    async def turn(self, request: TurnRequest, emit: Emit | None = None) -> Turn:
        """Decodes one turn; see `agentkit.model_backend.base.Model.turn`.

        Raises:
            agentkit.errors.UsageError: A message has media.
            agentkit.errors.ModelError: The backend failed, or the chat template did.
            agentkit.errors.LimitReached: The prompt does not fit the context.
            agentkit.errors.SchemaError: A schema of the request is refused.
        """
        prompt = await self._prompt(request)
        grammars: list[str] = []
        script = _watched(self._format.script(request), grammars)
        written = tuple(map(self._engine.vocab.piece, prompt))
        outcome = await self._engine.run(prompt, script, sampling=self._sampling(request.sampling), emit=emit)
        draft = outcome.value
        return Turn(
            message=Assistant(draft.pieces, outcome.tokens),
            stop=draft.stop,
            usage=outcome.usage,
            notes=(*draft.notes, *_misfits(draft.pieces, request.tools)),
            prompt=written,
            constraints=tuple(grammars),
        )

    async def count(self, request: TurnRequest) -> int:
        """Returns the exact number of prompt tokens of a request."""
        return len(await self._prompt(request))

    def close(self) -> None:
        """Frees the model. Closing twice is allowed."""
        self._engine.close()

    async def _prompt(self, request: TurnRequest) -> list[int]:
        media = [media for message in request.messages if isinstance(message, User) for media in message.media]
        if media:
            raise UsageError(
                f"{self._info.name} reads text only, and a message has media of the kind {media[0].kind!r}: a model in "
                "this process has no encoder for media; name a model behind a URL that has one"
            )
        return await asyncio.to_thread(self._format.prompt, request)

    def _sampling(self, wanted: Sampling) -> ResolvedSampling:
        values = {
            field.name: next(
                value
                for source in (wanted, self._defaults, _FALLBACK)
                if (value := getattr(source, field.name)) is not None
            )
            for field in fields(Sampling)
        }
        return ResolvedSampling(**values)


def _watched(script: Script[T], grammars: list[str]) -> Script[T]:
    """Passes a script on, and adds the grammars that it asks for to a list."""
    try:
        segment = next(script)
        while True:
            if isinstance(segment, Constrained):
                grammars.append(segment.grammar.lark)
            segment = script.send((yield segment))
    except StopIteration as end:
        value: T = end.value
        return value
    finally:
        script.close()


def _misfits(pieces: Sequence[Piece], tools: Sequence[ToolSpec]) -> list[str]:
    """What the grammar had to leave to a check: the call goes on, and the tool tells the model what to change."""
    schemas = {tool.name: tool.parameters for tool in tools}
    return [
        f"call of {piece.name!r}: {problem}"
        for piece in pieces
        if isinstance(piece, ToolCall) and piece.name in schemas
        for problem in validate(schemas[piece.name], piece.arguments)
    ]
