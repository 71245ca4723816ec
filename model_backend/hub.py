"""Fetches a file from the Hugging Face Hub into a partial file, and goes on where an earlier try ended.

The Hub's protocol: ``HEAD /{repo}/resolve/{revision}/{file}`` answers with a redirect whose
``X-Linked-Size`` and ``X-Linked-ETag`` are the size and the sha256 of the file; a ``GET`` follows the
redirect to the storage and takes a ``Range``. ``HF_ENDPOINT`` names a mirror, ``HF_TOKEN`` the user's token.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx2

from agentkit.errors import ModelUnavailable

__all__ = ["Hub", "HubFile", "HubUnreachable"]

_ATTEMPTS = 4
"""Tries in a row that gain nothing before the fetch gives up."""
_MAX_REDIRECTS = 5
_TIMEOUT = httpx2.Timeout(30.0, connect=5.0)
_SHA256 = re.compile(r"[0-9a-f]{64}")


class HubUnreachable(ModelUnavailable):
    """The Hub can't be reached from here, or doesn't give the file; another source may."""


@dataclass(frozen=True, slots=True)
class HubFile:
    """What the Hub says of a file."""

    url: str
    size: int
    """Bytes; 0 when it does not say."""
    sha256: str
    """Digest in hex; empty when it does not say."""


class Hub:
    """A client of the Hub.

    Args:
        sleep: Waits a number of seconds between tries.
        transport: How requests are sent; the network unless a test says otherwise.
    """

    def __init__(
        self, *, sleep: Callable[[float], None] = time.sleep, transport: httpx2.BaseTransport | None = None
    ) -> None:
        self.endpoint = (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")
        self._token = os.environ.get("HF_TOKEN", "").strip()
        self._sleep = sleep
        self._client = httpx2.Client(headers={"Accept-Encoding": "identity"}, timeout=_TIMEOUT, transport=transport)

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()

    def look(self, repo: str, revision: str, file: str) -> HubFile:
        """Returns what the Hub says of a file.

        Args:
            repo: Such as ``owner/name``.
            revision: Branch, tag or commit.
            file: Path in the repository.

        Raises:
            HubUnreachable: No answer, or an answer without the file; the message says what to do.
        """
        url = f"{self.endpoint}/{repo}/resolve/{revision}/{file}"
        place = url
        for _ in range(_MAX_REDIRECTS):
            response = self._head(place)
            tag = response.headers.get("x-linked-etag") or response.headers.get("etag") or ""
            size = response.headers.get("x-linked-size") or response.headers.get("content-length") or ""
            if "x-linked-etag" in response.headers or response.is_success:
                digest = _SHA256.search(tag)
                return HubFile(url, int(size) if size.isdigit() else 0, digest.group() if digest else "")
            if not response.has_redirect_location:
                raise _refusal(response.status_code, self.endpoint, repo, revision, file)
            place = str(response.url.join(response.headers["location"]))
        raise HubUnreachable(f"{url}: more than {_MAX_REDIRECTS} redirects")

    def _head(self, url: str) -> httpx2.Response:
        """Sends a HEAD request; an unreachable or failing server is asked once more."""
        for again in (True, False):
            try:
                response = self._client.head(url, headers=self._authorization(url))
            except (httpx2.RequestError, httpx2.InvalidURL) as error:
                if not again or isinstance(error, httpx2.InvalidURL | httpx2.UnsupportedProtocol):
                    raise HubUnreachable(
                        f"can't reach {self.endpoint}: {_reason(error)}. HF_ENDPOINT can name a mirror"
                    ) from None
            else:
                if not again or (response.status_code < 500 and response.status_code != 429):
                    return response
            self._sleep(0.5)
        raise AssertionError("unreachable")

    def _authorization(self, url: str) -> dict[str, str]:
        """Returns the header with the token, for the Hub only: a redirect may lead to anyone."""
        here = url == self.endpoint or url.startswith(f"{self.endpoint}/")
        return {"Authorization": f"Bearer {self._token}"} if self._token and here else {}

    def fetch(self, file: HubFile, partial: Path, advance: Callable[[int], None]) -> None:
        """Appends what is missing to a partial file until it is whole.

        Args:
            file: What to fetch.
            partial: Where to; what it holds already is kept. It stays when the fetch fails.
            advance: Called with the number of bytes after each block; negative when bytes are given up.

        Raises:
            HubUnreachable: The server refused, sent another file, or not a byte.
            ModelUnavailable: The connection kept breaking.
            OSError: The partial file can't be written.
        """
        failures = 0
        while True:
            before = _size(partial)
            if file.size and before == file.size:
                return
            try:
                self._stream(file, partial, advance)
                if not file.size or _size(partial) == file.size:
                    return
                problem = "the connection was closed early"
            except httpx2.RequestError as error:
                problem = _reason(error)
            except _Again as error:
                problem = str(error)
            failures = 0 if _size(partial) > before else failures + 1
            if failures >= _ATTEMPTS:
                raise _gave_up(file, f"{problem}, {_ATTEMPTS} times in a row", _size(partial))
            self._sleep(0.5 * 2**failures)

    def _stream(self, file: HubFile, partial: Path, advance: Callable[[int], None]) -> None:
        have = _size(partial)
        if file.size and have > file.size:
            advance(-have)
            partial.unlink()
            have = 0
        headers = self._authorization(file.url) | ({"Range": f"bytes={have}-"} if have else {})
        with self._client.stream("GET", file.url, headers=headers, follow_redirects=True) as response:
            if response.status_code == 416:
                advance(-have)
                partial.unlink()
                raise _Again("the server refused to go on in the middle")
            if response.status_code >= 500 or response.status_code == 429:
                raise _Again(f"the server answered {response.status_code}")
            if not response.is_success:
                raise HubUnreachable(f"{file.url}: the server answered {response.status_code}")
            start = response.headers.get("content-range", "").removeprefix("bytes ").partition("-")[0]
            goes_on = response.status_code == 206 and start == str(have)
            if have and not goes_on:
                advance(-have)
                have = 0
            with partial.open("ab" if goes_on else "wb") as out:
                for block in response.iter_bytes():  # blocks of a fixed size would lose the last when it breaks off
                    out.write(block)
                    advance(len(block))
                    have += len(block)
                    if file.size and have > file.size:
                        partial.unlink()
                        raise HubUnreachable(f"{file.url}: the server sent more than {file.size} bytes")


class _Again(Exception):
    """A failure that may pass."""


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _reason(error: Exception) -> str:
    if isinstance(error, httpx2.TimeoutException):
        return "no answer in time"
    return str(error) or type(error).__name__


def _gave_up(file: HubFile, problem: str, kept: int) -> ModelUnavailable:
    if not kept:
        return HubUnreachable(f"{file.url}: {problem}. HF_ENDPOINT can name a mirror")
    return ModelUnavailable(
        f"{file.url}: {problem}; {kept} of {file.size} bytes are kept. Run the same command again to go on from there"
    )


def _refusal(status: int, endpoint: str, repo: str, revision: str, file: str) -> HubUnreachable:
    page = f"{endpoint}/{repo}"
    if status in (401, 403):
        return HubUnreachable(
            f"{page} needs a permission ({status}): accept its terms in a browser, make an access token "
            "with read permission, and run again with HF_TOKEN set to it"
        )
    if status == 404:
        return HubUnreachable(f"{page} has no file {file!r} at revision {revision!r} (404)")
    return HubUnreachable(f"{page}: the server answered {status}")
