"""Messages as JSON, as a run's file holds them."""

from __future__ import annotations

from dataclasses import asdict

from agentkit.messages import (
    Assistant,
    JsonObject,
    Media,
    Message,
    Piece,
    System,
    Text,
    Thought,
    ToolCall,
    ToolResult,
    User,
)

__all__ = ["message_from_json", "message_to_json", "piece_from_json", "piece_to_json"]


def message_to_json(message: Message) -> JsonObject:
    """Returns a message as a JSON object; what is empty is left out."""
    match message:
        case Assistant():
            tokens = {"tokens": list(message.tokens)} if message.tokens else {}
            return {"role": "assistant", "pieces": [piece_to_json(p) for p in message.pieces]} | tokens
        case User():
            media = {"media": [asdict(m) for m in message.media]} if message.media else {}
            return {"role": "user", "text": message.text} | media
        case System() | ToolResult():
            return asdict(message)


def message_from_json(data: JsonObject) -> Message:
    """Returns the message that a JSON object stands for.

    Raises:
        ValueError: It is not one.
    """
    try:
        match data["role"]:
            case "system":
                return System(data["text"])
            case "user":
                return User(data["text"], media=tuple(Media(**m) for m in data.get("media", ())))
            case "assistant":
                pieces = tuple(piece_from_json(p) for p in data["pieces"])
                return Assistant(pieces, tokens=tuple(data.get("tokens", ())))
            case "tool":
                return ToolResult(
                    call_id=data["call_id"], name=data["name"], value=data["value"], is_error=data["is_error"]
                )
            case role:
                raise ValueError(f"{role!r} is not the role of a message")
    except (KeyError, TypeError) as error:
        raise ValueError(f"this is not a message: {data!r} ({error})") from None


def piece_to_json(piece: Piece) -> JsonObject:
    """Returns a piece of a model's turn as ``{"thought": text}``, ``{"text": text}`` or ``{"call": name, ...}``."""
    match piece:
        case Thought():
            return {"thought": piece.text}
        case Text():
            return {"text": piece.text}
        case ToolCall():
            return {"call": piece.name, "args": piece.arguments, "id": piece.id}


def piece_from_json(data: JsonObject) -> Piece:
    """Returns the piece that a JSON object stands for.

    Raises:
        KeyError: It is not one.
    """
    if "thought" in data:
        return Thought(data["thought"])
    if "text" in data:
        return Text(data["text"])
    return ToolCall(data["call"], data["args"], id=data.get("id", ""))
