"""Why a run ends."""

from __future__ import annotations

from typing import Literal, TypeAlias

__all__ = ["StopReason"]

StopReason: TypeAlias = Literal[
    "answer",
    "call_limit",
    "token_limit",
    "turn_limit",
    "time_limit",
    "context_full",
    "repeated_calls",
    "no_answer",
    "model_error",
    "tool_error",
    "approval",
    "in_doubt",
    "cancelled",
    "journal_error",
    "error",
]
"""Why a run ended or paused. Only ``answer`` means that it did what was asked.

- ``answer``: the planner gave an answer.
- ``call_limit``, ``token_limit``, ``turn_limit``, ``time_limit``: a limit of the run.
- ``context_full``: the next prompt does not fit the model's context.
- ``repeated_calls``: the model kept making a call that it had made already.
- ``no_answer``: the model's turn was cut off or empty, or a given plan had no result.
- ``model_error``: the backend failed.
- ``tool_error``: a step of a given plan failed.
- ``approval``, ``in_doubt``: it waits for a person: to allow a call, or to say whether one was made before a crash.
- ``cancelled``: the caller or Ctrl-C ended it.
- ``journal_error``: the run's file can't be written; what is in it can be gone on from.
- ``error``: an error that nobody expected; it is raised again after it was recorded.
"""
