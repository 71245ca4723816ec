"""Pages are fetched from hosts that were named, and from nowhere inside."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Generator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from agentkit.errors import ToolFailed
from agentkit.tools.access import Access
from agentkit.tools.context import ToolContext
from agentkit.tools.fetcher import MAX_BYTES, Fetched, Fetcher
from agentkit.tools.web import fetch


async def never(host: str, port: int) -> list[str]:
    raise AssertionError(f"{host} was resolved")


def resolving(*answers: str) -> Any:
    left = [*answers]

    async def resolve(host: str, port: int) -> list[str]:
        return left.pop(0).split() if len(left) > 1 else left[0].split()

    return resolve


INSIDE = [
    "127.0.0.1", "127.1.2.3", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254",
    "100.64.0.1", "192.0.2.1", "198.18.0.1", "203.0.113.9", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::1", "::",
    "fe80::1", "fe80::1%eth0", "fc00::1", "fd12:3456::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254",
    "64:ff9b::7f00:1", "2002:7f00:1::", "2001:db8::1", "93.184.216.34 127.0.0.1",
]  # fmt: skip


@pytest.mark.parametrize("address", INSIDE)
def test_a_name_that_leads_inside_is_not_fetched_from(address: str) -> None:
    with pytest.raises(ToolFailed, match="is not on the internet"):
        asyncio.run(Fetcher(["example.com"], resolve=resolving(address)).fetch("http://example.com/"))


REFUSED = [
    "http://127.0.0.1/", "http://2130706433/", "http://0x7f000001/", "http://0177.0.0.1/", "http://[::1]/",
    "http://[::ffff:127.0.0.1]/", "http://localhost/", "http://example.com.evil.net/", "http://evilexample.com/",
    "http://example.com:8080/", "http://example.com@127.0.0.1/", "http://user:pw@example.com/", "http://example.com\\@evil/",
    "file:///etc/passwd", "gopher://example.com/", "ftp://example.com/", "//example.com/", "example.com", "",
    "http://", "http://exa mple.com/", "http://example.com\n.evil.net/", "http://[bad/", "http://example.com:99999/",
    "javascript:alert(1)", "data:text/plain,hi",
]  # fmt: skip


@pytest.mark.parametrize("url", REFUSED)
def test_a_url_that_was_not_allowed_is_not_even_resolved(url: str) -> None:
    with pytest.raises(ToolFailed):
        asyncio.run(Fetcher(["example.com"], resolve=never).fetch(url))


def test_numbers_that_are_addresses_are_refused_even_under_a_wide_pattern() -> None:
    for url in ("http://2130706433/", "http://0x7f.1/", "http://127.1/"):
        with pytest.raises(ToolFailed, match="is not on the internet"):
            asyncio.run(Fetcher(["*"]).fetch(url))


def test_fetching_is_off_unless_hosts_are_named() -> None:
    with pytest.raises(ToolFailed, match="no host may be. The user sets them under 'hosts'"):
        asyncio.run(fetch.invoke({"url": "https://example.com/"}))


class Handler(BaseHTTPRequestHandler):
    hosts: list[str] = []

    def do_GET(self) -> None:
        Handler.hosts.append(self.headers["Host"])
        if self.path.startswith("/to?"):
            self.send_response(302)
            self.send_header("Location", self.path[4:])
            self.end_headers()
            return
        body = b"x" * (MAX_BYTES + 10) if self.path == "/large" else "grüße".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with suppress(ConnectionError):
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""


@pytest.fixture
def port() -> Generator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    Handler.hosts.clear()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join()


def get(port: int, path: str, *hosts: str) -> Fetched:
    return asyncio.run(Fetcher([f"127.0.0.1:{port}", *hosts], resolve=never).fetch(f"http://127.0.0.1:{port}{path}"))


def test_an_address_that_is_named_with_its_port_is_fetched_from(port: int) -> None:
    assert get(port, "/").text == "grüße"
    access = Access(hosts=(f"127.0.0.1:{port}",))
    page = asyncio.run(fetch.invoke({"url": f"http://127.0.0.1:{port}/"}, ToolContext(access=access)))
    assert page == {
        "url": f"http://127.0.0.1:{port}/",
        "status": 200,
        "type": "text/plain; charset=utf-8",
        "text": "grüße",
    }


def test_a_redirect_is_checked_like_any_url(port: int) -> None:
    assert get(port, "/to?/there").url.endswith("/there")
    for target in (
        "http://127.0.0.1:1/",
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "http://[::1]/",
    ):
        with pytest.raises(ToolFailed):
            get(port, f"/to?{target}")


def test_a_redirect_without_end_is_left(port: int) -> None:
    with pytest.raises(ToolFailed, match="more than 5 redirects"):
        get(port, "/to?/to?/to?/to?/to?/to?/to?/to?/x")


def test_a_name_is_resolved_once_for_each_request() -> None:
    """A name that leads elsewhere when it is asked for again (DNS rebinding) is not asked for again."""
    asked: list[str] = []

    async def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) > 1 else ["192.88.99.1"]  # the first leads nowhere, and is public

    async def main() -> None:
        async with asyncio.timeout(0.5):
            await Fetcher(["rebind.example"], resolve=resolve).fetch("http://rebind.example/")

    with suppress(ToolFailed, TimeoutError):  # some networks answer for any address
        asyncio.run(main())
    assert asked == ["rebind.example"]


def test_a_large_page_is_cut(port: int) -> None:
    page = get(port, "/large")
    assert (len(page.text), page.is_cut) == (MAX_BYTES, True)
