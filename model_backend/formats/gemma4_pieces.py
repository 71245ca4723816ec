"""What the parser gives: pieces, the events on the way to them, and the tokens they were read from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from agentkit.messages import Piece, Text, Thought

__all__ = ["CallBegan", "Kind", "Output", "ParseEvent", "Parsed", "PieceDone", "PieceGrew", "Span"]

Kind: TypeAlias = Literal["thought", "text", "call"]


@dataclass(frozen=True, slots=True)
class PieceGrew:
    """More of a thought, of text, or of a call's arguments as they are written."""

    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class CallBegan:
    """A call's name is known; its arguments follow."""

    name: str


@dataclass(frozen=True, slots=True)
class PieceDone:
    """A piece is complete."""

    piece: Piece


ParseEvent: TypeAlias = PieceGrew | CallBegan | PieceDone


@dataclass(frozen=True, slots=True)
class Span:
    """Which tokens a piece was read from."""

    kind: Kind | Literal["dropped"]
    """``dropped``: tokens that gave no piece, such as half a call."""
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a turn's tokens say."""

    pieces: tuple[Piece, ...]
    notes: tuple[str, ...]
    """What was repaired or left out."""
    spans: tuple[Span, ...]


@dataclass(slots=True)
class Output:
    """Collects what the parser finds."""

    pieces: list[Piece] = field(default_factory=list[Piece])
    notes: list[str] = field(default_factory=list[str])
    spans: list[Span] = field(default_factory=list[Span])
    events: list[ParseEvent] = field(default_factory=list[ParseEvent])

    def done(self, piece: Piece, begin: int, end: int) -> None:
        """Adds a piece read from the tokens ``begin`` to ``end``."""
        kind: Kind = "thought" if isinstance(piece, Thought) else "text" if isinstance(piece, Text) else "call"
        self.pieces.append(piece)
        self.events.append(PieceDone(piece))
        self.spans.append(Span(kind, begin, end))

    def grew(self, kind: Kind, text: str) -> None:
        """Adds to what is being read."""
        if text:
            self.events.append(PieceGrew(kind, text))

    def note(self, what: str) -> None:
        """Adds a note, once."""
        if what not in self.notes:
            self.notes.append(what)

    def take_events(self) -> list[ParseEvent]:
        """Returns the events since the last time."""
        events, self.events = self.events, []
        return events

    @property
    def parsed(self) -> Parsed:
        """Everything but the events."""
        return Parsed(tuple(self.pieces), tuple(self.notes), tuple(self.spans))
