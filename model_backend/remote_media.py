"""Images and sounds as the chat-completions protocol carries them: whole, inside the message."""

from __future__ import annotations

import base64
import mimetypes
from pathlib import Path

from agentkit.errors import UsageError
from agentkit.messages import JsonObject, Media, User, is_array

__all__ = ["user_content", "without_media"]

_MEDIA_CHARACTERS = " " * 1000
"""What media are counted as: some hundred tokens, whatever their size."""
_SOUNDS = {"audio/wav": "wav", "audio/x-wav": "wav", "audio/mpeg": "mp3"}


def user_content(message: User) -> str | list[JsonObject]:
    """Returns the content of a user's message: its text, or its media and its text.

    Raises:
        UsageError: A file can't be read, or is of a kind that the protocol does not carry.
    """
    if not message.media:
        return message.text
    return [*map(_part, message.media), {"type": "text", "text": message.text}]


def without_media(message: JsonObject) -> JsonObject:
    """Returns a message of the protocol with something short in the place of its media."""
    content = message["content"]
    return {**message, "content": [p.get("text", _MEDIA_CHARACTERS) for p in content]} if is_array(content) else message


def _part(media: Media) -> JsonObject:
    kind, data = _read(media.source)
    if media.kind == "image" and kind.startswith("image/"):
        return {"type": "image_url", "image_url": {"url": f"data:{kind};base64,{data}"}}
    if media.kind == "audio" and kind in _SOUNDS:
        return {"type": "input_audio", "input_audio": {"data": data, "format": _SOUNDS[kind]}}
    raise UsageError(
        f"{media.source[:80]!r} ({kind or 'of a type unknown'}) can't be sent to a server as {media.kind}: "
        "it takes images, and sounds as WAV or MP3"
    )


def _read(source: str) -> tuple[str, str]:
    """The type and the bytes in base64."""
    if source.startswith("data:"):
        head, _, data = source.removeprefix("data:").partition(",")
        if not head.endswith(";base64"):
            raise UsageError(f"{source[:80]!r} is no media: a data: URL of media has ';base64,' before the bytes")
        return head.removesuffix(";base64"), data
    try:
        content = Path(source).read_bytes()
    except (OSError, ValueError) as e:
        raise UsageError(f"can't read the media {source[:80]!r}: {getattr(e, 'strerror', None) or e}") from e
    return mimetypes.guess_type(source)[0] or "", base64.b64encode(content).decode()
