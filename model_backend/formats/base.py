"""What a format is: messages and tools become tokens, and decoded segments become pieces.

A format module registers itself for the GGUF files it fits, by what their metadata says:

    @register(lambda metadata: metadata.get("general.architecture") == "mine", order=0)
    def mine(vocab: Vocab) -> Format: ...
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol, TypeAlias, TypeVar

from agentkit.messages import Piece
from agentkit.model_backend.base import TurnRequest, TurnStop
from agentkit.model_backend.script import Script

__all__ = ["Draft", "Format", "Vocab", "format_for", "register"]


class Vocab(Protocol):
    """The part of `agentkit.model_backend.engine.vocab.Vocab` that formats need."""

    @property
    def metadata(self) -> Mapping[str, str]:
        """The GGUF file's metadata."""
        ...

    @property
    def bos(self) -> int | None:
        """The token that begins a text."""
        ...

    @property
    def eog(self) -> frozenset[int]:
        """The tokens that end generation."""
        ...

    def tokenize(self, text: str, *, special: bool) -> list[int]:
        """Returns the tokens of a text, with no begin token; control tokens only when ``special``."""
        ...

    def piece(self, token: int) -> bytes:
        """Returns the bytes of a token."""
        ...

    def special(self, text: str) -> int | None:
        """Returns the control token with that text."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a script made of a turn, before it is checked against the schemas."""

    pieces: tuple[Piece, ...]
    stop: TurnStop
    notes: tuple[str, ...] = ()


class Format(Protocol):
    """How one family of models writes conversations and calls."""

    @property
    def name(self) -> str:
        """Short name for traces."""
        ...

    @property
    def thinks(self) -> bool:
        """Whether the model was trained to think before it acts."""
        ...

    def prompt(self, request: TurnRequest) -> list[int]:
        """Returns the prompt's token ids, up to where the model's turn begins.

        Raises:
            agentkit.errors.ModelError: The conversation can't be written in this format.
        """
        ...

    def script(self, request: TurnRequest) -> Script[Draft]:
        """Returns the script of the turn."""
        ...


V = TypeVar("V", bound=Vocab)
Predicate: TypeAlias = Callable[[Mapping[str, str]], bool]
Factory: TypeAlias = "Callable[[Vocab], Format]"

_REGISTERED: list[tuple[int, Predicate, Factory]] = []

# The modules that register formats. They load when the first model does.
_MODULES = ("agentkit.model_backend.formats.gemma4", "agentkit.model_backend.formats.chat_template")


def register(fits: Predicate, *, order: int = 0) -> Callable[[Factory], Factory]:
    """Registers a factory of formats.

    Args:
        fits: Says by a GGUF file's metadata whether the format is for it.
        order: Lower is asked first; the generic chat template stands at 100.
    """

    def decorate(factory: Factory) -> Factory:
        _REGISTERED.append((order, fits, factory))
        _REGISTERED.sort(key=lambda entry: entry[0])
        return factory

    return decorate


def format_for(vocab: Vocab) -> Format:
    """Returns the format for a model, chosen by the metadata of its file.

    Without a better one that is the chat template in the file, and where there is none a plain prompt.
    """
    for module in _MODULES:
        import_module(module)
    for _, fits, factory in _REGISTERED:
        if fits(vocab.metadata):
            return factory(vocab)
    raise AssertionError("the generic format fits every file")
