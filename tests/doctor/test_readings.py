"""What a model wrote with nothing to lead it is told apart: a call as taught, otherwise, text, nothing."""

from __future__ import annotations

import pytest

from agentkit.messages import ToolCall
from agentkit.model_backend.doctor.readings import Reading, TurnKind, read_gemma_turn, read_json_turn
from agentkit.model_backend.formats.call_style import HERMES, MISTRAL, CallStyle
from agentkit.model_backend.formats.gemma4 import Gemma4Format
from tests.formats.gemma4.small_vocab import SmallVocab, marked

FORM = Gemma4Format(SmallVocab())
CALL = ToolCall("get_weather", {"city": "Tokyo"})
WRITTEN = '{"name": "get_weather", "arguments": {"city": "Tokyo"}}'


def gemma(text: str, opening: str = "") -> Reading:
    return read_gemma_turn(FORM, marked(FORM.alphabet, opening), marked(FORM.alphabet, text), ["get_weather"])


@pytest.mark.parametrize(
    ("text", "reading"),
    [
        ('<|tool_call>call:get_weather{city:<|"|>Tokyo<|"|>}<tool_call|>', Reading("call", (CALL,), True, True)),
        ('<|tool_call>call:get_weather{"city":"Tokyo"}<tool_call|>', Reading("loose call", (CALL,), True, True)),
        ('call:get_weather{city:<|"|>Tokyo<|"|>}<tool_call|>', Reading("loose call", (CALL,), False, False)),
        ("<|tool_call>", Reading("nothing", (), True, False)),
        ("<|tool_call> is how a call begins.<turn|>", Reading("text", (), True, False)),
        ("It is sunny.<turn|>", Reading("text")),
        ("<turn|>", Reading("nothing")),
        ("", Reading("nothing")),
    ],
)
def test_turns_of_gemma(text: str, reading: Reading) -> None:
    assert gemma(text) == reading


def test_an_empty_thought_that_was_put_there_is_no_repair() -> None:
    text = '<|tool_call>call:get_weather{city:<|"|>Tokyo<|"|>}<tool_call|>'
    assert gemma(text, opening="<|channel>thought\n<channel|>").kind == "call"


@pytest.mark.parametrize(
    ("style", "text", "kind"),
    [
        (HERMES, f"<tool_call>\n{WRITTEN}\n</tool_call>", "call"),
        (HERMES, f"Sure.\n<tool_call>{WRITTEN}", "call"),
        (HERMES, f"```json\n{WRITTEN}\n```", "loose call"),
        (HERMES, WRITTEN, "loose call"),
        (MISTRAL, f"[TOOL_CALLS] [{WRITTEN}]", "call"),
        (CallStyle(), WRITTEN, "call"),
        (HERMES, "It is sunny.", "text"),
        (HERMES, '{"name": "other", "arguments": {}}', "text"),
        (HERMES, '{"name": "get_weather", "argum', "text"),
        (HERMES, "{" * 5000, "text"),
        (HERMES, " \n", "nothing"),
    ],
)
def test_turns_in_json(style: CallStyle, text: str, kind: TurnKind) -> None:
    reading = read_json_turn(style, text, ["get_weather"])
    assert reading.kind == kind
    assert reading.calls == ((CALL,) if "call" in kind else ())


def test_arguments_under_another_name_are_read_and_arguments_that_are_none_are_not_as_taught() -> None:
    style = CallStyle(to_arguments=', "parameters": ')
    text = '{"name": "get_weather", "parameters": {"city": "Tokyo"}}'
    assert read_json_turn(style, text, ["get_weather"]).calls == (CALL,)
    assert read_json_turn(style, '{"name": "get_weather", "arguments": "x"}', ["get_weather"]).kind == "loose call"
