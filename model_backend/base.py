"""The seam between a run and a model: a request goes in, a turn comes out.

Everything above this module speaks of messages and pieces; everything below it of text and tokens.
`agentkit.model_backend.scripted.ScriptedModel` implements the seam without a model, for tests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias, runtime_checkable

from agentkit.messages import Assistant, JsonObject, JsonValue, Message, Usage

__all__ = [
    "CallPolicy",
    "Delta",
    "Emit",
    "Model",
    "ModelInfo",
    "Part",
    "Parts",
    "Sampling",
    "ToolSpec",
    "Turn",
    "TurnRequest",
    "TurnStop",
]

CallPolicy: TypeAlias = Literal["auto", "none", "required"]
"""Whether a turn may call tools, may not, or must."""

TurnStop: TypeAlias = Literal["calls", "answer", "length"]
"""Why a turn ended: it made calls, it answered, or it ran out of tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of an answer: a JSON value, and the text around it.

    The text belongs to the part, and is not put between two: what ends a value and what follows are often one token,
    and a model that has to write them as two finds itself in a text such as it has never seen.
    """

    schema: JsonObject
    """JSON Schema of the value."""
    before: str = ""
    ends: Mapping[str, Sequence[JsonValue]]
    """The texts that may follow. Each may stand for further parts, which then count as written."""
    is_open: bool = False
    """Whether the value, an object that has all of its keys, is left open: other keys follow with the next part."""


Parts: TypeAlias = Callable[[Sequence[JsonValue]], Sequence[Part]]
"""Gives the choices for the next part of an answer from the values of those before it; none ends the answer.

Called between segments of decoding, on the thread that decodes, so it has to be quick and must not touch
what others change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSpec:
    """What a model is told of a tool."""

    name: str
    description: str
    parameters: JsonObject
    """JSON Schema of an object; its properties are the parameters."""
    returns: JsonObject | None = None
    """JSON Schema of the result, where known."""
    pure: bool = False
    """Whether it is known that a call changes nothing. Planners use this; models are not told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How the next token is chosen. ``None`` means: what the catalog says suits the model."""

    temperature: float | None = None
    """0 takes the likeliest token."""
    top_k: int | None = None
    """Only the k likeliest tokens; 0 for all."""
    top_p: float | None = None
    """Only the likeliest tokens that together reach this probability; 1.0 for all."""
    min_p: float | None = None
    """Only tokens at least this likely, relative to the likeliest; 0.0 for all."""
    repeat_penalty: float | None = None
    """Divides the logits of tokens seen in the last 64; 1.0 for none."""
    seed: int | None = None
    """Makes a turn repeatable on the same machine and model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnRequest:
    """One turn asked of a model."""

    messages: Sequence[Message]
    tools: Sequence[ToolSpec] = ()
    calls: CallPolicy = "auto"
    """With ``"required"`` the turn is one or more calls and nothing else but a thought."""
    only: tuple[str, ...] = ()
    """Names of the tools that this turn may call; all of them when empty. The others stay declared, so that
    the prompt begins as it did before and need not be computed again."""
    max_calls: int = 8
    """The most calls in one turn."""
    thinking: int = 0
    """Budget of the thought, in tokens; 0 turns thinking off."""
    output: JsonObject | None = None
    """JSON Schema that the answer (when the turn is not calls) must fit; ``None`` for free text."""
    parts: Parts | None = None
    """Makes the turn an answer of JSON values, each under a schema that depends on those before. A `Delta` of the
    kind ``part`` tells of each as soon as it is whole. Only for models that are not remote."""
    max_tokens: int = 2048
    """The most output tokens of the turn, the thought not counted."""
    sampling: Sampling = Sampling()

    @property
    def callable_tools(self) -> tuple[ToolSpec, ...]:
        """The tools that this turn may call."""
        return tuple(tool for tool in self.tools if not self.only or tool.name in self.only)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """A bit of a turn while it is decoded, for people to watch."""

    kind: Literal["thought", "text", "call", "part"]
    """``part``: a whole JSON value of an answer in `Parts`, whose text was told of already."""
    text: str
    tokens: int = 1
    """Output tokens this bit stands for."""


Emit: TypeAlias = Callable[[Delta], None]
"""Called with each delta, on the event loop's thread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What a model gave for a request."""

    message: Assistant
    """The pieces in order. Calls have been checked against their tool's schema; ids are not set yet."""
    stop: TurnStop
    usage: Usage
    notes: tuple[str, ...] = ()
    """What the backend had to do that the reader of a trace should know: a thought cut at its
    budget, a constraint relaxed, an answer repaired."""
    prompt: tuple[bytes, ...] = ()
    """The exact prompt, as the text of each of its tokens; empty when the backend does not know it."""
    constraints: tuple[str, ...] = ()
    """The grammars that parts of the turn were held to, in order; empty when the backend does not know them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """What a run records of the model that it used."""

    name: str
    """As the user named it: catalog id, path or URL."""
    kind: Literal["local", "remote", "scripted"]
    context: int
    """Context size in tokens; 0 when unknown."""
    format: str = ""
    digest: str = ""
    """sha256 of the weights, where known."""
    thinks: bool = True
    """Whether the model was trained to think before it acts."""


@runtime_checkable
class Model(Protocol):
    """A model that takes turns. Several runs may use one at the same time."""

    @property
    def info(self) -> ModelInfo:
        """What the model is."""
        ...

    async def turn(self, request: TurnRequest, emit: Emit | None = None) -> Turn:
        """Decodes one turn.

        Cancelling the awaiting task stops decoding within one token.

        Args:
            request: What is asked.
            emit: Called with each bit as it is decoded.

        Returns:
            The turn. Every call in it names a tool of the request and fits its schema.

        Raises:
            agentkit.errors.ModelError: The backend failed.
            agentkit.errors.LimitReached: The prompt does not fit the context.
        """
        ...

    async def count(self, request: TurnRequest) -> int:
        """Returns the exact number of prompt tokens of a request; an estimate for remote models."""
        ...

    def close(self) -> None:
        """Frees the model. Closing twice is allowed."""
        ...
