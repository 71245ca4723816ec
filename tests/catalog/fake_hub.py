"""A server on this machine that speaks the Hub's protocol, and fails in the ways a test asks for."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

__all__ = ["FakeHub", "Seen"]


@dataclass(frozen=True)
class Seen:
    """A request that came."""

    method: str
    path: str
    range: str
    token: str


class FakeHub:
    """Answers `HEAD` with a redirect to a storage, and gives the file from there."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.stated_size = len(content)
        self.stated_digest = hashlib.sha256(content).hexdigest()
        self.says_digest = True
        """Whether the answer to `HEAD` has a size and a digest."""
        self.head_status = 302
        self.get_status = 0
        """What every `GET` is answered with; 0 for the file."""
        self.takes_ranges = True
        self.breaks: list[int] = []
        """Bytes after which the connection breaks, for one `GET` after the other; then it holds."""
        self.endless = False
        """Whether bytes keep coming after the file's end."""
        self.storage_host = ""
        self.location = ""
        """Where `HEAD` redirects to, instead of the storage."""
        self.may_send = threading.Event()
        """Cleared, a `GET` waits after its headers and first bytes."""
        self.may_send.set()
        self.seen: list[Seen] = []
        self._server = _Server(self)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def storage(self) -> str:
        return f"{self.storage_host or self.url}/storage/blob"

    def gets(self) -> list[str]:
        """The ranges that were asked for, in order; empty texts for the whole file."""
        return [seen.range for seen in self.seen if seen.method == "GET"]

    def __enter__(self) -> FakeHub:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.may_send.set()
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, hub: FakeHub) -> None:
        self.hub = hub
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing: clients that go away are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        hub = self._note()
        self.send_response(hub.head_status)
        if hub.head_status in (200, 302):
            if hub.says_digest:
                self.send_header("X-Linked-Size", str(hub.stated_size))
                self.send_header("X-Linked-ETag", f'"{hub.stated_digest}"')
            if hub.head_status == 302:
                self.send_header("Location", hub.location or hub.storage)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        hub = self._note()
        if hub.get_status:
            self.send_error(hub.get_status)
        elif not self.path.startswith("/storage"):
            self.send_response(302)
            self.send_header("Location", hub.storage)
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            self._send_file(hub)

    def _send_file(self, hub: FakeHub) -> None:
        wanted = self.headers.get("Range", "")
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and hub.takes_ranges else 0
        if start >= len(hub.content):
            self.send_error(416)
            return
        rest = hub.content[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(hub.content) - 1}/{len(hub.content)}")
        if not hub.endless:
            self.send_header("Content-Length", str(hub.stated_size - start))
        self.end_headers()
        if hub.breaks:
            rest = rest[: hub.breaks.pop(0)]
        self.wfile.write(rest[:1000])
        hub.may_send.wait(20)
        self.wfile.write(rest[1000:])
        while hub.endless:
            self.wfile.write(bytes(100_000))
        self.close_connection = True

    def _note(self) -> FakeHub:
        assert isinstance(self.server, _Server)
        hub = self.server.hub
        token = self.headers.get("Authorization", "")
        path = f"http://{self.headers['Host']}{self.path}"
        if self.path.startswith("/storage") or self.command == "HEAD":
            hub.seen.append(Seen(self.command, path, self.headers.get("Range", ""), token))
        return hub
