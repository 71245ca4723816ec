"""A model behind an OpenAI-compatible server: llama-server, vLLM, Ollama, Ray Serve.

There is no control over tokens here, so what a local model can't get wrong is checked after: a turn that
does not fit is asked for once more, with what was wrong. No tool runs before a turn is whole and checked,
so asking again repeats no effect.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import httpx2

from agentkit.errors import ModelError, ModelUnavailable
from agentkit.messages import JsonObject, Usage
from agentkit.model_backend.base import Emit, ModelInfo, Turn, TurnRequest
from agentkit.model_backend.remote_check import make_turn, problems, repair_request
from agentkit.model_backend.remote_http import (
    Refused,
    Retryable,
    base_url,
    chunks,
    key_header,
    model_names,
    retry_wait,
)
from agentkit.model_backend.remote_media import without_media
from agentkit.model_backend.remote_wire import Reply, extensions, json_object, request_body

__all__ = ["RemoteModel"]

_ATTEMPTS = 4
"""Times a request is sent when the server is busy, failing or gone."""
_CONNECT_SECONDS = 5.0
_TOKENS_PER_CHARACTER = 0.3
"""First guess; each reply's own count corrects it."""


class RemoteModel:
    """A model on an OpenAI-compatible server.

    The key is read from ``AGENTKIT_API_KEY``, else from ``OPENAI_API_KEY``; the latter is only sent over
    https or to this machine, as it was made for another server.

    Args:
        url: The server, with or without ``/v1``.
        model: The model's name on the server; the first that the server lists by default.
        timeout: Seconds that one reply may take, from request to last token.
        sleep: Waits a number of seconds between attempts.

    Raises:
        UsageError: The URL can't be used.
    """

    def __init__(
        self,
        url: str,
        *,
        model: str | None = None,
        timeout: float = 600.0,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._base = base_url(url)
        self._model = model
        self._timeout = timeout
        self._sleep = sleep
        self._extensions = True
        self._ratio = _TOKENS_PER_CHARACTER

    @property
    def info(self) -> ModelInfo:
        """What the model is. The context size is 0: servers have no common way to say it."""
        name = f"{self._base}#{self._model}" if self._model else str(self._base)
        return ModelInfo(name=name, kind="remote", context=0, format="chat-completions")

    async def turn(self, request: TurnRequest, emit: Emit | None = None) -> Turn:
        """Asks the server for one turn, and once more if it does not fit the request.

        Args:
            request: What is asked.
            emit: Called with each bit as it comes, also with those of a reply that is then asked for again.

        Raises:
            ModelError: The server failed, took too long, or gave a turn that does not fit, twice.
            ModelUnavailable: There is no server, it refuses the key, or it has no such model.
            LimitReached: The prompt does not fit the model's context.
        """
        notes: list[str] = []
        reply, usage = await self._ask(request, emit, notes)
        if wrong := problems(request, reply):
            notes.append(f"asked again, because the turn did not fit: {'; '.join(wrong)}")
            request = repair_request(request, reply, wrong)
            reply, more = await self._ask(request, emit, notes)
            usage = replace(usage + more, turns=1)
            if wrong := problems(request, reply):
                raise ModelError(f"{self.info.name}: the model's turn does not fit, twice: {'; '.join(wrong)}")
        return make_turn(request, reply, usage, notes)

    async def count(self, request: TurnRequest) -> int:
        """Returns an estimate of the prompt's tokens, from the tokens per character of the turns so far."""
        return round(_prompt_characters(request_body(request, "")) * self._ratio)

    def close(self) -> None:
        """Does nothing: no connection outlives its turn."""

    async def _ask(self, request: TurnRequest, emit: Emit | None, notes: list[str]) -> tuple[Reply, Usage]:
        """Sends a request until it is answered or hopeless; returns the reply and what it cost."""
        attempt = 0
        extended = self._extensions
        while True:
            attempt += 1
            try:
                answer = await self._send(request, emit, notes, extended=extended)
            except Refused as refused:
                if not extended:
                    raise ModelError(str(refused)) from None
                extended = False
                notes.append(f"sent again with the common fields only (no top_k, min_p, thinking switch): {refused}")
            except Retryable as problem:
                if attempt >= _ATTEMPTS or problem.hopeless:
                    raise problem.error from None
                notes.append(f"sent again: {problem.error}")
                await self._sleep(retry_wait(attempt, problem.after))
            else:
                self._extensions = extended
                return answer

    async def _send(
        self, request: TurnRequest, emit: Emit | None, notes: list[str], *, extended: bool
    ) -> tuple[Reply, Usage]:
        """Sends a request once."""
        clock = _Clock()
        reply = Reply()
        async with httpx2.AsyncClient(
            headers=key_header(self._base), verify=self._ssl, timeout=httpx2.Timeout(None, connect=_CONNECT_SECONDS)
        ) as client:
            try:
                async with asyncio.timeout(self._timeout):
                    self._model = self._model or await self._first_model(client)
                    body = request_body(request, self._model) | (extensions(request) if extended else {})
                    async with aclosing(chunks(client, self._base, body)) as stream:
                        async for chunk in stream:
                            for delta in reply.add(chunk):
                                clock.first()
                                if emit is not None:
                                    emit(delta)
            except TimeoutError:
                raise ModelError(f"{self._base}: no whole reply within {self._timeout:g} s") from None
        if not reply.answered:
            raise ModelError(f"{self._base}: the server's reply has no choices")
        return reply, self._usage(body, reply, clock, notes)

    async def _first_model(self, client: httpx2.AsyncClient) -> str:
        names = await model_names(client, self._base)
        if not names:
            raise ModelUnavailable(f"{self._base} lists no models; name one behind the URL: {self._base}#NAME")
        return names[0]

    @cached_property
    def _ssl(self) -> Any:
        """Certificates, read once: it takes longer than the rest of a request to a local server."""
        return httpx2.create_ssl_context() if self._base.scheme == "https" else False

    def _usage(self, body: JsonObject, reply: Reply, clock: _Clock, notes: list[str]) -> Usage:
        prompt, output = (reply.usage.get(key) for key in ("prompt_tokens", "completion_tokens"))
        calls = sum(len(call.name) + len(call.arguments) for call in reply.calls)
        characters = len(reply.thought) + len(reply.text) + calls
        if isinstance(prompt, int) and isinstance(output, int):
            self._ratio = max(prompt, 1) / _prompt_characters(body)
        else:
            notes.append("the server does not say what the turn cost: its tokens are estimated")
            prompt = round(_prompt_characters(body) * self._ratio)
            output = round(characters * self._ratio)
        thought = _detail(reply.usage, "completion_tokens_details", "reasoning_tokens")
        waited, decoded = clock.seconds()
        return Usage(
            turns=1,
            prompt_tokens=prompt,
            reused_tokens=_detail(reply.usage, "prompt_tokens_details", "cached_tokens"),
            output_tokens=output,
            thought_tokens=thought or round(output * len(reply.thought) / max(characters, 1)),
            prompt_seconds=waited,
            output_seconds=decoded,
        )


@dataclass(slots=True)
class _Clock:
    """When a request was sent and when its first bit came, in seconds."""

    start: float = 0.0
    begun: float = 0.0

    def __post_init__(self) -> None:
        self.start = time.perf_counter()

    def first(self) -> None:
        self.begun = self.begun or time.perf_counter()

    def seconds(self) -> tuple[float, float]:
        """Returns the seconds until the first bit, and from there until now."""
        now = time.perf_counter()
        begun = self.begun or now
        return begun - self.start, now - begun


def _prompt_characters(body: JsonObject) -> int:
    """Returns the length of what becomes the prompt."""
    return len(str(list(map(without_media, body["messages"])))) + len(str(body.get("tools", "")))


def _detail(usage: JsonObject, group: str, key: str) -> int:
    value = json_object(usage.get(group)).get(key)
    return value if isinstance(value, int) else 0
