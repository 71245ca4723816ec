"""What is recorded of prompts and constraints: what is new, so that nothing is written twice."""

from __future__ import annotations

import asyncio

from agentkit import Agent, ScriptedModel
from agentkit.events import TurnFinished
from agentkit.messages import Assistant, Text, Usage
from agentkit.model_backend.base import Turn
from agentkit.prompt_log import PromptLog


def turn(*prompt: bytes, constraints: tuple[str, ...] = ()) -> Turn:
    message = Assistant((Text("."),))
    return Turn(message=message, stop="answer", usage=Usage(), prompt=prompt, constraints=constraints)


def test_of_each_prompt_what_the_one_before_had_not_is_recorded() -> None:
    log = PromptLog()
    first = log.new(1, turn(b"You", b" are", b" kind."))
    second = log.new(2, turn(b"You", b" are", b" tall.", b" Go"))
    assert (first["prompt_kept"], first["prompt"]) == (0, "You are kind.")
    assert (second["prompt_kept"], second["prompt"]) == (2, " tall. Go")


def test_a_character_that_is_split_over_tokens_is_whole_again() -> None:
    assert PromptLog().new(1, turn("né".encode()[:2], "né".encode()[2:]))["prompt"] == "né"


def test_a_constraint_is_recorded_once_in_a_run() -> None:
    log = PromptLog()
    assert log.new(1, turn(constraints=("a", "b")))["constraints"] == ["a", "b"]
    assert log.new(2, turn(constraints=("b", "c", "c")))["constraints"] == [
        "= constraint 2 of turn 1",
        "c",
        "= constraint 2 of turn 2",
    ]


def test_the_time_to_the_first_token_is_recorded() -> None:
    result = asyncio.run(Agent(ScriptedModel(["Yes."]), record=False).run("Yes or no?"))
    (finished,) = (e for e in result.events if isinstance(e, TurnFinished))
    assert finished.first_token is not None and finished.first_token >= 0
    assert (finished.prompt, finished.constraints) == ("", [])
