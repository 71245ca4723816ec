"""A whole turn: template, script, engine, check. The weights are random; what they can't get wrong is tested."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Literal

import jsonschema
import pytest

from agentkit.errors import UsageError
from agentkit.messages import Media, ToolCall, User
from agentkit.model_backend.base import Delta, ModelInfo, Sampling, ToolSpec, TurnRequest
from agentkit.model_backend.engine import Engine
from agentkit.model_backend.formats.chat_template import ChatTemplateFormat
from agentkit.model_backend.local import LocalModel
from tests.formats.test_chat_template import HERMES, OtherTemplate

PICK = ToolSpec(
    name="pick",
    description="Picks.",
    parameters={
        "type": "object",
        "properties": {"size": {"enum": ["small", "large"]}, "count": {"type": "integer", "minimum": 1, "maximum": 9}},
        "required": ["size", "count"],
    },
)
MUST = TurnRequest(
    messages=[User("Pick.")], tools=[PICK], calls="required", max_calls=1, sampling=Sampling(temperature=2.0, seed=3)
)


def local_model(engine: Engine) -> LocalModel:
    format = ChatTemplateFormat(OtherTemplate(engine.vocab, HERMES))
    return LocalModel(engine, format, ModelInfo(name="tiny", kind="local", context=engine.context))


def test_random_weights_make_a_valid_call(engine: Engine) -> None:
    turn = asyncio.run(local_model(engine).turn(MUST))
    (call,) = turn.message.calls
    jsonschema.validate(call.arguments, PICK.parameters)
    assert (call.name, turn.stop) == ("pick", "calls")


def test_the_turn_keeps_its_tokens_and_counts_them(engine: Engine) -> None:
    model = local_model(engine)
    turn = asyncio.run(model.turn(MUST))
    assert '{"name": "pick"' in engine.vocab.detokenize(turn.message.tokens)
    assert turn.usage.prompt_tokens == asyncio.run(model.count(MUST))
    assert turn.usage.forced_tokens > 0


def test_a_watcher_sees_the_call(engine: Engine) -> None:
    seen: list[Delta] = []
    asyncio.run(local_model(engine).turn(MUST, seen.append))
    assert "pick" in "".join(delta.text for delta in seen if delta.kind == "call")


def test_the_same_seed_gives_the_same_turn(engine: Engine) -> None:
    model = local_model(engine)
    first, second = asyncio.run(model.turn(MUST)), asyncio.run(model.turn(MUST))
    assert first.message == second.message


def test_what_the_grammar_can_not_enforce_is_noted(engine: Engine) -> None:
    numbers = {"type": "array", "items": {"const": 1}, "minItems": 2, "maxItems": 2, "uniqueItems": True}
    tool = ToolSpec(
        name="pick", description="", parameters={"type": "object", "properties": {"n": numbers}, "required": ["n"]}
    )
    turn = asyncio.run(
        local_model(engine).turn(TurnRequest(messages=MUST.messages, tools=[tool], calls="required", max_calls=1))
    )
    assert turn.message.pieces == (ToolCall("pick", {"n": [1, 1]}),)
    assert "/n" in turn.notes[0] and "unique" in turn.notes[0]


@pytest.mark.parametrize("kind", ["image", "audio", "video"])
def test_media_are_refused_before_anything_is_computed(
    kind: Literal["image", "audio", "video"], engine: Engine
) -> None:
    model = local_model(engine)
    asked = replace(MUST, messages=[User("Look.", (Media(kind, "cat"),)), *MUST.messages])
    for act in (model.turn, model.count):
        with pytest.raises(UsageError, match=f"tiny reads text only.*kind '{kind}'.*has no encoder for media"):
            asyncio.run(act(asked))


def test_the_turn_tells_its_exact_prompt_and_what_it_was_held_to(engine: Engine) -> None:
    model = local_model(engine)
    turn = asyncio.run(model.turn(MUST))
    assert len(turn.prompt) == turn.usage.prompt_tokens
    assert b"Pick." in b"".join(turn.prompt)
    assert "small" in "".join(turn.constraints)
