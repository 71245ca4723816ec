"""Turns of Gemma 4 on tiny models: whatever the weights say, a turn keeps to what was asked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

pytest.importorskip("llama_cpp")
pytest.importorskip("llguidance")

from agentkit.errors import ModelUnavailable
from agentkit.messages import Text, Thought, ToolCall, User
from agentkit.model_backend.base import Delta, ToolSpec, TurnRequest
from agentkit.model_backend.engine import Engine, EngineSettings
from agentkit.model_backend.engine.settings import ResolvedSampling
from agentkit.model_backend.formats.base import Draft, format_for
from agentkit.model_backend.formats.gemma4 import Gemma4Format, is_small, template_generation
from agentkit.model_backend.formats.gemma4_tokens import FUNCTION_GEMMA
from tests.formats.gemma4.small_vocab import SmallVocab
from tests.tiny_gguf import build_tiny_gguf

F = ToolSpec(
    name="f",
    description="",
    parameters={"type": "object", "properties": {"a": {"type": "string", "maxLength": 5}}, "required": ["a"]},
)
OUTPUT: dict[str, Any] = {
    "type": "object",
    "properties": {"n": {"type": "integer", "minimum": 0, "maximum": 9}},
    "required": ["n"],
    "additionalProperties": False,
}
ASKED = TurnRequest(messages=[User("go")], tools=[F], max_tokens=40, max_calls=2)
SEEDS = range(6)


class Decoded(NamedTuple):
    draft: Draft
    text: str
    shown: list[Delta]


@pytest.fixture(scope="module", params=["dense", "ple"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    path = build_tiny_gguf(tmp_path_factory.mktemp("tiny") / "tiny.gguf", kind=request.param)
    engine = Engine.load(path, EngineSettings(context=1024, slots=1, threads=1, flash_attention=False))
    yield engine
    engine.close()


def decode(engine: Engine, request: TurnRequest) -> Iterator[Decoded]:
    form = format_for(engine.vocab)
    assert isinstance(form, Gemma4Format)
    for seed in SEEDS:
        shown: list[Delta] = []
        sampling = ResolvedSampling(temperature=1.0, seed=seed)
        run = engine.run(form.prompt(request), form.script(request), sampling=sampling, emit=shown.append)
        outcome = asyncio.run(run)
        yield Decoded(outcome.value, engine.vocab.detokenize(outcome.tokens), shown)


def kinds(turn: Decoded) -> set[str]:
    return {delta.kind for delta in turn.shown}


def test_a_turn_that_must_call_calls(engine: Engine) -> None:
    for turn in decode(engine, replace(ASKED, calls="required", max_tokens=80)):
        assert turn.draft.stop == "calls"
        assert 1 <= len(turn.draft.pieces) <= 2
        assert all(isinstance(piece, ToolCall) for piece in turn.draft.pieces)
        assert turn.text.endswith(("<|tool_response>", "<turn|>", "<eos>"))
        assert kinds(turn) == {"call"}


@pytest.mark.parametrize("request_", [replace(ASKED, calls="none"), replace(ASKED, tools=())])
def test_a_turn_that_must_not_call_answers(engine: Engine, request_: TurnRequest) -> None:
    for turn in decode(engine, request_):
        assert turn.draft.stop in ("answer", "length")
        assert not any(isinstance(piece, ToolCall) for piece in turn.draft.pieces)
        assert turn.draft.pieces and kinds(turn) <= {"text", "thought"}


def test_a_turn_that_may_call_does_one_or_the_other(engine: Engine) -> None:
    for turn in decode(engine, ASKED):
        assert turn.draft.pieces
        assert (turn.draft.stop == "calls") == any(isinstance(piece, ToolCall) for piece in turn.draft.pieces)


def test_an_answer_by_schema_fits_it(engine: Engine) -> None:
    for request in (replace(ASKED, output=OUTPUT, tools=()), replace(ASKED, output=OUTPUT)):
        for turn in decode(engine, request):
            (piece,) = turn.draft.pieces
            if isinstance(piece, Text):
                assert 0 <= json.loads(piece.text)["n"] <= 9
                assert kinds(turn) == {"text"}
                assert "".join(delta.text for delta in turn.shown) == piece.text
            else:
                assert kinds(turn) == {"call"}


def test_a_thought_keeps_to_its_budget_and_the_turn_goes_on(engine: Engine) -> None:
    for turn in decode(engine, replace(ASKED, calls="required", thinking=20, max_tokens=80)):
        assert turn.draft.stop == "calls"
        assert turn.text.startswith("<|channel>thought\n")
        assert sum(isinstance(piece, Thought) for piece in turn.draft.pieces) <= 1
        assert kinds(turn) == {"thought", "call"}
        if turn.draft.notes:
            assert turn.draft.notes == ("the thought was cut at its budget of 20 tokens",)


def test_a_turn_stops_at_its_length_without_half_a_call(engine: Engine) -> None:
    for turn in decode(engine, replace(ASKED, calls="required", max_tokens=9)):
        assert turn.draft == Draft(pieces=(), stop="length", notes=turn.draft.notes)
        assert any("call left out" in note for note in turn.draft.notes)


# What the file says


def test_the_small_models_are_those_with_per_layer_embeddings(engine: Engine) -> None:
    is_ple = engine.vocab.metadata["general.name"].endswith("ple")
    assert is_small(engine.vocab.metadata) == is_ple
    (first, *_) = decode(engine, replace(ASKED, calls="required", max_tokens=80))
    assert first.text.startswith("<|channel>thought\n<channel|>") != is_ple


@pytest.mark.parametrize(
    ("metadata", "small"),
    [
        ({"gemma4.embedding_length_per_layer_input": "256", "general.size_label": "8B"}, True),
        ({"gemma4.embedding_length_per_layer_input": "0", "general.size_label": "E4B"}, False),
        ({"general.size_label": "E2B"}, True),
        ({"general.size_label": "31B"}, False),
        ({}, False),
    ],
)
def test_size_is_read_from_metadata(metadata: dict[str, str], small: bool) -> None:
    assert is_small(metadata) == small


@pytest.mark.parametrize(
    ("template", "generation"),
    [
        ("", "none"),
        ("{{ bos_token }}<|think|>{% for message in messages %}", "launch"),
        ("{# OpenAI Chat Completions: #}{{ message['reasoning'] }}", "april"),
        ("{# OpenAI Chat Completions: #}{% if preserve_thinking %}", "july"),
        ("{# OpenAI Chat Completions: #}{% set prev_non_tool_role = 'user' %}", "july"),
        ("<|think|>{{ message['reasoning_content'] }}", "interleaved"),
    ],
)
def test_the_generation_of_a_template_is_told_by_its_marks(template: str, generation: str) -> None:
    assert template_generation({"tokenizer.chat_template": template} if template else {}) == generation


def test_the_format_is_chosen_by_what_the_file_says() -> None:
    gemma = format_for(SmallVocab(metadata={"general.architecture": "gemma4"}))
    assert isinstance(gemma, Gemma4Format) and (gemma.name, gemma.thinks) == ("gemma4", True)
    template = {"general.architecture": "gemma3", "tokenizer.chat_template": "{{ '<start_function_call>call:' }}"}
    function = format_for(SmallVocab(FUNCTION_GEMMA, template))
    assert isinstance(function, Gemma4Format) and (function.name, function.thinks) == ("functiongemma", False)


def test_a_file_without_the_control_tokens_is_refused(tmp_path: Path) -> None:
    engine = Engine.load(build_tiny_gguf(tmp_path / "tiny.gguf"), EngineSettings(context=256, flash_attention=False))
    with pytest.raises(ModelUnavailable, match="start_function_call"):
        Gemma4Format(engine.vocab, FUNCTION_GEMMA)
    engine.close()
