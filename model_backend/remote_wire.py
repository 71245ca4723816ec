"""The chat-completions protocol of OpenAI-compatible servers: requests out, streamed chunks in.

What every server takes is in `request_body`; what only some take (llama-server, vLLM, Ollama) is in
`extensions`, so that it can be left out for a server that refuses unknown fields.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from agentkit.errors import ModelError
from agentkit.messages import Assistant, JsonObject, Message, System, Thought, ToolCall, ToolResult, User
from agentkit.model_backend.base import Delta, TurnRequest
from agentkit.model_backend.remote_media import user_content

__all__ = ["RawCall", "Reply", "extensions", "json_object", "json_objects", "request_body"]

_MAX_CHARACTERS = 4_000_000
"""Characters of one reply; a server that sends more ignores the token limit it was given."""
_THOUGHT_KEYS = ("reasoning_content", "reasoning", "thinking")
"""Where servers put the thought: llama-server and older vLLM; vLLM and Ollama; some proxies."""


def request_body(request: TurnRequest, model: str) -> JsonObject:
    """Returns the body of a streaming chat-completions request, with the fields that every server takes."""
    sampling = request.sampling
    body: JsonObject = {
        "model": model,
        "messages": [_message(message) for message in request.messages],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": request.max_tokens + request.thinking,
    }
    for key in ("temperature", "top_p", "seed"):
        if getattr(sampling, key) is not None:
            body[key] = getattr(sampling, key)
    if request.tools:
        body["tools"] = [
            {
                "type": "function",
                "function": {"name": tool.name, "description": tool.description, "parameters": tool.parameters},
            }
            for tool in request.callable_tools
        ]
        body["tool_choice"] = request.calls
        if request.max_calls == 1:
            body["parallel_tool_calls"] = False
    if request.output is not None and (not request.tools or request.calls == "none"):
        # Together with callable tools, servers either refuse a response format or make calls impossible.
        body["response_format"] = {
            "type": "json_schema",
            "json_schema": {"name": "answer", "schema": request.output, "strict": True},
        }
    return body


def extensions(request: TurnRequest) -> JsonObject:
    """Returns the fields that only some servers take: more sampling, and the switch for thinking."""
    sampling = request.sampling
    penalty = sampling.repeat_penalty
    fields = {
        "top_k": sampling.top_k,
        "min_p": sampling.min_p,
        "repeat_penalty": penalty,  # llama-server
        "repetition_penalty": penalty,  # vLLM
        "chat_template_kwargs": {"enable_thinking": request.thinking > 0},
    }
    return {key: value for key, value in fields.items() if value is not None}


def _message(message: Message) -> JsonObject:
    match message:
        case System():
            return {"role": message.role, "content": message.text}
        case User():
            return {"role": message.role, "content": user_content(message)}
        case ToolResult():
            text = message.value if isinstance(message.value, str) else json.dumps(message.value, ensure_ascii=False)
            content = f"Error: {text}" if message.is_error else text
            return {"role": "tool", "tool_call_id": message.call_id, "name": message.name, "content": content}
        case Assistant():
            return _assistant(message)


def _assistant(message: Assistant) -> JsonObject:
    body: JsonObject = {"role": "assistant", "content": message.text}
    thought = "".join(piece.text for piece in message.pieces if isinstance(piece, Thought))
    if thought and message.calls:  # models that think expect the thought back until the turn is over
        body["reasoning_content"] = thought
    if message.calls:
        body["tool_calls"] = [_call(call) for call in message.calls]
    return body


def _call(call: ToolCall) -> JsonObject:
    arguments = json.dumps(call.arguments, ensure_ascii=False)
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}}


@dataclass(slots=True)
class RawCall:
    """A call as the server sent it, not parsed or checked."""

    id: str = ""
    name: str = ""
    arguments: str = ""


@dataclass(slots=True)
class Reply:
    """A reply, put together from chunks."""

    thought: str = ""
    text: str = ""
    calls: list[RawCall] = field(default_factory=list[RawCall])
    finish: str = ""
    """Why it ended, in the server's words; empty while it has not."""
    usage: JsonObject = field(default_factory=dict[str, Any])
    answered: bool = False
    """Whether there was a choice at all."""
    _by_index: dict[int, RawCall] = field(default_factory=dict[int, RawCall])
    _characters: int = 0

    def add(self, chunk: object) -> Iterator[Delta]:
        """Adds a chunk (or a whole completion) and yields what is new in it.

        Raises:
            ModelError: The chunk is not what the protocol says, or the reply is endless.
        """
        data = json_object(chunk)
        if not isinstance(chunk, dict):
            raise ModelError(f"the server sent {str(chunk)[:80]!r} where a chunk of a reply belongs")
        self.usage = json_object(data.get("usage")) or self.usage
        for choice in json_objects(data.get("choices"))[:1]:
            self.answered = True
            self.finish = choice.get("finish_reason") or self.finish
            yield from self._add_delta(json_object(choice.get("delta") or choice.get("message")))

    def _add_delta(self, delta: JsonObject) -> Iterator[Delta]:
        if thought := next((delta[key] for key in _THOUGHT_KEYS if isinstance(delta.get(key), str)), ""):
            self.thought += self._counted(thought)
            yield Delta(kind="thought", text=thought)
        if isinstance(delta.get("content"), str) and delta["content"]:
            self.text += self._counted(delta["content"])
            yield Delta(kind="text", text=delta["content"])
        for part in json_objects(delta.get("tool_calls")):
            if text := self._add_call(part):
                yield Delta(kind="call", text=text)

    def _add_call(self, part: JsonObject) -> str:
        """Adds a part of a call to the call it belongs to; returns what is new of it."""
        function = json_object(part.get("function"))
        id, name = _text(part.get("id")), _text(function.get("name"))
        arguments = _text(function.get("arguments"))
        call = self._call_of(part.get("index"), id, name)
        call.id = call.id or id
        call.name = call.name or name
        call.arguments += self._counted(arguments)
        return f"{name} {arguments}" if name else arguments

    def _call_of(self, index: object, id: str, name: str) -> RawCall:
        """Returns the call that a part belongs to, a new one where the part begins it."""
        if isinstance(index, int):
            call = self._by_index.get(index)
            begins = bool(call and id and call.id and id != call.id)  # some servers send index 0 for every call
        else:
            call = self.calls[-1] if self.calls else None
            begins = id != call.id if call and id else bool(name)
        if call is None or begins:
            call = RawCall()
            self.calls.append(call)
            if isinstance(index, int):
                self._by_index[index] = call
        return call

    def _counted(self, text: str) -> str:
        self._characters += len(text)
        if self._characters > _MAX_CHARACTERS:
            raise ModelError(f"the server's reply has no end: more than {_MAX_CHARACTERS} characters")
        return text


def _text(value: object) -> str:
    """Returns what should be text; Ollama's own format has an object where the arguments belong."""
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value)


def json_object(value: object) -> JsonObject:
    """Returns a value that should be a JSON object; an empty one when it is something else."""
    return cast("JsonObject", value) if isinstance(value, dict) else {}


def json_objects(value: object) -> Sequence[JsonObject]:
    """Returns the objects of what should be a list of objects."""
    items = cast("list[object]", value) if isinstance(value, list) else []
    return [found for item in items if (found := json_object(item))]
