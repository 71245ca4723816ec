"""What is written reads back, and nothing that came from outside becomes a control token."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentkit.messages import Assistant, Message, System, Text, Thought, ToolCall, ToolResult, User
from agentkit.model_backend.base import ToolSpec
from agentkit.model_backend.formats.gemma4_parse import Parser, parse
from agentkit.model_backend.formats.gemma4_render import call_parts, render
from agentkit.model_backend.formats.gemma4_tokens import FUNCTION_GEMMA, GEMMA4
from tests.formats.gemma4.small_vocab import marked, small_alphabet

A = small_alphabet()
MARKERS = [*GEMMA4.texts.values(), *GEMMA4.others]
TEXTS = st.lists(st.one_of(st.sampled_from([*MARKERS, "<", ">", "|", "\u2581", "call:f{}"]), st.text(max_size=6))).map(
    "".join
)
NUMBERS = st.one_of(
    st.integers(-(2**63), 2**63), st.floats(allow_nan=False, allow_infinity=False), st.sampled_from([5e-324, 1e22])
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=12,
)


@given(TEXTS)
def test_text_never_becomes_a_control_token_and_reads_the_same(text: str) -> None:
    tokens = A.plain(text)
    assert not set(tokens) & ({*A.marks} | A.vocab.eog | {A.vocab.bos})
    assert A.decode(tokens) == text


@given(st.dictionaries(TEXTS, VALUES, max_size=5))
def test_arguments_written_read_back_exactly(arguments: dict[str, Any]) -> None:
    for alphabet in (A, small_alphabet(FUNCTION_GEMMA)):
        parsed = parse(alphabet, alphabet.encode(call_parts(ToolCall("f", arguments))))
        assert parsed.notes == ()
        (call,) = parsed.pieces
        assert isinstance(call, ToolCall)
        assert json.dumps(call.arguments, sort_keys=True) == json.dumps(arguments, sort_keys=True)


def test_deep_values_read_back() -> None:
    value: Any = "x"
    for _ in range(40):
        value = {"a": [value]}
    assert parse(A, A.encode(call_parts(ToolCall("f", value)))).pieces == (ToolCall("f", value),)


CALLS = '<|tool_call>call:f{a:<|"|>x<|"|>}<tool_call|><|tool_response>'


@given(TEXTS, TEXTS, st.booleans())
def test_a_prompt_starts_with_the_last_prompt_and_the_tokens_of_its_turn(user: str, result: str, thinks: bool) -> None:
    tool = ToolSpec(name="f", description="F", parameters={"type": "object", "properties": {"a": {"type": "string"}}})
    messages: list[Message] = [System("S"), User(user)]
    for step in range(3):
        before = render(A, messages, [tool], thinking=thinks)
        thought = "<|channel>thought\nhm\n<channel|>" if thinks else ""
        tokens = marked(A, thought + (CALLS if step < 2 else "done<turn|>"))
        messages.append(Assistant(parse(A, tokens).pieces, tuple(tokens)))
        messages.append(ToolResult("", "f", result) if step < 2 else User("more"))
        after = render(A, messages, [tool], thinking=thinks)
        if step < 2 or not thinks:
            assert after[: len(before) + len(tokens)] == [*before, *tokens]


def test_thoughts_are_dropped_when_the_user_speaks_again() -> None:
    tokens = tuple(marked(A, "<|channel>thought\nhm\n<channel|>hi<turn|>"))
    said = Assistant((Thought("hm"), Text("hi")), tokens)
    text = A.decode(render(A, [User("a"), said, User("b")], thinking=True))
    assert text == (
        "<bos><|turn>system\n<|think|>\n<turn|>\n<|turn>user\na<turn|>\n<|turn>model\nhi<turn|>\n"
        "<|turn>user\nb<turn|>\n<|turn>model\n"
    )


@given(st.lists(st.integers(7, len(A.vocab) - 1), max_size=40), st.integers(0, 400))  # type: ignore[arg-type]
def test_any_tokens_are_read_without_an_exception(noise: list[int], at: int) -> None:
    base = marked(A, "<|channel>thought\nhm\n<channel|>" + CALLS)
    parser = Parser(A, tools=["f"])
    for token in [*base[: at % len(base)], *noise, *base[at % len(base) :]]:
        parser.feed(token)
    parser.finish()


X = ToolCall("f", {"a": "x"})
Q = '<|"|>'


@pytest.mark.parametrize(
    ("source", "pieces", "noted"),
    [
        (f"<|tool_call>call:f{{a:{Q}x{Q}}}<tool_call|><|tool_response>", (X,), False),
        (f"<|tool_call>call:f{{a:{Q}x{Q}}}", (X,), True),
        (f"<|tool_call>call:f{{a:{Q}x{Q}<tool_call|>", (X,), True),
        (f"<|tool_call>call:f{{a:{Q}x}}<tool_call|><|tool_response>", (X,), True),
        (f"<|tool_call>call:f{{a:{Q}x", (), True),
        (f"<|tool_call>call:f{{a:{Q}x{Q}}}<tool_call|><tool_call|>", (X,), True),
        (f"<|tool_call><|tool_call>call:f{{a:{Q}x{Q}}}<tool_call|>", (X,), True),
        ('<|tool_call>call:f{"a":"x"}<tool_call|>', (X,), True),
        ("<|tool_call>call:f{a:'x'}<tool_call|>", (X,), True),
        ("<|tool_call>call:f{a:x}<tool_call|>", (X,), True),
        (f"<|tool_call>call:f{{{Q}a{Q}:{Q}x{Q}}}<tool_call|>", (X,), False),
        (f"<|tool_call>call:f[a:{Q}x{Q}]<tool_call|>", (X,), True),
        (f"<channel|>call:f{{a:{Q}x{Q}}}<tool_call|>", (X,), True),
        (f"<channel|>call:other{{a:{Q}x{Q}}}<tool_call|>", (Text(f"call:other{{a:{Q}x{Q}}}"),), True),
        ("<|channel>thought\n<channel|>hi<turn|>", (Text("hi"),), False),
        (
            "<|channel>thought\na\n<channel|><|channel>thought\nb<channel|>c",
            (Thought("a"), Thought("b"), Text("c")),
            False,
        ),
        ("<|channel>thought\nsay <|tool_call>call:f{}<tool_call|> no\n<channel|>", None, False),
        ("say <|tool_call> now<turn|>", (Text("say "), Text("<|tool_call> now")), True),
        ("\\<|tool_call>call:f{}<turn|>", (Text("<|tool_call>call:f{}"),), False),
        (f"{CALLS}response:f{{value:1}}<tool_response|>ok<turn|>", (X, Text("ok")), True),
        ("hi<turn|>more", (Text("hi"),), True),
        ("", (), False),
    ],
)
def test_what_models_get_wrong_is_read_and_noted(source: str, pieces: tuple[Any, ...] | None, noted: bool) -> None:
    parsed = parse(A, marked(A, source), tools=["f"])
    if pieces is None:
        assert not any(isinstance(piece, ToolCall) for piece in parsed.pieces)
    else:
        assert parsed.pieces == pieces
    assert bool(parsed.notes) == noted
