"""Bytes of tokens to text, as they come: UTF-8 and stop strings do not keep to token borders."""

from __future__ import annotations

import codecs
from collections.abc import Sequence

__all__ = ["TextStream"]


class TextStream:
    """Collects a segment's text and finds the first stop string in it.

    Text that may turn out to be the start of a stop string, or of a character, is held back.

    Attributes:
        text: What has been released so far.
        matched: The stop string that was found; empty before.
        surplus: Bytes of the last piece that come after the stop string.

    Args:
        stops: The stop strings.
        begun: The first bytes of a character that was cut in two by the end of the segment before.
    """

    def __init__(self, stops: Sequence[str] = (), *, begun: bytes = b"") -> None:
        self._stops = [stop.encode() for stop in stops if stop]
        self._held = begun
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.text = ""
        self.matched = ""
        self.surplus = 0

    def feed(self, piece: bytes) -> str:
        """Takes the bytes of one token; returns the text that is released by them."""
        self._held += piece
        found = [(self._held.find(stop), -len(stop), stop) for stop in self._stops if stop in self._held]
        if found:
            start, _, stop = min(found)
            self.matched = stop.decode()
            self.surplus = len(self._held) - start - len(stop)
            return self._release(start, final=True)
        return self._release(len(self._held) - self._partial_stop(), final=False)

    def finish(self) -> str:
        """Returns what was held back, when no more comes."""
        return self._release(len(self._held), final=True)

    def pause(self) -> tuple[str, bytes]:
        """Returns what was held back but the bytes of half a character, and those."""
        text = self._release(len(self._held), final=False)
        return text, self._decoder.getstate()[0]

    def _partial_stop(self) -> int:
        """Returns how many bytes at the end may be the start of a stop string."""
        longest = max(map(len, self._stops), default=0)
        for size in range(min(longest - 1, len(self._held)), 0, -1):
            if any(stop.startswith(self._held[-size:]) for stop in self._stops):
                return size
        return 0

    def _release(self, count: int, *, final: bool) -> str:
        released = self._decoder.decode(self._held[:count], final)
        self._held = b"" if final else self._held[count:]
        self.text += released
        return released
