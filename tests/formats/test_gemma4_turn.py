"""Turns of Gemma 4 played by hand: what is asked of the engine after each thing that can come out of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

pytest.importorskip("llguidance")

from agentkit.messages import Assistant, JsonObject, System, Text, Thought, ToolCall, ToolResult, User
from agentkit.model_backend.base import ToolSpec, TurnRequest
from agentkit.model_backend.formats.base import Draft
from agentkit.model_backend.formats.gemma4_render import render
from agentkit.model_backend.formats.gemma4_tokens import FUNCTION_GEMMA, Alphabet, Mark
from agentkit.model_backend.formats.gemma4_turn import GHOSTS, TEXT_CHUNK, turn_script
from agentkit.model_backend.script import Constrained, Decoded, Free, Literal
from tests.formats.gemma4.small_vocab import marked, small_alphabet

A = small_alphabet()
F = ToolSpec(
    name="f",
    description="",
    parameters={"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
)
ASKED = TurnRequest(messages=[User("Do it.")], tools=[F])
NUMBER: JsonObject = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
EMPTY_CHANNEL = "<|channel>thought\n<channel|>"
X = '<|tool_call>call:f{a:<|"|>x<|"|>}<tool_call|>'


class Played:
    """A turn, and what was asked for on the way to it."""

    def __init__(self, draft: Draft, tokens: list[int], asked: list[Free | Constrained], alphabet: Alphabet) -> None:
        self.draft, self.asked, self.tokens = draft, asked, tokens
        self.text = alphabet.decode(tokens)


def play(
    request: TurnRequest,
    answers: Sequence[tuple[str, str]],
    *,
    small: bool = False,
    alphabet: Alphabet = A,
) -> Played:
    """Plays a turn. Each answer is what a segment that is not literal gives: its text, and why it stopped."""
    script = turn_script(alphabet, request, small=small)
    waiting = list(answers)
    tokens: list[int] = []
    asked: list[Free | Constrained] = []
    try:
        segment = next(script)
        while True:
            if isinstance(segment, Literal):
                added, stop, matched = list(segment.tokens), "complete", ""
            else:
                asked.append(segment)
                text, stop = waiting.pop(0)
                added = marked(alphabet, text)
                check_possible(segment, added)
                matched = alphabet.decode(added[-1:]) if stop == "stop" else ""
            tokens += added
            said = alphabet.decode(added).removesuffix(matched)
            segment = script.send(Decoded(text=said, tokens=tuple(added), stop=stop, matched=matched))  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]  # a literal's words
    except StopIteration as end:
        assert not waiting
        return Played(end.value, tokens, asked, alphabet)


def check_possible(segment: Free | Constrained, tokens: list[int]) -> None:
    """An engine gives no token that was banned, and no more than were asked for."""
    assert len(tokens) <= segment.max_tokens
    if isinstance(segment, Free):
        assert not set(segment.ban) & set(tokens)


def one_token(text: str) -> tuple[str, str]:
    return (text, "length")


def test_an_answer_is_text_until_the_turn_ends() -> None:
    turn = play(ASKED, [one_token("H"), ("ello.<turn|>", "eog")])
    assert turn.draft == Draft(pieces=(Text("Hello."),), stop="answer")
    assert turn.text == EMPTY_CHANNEL + "Hello.<turn|>"
    assert [segment.kind for segment in turn.asked] == ["text", "text"]


def test_small_models_get_no_empty_channel() -> None:
    assert play(ASKED, [one_token("H"), ("i<turn|>", "eog")], small=True).text == "Hi<turn|>"


def test_no_empty_channel_after_a_tool_response() -> None:
    asked = replace(ASKED, messages=[User("Do it."), Assistant((ToolCall("f", {"a": "x"}),)), ToolResult("", "f", 1)])
    assert play(asked, [one_token("H"), ("i<turn|>", "eog")]).text == "Hi<turn|>"


def test_a_turn_can_not_be_empty() -> None:
    first = play(ASKED, [one_token("H"), ("i<turn|>", "eog")]).asked[0]
    assert isinstance(first, Free)
    assert first.max_tokens == 1
    assert A.vocab.eog <= set(first.ban)


def test_only_tokens_that_mean_something_may_be_sampled() -> None:
    first, then = play(ASKED, [one_token("H"), ("i<turn|>", "eog")]).asked
    assert isinstance(first, Free) and isinstance(then, Free)
    allowed = {A.ids[Mark.CALL], A.ids[Mark.CHANNEL]}
    control = {*A.marks, *(A.vocab.special(text) for text in A.table.others)}
    assert set(first.ban) == control - allowed
    assert set(then.ban) == control - allowed - {A.ids[Mark.TURN_END], A.eos}


def test_a_call_that_the_model_begins_is_constrained_from_there() -> None:
    turn = play(ASKED, [one_token("I"), ("'ll call.<|tool_call>", "stop"), one_token("call"), (X[16:], "complete")])
    assert turn.draft.pieces == (Text("I'll call."), ToolCall("f", {"a": "x"}))
    assert turn.draft.stop == "calls"
    assert turn.text == EMPTY_CHANNEL + "I'll call." + X + "<|tool_response>"
    call = turn.asked[-1]
    assert isinstance(call, Constrained)
    assert A.decode(call.begun) == "<|tool_call>call"
    assert call.kind == "call"


def test_a_call_token_in_prose_is_text() -> None:
    answers = [one_token("S"), ("ay <|tool_call>", "stop"), one_token("!"), (" now.<turn|>", "eog")]
    turn = play(ASKED, answers)
    assert turn.draft.stop == "answer"
    assert Assistant(turn.draft.pieces).text == "Say <|tool_call>! now."
    assert all(isinstance(segment, Free) for segment in turn.asked)


@pytest.mark.parametrize("request_", [replace(ASKED, calls="none"), replace(ASKED, tools=())])
def test_where_no_call_is_allowed_none_can_begin(request_: TurnRequest) -> None:
    for segment in play(request_, [one_token("H"), ("i<turn|>", "eog")]).asked:
        assert isinstance(segment, Free)
        assert A.ids[Mark.CALL] in segment.ban and "<|tool_call>" not in segment.stop


def test_a_turn_that_must_call_does_nothing_else() -> None:
    turn = play(replace(ASKED, calls="required"), [(X + X, "complete")])
    assert turn.draft == Draft(pieces=(ToolCall("f", {"a": "x"}),) * 2, stop="calls")
    assert turn.text == EMPTY_CHANNEL + X + X + "<|tool_response>"


def test_the_response_token_that_the_model_writes_is_not_written_again() -> None:
    turn = play(replace(ASKED, calls="required"), [(X + "<|tool_response>", "eog")])
    assert turn.text.count("<|tool_response>") == 1


def test_only_the_tools_of_the_turn_may_be_called() -> None:
    asked = replace(ASKED, calls="required", tools=[F, replace(F, name="g")], only=("g",))
    (segment,) = play(asked, [(X.replace("f{", "g{"), "complete")]).asked
    assert isinstance(segment, Constrained)
    assert "call:g" in segment.grammar.lark and "call:f" not in segment.grammar.lark


def test_half_a_call_at_the_length_limit_is_no_call() -> None:
    turn = play(replace(ASKED, calls="required"), [(X[:-14], "length")])
    assert turn.draft.pieces == ()
    assert turn.draft.stop == "length"
    assert "call left out" in turn.draft.notes[0]


def test_half_a_second_call_is_gone_from_the_next_prompt() -> None:
    turn = play(replace(ASKED, calls="required"), [(X + '<|tool_call>call:f{a:<|"|>y', "length")])
    assert turn.draft.pieces == (ToolCall("f", {"a": "x"}),)
    assert turn.draft.stop == "calls"
    assert not turn.text.endswith("<|tool_response>")
    said = Assistant(turn.draft.pieces, tuple(turn.tokens))
    prompt = A.decode(render(A, [*ASKED.messages, said, ToolResult("", "f", 1)], [F]))
    assert prompt.endswith(X + "<|tool_response>response:f{value:1}<tool_response|>")


# Thoughts


def test_a_thought_comes_first_and_closes_by_itself() -> None:
    asked = replace(ASKED, thinking=40)
    turn = play(asked, [("Hm.\n<channel|>", "stop"), one_token("H"), ("i<turn|>", "eog")])
    assert turn.draft == Draft(pieces=(Thought("Hm."), Text("Hi")), stop="answer")
    assert turn.text == "<|channel>thought\nHm.\n<channel|>Hi<turn|>"
    assert turn.asked[0].kind == "thought"


def test_a_thought_can_not_end_the_turn_or_call() -> None:
    asked = replace(ASKED, thinking=40)
    first = play(asked, [("Hm.\n<channel|>", "stop"), one_token("H"), ("i<turn|>", "eog")]).asked[0]
    assert isinstance(first, Free)
    assert set(first.ban) >= {*A.marks, *A.vocab.eog} - {A.ids[Mark.CHANNEL_END]}
    assert A.ids[Mark.CHANNEL_END] not in first.ban


def test_a_thought_is_closed_at_its_budget() -> None:
    asked = replace(ASKED, thinking=5, calls="required")
    turn = play(asked, [("abcde", "length"), (X, "complete")])
    assert turn.text == "<|channel>thought\nabcde\n<channel|>" + X + "<|tool_response>"
    assert turn.draft.pieces == (Thought("abcde"), ToolCall("f", {"a": "x"}))
    assert turn.draft.notes == ("the thought was cut at its budget of 5 tokens",)


@pytest.mark.parametrize(
    ("thought", "why"),
    [("\n" * 48, "blank lines"), ("ab " * 16, "repeated the same 3 tokens"), ("z" * 48, "repeated the same 1 tokens")],
)
def test_a_thought_that_goes_in_circles_is_closed_and_reported(thought: str, why: str) -> None:
    chunks = [(thought, "length")] * (1 if thought.isspace() else 2)
    asked = replace(ASKED, thinking=1000, calls="required")
    turn = play(asked, [*chunks, (X, "complete")])
    assert why in turn.draft.notes[0]
    assert turn.draft.stop == "calls"


def test_a_thought_that_nobody_asked_for_is_no_text() -> None:
    answers = [("<|channel>", "stop"), ("thought\nhm\n<channel|>", "stop"), one_token("H"), ("i<turn|>", "eog")]
    turn = play(ASKED, answers)
    assert turn.draft == Draft(pieces=(Thought("hm"), Text("Hi")), stop="answer")


def test_thoughts_that_nobody_asked_for_come_to_an_end() -> None:
    ghost = [("<|channel>", "stop"), ("thought\n<channel|>", "stop")]
    turn = play(ASKED, [*ghost * GHOSTS, one_token("H"), ("i<turn|>", "eog")])
    last = turn.asked[-1]
    assert isinstance(last, Free)
    assert A.ids[Mark.CHANNEL] in last.ban
    assert turn.draft.pieces == (Text("Hi"),)


# Answers that do not end


@pytest.mark.parametrize(
    ("looping", "why"),
    [
        ("z", "it repeated the same 1 tokens"),
        ("Again and again. ", "it repeated the same 17 tokens"),
        ("\n", "it was nothing but blank lines"),
    ],
)
def test_an_answer_that_goes_in_circles_is_cut_and_reported(looping: str, why: str) -> None:
    chunks = 1 if looping.isspace() else 2
    text = looping * 400
    answers = [(text[i * TEXT_CHUNK : (i + 1) * TEXT_CHUNK], "length") for i in range(chunks)]
    turn = play(ASKED, [one_token("H"), *answers])
    assert turn.draft.stop == "length"
    assert turn.draft.notes == (f"the answer was cut: {why}",)


def test_a_table_that_repeats_itself_is_no_circle() -> None:
    rows = "| 0 | 0 | 0 | 0 |\n" * 7 + "".join(f"| {n} |\n" for n in range(30))
    answers = [(rows[i : i + TEXT_CHUNK], "length") for i in range(0, TEXT_CHUNK * 2, TEXT_CHUNK)]
    turn = play(ASKED, [one_token("H"), *answers, (".<turn|>", "eog")])
    assert (turn.draft.stop, turn.draft.notes) == ("answer", ())


# Answers by schema


def test_an_answer_by_schema_is_text_after_the_thought() -> None:
    asked = replace(ASKED, tools=(), output=NUMBER, thinking=40)
    turn = play(asked, [("Hm.\n<channel|>", "stop"), ('{"n": 1}', "complete")])
    assert turn.draft == Draft(pieces=(Thought("Hm."), Text('{"n": 1}')), stop="answer")
    assert turn.asked[-1].kind == "text"


def test_beside_tools_an_answer_by_schema_is_shown_as_text() -> None:
    turn = play(replace(ASKED, output=NUMBER), [one_token("{"), ('"n": 1}', "complete")])
    assert turn.draft == Draft(pieces=(Text('{"n": 1}'),), stop="answer")
    first, then = turn.asked
    assert isinstance(first, Constrained) and isinstance(then, Constrained)
    assert (first.kind, first.max_tokens, then.kind) == ("control", 1, "text")
    assert first.grammar == then.grammar
    assert A.decode(then.begun) == "{"


def test_beside_an_answer_by_schema_calls_are_shown_as_calls() -> None:
    turn = play(replace(ASKED, output=NUMBER), [one_token("<|tool_call>"), (X[12:], "complete")])
    assert turn.draft == Draft(pieces=(ToolCall("f", {"a": "x"}),), stop="calls")
    assert turn.asked[-1].kind == "call"


def test_an_answer_of_one_token_is_whole() -> None:
    turn = play(replace(ASKED, output={"type": "boolean"}), [("true", "complete")])
    assert turn.draft == Draft(pieces=(Text("true"),), stop="answer")


@pytest.mark.parametrize(
    ("asked", "answers"),
    [
        (replace(ASKED, max_tokens=5), [one_token("H"), ("ello", "length")]),
        (replace(ASKED, output=NUMBER, max_tokens=4), [one_token("{"), ('"n"', "length")]),
        (replace(ASKED, output=NUMBER, tools=(), max_tokens=4), [('{"n"', "length")]),
        (replace(ASKED, output=NUMBER, max_tokens=1), [one_token("{")]),
    ],
)
def test_what_ends_at_the_length_limit_says_so(asked: TurnRequest, answers: list[tuple[str, str]]) -> None:
    assert play(asked, answers).draft.stop == "length"


def test_schemas_that_a_grammar_can_not_hold_are_told() -> None:
    parameters: Any = {"type": "object", "properties": {"a": {"type": "array", "uniqueItems": True}}}
    asked = replace(ASKED, tools=[replace(F, parameters=parameters)], calls="required")
    turn = play(asked, [("<|tool_call>call:f{a:[]}<tool_call|>", "complete")])
    assert turn.draft.notes[0].startswith("checked after decoding: f: ")


# FunctionGemma


def test_function_gemma_takes_its_turns_by_the_same_script() -> None:
    other = small_alphabet(FUNCTION_GEMMA)
    answers = [
        ("<start_function_call>", "stop"),
        one_token("call"),
        (":f{a:<escape>x<escape>}<end_function_call>", "complete"),
    ]
    turn = play(replace(ASKED, thinking=50), answers, alphabet=other)
    call = "<start_function_call>call:f{a:<escape>x<escape>}<end_function_call>"
    assert turn.text == call + "<start_function_response>"
    assert turn.draft == Draft(pieces=(ToolCall("f", {"a": "x"}),), stop="calls")
    said = Assistant(turn.draft.pieces, tuple(turn.tokens))
    messages = [System("Be brief."), *ASKED.messages, said, ToolResult("", "f", {"t": 15})]
    assert other.decode(render(other, messages, [F], thinking=True)) == (
        "<bos><start_of_turn>developer\nBe brief.\n"
        "You can do function calling with the following functions:"
        "<start_function_declaration>declaration:f{description:<escape><escape>,parameters:{properties:{a:{type:"
        "<escape>STRING<escape>}},required:[<escape>a<escape>],type:<escape>OBJECT<escape>}}"
        "<end_function_declaration><end_of_turn>\n"
        "<start_of_turn>user\nDo it.<end_of_turn>\n"
        f"<start_of_turn>model\n{call}<start_function_response>response:f{{t:15}}<end_function_response>"
    )
