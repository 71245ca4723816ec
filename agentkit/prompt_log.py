"""What a run records of its prompts and constraints: only what is new, as each prompt begins like the one before."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import TypedDict

from agentkit.model_backend.base import Turn

__all__ = ["NewInTurn", "PromptLog"]


class NewInTurn(TypedDict):
    """The fields of `agentkit.events.TurnFinished` that tell of the prompt and the constraints."""

    prompt_kept: int
    prompt: str
    constraints: list[str]


class PromptLog:
    """Knows what was recorded of earlier turns of a run in this process."""

    def __init__(self) -> None:
        self._prompt: Sequence[bytes] = ()
        self._constraints: dict[str, str] = {}

    def new(self, number: int, turn: Turn) -> NewInTurn:
        """Returns what has to be recorded of a turn.

        Args:
            number: The turn's number.
            turn: The turn.
        """
        kept = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(self._prompt, turn.prompt, strict=False)))
        self._prompt = turn.prompt
        return {
            "prompt_kept": kept,
            "prompt": b"".join(turn.prompt[kept:]).decode("utf-8", "replace"),
            "constraints": [
                self._constraint(text, f"= constraint {place} of turn {number}")
                for place, text in enumerate(turn.constraints, start=1)
            ],
        }

    def _constraint(self, text: str, place: str) -> str:
        if text in self._constraints:
            return self._constraints[text]
        self._constraints[text] = place
        return text
