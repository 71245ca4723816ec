"""How the chat template in a Gemma 4 file differs from agentkit's renderer is said in one line each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agentkit.model_backend.doctor.findings import Finding
from agentkit.model_backend.doctor.gemma_template import check_gemma_template, check_generation, check_thinking
from agentkit.model_backend.engine.native import Model
from agentkit.model_backend.engine.vocab import Vocab
from agentkit.model_backend.formats.gemma4 import Gemma4Format
from tests.doctor.gemma_templates import EMPTY, gemma_template
from tests.tiny_gguf import build_tiny_gguf

LARGE, SMALL = "dense", "ple"


@pytest.fixture(scope="module")
def vocabs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Vocab]]:
    folder = tmp_path_factory.mktemp("sizes")
    models = {
        LARGE: Model(build_tiny_gguf(folder / "large.gguf", kind="dense"), vocabulary_only=True),
        SMALL: Model(build_tiny_gguf(folder / "small.gguf", kind="ple"), vocabulary_only=True),
    }
    yield {size: Vocab(model) for size, model in models.items()}
    for model in models.values():
        model.free()


def compared(vocab: Vocab, source: str) -> list[Finding]:
    return list(check_gemma_template(Gemma4Format(vocab), vocab, source))


def differences(found: list[Finding]) -> dict[str, list[str]]:
    """The conversations by what is said of them, without what differs on purpose."""
    said = [finding for finding in found if finding.level == "note"]
    assert all(len(finding.details) == 2 for finding in said)
    known = ("{error:...}", "agentkit says in the descriptions")
    return {
        finding.message.rpartition(": ")[2]: finding.data["conversations"]
        for finding in said
        if not any(words in finding.message for words in known)
    }


@pytest.mark.parametrize("size", [LARGE, SMALL])
def test_a_template_like_the_one_that_agentkit_follows_differs_on_purpose_only(
    vocabs: dict[str, Vocab], size: str
) -> None:
    found = compared(vocabs[size], gemma_template(small=size == SMALL))
    assert found[0].message == "the file's template writes 8 of 10 conversations as agentkit does"
    assert differences(found) == {}
    (error, limits) = found[1:]
    assert error.message.startswith("a failed call: it has no form for errors")
    assert error.details[0].startswith('file      ...get_weather{value:<|"|>Error: timeout<|"|>}')
    assert error.details[1].startswith('agentkit  ...get_weather{error:<|"|>timeout<|"|>}')
    assert limits.message.startswith("limits in a declaration: it drops what its declarations have no place for")


def test_each_known_departure_is_named(vocabs: dict[str, Vocab]) -> None:
    def told(size: str = LARGE, **departures: str) -> dict[str, list[str]]:
        return differences(compared(vocabs[size], gemma_template(small=size == SMALL, **departures)))  # type: ignore[arg-type]

    thinking = ["chat, thinking on", "a tool's result, thinking on", "thoughts of earlier turns"]
    assert told(after_think="") == {"it writes no line end after <|think|>": thinking}
    assert told(null="None") == {"it writes null as None": ["a result with fields"]}
    assert told(close_thought="") == {"it closes thoughts without a line end": ["a tool's result, thinking on"]}
    assert told(after_result="") == {
        "it leaves it to the model to open a thought after a tool's result": ["a tool's result, thinking on"]
    }
    assert told(after_result=EMPTY, null="None") == {
        "it begins the turn with an empty thought": ["a tool's result, thinking on"],
        "it writes null as None": ["a result with fields"],
    }
    assert told(after_result="<|channel>plan") == {"it writes another text": ["a tool's result, thinking on"]}


def test_results_as_turns_of_their_own_are_named_and_shown(vocabs: dict[str, Vocab]) -> None:
    found = compared(vocabs[LARGE], gemma_template(tool_turns=True))
    (finding,) = [each for each in found if "turn of its own" in each.message]
    assert len(finding.data["conversations"]) == 5
    assert "<|turn>tool" in finding.details[0]
    assert "<|tool_response>response:get_weather" in finding.details[1]


def test_an_empty_thought_that_is_wrong_for_the_size_is_named(vocabs: dict[str, Vocab]) -> None:
    ordinary = ["chat, thinking off", "tools declared"]
    told = differences(compared(vocabs[SMALL], gemma_template(small=False)))
    assert told == {"it begins the turn with an empty thought": ordinary}
    told = differences(compared(vocabs[LARGE], gemma_template(small=True)))
    assert told == {"it begins the turn without the empty thought that keeps large models from thinking": ordinary}


def test_a_template_that_differs_everywhere_in_known_ways_is_still_gemma_4s(vocabs: dict[str, Vocab]) -> None:
    source = gemma_template(small=False, after_think="", null="None", tool_turns=True)
    first, *differing = compared(vocabs[SMALL], source)
    assert (first.level, first.message) == ("ok", "the file's template writes 0 of 10 conversations as agentkit does")
    assert {finding.level for finding in differing} == {"note"}


def test_a_refusal_of_one_kind_of_conversation_is_a_difference(vocabs: dict[str, Vocab]) -> None:
    refuse = "{% if tools %}{{ raise_exception('no tools') }}{% endif %}"
    found = compared(vocabs[LARGE], refuse + gemma_template())
    (finding,) = [each for each in found if "refuses" in each.message]
    assert finding.level == "note"
    assert len(finding.data["conversations"]) == 8


def test_a_failure_in_a_plain_chat_is_a_problem_and_one_with_tools_a_warning(vocabs: dict[str, Vocab]) -> None:
    (finding,) = compared(vocabs[LARGE], "{{ 1 // 0 }}")
    assert (finding.level, "ZeroDivisionError" in finding.message) == ("problem", True)
    (finding, *_) = compared(vocabs[LARGE], "{% if tools %}{{ 1 // 0 }}{% endif %}" + gemma_template())
    assert (finding.level, finding.message.startswith("tools declared: ")) == ("warning", True)


def test_a_template_of_another_family_is_a_warning(vocabs: dict[str, Vocab]) -> None:
    (finding,) = compared(vocabs[LARGE], "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}")
    assert finding.level == "warning"
    assert "none of 10" in finding.message


@pytest.mark.parametrize(
    ("source", "level", "says"),
    [
        ("", "ok", "none in the file"),
        ("{{ messages }}", "note", "2 April 2026"),
        ("{# OpenAI Chat Completions: #}{{ reasoning }}", "note", "10 April"),
        ("{% set prev_non_tool_role = 1 %}", "ok", "9 July 2026"),
        ("{{ reasoning }}", "note", "llama.cpp's variant"),
    ],
)
def test_the_generation_is_told_by_what_only_it_holds(tmp_path: Path, source: str, level: str, says: str) -> None:
    model = Model(build_tiny_gguf(tmp_path / "t.gguf", template=source or None), vocabulary_only=True)
    finding = check_generation(Gemma4Format(Vocab(model)))
    model.free()
    assert (finding.level, says in finding.message) == (level, True), finding


def test_the_rule_for_thinking_follows_the_size_and_is_compared_with_the_catalog(vocabs: dict[str, Vocab]) -> None:
    small, large = Gemma4Format(vocabs[SMALL]), Gemma4Format(vocabs[LARGE])
    assert check_thinking(small, None).data == {"small": True, "thinking_off": "nothing"}
    assert check_thinking(small, "nothing").level == "ok"
    assert check_thinking(large, "nothing").level == "warning"
    assert check_thinking(large, "empty thought").level == "ok"
