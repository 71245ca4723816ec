"""Gets a page from the web, and from nowhere else: not from this machine, not from the network around it.

A name is resolved once, and the connection goes to the address that was checked, so that a name can't lead elsewhere in
between. Each redirect is checked anew.
"""

from __future__ import annotations

import asyncio
import fnmatch
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import SplitResult, urljoin, urlsplit, urlunsplit

from agentkit.errors import ToolFailed

if TYPE_CHECKING:
    from httpx2 import AsyncClient, Response

__all__ = ["Fetched", "Fetcher", "Resolve"]

Resolve: TypeAlias = Callable[[str, int], Awaitable[list[str]]]
"""Returns the addresses of a host."""

MAX_REDIRECTS = 5
MAX_BYTES = 2_000_000
SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What came back."""

    url: str
    """Where it came from, after redirects."""
    status: int
    type: str
    """The content type."""
    text: str
    is_cut: bool
    """Whether there was more than is kept."""


async def resolve_host(host: str, port: int) -> list[str]:
    """Returns the addresses of a host, as the system resolves it."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Fetcher:
    """Fetches from named hosts.

    Args:
        hosts: Patterns of hosts, such as ``example.com`` or ``*.example.com``; with a port for another than the usual.
            An address of this machine or a private network is reached only when it is named as such, with its port.
        resolve: Finds addresses.
    """

    def __init__(self, hosts: Sequence[str], *, resolve: Resolve = resolve_host) -> None:
        self._hosts = [host.lower() for host in hosts]
        self._resolve = resolve

    async def fetch(self, url: str) -> Fetched:
        """Returns a page.

        Args:
            url: Its address, with http or https.

        Raises:
            agentkit.errors.ToolFailed: It may not be fetched, or can't; the message says why.
        """
        import httpx2

        try:
            async with asyncio.timeout(SECONDS), httpx2.AsyncClient(trust_env=False, timeout=SECONDS) as client:
                return await self._follow(client, url)
        except TimeoutError:
            raise ToolFailed(f"{url!r} did not answer within {SECONDS:g} s") from None
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, UnicodeError) as error:
            raise ToolFailed(f"{url!r} can't be fetched: {str(error) or type(error).__name__}") from None

    async def _follow(self, client: AsyncClient, url: str) -> Fetched:
        for _ in range(MAX_REDIRECTS + 1):
            place = self._checked(url)
            host, port = str(place.hostname), place.port or _usual_port(place.scheme)
            address = await self._address(host, port)
            shown = f"[{address}]" if ":" in address else address
            pinned = urlunsplit((place.scheme, f"{shown}:{port}", place.path or "/", place.query, ""))
            # The name stays in the Host header and in the check of the certificate.
            request = client.build_request(
                "GET",
                pinned,
                headers={"Host": place.netloc, "User-Agent": "agentkit", "Accept": "text/*, application/json"},
                extensions={"sni_hostname": host},
            )
            response = await client.send(request, stream=True, follow_redirects=False)
            try:
                if not response.is_redirect:
                    return await _read(url, response)
                url = urljoin(url, response.headers["location"])
            finally:
                await response.aclose()
        raise ToolFailed(f"there are more than {MAX_REDIRECTS} redirects; the last leads to {url!r}")

    def _checked(self, url: str) -> SplitResult:
        try:
            place = urlsplit(url)
            host, port = (place.hostname or "").rstrip("."), place.port
        except ValueError as error:
            raise ToolFailed(f"{url!r} is not a URL: {error}") from None
        if place.scheme not in ("http", "https") or not host:
            raise ToolFailed(f"{url!r} can't be fetched; give a URL with http or https and a host")
        if "@" in place.netloc or "\\" in url or any(c.isspace() or ord(c) < 32 for c in url):
            raise ToolFailed(f"{url!r} can't be fetched; a URL here has no user name, backslash or blank in it")
        if not self._allows(host, port or _usual_port(place.scheme)):
            there = f"hosts that may be: {', '.join(self._hosts)}" if self._hosts else "no host may be"
            raise ToolFailed(f"{host!r} may not be fetched from; {there}. The user sets them under 'hosts'")
        return place

    def _allows(self, host: str, port: int) -> bool:
        names = [f"{host}:{port}", *([host] if port in (80, 443) else [])]
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in self._hosts for name in names)

    async def _address(self, host: str, port: int) -> str:
        """Returns the address to connect to; all that a name leads to have to be public."""
        if f"{host}:{port}" in self._hosts and _is_address(host):
            return host  # named as what it is
        addresses = await self._resolve(host, port)
        for address in addresses:
            if not _is_public(address):
                raise ToolFailed(f"{host!r} leads to {address}, which is not on the internet; it is not fetched from")
        if not addresses:
            raise ToolFailed(f"{host!r} has no address")
        return addresses[0]


def _usual_port(scheme: str) -> int:
    return 443 if scheme == "https" else 80


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_public(address: str) -> bool:
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is None and ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None and not _is_public(str(inner)):
            return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


async def _read(url: str, response: Response) -> Fetched:
    kept = bytearray()
    is_cut = False
    async for data in response.aiter_bytes():
        kept += data[: MAX_BYTES - len(kept)]
        if len(kept) >= MAX_BYTES:
            is_cut = True
            break
    kind = response.headers.get("content-type", "")
    return Fetched(
        url=url,
        status=response.status_code,
        type=kind,
        text=kept.decode(response.charset_encoding or "utf-8", errors="replace"),
        is_cut=is_cut,
    )
