"""A server on this machine that speaks the chat-completions protocol, and fails in the ways a test asks for."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

__all__ = ["Answer", "FakeServer", "called", "chunk", "said", "whole"]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a request for a completion gets."""

    status: int = 200
    kind: str = "text/event-stream"
    headers: dict[str, str] = field(default_factory=dict[str, str])
    events: Sequence[object] = ()
    """Sent as `data:` each: JSON, or text as it is."""
    body: str = ""
    """Sent instead of events."""
    hangs: bool = False
    """Whether the connection stays open, silent, at the end."""
    breaks: bool = False
    """Whether the connection breaks where more is due."""


def chunk(finish: str | None = None, **delta: object) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


USAGE: dict[str, Any] = {"choices": [], "usage": {"prompt_tokens": 30, "completion_tokens": 9}}


def said(*texts: str, finish: str = "stop") -> Answer:
    """A reply in text."""
    return Answer(events=[*(chunk(content=text) for text in texts), chunk(finish), USAGE, "[DONE]"])


def called(*calls: tuple[str, str], finish: str = "tool_calls") -> Answer:
    """A reply that is calls: names and arguments as text."""
    parts = [
        {"index": n, "id": f"c{n}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for n, (name, arguments) in enumerate(calls)
    ]
    return Answer(events=[*(chunk(tool_calls=[part]) for part in parts), chunk(finish), USAGE, "[DONE]"])


def whole(body: object, status: int = 200, **headers: str) -> Answer:
    """A reply that is one JSON document."""
    text = body if isinstance(body, str) else json.dumps(body)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status=status, kind="application/json", body=text, headers=named)


class FakeServer:
    """Gives its answers in turn, the last one again and again."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.models: object = {"data": [{"id": "tiny"}, {"id": "large"}]}
        self.models_status = 200
        self.bodies: list[dict[str, Any]] = []
        """The requests for completions that came."""
        self.keys: list[str] = []
        self.closing = threading.Event()
        self._server = _Server(self)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def next_answer(self) -> Answer:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def __enter__(self) -> FakeServer:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, fake: FakeServer) -> None:
        self.fake = fake
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing: clients that go away are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass

    @property
    def fake(self) -> FakeServer:
        assert isinstance(self.server, _Server)
        return self.server.fake

    def do_GET(self) -> None:
        self._begin(self.fake.models_status, "application/json")
        text = self.fake.models if isinstance(self.fake.models, str) else json.dumps(self.fake.models)
        self.wfile.write(text.encode())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.fake.bodies.append(json.loads(body))
        self.fake.keys.append(self.headers.get("Authorization", ""))
        answer = self.fake.next_answer()
        headers = answer.headers | ({"Content-Length": "1000000"} if answer.breaks else {})
        self._begin(answer.status, answer.kind, headers)
        self.wfile.write(answer.body.encode())
        for event in answer.events:
            self.wfile.write(f"data: {event if isinstance(event, str) else json.dumps(event)}\n\n".encode())
        if answer.hangs:
            self.fake.closing.wait(30)

    def _begin(self, status: int, kind: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
