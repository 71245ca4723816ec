"""HTTP to an OpenAI-compatible server: one request, its stream of chunks, and what its failures mean."""

from __future__ import annotations

import json
import os
import re
from collections.abc import AsyncGenerator
from typing import Any

import httpx2

from agentkit.errors import AgentkitError, LimitReached, ModelError, ModelUnavailable, UsageError
from agentkit.messages import JsonObject
from agentkit.model_backend.remote_wire import json_object, json_objects

__all__ = ["Refused", "Retryable", "base_url", "chunks", "key_header", "model_names", "retry_wait"]

_BUSY = (408, 425, 429, 500, 502, 503, 504)
"""Status codes that may pass."""
_LONGEST_WAIT = 30.0
"""Seconds; a server that asks for more is not asked again."""
_LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")
_CONTEXT_WORDS = ("context_length", "exceed_context", "context size", "context length", "context window")


class Retryable(Exception):
    """A failure that may pass.

    Attributes:
        error: What to raise when it does not.
        after: Seconds that the server asks to wait; 0 when it does not say.
    """

    def __init__(self, error: AgentkitError, after: float = 0.0) -> None:
        super().__init__(str(error))
        self.error = error
        self.after = after

    @property
    def hopeless(self) -> bool:
        """Whether the server asks to wait for longer than anyone would."""
        return self.after > _LONGEST_WAIT


class Refused(Exception):
    """The server does not take the request as it is written."""


def retry_wait(attempt: int, after: float) -> float:
    """Returns the seconds to wait after a failed attempt, counted from 1."""
    return after or 0.5 * 2.0 ** (attempt - 1)


def base_url(url: str) -> httpx2.URL:
    """Returns the URL of a server's API; one that names no version such as ``/v1`` gets this one.

    Raises:
        UsageError: It can't be one.
    """
    try:
        parsed = httpx2.URL(url.strip().rstrip("/"))
    except httpx2.InvalidURL as error:
        raise UsageError(f"{url!r} is not a URL: {error}") from None
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise UsageError(f"{url!r} is not the URL of a server; expected something like http://localhost:8080/v1")
    if parsed.userinfo:
        raise UsageError(
            f"the URL of {parsed.host!r} holds a name or password, which a run's file would show; "
            "set AGENTKIT_API_KEY instead"
        )
    path = parsed.path.rstrip("/").removesuffix("/chat/completions")
    versioned = any(re.match(r"v\d", part) for part in path.split("/"))
    return parsed.copy_with(raw_path=(path if versioned else f"{path}/v1").encode(), fragment=None)


def key_header(base: httpx2.URL) -> dict[str, str]:
    """Returns the header with the user's key for a server; empty without one.

    ``OPENAI_API_KEY`` was made for another server, so it never goes over an open wire.
    """
    key = os.environ.get("AGENTKIT_API_KEY")
    if not key and (base.scheme == "https" or base.host in _LOCAL_HOSTS):
        key = os.environ.get("OPENAI_API_KEY")
    return {"Authorization": f"Bearer {key.strip()}"} if key else {}


async def model_names(client: httpx2.AsyncClient, base: httpx2.URL) -> list[str]:
    """Returns the names of the models that a server lists.

    Raises:
        Retryable: The server is busy or can't be reached.
        ModelUnavailable: It refuses the key.
    """
    try:
        response = await client.get(f"{base}/models", timeout=30.0)
    except httpx2.TransportError as error:
        raise _unreachable(base, error) from None
    if not response.is_success:
        raise _failure(base, "", response.status_code, response.headers, response.text)
    try:
        return [str(model["id"]) for model in response.json()["data"]]
    except (ValueError, KeyError, TypeError):
        return []


async def chunks(client: httpx2.AsyncClient, base: httpx2.URL, body: JsonObject) -> AsyncGenerator[Any]:
    """Sends a request and yields the chunks of the reply; a whole completion is yielded as one.

    Raises:
        Retryable: The server is busy, can't be reached, or the stream broke off.
        Refused: It does not take the request as it is written.
        ModelUnavailable: It refuses the key, or has no such model.
        LimitReached: The prompt does not fit the context.
        ModelError: Anything else.
    """
    try:
        async with client.stream("POST", f"{base}/chat/completions", json=body) as response:
            kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
            if response.status_code != 200:
                text = (await response.aread()).decode("utf-8", "replace")
                raise await _explained(client, base, str(body["model"]), response, text)
            if kind == "application/json":
                completion = _json(base, (await response.aread()).decode("utf-8", "replace"))
                _raise_error(base, body, response, completion)
                yield completion
                return
            finished = False
            async for event in httpx2.EventSource(response):
                finished = finished or event.data.strip() == "[DONE]"
                if event.data.strip() in ("", "[DONE]"):
                    continue
                chunk = _json(base, event.data)
                _raise_error(base, body, response, chunk)
                finished = finished or _is_last(chunk)
                yield chunk
            if not finished:
                raise Retryable(ModelError(f"{base}: the stream ended before the reply did"))
    except httpx2.SSEError as error:
        raise ModelError(f"{base} does not answer like an OpenAI-compatible server: {error}") from None
    except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
        raise _unreachable(base, error) from None
    except httpx2.TransportError as error:
        raise Retryable(ModelError(f"{base}: the connection broke: {str(error) or type(error).__name__}")) from None


def _raise_error(base: httpx2.URL, body: JsonObject, response: httpx2.Response, chunk: Any) -> None:
    """Raises the error that a server reports after it has said that all is well."""
    if json_object(chunk).get("error"):
        raise _failure(base, str(body["model"]), 400, response.headers, json.dumps(chunk))


def _is_last(chunk: Any) -> bool:
    """Whether a chunk says why the reply ended; not every server sends ``[DONE]`` after it."""
    return any(choice.get("finish_reason") for choice in json_objects(json_object(chunk).get("choices")))


def _json(base: httpx2.URL, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ModelError(f"{base}: the server sent {text[:80]!r} where JSON belongs") from None


def _unreachable(base: httpx2.URL, error: Exception) -> Retryable:
    return Retryable(
        ModelUnavailable(f"no server at {base} ({str(error) or 'no answer'}); start it, or correct the URL")
    )


async def _explained(
    client: httpx2.AsyncClient, base: httpx2.URL, model: str, response: httpx2.Response, text: str
) -> Exception:
    """Returns what a refusal means; for a model that is not there, with the models that are."""
    found = _failure(base, model, response.status_code, response.headers, text)
    if response.status_code == 404:
        try:
            names = await model_names(client, base)
        except (Retryable, AgentkitError):
            names = []
        if names and model not in names:
            return ModelUnavailable(f"{base} has no model {model!r}; it has: {_line(', '.join(names))}")
    return found


def _failure(base: httpx2.URL, model: str, status: int, headers: httpx2.Headers, text: str) -> Exception:
    """Returns the error that a status code and its text stand for."""
    said = _message(text)
    if status in (401, 403):
        return ModelUnavailable(f"{base} refuses the key ({status}); set AGENTKIT_API_KEY to one that it knows")
    if status == 404:
        return ModelUnavailable(f"{base} has no chat completions, or no model {model!r} (404): {said}")
    if any(word in text.lower() for word in _CONTEXT_WORDS) and status in (400, 413, 422, 500):
        return LimitReached(f"{base}: the prompt does not fit the model's context: {said}", reason="context_full")
    if status in _BUSY:
        after = headers.get("retry-after") or ""
        seconds = float(after) if after.replace(".", "", 1).isdigit() else 0.0
        return Retryable(ModelError(f"{base}: the server answered {status}: {said}"), seconds)
    if status in (400, 422):
        return Refused(f"{base}: the server refuses the request ({status}): {said}")
    if 300 <= status < 400:
        return ModelError(f"{base} redirects to {headers.get('location')!r}; use that URL if you trust it")
    return ModelError(f"{base}: the server answered {status}: {said}")


def _message(text: str) -> str:
    """Returns the server's message, in one line of bounded length."""
    try:
        body = json_object(json.loads(text))
    except (ValueError, RecursionError):
        body = {}
    error = body.get("error", body)
    message = json_object(error).get("message") or (error if isinstance(error, str) else text)
    return _line(str(message)) or "no explanation"


def _line(text: str) -> str:
    """Returns text from a server as one line of bounded length that does nothing to a terminal."""
    words = " ".join(text[:1000].split())[:300]
    return "".join(char if char.isprintable() else "?" for char in words)
