"""Whatever a server does, a turn ends soon, with a clear error or a note of what was done."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest

from agentkit.errors import AgentkitError, LimitReached, ModelError, ModelUnavailable
from agentkit.messages import User
from agentkit.model_backend.base import TurnRequest
from tests.remote.asking import Asking
from tests.remote.fake_server import Answer, FakeServer, chunk, said, whole

BUSY = {"error": {"message": "Slot unavailable", "code": 503}}
TOO_LONG = {"error": {"message": "the request exceeds the available context size", "type": "exceed_context_size_error"}}


def refusal(server: FakeServer | str, kind: type[AgentkitError], *, asking: Asking | None = None) -> str:
    start = time.perf_counter()
    with pytest.raises(kind) as caught:
        (asking or Asking(server)).turn()
    assert time.perf_counter() - start < 10
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 600
    return str(caught.value)


FATAL: dict[str, tuple[Answer, type[AgentkitError], str]] = {
    "a wrong key": (whole({"error": {"message": "bad key"}}, 401), ModelUnavailable, "set AGENTKIT_API_KEY"),
    "a key without rights": (whole("", 403), ModelUnavailable, "set AGENTKIT_API_KEY"),
    "no such model": (whole({"error": "no"}, 404), ModelUnavailable, "has no model 'tiny'; it has: small, large"),
    "a prompt that is too long": (whole(TOO_LONG, 400), LimitReached, "does not fit the model's context"),
    "the same, as a stream": (Answer(events=[TOO_LONG]), LimitReached, "does not fit the model's context"),
    "the same, with status 200": (whole(TOO_LONG), LimitReached, "does not fit the model's context"),
    "a redirect": (Answer(status=307, headers={"Location": "http://x.test/"}), ModelError, "redirects to 'http://x"),
    "a teapot": (whole("short and stout", 418), ModelError, "answered 418: short and stout"),
    "a web page": (Answer(kind="text/html", body="<html>Sign in</html>"), ModelError, "not answer like an OpenAI"),
    "nothing at all": (Answer(kind="", body=""), ModelError, "not answer like an OpenAI"),
    "an event that is no JSON": (Answer(events=["{'single'"]), ModelError, "where JSON belongs"),
    "an event that is no object": (Answer(events=["[1, 2]"]), ModelError, "where a chunk of a reply belongs"),
    "JSON without an end": (whole('{"choices": ['), ModelError, "where JSON belongs"),
    "JSON of 100,000 brackets": (whole("[" * 100_000), ModelError, "where JSON belongs"),
    "no choices": (whole({"choices": []}), ModelError, "no choices"),
    "no choices in the stream": (Answer(events=[{"choices": []}, "[DONE]"]), ModelError, "no choices"),
    "choices of another shape": (whole({"choices": {"0": 1}}), ModelError, "no choices"),
    "an error with status 200": (whole({"error": {"message": "out of memory"}}), ModelError, "out of memory"),
    "an error with control characters": (whole({"error": "\x1b[2J\u202e" + "x" * 9999}, 418), ModelError, "418"),
}


@pytest.mark.parametrize(("answer", "kind", "says"), [pytest.param(*v, id=k) for k, v in FATAL.items()])
def test_what_will_not_pass_is_not_asked_for_long(answer: Answer, kind: type[AgentkitError], says: str) -> None:
    with FakeServer(answer) as server:
        server.models = {"data": [{"id": "small"}, {"id": "large"}]}
        asking = Asking(server)
        message = refusal(server, kind, asking=asking)
    assert says in message
    assert asking.waited == []
    assert len(server.bodies) <= 2  # once more without the fields that not every server takes


PASSING = {
    "500": whole(BUSY, 500),
    "503": whole(BUSY, 503),
    "429": whole({"error": "slow down"}, 429),
    "a stream that ends early": Answer(events=[chunk(content="The wea")]),
    "a connection that breaks": Answer(events=[chunk(content="The wea")], breaks=True),
    "a connection that breaks in JSON": Answer(kind="application/json", body='{"choices": [', breaks=True),
    "an empty stream": Answer(),
}


@pytest.mark.parametrize("answer", PASSING.values(), ids=PASSING)
def test_what_may_pass_is_tried_again_and_noted(answer: Answer) -> None:
    with FakeServer(answer, answer, said("Sunny.")) as server:
        asking = Asking(server)
        turn = asking.turn()
    assert turn.message.text == "Sunny."
    assert asking.waited == [0.5, 1.0]
    assert [note.partition(":")[0] for note in turn.notes] == ["sent again", "sent again"]


@pytest.mark.parametrize("answer", PASSING.values(), ids=PASSING)
def test_what_does_not_pass_ends_after_four_attempts(answer: Answer) -> None:
    with FakeServer(answer) as server:
        asking = Asking(server)
        refusal(server, ModelError, asking=asking)
    assert len(server.bodies) == 4
    assert asking.waited == [0.5, 1.0, 2.0]


def test_nobody_at_the_url() -> None:
    with socket.socket() as closed:  # bound and not listening: a port that refuses
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        assert f"no server at {url}/v1" in refusal(url, ModelUnavailable)


def test_a_wait_that_the_server_asks_for_is_kept_to() -> None:
    with FakeServer(whole(BUSY, 429, Retry_After="7"), said("Sunny.")) as server:
        asking = Asking(server)
        asking.turn()
    assert asking.waited == [7.0]


@pytest.mark.parametrize("after", ["3600", "1e9", "nan", "-1", "Wed, 21 Oct 2099 07:28:00 GMT", "soon"])
def test_no_wait_is_long(after: str) -> None:
    with FakeServer(whole(BUSY, 429, Retry_After=after)) as server:
        asking = Asking(server)
        refusal(server, ModelError, asking=asking)
    assert all(0 < seconds <= 30 for seconds in asking.waited)


SILENT = {
    "before the headers": Answer(hangs=True, kind="text/event-stream"),
    "in the middle": Answer(events=[chunk(content="The wea")], hangs=True),
    "in JSON": Answer(kind="application/json", body="{", hangs=True),
    "in an error": Answer(status=500, body="{", hangs=True),
}


@pytest.mark.parametrize("answer", SILENT.values(), ids=SILENT)
def test_a_server_that_falls_silent_is_given_up(answer: Answer) -> None:
    with FakeServer(answer) as server:
        assert "no whole reply within 0.2 s" in refusal(server, ModelError, asking=Asking(server, timeout=0.2))


def test_a_server_that_lists_its_models_for_ever_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert "within 0.2 s" in refusal(url, ModelError, asking=Asking(url, model=None, timeout=0.2))


def test_a_reply_without_end_is_cut_off() -> None:
    with FakeServer(Answer(events=[chunk(content="x" * 900_000)] * 6)) as server:
        assert "no end" in refusal(server, ModelError)


def test_cancelling_ends_at_once() -> None:
    async def main(server: FakeServer) -> float:
        started = asyncio.Event()
        request = TurnRequest(messages=[User("Hello")])
        task = asyncio.create_task(Asking(server).model.turn(request, lambda delta: started.set()))
        await started.wait()
        start = time.perf_counter()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return time.perf_counter() - start

    with FakeServer(Answer(events=[chunk(content="The wea")], hangs=True)) as server:
        assert asyncio.run(main(server)) < 5


def test_a_server_that_refuses_unknown_fields_gets_the_common_ones_from_then_on() -> None:
    with FakeServer(whole({"error": "Unrecognized: top_k"}, 400), said("Sunny."), said("Rainy.")) as server:
        asking = Asking(server)
        turn = asking.turn()
        assert turn.message.text == "Sunny."
        assert "common fields only" in turn.notes[0]
        assert asking.turn().message.text == "Rainy."
    assert ["chat_template_kwargs" in body for body in server.bodies] == [True, False, False]


def test_a_request_that_is_refused_either_way_costs_the_next_one_nothing() -> None:
    bad = whole({"error": {"message": "messages must not be empty"}}, 422)
    with FakeServer(bad, bad, said("Sunny.")) as server:
        asking = Asking(server)
        assert "messages must not be empty" in refusal(server, ModelError, asking=asking)
        asking.turn()
    assert ["chat_template_kwargs" in body for body in server.bodies] == [True, False, True]


@pytest.mark.parametrize("models", [{"data": []}, "<html>", [1, 2], {"data": "x"}])
def test_a_server_that_lists_no_models(models: object) -> None:
    with FakeServer(said("Sunny.")) as server:
        server.models = models
        said_so = refusal(server, ModelUnavailable, asking=Asking(server, model=None))
    assert f"name one behind the URL: {server.url}/v1#NAME" in said_so


def test_the_first_model_that_the_server_lists_is_asked() -> None:
    with FakeServer(said("Sunny.")) as server:
        asking = Asking(server, model=None)
        asking.turn()
    assert server.bodies[0]["model"] == "tiny"
    assert asking.model.info.name == f"{server.url}/v1#tiny"
