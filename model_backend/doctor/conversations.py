"""Conversations that are written twice: by agentkit, and by the chat template in the file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agentkit.messages import Assistant, JsonObject, Message, System, Text, Thought, ToolCall, ToolResult, User
from agentkit.model_backend.base import ToolSpec, TurnRequest
from agentkit.model_backend.formats.conversation import result_text

__all__ = ["CONVERSATIONS", "Conversation", "template_messages"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """A conversation up to where the model is to go on."""

    name: str
    request: TurnRequest
    native: bool = False
    """Whether the template gets results in the form of Google's own examples, inside the model's message."""
    difference: str = ""
    """How the template is known to differ here, on purpose."""


WEATHER = ToolSpec(
    name="get_weather",
    description="Get the current weather.",
    parameters={
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "City name"},
            "days": {"type": "integer"},
            "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
        },
        "required": ["city"],
    },
)
_LIMITED = ToolSpec(
    name="set_volume",
    description="Set the volume.",
    parameters={
        "type": "object",
        "properties": {
            "level": {"type": "integer", "description": "Percent", "minimum": 0, "maximum": 100},
            "room": {"anyOf": [{"type": "string", "pattern": "^[a-z]+$"}, {"type": "null"}]},
        },
        "required": ["level"],
    },
)

_SYSTEM = System("You are a helpful assistant.")
_ASKED: tuple[Message, ...] = (_SYSTEM, User("Weather in Tokyo?"))
_TOKYO = ToolCall("get_weather", {"city": "Tokyo", "days": 1, "unit": "celsius"}, "call00000")
_PARIS = ToolCall("get_weather", {"city": "Paris"}, "call00001")
_THOUGHT = Thought("I need get_weather.")


def _request(*messages: Message, tools: Sequence[ToolSpec] = (WEATHER,), thinking: bool = False) -> TurnRequest:
    return TurnRequest(messages=messages, tools=tools, thinking=64 if thinking else 0)


def _result(call: ToolCall, value: object, *, is_error: bool = False) -> ToolResult:
    return ToolResult(call.id, call.name, value, is_error)  # type: ignore[arg-type]


CONVERSATIONS: tuple[Conversation, ...] = (
    Conversation(name="chat, thinking off", request=_request(_SYSTEM, User("What is 17*3?"), tools=())),
    Conversation(name="chat, thinking on", request=_request(_SYSTEM, User("What is 17*3?"), tools=(), thinking=True)),
    Conversation(name="tools declared", request=_request(*_ASKED)),
    Conversation(name="a tool's result", request=_request(*_ASKED, Assistant((_TOKYO,)), _result(_TOKYO, "15, sunny"))),
    Conversation(
        name="a tool's result, thinking on",
        request=_request(*_ASKED, Assistant((_THOUGHT, _TOKYO)), _result(_TOKYO, "15, sunny"), thinking=True),
    ),
    Conversation(
        name="a result with fields",
        request=_request(*_ASKED, Assistant((_TOKYO,)), _result(_TOKYO, {"alert": None, "rain": False, "temp": 15})),
        native=True,
    ),
    Conversation(
        name="two calls at once",
        request=_request(*_ASKED, Assistant((_TOKYO, _PARIS)), _result(_TOKYO, "15"), _result(_PARIS, "11")),
    ),
    Conversation(
        name="thoughts of earlier turns",
        request=_request(
            *_ASKED,
            Assistant((_THOUGHT, _TOKYO)),
            _result(_TOKYO, "15"),
            Assistant((Thought("Now answer."), Text("15 degrees."))),
            User("Thanks"),
            thinking=True,
        ),
    ),
    Conversation(
        name="a failed call",
        request=_request(*_ASKED, Assistant((_TOKYO,)), _result(_TOKYO, "timeout", is_error=True)),
        difference="it has no form for errors, which agentkit writes as {error:...}",
    ),
    Conversation(
        name="limits in a declaration",
        request=_request(_SYSTEM, User("Louder"), tools=(_LIMITED,)),
        difference="it drops what its declarations have no place for, which agentkit says in the descriptions",
    ),
)


def template_messages(conversation: Conversation) -> list[JsonObject]:
    """Returns the conversation's messages as chat templates expect them."""
    written: list[JsonObject] = []
    for message in conversation.request.messages:
        match message:
            case System(text) | User(text):
                written.append({"role": message.role, "content": text})
            case Assistant():
                written.append(_assistant(message))
            case ToolResult() if conversation.native:
                response = {"name": message.name, "response": message.value}
                written[-1].setdefault("tool_responses", []).append(response)
            case ToolResult(call_id, name):
                content = result_text(message)
                written.append({"role": "tool", "tool_call_id": call_id, "name": name, "content": content})
    return written


def _assistant(message: Assistant) -> JsonObject:
    turn: JsonObject = {"role": "assistant", "content": message.text}
    thoughts = [piece.text for piece in message.pieces if isinstance(piece, Thought)]
    if thoughts:
        turn["reasoning"] = turn["reasoning_content"] = "\n".join(thoughts)
    if message.calls:
        turn["tool_calls"] = [
            {"type": "function", "id": call.id, "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.calls
        ]
    return turn
