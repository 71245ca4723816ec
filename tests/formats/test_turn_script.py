"""Turns without a model: each segment is answered by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

pytest.importorskip("llguidance")

from llguidance import LLMatcher, LLTokenizer

from agentkit.messages import Assistant, Text, Thought, ToolCall, ToolResult, User
from agentkit.model_backend.base import ToolSpec, TurnRequest
from agentkit.model_backend.formats.base import Draft
from agentkit.model_backend.formats.call_style import HERMES, MISTRAL, CallStyle
from agentkit.model_backend.formats.turn_script import KNOWN_ALREADY, turn_script
from agentkit.model_backend.script import Constrained, Decoded, Free, Literal

ADD = ToolSpec(
    name="add",
    description="",
    parameters={"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
)
READ = replace(ADD, name="read")
ASKED = TurnRequest(messages=[User("Do it.")], tools=[ADD, READ])


def decoded(text: str, stop: Any = "complete", matched: str = "") -> Decoded:
    return Decoded(text=text, tokens=(1,) * 5, stop=stop, matched=matched)


def call(name: str, a: int) -> Decoded:
    return decoded(json.dumps({"name": name, "arguments": {"a": a}}))


def play(request: TurnRequest, answers: Sequence[Decoded], style: CallStyle = HERMES) -> tuple[Draft, str, list[Any]]:
    """Returns the draft, the text of the whole turn, and the segments that were not literal."""
    script = turn_script(request, style, thought=("<think>\n", "\n</think>\n\n"), lark=json.dumps, never=(7,))
    waiting, whole = list(answers), ""
    asked: list[Any] = []
    try:
        segment = next(script)
        while True:
            if isinstance(segment, Literal):
                whole += segment.text
                segment = script.send(decoded(segment.text))
            else:
                asked.append(segment)
                answer = waiting.pop(0)
                whole += answer.text + answer.matched
                segment = script.send(answer)
    except StopIteration as end:
        assert not waiting
        return end.value, whole, asked


def plan(*lines: str) -> Decoded:
    return decoded("\n- `".join(lines), "stop", "\n\n")


def test_a_turn_that_must_call_makes_the_calls_it_listed() -> None:
    request = replace(ASKED, calls="required")
    draft, whole, asked = play(
        request, [plan("add` one", "read` it", "add` two"), call("add", 1), call("read", 2), call("add", 3)]
    )
    assert [piece for piece in draft.pieces if isinstance(piece, ToolCall)] == [
        ToolCall("add", {"a": 1}),
        ToolCall("read", {"a": 2}),
        ToolCall("add", {"a": 3}),
    ]
    assert draft.stop == "calls"
    assert isinstance(draft.pieces[0], Thought)
    assert whole.endswith('<tool_call>\n{"name": "add", "arguments": {"a": 3}}\n</tool_call>')
    assert "add" in asked[1].grammar.lark and '"read' not in asked[1].grammar.lark


def test_lines_about_arguments_are_not_calls() -> None:
    request = replace(ASKED, calls="required")
    listed = decoded("add` with:\n  - `a`: add 1\n- a: 2", "stop", "\n\n")
    draft, _, _ = play(request, [listed, call("add", 1)])
    assert len(draft.pieces) == 2


def test_a_list_without_a_tool_still_gives_one_call_of_any_tool() -> None:
    request = replace(ASKED, calls="required")
    _, _, asked = play(request, [plan("something`"), call("read", 1)])
    assert '\\"add\\"' in asked[1].grammar.lark and '\\"read\\"' in asked[1].grammar.lark


def test_no_more_calls_are_made_than_allowed() -> None:
    request = replace(ASKED, calls="required", max_calls=2)
    draft, _, _ = play(request, [plan("add`", "add`", "add`"), call("add", 1), call("add", 2)])
    assert len(draft.pieces) == 3


def test_one_call_needs_no_list() -> None:
    draft, whole, _ = play(replace(ASKED, calls="required", max_calls=1), [call("add", 1)])
    assert draft.pieces == (ToolCall("add", {"a": 1}),)
    assert whole.startswith("<tool_call>")


def test_the_same_call_twice_is_made_once() -> None:
    request = replace(ASKED, calls="required")
    draft, _, _ = play(request, [plan("add`", "add`"), call("add", 1), call("add", 1)])
    assert [piece for piece in draft.pieces if isinstance(piece, ToolCall)] == [ToolCall("add", {"a": 1})]
    assert "twice" in draft.notes[0]


def test_a_thought_can_not_end_the_turn() -> None:
    request = replace(ASKED, calls="required", max_calls=1, thinking=50)
    draft, whole, asked = play(request, [decoded("Hm.", "stop", "</think>"), call("add", 1)])
    assert isinstance(asked[0], Free)
    assert (asked[0].max_tokens, asked[0].ban) == (50, (7,))
    assert draft.pieces[0] == Thought("Hm.")
    assert whole.startswith("<think>\nHm.</think>\n\n<tool_call>")


def test_a_thought_is_closed_when_its_budget_is_gone() -> None:
    request = replace(ASKED, calls="none", thinking=5)
    draft, whole, _ = play(request, [decoded("Hm", "length"), decoded("Done.", "eog")])
    assert whole == "<think>\nHm\n</think>\n\nDone."
    assert draft.notes == ("thought cut at 5 tokens",)


def test_a_model_may_answer() -> None:
    draft, _, _ = play(ASKED, [decoded("All done.", "eog")])
    assert draft == Draft(pieces=(Text("All done."),), stop="answer")


def test_a_model_may_say_something_and_call() -> None:
    draft, whole, _ = play(
        ASKED, [decoded("Let me see.\n", "stop", "<tool_call>"), call("read", 1), decoded("", "eog")]
    )
    assert draft.pieces == (Text("Let me see."), ToolCall("read", {"a": 1}))
    assert whole == 'Let me see.\n<tool_call>\n{"name": "read", "arguments": {"a": 1}}\n</tool_call>'


def test_a_call_in_a_code_block_is_a_call() -> None:
    stop = decoded("```json\n", "stop", '{\n  "name": "add"')
    rest = decoded(', "arguments": {"a": 3}}')
    draft, whole, _ = play(ASKED, [stop, rest, decoded("", "eog")])
    assert draft.pieces == (ToolCall("add", {"a": 3}),)
    assert whole.endswith('"arguments": {"a": 3}}\n```')


def test_a_call_whose_result_is_known_leads_to_the_answer() -> None:
    history = (User("Do it."), Assistant((ToolCall("add", {"a": 1}, "s1"),)), ToolResult("s1", "add", 2))
    draft, whole, _ = play(
        replace(ASKED, messages=history),
        [decoded("", "stop", "<tool_call>"), call("add", 1), decoded("It is 2.", "eog")],
    )
    assert draft.pieces == (Text("It is 2."),)
    assert draft.stop == "answer"
    assert KNOWN_ALREADY in whole


def test_a_call_that_failed_may_be_made_again() -> None:
    failed = ToolResult("s1", "add", "busy", is_error=True)
    history = (User("Do it."), Assistant((ToolCall("add", {"a": 1}, "s1"),)), failed)
    draft, _, _ = play(
        replace(ASKED, messages=history), [decoded("", "stop", "<tool_call>"), call("add", 1), decoded("", "eog")]
    )
    assert draft.stop == "calls"


def test_an_answer_with_a_schema_is_constrained() -> None:
    request = replace(ASKED, calls="none", output={"type": "integer"})
    draft, _, asked = play(request, [decoded("42")])
    assert isinstance(asked[0], Constrained)
    assert draft.pieces == (Text("42"),)


def test_with_a_schema_a_model_chooses_between_a_call_and_the_answer() -> None:
    request = replace(ASKED, output={"type": "integer"})
    assert play(request, [decoded("42")])[0].stop == "answer"
    opened = decoded('<tool_call>\n{"name": "add", "arguments": {"a": 1}}')
    assert play(request, [opened, decoded("", "eog")])[0].pieces == (ToolCall("add", {"a": 1}),)


@pytest.mark.parametrize("style", [HERMES, CallStyle(), CallStyle(to_name='{"name":', to_arguments=',"parameters":')])
@pytest.mark.parametrize("total", ["number", "string"])
def test_both_a_call_and_the_answer_can_be_written_whatever_the_style(style: CallStyle, total: str) -> None:
    output = {"type": "object", "properties": {"name": {"type": total}}, "required": ["name"]}
    call = style.before + style.to_name + '"add"' + style.to_arguments + '{"a": 1}}'
    answer = '{"name": 1}' if total == "number" else '{"name": "add"}'
    request = replace(ASKED, output=output)
    for text, stop in ((call, "calls"), (answer, "answer")):
        draft, _, (choice, *_) = play(request, [decoded(text), decoded("", "eog")][: 1 + (stop == "calls")], style)
        assert draft.stop == stop
        tokenizer = LLTokenizer("byte")
        matcher = LLMatcher(tokenizer, choice.grammar.lark)
        assert matcher.try_consume_tokens(tokenizer.tokenize_str(text)) == len(text), text
        assert matcher.is_accepting()


def test_a_call_that_does_not_fit_the_tokens_is_left_out() -> None:
    draft, _, _ = play(replace(ASKED, calls="required", max_calls=1), [decoded('{"name": "a', "length")])
    assert (draft.pieces, draft.stop) == ((), "length")
    assert "cut off" in draft.notes[0]


def test_a_call_with_two_values_for_a_key_is_left_out_and_told() -> None:
    twice = decoded('{"name": "add", "arguments": {"a": 1, "a": 2}}')
    draft, _, _ = play(replace(ASKED, calls="required"), [plan("add`", "read`"), call("read", 1), twice])
    assert [piece for piece in draft.pieces if isinstance(piece, ToolCall)] == [ToolCall("read", {"a": 1})]
    assert "call left out (two values for 'a')" in draft.notes[0]


def test_mistral_writes_one_list() -> None:
    request = replace(ASKED, calls="required")
    _, whole, _ = play(request, [plan("add`", "add`"), call("add", 1), call("add", 2)], MISTRAL)
    assert whole.endswith(
        '[TOOL_CALLS] [{"name": "add", "arguments": {"a": 1}}, {"name": "add", "arguments": {"a": 2}}]'
    )


def test_a_turn_that_may_call_one_tool_only_is_given_no_other() -> None:
    request = replace(ASKED, calls="required", only=("read",), max_calls=1)
    draft, _, asked = play(request, [call("read", 1)])
    assert [piece.name for piece in draft.pieces if isinstance(piece, ToolCall)] == ["read"]
    (segment,) = asked
    assert r"\"read\"" in segment.grammar.lark
    assert r"\"add\"" not in segment.grammar.lark
