"""What is sent to a server, to which address, and with whose key."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agentkit.errors import UsageError
from agentkit.messages import Assistant, Media, Message, System, Text, Thought, ToolCall, ToolResult, User
from agentkit.model_backend.base import Sampling, ToolSpec, TurnRequest
from agentkit.model_backend.remote import RemoteModel
from agentkit.model_backend.remote_http import base_url, key_header
from agentkit.model_backend.remote_wire import request_body
from tests.remote.asking import WEATHER, Asking
from tests.remote.fake_server import FakeServer, called, said


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("http://localhost:8080", "http://localhost:8080/v1"),
        ("http://localhost:8080/", "http://localhost:8080/v1"),
        ("http://localhost:8080/v1/", "http://localhost:8080/v1"),
        ("http://localhost:8080/v1/chat/completions", "http://localhost:8080/v1"),
        ("https://host.test/openai/v1", "https://host.test/openai/v1"),
        ("https://host.test/v1beta/openai/", "https://host.test/v1beta/openai"),
        ("https://host.test/proxy", "https://host.test/proxy/v1"),
        ("http://[::1]:8080", "http://[::1]:8080/v1"),
    ],
)
def test_the_api_is_found_from_what_a_user_gives(url: str, base: str) -> None:
    assert str(base_url(url)) == base


@pytest.mark.parametrize("url", ["", "localhost:8080", "ftp://host.test", "http://", "http://[::1", "http://h:port/"])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="URL"):
        RemoteModel(url)


def test_a_password_in_a_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(UsageError, match="set AGENTKIT_API_KEY instead") as caught:
        RemoteModel("http://user:geheim@host.test/")
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "keys", "sent"),
    [
        ("https://host.test", {}, ""),
        ("https://host.test", {"OPENAI_API_KEY": "open"}, "open"),
        ("http://host.test", {"OPENAI_API_KEY": "open"}, ""),
        ("http://localhost", {"OPENAI_API_KEY": "open"}, "open"),
        ("http://[::1]", {"OPENAI_API_KEY": "open"}, "open"),
        ("http://localhost.evil.test", {"OPENAI_API_KEY": "open"}, ""),
        ("http://host.test", {"AGENTKIT_API_KEY": "own", "OPENAI_API_KEY": "open"}, "own"),
        ("https://host.test", {"AGENTKIT_API_KEY": "own\n", "OPENAI_API_KEY": "open"}, "own"),
    ],
)
def test_a_key_goes_only_where_it_may(
    url: str, keys: dict[str, str], sent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in keys.items():
        monkeypatch.setenv(name, value)
    assert key_header(base_url(url)) == ({"Authorization": f"Bearer {sent}"} if sent else {})


def test_the_key_reaches_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTKIT_API_KEY", "secret")
    with FakeServer(said("Sunny.")) as server:
        Asking(server).turn()
    assert server.keys == ["Bearer secret"]


def test_a_conversation_is_sent_as_the_protocol_says() -> None:
    messages: list[Message] = [
        System("Be brief."),
        User("Weather in Rome?"),
        Assistant((Thought("I'll look."), Text("One moment."), ToolCall("weather", {"city": "Röm"}, "c1"))),
        ToolResult("c1", "weather", {"sky": "clear"}),
        ToolResult("c2", "weather", "no such city", is_error=True),
        Assistant((Thought("Clear."), Text("Clear."))),
    ]
    sent: list[Any] = request_body(TurnRequest(messages=messages), "tiny")["messages"]
    assert sent[0] == {"role": "system", "content": "Be brief."}
    assert sent[2] == {
        "role": "assistant",
        "content": "One moment.",
        "reasoning_content": "I'll look.",
        "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Röm"}'}}
        ],
    }
    assert sent[3] == {"role": "tool", "tool_call_id": "c1", "name": "weather", "content": '{"sky": "clear"}'}
    assert sent[4]["content"] == "Error: no such city"
    assert sent[5] == {"role": "assistant", "content": "Clear."}


def test_images_and_sounds_go_with_the_text_they_belong_to(tmp_path: Path) -> None:
    picture = tmp_path / "cat.png"
    picture.write_bytes(b"png")
    sound = tmp_path / "purr.wav"
    sound.write_bytes(b"wav")
    sources = (str(picture), "data:image/webp;base64,d2VicA==")
    media = (*(Media("image", source) for source in sources), Media("audio", str(sound)))
    (sent,) = request_body(TurnRequest(messages=[User("Which?", media)]), "tiny")["messages"]
    assert sent == {
        "role": "user",
        "content": [
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,cG5n"}},
            {"type": "image_url", "image_url": {"url": "data:image/webp;base64,d2VicA=="}},
            {"type": "input_audio", "input_audio": {"data": "d2F2", "format": "wav"}},
            {"type": "text", "text": "Which?"},
        ],
    }


@pytest.mark.parametrize(
    ("media", "says"),
    [
        (Media("video", "data:video/mp4;base64,AA=="), "(video/mp4) can't be sent to a server as video"),
        (Media("image", "data:text/plain;base64,AA=="), "can't be sent to a server as image"),
        (Media("audio", "data:audio/ogg;base64,AA=="), "it takes images, and sounds as WAV or MP3"),
        (Media("image", "data:image/png,AA"), "has ';base64,' before the bytes"),
        (Media("image", "no such file.png"), "can't read the media 'no such file.png': No such file"),
        (Media("image", "a\0b"), "can't read the media"),
    ],
)
def test_media_that_a_server_does_not_take_are_refused(media: Media, says: str) -> None:
    with pytest.raises(UsageError, match=re.escape(says)):
        request_body(TurnRequest(messages=[User("Which?", (media,))]), "tiny")


def test_media_are_not_counted_by_their_bytes() -> None:
    plain = TurnRequest(messages=[User("Which?")])
    media = Media("image", "data:image/png;base64," + "A" * 1_000_000)
    counts = [
        asyncio.run(RemoteModel("http://localhost:1").count(request))
        for request in (plain, replace(plain, messages=[User("Which?", (media,))]))
    ]
    assert counts[0] < counts[1] < 1000


def test_tools_that_a_turn_may_not_call_are_not_sent() -> None:
    tools = [ToolSpec(name=name, description="", parameters={"type": "object"}) for name in ("add", "read")]
    request = TurnRequest(messages=[User("Do it.")], tools=tools, calls="required", only=("read",))
    assert [t["function"]["name"] for t in request_body(request, "tiny")["tools"]] == ["read"]


def test_only_sampling_that_was_chosen_is_sent() -> None:
    with FakeServer(said("Sunny.")) as server:
        Asking(server).turn(sampling=Sampling(temperature=0.0, top_k=5, seed=7), tools=(), max_tokens=77)
    body = server.bodies[0]
    assert (body["temperature"], body["top_k"], body["seed"], body["max_tokens"]) == (0.0, 5, 7, 77)
    assert body.keys().isdisjoint({"top_p", "min_p", "repeat_penalty", "tools", "tool_choice"})
    assert (body["model"], body["stream"]) == ("tiny", True)


def test_the_estimate_of_tokens_learns_from_replies() -> None:
    request = TurnRequest(messages=[User("How is the weather in Rome?")], tools=[WEATHER])
    with FakeServer(called(("weather", '{"city": "Rome"}'))) as server:
        asking = Asking(server)
        assert asyncio.run(asking.model.count(request)) > 0
        asking.turn()
        assert asyncio.run(asking.model.count(request)) == 30  # what the server said the same prompt has
