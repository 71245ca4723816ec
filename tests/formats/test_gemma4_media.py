"""Media stand in a prompt as placeholders, before the text they belong to, and nothing else becomes one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentkit.errors import ModelError
from agentkit.messages import Assistant, Media, Message, System, Text, ToolCall, ToolResult, User
from agentkit.model_backend.base import ToolSpec
from agentkit.model_backend.formats.gemma4_render import render
from agentkit.model_backend.formats.gemma4_tokens import FUNCTION_GEMMA, GEMMA4
from tests.formats.gemma4.small_vocab import small_alphabet

A = small_alphabet()
TEXTS = st.lists(st.sampled_from([*GEMMA4.others, *GEMMA4.texts.values(), "a", " ", "\n", "<|", "image|>"])).map(
    "".join
)
MEDIA = st.lists(st.builds(Media, st.sampled_from([*GEMMA4.media]), TEXTS), max_size=3).map(tuple)


def test_media_come_before_the_text_in_their_order() -> None:
    media = Media("image", "cat.png"), Media("audio", "purr.wav"), Media("video", "cat.mp4")
    prompt = render(A, [User(" Which animal?\n", media), Assistant((Text("A cat."),)), User("Sure?")])
    assert A.decode(prompt) == (
        "<bos><|turn>user\n<|image|><|audio|><|video|>Which animal?<turn|>\n<|turn>model\nA cat.<turn|>\n"
        "<|turn>user\nSure?<turn|>\n<|turn>model\n"
    )
    assert prompt.count(A.placeholder(media[0])) == 1


@given(TEXTS, TEXTS, TEXTS, MEDIA, MEDIA)
def test_a_prompt_has_a_placeholder_for_each_media_and_no_other(
    system: str, text: str, result: str, first: tuple[Media, ...], second: tuple[Media, ...]
) -> None:
    tool = ToolSpec(name="f", description=text, parameters={"type": "object", "properties": {system: {}}})
    messages: list[Message] = [
        System(system),
        User(text, first),
        Assistant((Text(text), ToolCall("f", {result: text}))),
        ToolResult("", "f", {text: [result]}),
        User(result, second),
    ]
    prompt = render(A, messages, [tool])
    places = [A.vocab.special(text) for text in GEMMA4.others if text not in ("<bos>", "<eos>")]
    assert [token for token in prompt if token in places] == [A.placeholder(media) for media in (*first, *second)]


def test_a_format_without_media_says_so() -> None:
    other = small_alphabet(FUNCTION_GEMMA)
    with pytest.raises(ModelError, match="'functiongemma' format has no place for media of the kind 'image'"):
        render(other, [User("Look.", (Media("image", "cat.png"),))])
