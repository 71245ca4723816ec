"""Messages as chat templates expect them: the dictionaries of the OpenAI chat API."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from agentkit.messages import Assistant, JsonObject, JsonValue, Message, System, Text, ToolCall, ToolResult, User
from agentkit.model_backend.base import ToolSpec
from agentkit.model_backend.formats.call_style import CallStyle

__all__ = [
    "calls_as_text",
    "declaration",
    "fold_system",
    "results_as_user",
    "result_text",
    "template_messages",
    "tools_as_system",
    "with_system",
]

Put = Callable[[str], str]


def declaration(tool: ToolSpec) -> JsonObject:
    """Returns a tool in the OpenAI function form. Keys stand in the order that models were trained on."""
    function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return {"type": "function", "function": function}


def template_messages(messages: Sequence[Message], put: Put, put_risky: Callable[[Any], Any]) -> list[JsonObject]:
    """Returns the messages for a template.

    Args:
        messages: The conversation.
        put: Replaces an untrusted text by a stand-in.
        put_risky: The same for the strings in a JSON value that need it.
    """
    ids: dict[str, str] = {}

    def short_id(call_id: str) -> str:
        # Mistral's templates insist on nine letters and digits.
        return ids.setdefault(call_id, f"call{len(ids):05d}")

    rendered: list[JsonObject] = []
    for message in messages:
        match message:
            case System(text) | User(text):
                rendered.append({"role": message.role, "content": put(text)})
            case Assistant():
                rendered.append(_assistant(message, put, put_risky, short_id))
            case ToolResult(call_id, name):
                content = put(result_text(message))
                rendered.append({"role": "tool", "name": name, "tool_call_id": short_id(call_id), "content": content})
    return rendered


def _assistant(message: Assistant, put: Put, put_risky: Callable[[Any], Any], short_id: Put) -> JsonObject:
    turn: JsonObject = {"role": "assistant", "content": put(message.text)}
    if message.calls:
        turn["tool_calls"] = [
            {
                "type": "function",
                "id": short_id(call.id),
                "function": {"name": call.name, "arguments": put_risky(call.arguments)},
            }
            for call in message.calls
        ]
    return turn


def result_text(result: ToolResult) -> str:
    """Returns a result as a model reads it: text as it is, all else as JSON."""
    text = result.value if isinstance(result.value, str) else _json(result.value)
    return f"Error: {text}" if result.is_error else text


def calls_as_text(calls: Sequence[ToolCall], style: CallStyle) -> str:
    """Returns calls as a model would have written them."""
    written = [
        f"{style.before}{style.to_name}{_json(call.name)}{style.to_arguments}{_json(call.arguments)}{style.to_end}"
        f"{style.after}"
        for call in calls
    ]
    return style.opening + style.between.join(written) + style.closing


def with_system(messages: Sequence[Message], text: str) -> list[Message]:
    """Returns the messages with a text added to the system message, which is made if there is none."""
    if messages and isinstance(messages[0], System):
        first = messages[0]
        return [replace(first, text=f"{first.text}\n\n{text}".strip()), *messages[1:]]
    return [System(text), *messages]


def tools_as_system(tools: Sequence[ToolSpec], style: CallStyle) -> str:
    """Returns the words that declare tools where the template does not."""
    listed = "\n".join(_json(declaration(tool)["function"]) for tool in tools)
    example = calls_as_text([ToolCall("the tool's name", {"parameter": "value"})], style)
    return f"You can call these tools:\n{listed}\n\nTo call a tool, write:\n{example}"


def results_as_user(messages: Sequence[Message], style: CallStyle) -> list[Message]:
    """Returns the messages with calls as text and results as user messages, for templates that know neither."""
    changed: list[Message] = []
    for message in messages:
        if isinstance(message, ToolResult):
            text = f"Result of {message.name}:\n{result_text(message)}"
            previous = changed[-1] if changed else None
            if isinstance(previous, User):  # roles have to alternate in many of these templates
                changed[-1] = User(f"{previous.text}\n\n{text}")
            else:
                changed.append(User(text))
        elif isinstance(message, Assistant) and message.calls:
            changed.append(_calls_in_text(message, style))
        else:
            changed.append(message)
    return changed


def _calls_in_text(message: Assistant, style: CallStyle) -> Assistant:
    parts = [message.text, calls_as_text(message.calls, style)]
    return Assistant((Text("\n".join(part for part in parts if part)),))


def fold_system(messages: Sequence[Message]) -> list[Message]:
    """Returns the messages with the system message put in front of the first user message."""
    if not messages or not isinstance(messages[0], System):
        return list(messages)
    system, rest = messages[0], list(messages[1:])
    if rest and isinstance(rest[0], User):
        return [User(f"{system.text}\n\n{rest[0].text}"), *rest[1:]]
    return [User(system.text), *rest]


def _json(value: JsonValue) -> str:
    return json.dumps(value, ensure_ascii=False)
