"""Text from servers: what can't be seen is taken out, and said; what is too long is cut."""

from __future__ import annotations

import unicodedata

__all__ = ["clean", "hidden_characters"]

_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Letters and marks that no font shows."""


def clean(text: str, limit: int) -> tuple[str, list[str]]:
    """Returns a text without hidden characters and cut to a length, and what was done to it, in words.

    Args:
        text: The text, as a server sent it.
        limit: The most characters to keep.
    """
    notes: list[str] = []
    if hidden := hidden_characters(text):
        shown = ", ".join(f"U+{ord(c):04X}" for c in sorted(set(hidden))[:8])
        notes.append(f"{len(hidden)} hidden characters were taken out ({shown})")
        text = "".join(c for c in text if not _is_hidden(c))
    text = text.strip()
    if len(text) > limit:
        notes.append(f"cut from {len(text):,} to {limit:,} characters")
        text = text[:limit].rstrip() + " ..."
    return text, notes


def hidden_characters(text: str) -> list[str]:
    """Returns the characters of a text that a reader does not see: controls, direction marks, fillers, tags."""
    return [] if text.isascii() and text.isprintable() else [c for c in text if _is_hidden(c)]


def _is_hidden(character: str) -> bool:
    if character in "\n\t":
        return False
    code = ord(character)
    selects_a_variant = 0xFE00 <= code <= 0xFE0F or 0xE0100 <= code <= 0xE01EF
    return selects_a_variant or character in _BLANK or unicodedata.category(character) in _HIDDEN
