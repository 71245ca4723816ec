r"""A model turn as a script of segments, driven by Python between them.

A script is a generator. It yields a segment, the engine decodes it and sends back what came out, and
the script decides what may follow. So a thought can be free, the call after it constrained, and the
constraint may depend on everything decoded so far. The generator's return value is the turn's value.

::

    def script() -> Script[str]:
        thought = yield Free(stop=("</think>",), max_tokens=200, kind="thought")
        yield Literal(text='\n{"answer": ')
        answer = yield Constrained(grammar=json_grammar({"type": "integer"}))
        return answer.text
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Literal as OneOf
from typing import TypeAlias, TypeVar

from agentkit.messages import JsonValue

__all__ = ["Constrained", "Decoded", "Free", "Grammar", "Kind", "Literal", "Script", "Segment"]

Kind: TypeAlias = OneOf["thought", "text", "call", "control"]
"""What a segment is to a person who watches; ``control`` is not shown."""


@dataclass(frozen=True, slots=True)
class Grammar:
    """A constraint in llguidance's Lark dialect. Equal grammars are compiled once."""

    lark: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Literal:
    """Text that is put there, not sampled. Control tokens of the format may stand in it."""

    text: str = ""
    tokens: tuple[int, ...] = ()
    """Token ids instead of text, where the format works on ids."""
    kind: Kind = "control"


@dataclass(frozen=True, slots=True, kw_only=True)
class Free:
    """Text without constraint, until a stop string, an end-of-generation token or the budget."""

    stop: tuple[str, ...] = ()
    """Strings, or control tokens by their text, that end the segment. What matched is the last thing
    in the context and is not part of `Decoded.text`."""
    max_tokens: int = 1024
    kind: Kind = "text"
    ban: tuple[int, ...] = ()
    """Token ids that must not be sampled here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Constrained:
    """Text that a grammar accepts, and nothing else; ends when the grammar is complete."""

    grammar: Grammar
    max_tokens: int = 2048
    kind: Kind = "call"
    begun: tuple[int, ...] = ()
    """Tokens at the end of the context with which the grammar's text begins: what was decoded before it was
    known what it would be. They are shown with this segment; `Decoded.text` begins with them, `Decoded.tokens`
    does not."""
    values: Callable[[str], Sequence[JsonValue]] | None = None
    """For a part of an answer in parts: reads its values from the text. People are shown the text as ever, and the
    planner is told of the values when it is complete."""


Segment: TypeAlias = Literal | Free | Constrained


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """What came out of a segment."""

    text: str
    tokens: tuple[int, ...]
    """Every token the segment added to the context, the stop included."""
    stop: OneOf["complete", "stop", "eog", "length"]
    """``complete``: literal done or grammar complete; ``stop``: a stop string; ``eog``: an
    end-of-generation token; ``length``: the budget ran out, or what a grammar allows without end went in circles."""
    matched: str = ""
    """The stop string that matched."""


T = TypeVar("T")
Script: TypeAlias = Generator[Segment, Decoded, T]
