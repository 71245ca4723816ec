"""A server's reply becomes a turn that fits the request, or is asked for once more."""

from __future__ import annotations

import json
from typing import Any, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from agentkit.errors import ModelError
from agentkit.messages import Text, Thought, ToolCall
from agentkit.model_backend.remote_wire import Reply
from tests.remote.asking import Asking
from tests.remote.fake_server import Answer, FakeServer, called, chunk, said, whole

Strategy: TypeAlias = SearchStrategy[Any]

ROME, PARIS = ToolCall("weather", {"city": "Rome"}), ToolCall("weather", {"city": "Paris", "days": 2})
SCHEMA = {"type": "object", "properties": {"sum": {"type": "integer"}}, "required": ["sum"]}


def part(arguments: object = None, **more: Any) -> dict[str, Any]:
    """A part of a call."""
    name = more.pop("name", None)
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    return chunk(tool_calls=[{"function": function} | more])


SHAPES: dict[str, list[dict[str, Any]]] = {
    "arguments in many parts": [
        part("", index=0, id="a", name="weather"),
        *(part(text, index=0) for text in ('{"ci', 'ty": "Ro', 'me"', "}")),
        part('{"city": "Paris", ', index=1, id="b", name="weather"),
        part('"days": 2}', index=1),
    ],
    "parts of two calls in turn": [
        part('{"city": ', index=0, id="a", name="weather"),
        part('{"city": "Paris", ', index=1, id="b", name="weather"),
        part('"Rome"}', index=0),
        part('"days": 2}', index=1),
    ],
    "index 0 for every call": [
        part('{"city": "Rome"}', index=0, id="a", name="weather"),
        part('{"city": "Paris", "days": 2}', index=0, id="b", name="weather"),
    ],
    "no index": [
        part('{"city": ', id="a", name="weather"),
        part('"Rome"}'),
        part('{"city": "Paris", ', id="b", name="weather"),
        part('"days": 2}', id="b"),
    ],
    "no index and no id": [
        part('{"city": "Rome"}', name="weather"),
        part('{"city": "Paris", "days": 2}', name="weather"),
    ],
    "an index that is null": [
        part('{"city": "Rome"}', index=None, id="a", name="weather"),
        part('{"city": "Paris", "days": 2}', index=None, id="b", name="weather"),
    ],
    "arguments as an object": [
        part({"city": "Rome"}, name="weather"),
        part({"city": "Paris", "days": 2}, name="weather"),
    ],
}


@pytest.mark.parametrize("events", SHAPES.values(), ids=SHAPES)
def test_calls_are_put_together_from_what_servers_send(events: list[dict[str, Any]]) -> None:
    with FakeServer(Answer(events=[*events, chunk("tool_calls"), "[DONE]"])) as server:
        turn = Asking(server).turn()
    assert turn.message.calls == (ROME, PARIS)
    assert turn.stop == "calls"
    assert len(server.bodies) == 1


def test_a_whole_completion_is_taken_like_a_stream() -> None:
    function = {"name": "weather", "arguments": '{"city": "Rome"}'}
    message = {"role": "assistant", "content": None, "tool_calls": [{"id": "a", "function": function}]}
    with FakeServer(whole({"choices": [{"message": message, "finish_reason": "tool_calls"}]})) as server:
        assert Asking(server).turn().message.pieces == (ROME,)


@pytest.mark.parametrize("key", ["reasoning_content", "reasoning", "thinking"])
def test_what_the_model_thought_is_a_thought(key: str) -> None:
    events = [chunk(**{key: "Rome is"}), chunk(**{key: " warm."}), chunk(content="Warm"), chunk("stop", content=".")]
    with FakeServer(Answer(events=events)) as server:
        asking = Asking(server)
        turn = asking.turn(thinking=100, max_tokens=50)
    assert turn.message.pieces == (Thought("Rome is warm."), Text("Warm."))
    assert [(delta.kind, delta.text) for delta in asking.deltas][:3] == [
        ("thought", "Rome is"),
        ("thought", " warm."),
        ("text", "Warm"),
    ]
    assert server.bodies[0]["max_tokens"] == 150
    assert server.bodies[0]["chat_template_kwargs"] == {"enable_thinking": True}


WRONG = {
    "an unknown tool": (("wether", '{"city": "Rome"}'), "there is no tool 'wether'; the tools are: weather"),
    "a wrong type": (("weather", '{"city": 7}'), "7 is not of type"),
    "a missing argument": (("weather", "{}"), "city"),
    "no arguments": (("weather", ""), "city"),
    "one too many": (("weather", '{"city": "Rome", "when": 1}'), "when"),
    "no JSON": (("weather", '{"city": "Rome"'), "are not a JSON object"),
    "two cities": (("weather", '{"city": "Rome", "city": "Paris"}'), "two values for 'city'"),
    "a list": (("weather", '["Rome"]'), "are not a JSON object"),
    "a hundred thousand brackets": (("weather", "[" * 100_000), "are not a JSON object"),
    "a name that is empty": (("", '{"city": "Rome"}'), "there is no tool ''"),
    "a name that is endless": (("w" * 100_000, '{"city": "Rome"}'), "there is no tool 'www"),
    "a value that is endless": (("weather", json.dumps({"city": ["x"] * 50_000})), "argument of 'weather'"),
}


@pytest.mark.parametrize(("call", "says"), WRONG.values(), ids=WRONG)
def test_calls_that_do_not_fit_are_asked_for_once_more(call: tuple[str, str], says: str) -> None:
    good = ("weather", '{"city": "Rome"}')
    with FakeServer(called(good, call), called(good)) as server:
        turn = Asking(server).turn()
    assert turn.message.calls == (ROME,)
    assert "asked again" in turn.notes[0]
    assert says in turn.notes[0]
    assert says in server.bodies[1]["messages"][-1]["content"]
    assert all("tool_calls" not in message for message in server.bodies[1]["messages"])
    assert len(json.dumps(server.bodies[1])) < 10_000
    assert (turn.usage.turns, turn.usage.prompt_tokens, turn.usage.output_tokens) == (1, 60, 18)


@pytest.mark.parametrize(("call", "says"), WRONG.values(), ids=WRONG)
def test_what_does_not_fit_twice_is_an_error(call: tuple[str, str], says: str) -> None:
    with FakeServer(called(call)) as server, pytest.raises(ModelError, match="does not fit, twice") as caught:
        Asking(server).turn()
    assert len(server.bodies) == 2
    assert len(str(caught.value)) < 1000


def test_an_answer_that_must_fit_a_schema_is_asked_for_with_it() -> None:
    with FakeServer(said('{"sum"', ": 4}")) as server:
        turn = Asking(server).turn(tools=(), output=SCHEMA)
    assert json.loads(turn.message.text) == {"sum": 4}
    assert server.bodies[0]["response_format"]["json_schema"]["schema"] == SCHEMA
    assert "tools" not in server.bodies[0]


@pytest.mark.parametrize("answer", ['{"sum": "four"}', "The sum is 4.", "", "[" * 100_000])
def test_an_answer_that_does_not_fit_is_asked_for_once_more_without_tools(answer: str) -> None:
    with FakeServer(said(answer), said('{"sum": 4}')) as server:
        turn = Asking(server).turn(output=SCHEMA)
    assert turn.message.text == '{"sum": 4}'
    assert "asked again" in turn.notes[0]
    assert "response_format" not in server.bodies[0]  # with tools, it would make calls impossible
    assert server.bodies[1]["response_format"]["json_schema"]["schema"] == SCHEMA
    assert server.bodies[1]["tool_choice"] == "none"


def test_a_call_that_must_be_made_is_asked_for_once_more() -> None:
    with FakeServer(said("I would rather talk."), called(("weather", '{"city": "Rome"}'))) as server:
        turn = Asking(server).turn(calls="required")
    assert turn.stop == "calls"
    assert server.bodies[1]["tool_choice"] == "required"
    assert server.bodies[1]["messages"][-1]["content"].endswith("Call a tool now.")


def test_calls_that_may_not_be_made_are_left_out() -> None:
    with FakeServer(called(("weather", "no JSON"))) as server:
        turn = Asking(server).turn(calls="none")
    assert turn.message.calls == ()
    assert "may make none" in turn.notes[0]


def test_calls_over_the_limit_are_left_out() -> None:
    with FakeServer(called(("weather", '{"city": "Rome"}'), ("nonsense", ""))) as server:
        turn = Asking(server).turn(max_calls=1)
    assert turn.message.calls == (ROME,)
    assert "over the limit of 1" in turn.notes[0]
    assert server.bodies[0]["parallel_tool_calls"] is False


def test_a_call_that_was_cut_off_is_left_out() -> None:
    with FakeServer(called(("weather", '{"city": "Rome"}'), ("weather", '{"ci'), finish="length")) as server:
        turn = Asking(server).turn()
    assert turn.message.calls == (ROME,)
    assert (turn.stop, len(server.bodies)) == ("calls", 1)
    assert "was cut off" in turn.notes[0]


def test_an_answer_that_was_cut_off_says_so() -> None:
    with FakeServer(said("The weath", finish="length")) as server:
        assert Asking(server).turn(output=SCHEMA).stop == "length"


def test_what_a_turn_cost_is_what_the_server_says() -> None:
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 20,
        "prompt_tokens_details": {"cached_tokens": 64},
        "completion_tokens_details": {"reasoning_tokens": 5},
    }
    with FakeServer(Answer(events=[chunk("stop", content="Sunny."), {"choices": [], "usage": usage}])) as server:
        spent = Asking(server).turn().usage
    assert (spent.prompt_tokens, spent.reused_tokens, spent.output_tokens, spent.thought_tokens) == (100, 64, 20, 5)


@pytest.mark.parametrize("usage", [None, {}, [], {"prompt_tokens": "many"}, {"prompt_tokens": None}])
def test_what_a_turn_cost_is_estimated_when_the_server_does_not_say(usage: object) -> None:
    with FakeServer(Answer(events=[chunk("stop", content="Sunny."), {"choices": [], "usage": usage}])) as server:
        turn = Asking(server).turn()
    assert turn.usage.prompt_tokens > 10
    assert 1 <= turn.usage.output_tokens <= 6
    assert "estimated" in turn.notes[0]


KEYS = ("choices", "delta", "message", "content", "tool_calls", "function", "name", "arguments", "id", "index", "usage")
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)


def larger(inner: Strategy) -> Strategy:
    return st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)


JSON: Strategy = st.recursive(SCALARS, larger, max_leaves=12)
CALLS: Strategy = st.lists(st.fixed_dictionaries({"function": JSON}, optional={"id": JSON, "index": JSON}), max_size=3)
CHUNKS: Strategy = JSON | CALLS.map(lambda calls: chunk(tool_calls=calls))


@given(st.lists(CHUNKS, max_size=4))
def test_no_chunk_breaks_the_reader(chunks: list[object]) -> None:
    reply = Reply()
    try:
        for item in chunks:
            assert all(delta.text for delta in reply.add(item))
    except ModelError as error:
        assert "where a chunk of a reply belongs" in str(error)
