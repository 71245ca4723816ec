r"""Reads the text of a call, ``call:NAME{key:value,...}``, forgiving what models are known to get wrong.

Whatever is not written as the format has it is read only where one reading is left, and is noted. Where several
are, there is no call: arguments are never guessed.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from json.decoder import py_scanstring  # type: ignore[attr-defined] # pyright: ignore[reportAttributeAccessIssue,reportUnknownVariableType]  # no stub
from typing import Any, cast

from agentkit.messages import JsonObject, JsonValue
from agentkit.model_backend.constraint.gemma4_strings import BARE_KEY

__all__ = ["CallText", "ReadCall", "UnreadableCall", "read_call"]

MAX_DEPTH = 100
"""Values nested deeper are no call: no schema asks for them, and recursion has an end."""

_NAME = re.compile(r"\s*call:\s*([\w.\-]+)\s*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_EXACT = re.compile(rf"(?:true|false|null|{_NUMBER.pattern})(?=\s*[,}}\])])")
_NEXT_KEY = re.compile(r"\s*(?:[\w@$][\w.\-@$]*\s*:|[\"'\uffff])")
_KEY_IN_TEXT = re.compile(r"[\s;,][A-Za-z_@$][\w.\-@$]*\s*:(?!//)")
_CLOSERS = re.compile(r"[\s\]}]*$")
_WORDS: dict[str, JsonValue] = {"true": True, "false": False, "null": None}
_OTHER_WORDS: dict[str, JsonValue] = {"True": True, "False": False, "None": None, "none": None, "nil": None}


_scan_string = cast(Callable[[str, int, bool], tuple[str, int]], py_scanstring)


class UnreadableCall(Exception):
    """The text is no call; the message says why, in a few words."""


@dataclass(slots=True)
class CallText:
    """The inside of a call: text, and the places where a quote token stands (U+FFFF in the text)."""

    quote: str
    """How the quote token is spelled."""
    text: str = ""
    quotes: set[int] = field(default_factory=set[int])

    def add_quote(self) -> None:
        """Appends a quote token."""
        self.quotes.add(len(self.text))
        self.text += "\uffff"

    @property
    def in_string(self) -> bool:
        """Whether a string has begun and not ended."""
        return len(self.quotes) % 2 == 1

    def spelled(self, begin: int = 0) -> str:
        """Returns the text from ``begin`` on, with its quote tokens spelled out."""
        return "".join(self.quote if i in self.quotes else c for i, c in enumerate(self.text[begin:], begin))


@dataclass(frozen=True, slots=True)
class ReadCall:
    """A call as it was read."""

    name: str
    arguments: JsonObject
    notes: tuple[str, ...]
    """How the text differed from what the format says."""
    rest: str
    """Text after the arguments."""


def read_call(source: CallText, *, ended: bool) -> ReadCall:
    """Returns the call that the text holds.

    Args:
        source: The text after the call token.
        ended: Whether the model said that the call is over. If so, closers that it forgot are added;
            if not, a call without them was cut, and half a call is no call.

    Raises:
        UnreadableCall: The text holds no call, or not one only.
    """
    head = _NAME.match(source.text)
    if not head:
        raise UnreadableCall("no function name after 'call:'")
    reader = _Reader(source, head.end(), ended)
    arguments = reader.arguments()
    rest = source.text[reader.at :]
    if extra := _CLOSERS.fullmatch(rest):
        if extra.group().strip():
            reader.note("extra closing bracket")
        rest = ""
    return ReadCall(head[1], arguments, tuple(reader.notes), rest)


class _Reader:
    def __init__(self, source: CallText, at: int, ended: bool) -> None:
        self.text, self.quotes, self.quote = source.text, source.quotes, source.quote
        self.at: int = at
        self.ended = ended
        self.notes: list[str] = []
        self._open: list[str] = []

    def note(self, what: str) -> None:
        if what not in self.notes:
            self.notes.append(what)

    def arguments(self) -> JsonObject:
        match self._peek():
            case "{":
                return self._object("}")
            case "[" | "(" as bracket:
                self.note(f"arguments in {bracket!r} instead of '{{'")
                return self._bracketed("]" if bracket == "[" else ")")
            case "" if self.ended:
                self.note("no argument list")
                return {}
            case _:
                raise UnreadableCall("no '{' after the function name")

    def _bracketed(self, closer: str) -> JsonObject:
        """``call:f[a:1]`` or ``call:f[{a:1}]``."""
        start = self.at
        self.at += 1
        if self._peek() != "{":
            self.at = start
            return self._object(closer)
        arguments = self._object("}")
        if self._peek() == closer:
            self.at += 1
        return arguments

    # One value

    def _value(self) -> JsonValue:
        if len(self._open) > MAX_DEPTH:
            raise UnreadableCall(f"values nested more than {MAX_DEPTH} deep")
        char = self._peek()
        if not char:
            raise UnreadableCall("the call ends where a value should stand")
        if self.at in self.quotes:
            return self._quoted()
        if self.text.startswith(self.quote, self.at):
            return self._spelled_quotes()
        if char == "{":
            return self._object("}")
        if char == "[":
            return self._array()
        if char == '"':
            return self._json_string()
        if char == "'":
            return self._single_quoted()
        return self._bare()

    def _quoted(self) -> str:
        """Text between two quote tokens."""
        begin = self.at + 1
        end = min((i for i in self.quotes if i >= begin), default=None)
        if end is not None:
            self.at = end + 1
            return self.text[begin:end]
        if not self.ended:
            raise UnreadableCall("the call ends inside a string")
        self.note("string without an end")
        self.at = len(self.text)
        body = self.text[begin:]
        if _KEY_IN_TEXT.search(body) or ("," in body and self._open[-1] == "]"):
            raise UnreadableCall("a string without an end, with what may be more values in it")
        closers = "".join(reversed(self._open))
        if body.rstrip().endswith(closers):
            body = body.rstrip()[: -len(closers)]
            self.at = begin + len(body)
        return body

    def _spelled_quotes(self) -> str:
        """The quote token written with ordinary characters."""
        self.note("quotes spelled out")
        begin, length = self.at, len(self.quote)
        end = self.text.find(self.quote, begin + length)
        if end < 0:
            raise UnreadableCall("the call ends inside a string")
        self.at = end + length
        self._no_quotes_between(begin)
        return self.text[begin + length : end]

    def _json_string(self) -> str:
        self.note("JSON-style string")
        begin = self.at
        value = self._scanned()
        if value is None or self._peek() not in ("", ",", "}", "]", ")"):
            self.at = begin
            return self._until_quote('"')
        return value

    def _scanned(self) -> str | None:
        """A JSON string with its escapes; None when it is not one."""
        begin = self.at
        try:
            value, self.at = _scan_string(self.text, begin + 1, False)
        except ValueError:
            return None
        self._no_quotes_between(begin)
        if any("\ud800" <= c <= "\udfff" for c in value):
            raise UnreadableCall("half of a surrogate pair in a string")
        return value

    def _single_quoted(self) -> str:
        self.note("single-quoted string")
        return self._until_quote("'")

    def _until_quote(self, quote: str) -> str:
        """Text up to a quote character that ends a value; those inside, as in ``'it's'``, do not."""
        begin = self.at
        end = re.compile(rf"{quote}(?=\s*(?:[,}}\])]|$))").search(self.text, begin + 1)
        if not end:
            raise UnreadableCall("the call ends inside a string")
        self.at = end.end()
        self._no_quotes_between(begin)
        return self.text[begin + 1 : end.start()]

    def _no_quotes_between(self, begin: int) -> None:
        if any(begin <= i < self.at for i in self.quotes):
            raise UnreadableCall("two kinds of quotes in one string")

    def _bare(self) -> JsonValue:
        begin = self.at
        # A number or a word of JSON ends at the comma whatever follows; only a string may hold one.
        if exact := _EXACT.match(self.text, begin):
            self.at = exact.end()
        else:
            self._skip_bare()
        word = self.text[begin : self.at].rstrip()
        if word in _WORDS:
            return _WORDS[word]
        if word in _OTHER_WORDS:
            self.note(f"{word} instead of {json.dumps(_OTHER_WORDS[word])}")
            return _OTHER_WORDS[word]
        if _NUMBER.fullmatch(word) and (number := _number(word)) is not None:
            return number
        if not word:
            raise UnreadableCall("a value is missing")
        if _KEY_IN_TEXT.search(word):
            raise UnreadableCall("a value without quotes, with what may be a key in it")
        self.note("string without quotes")
        return word

    def _skip_bare(self) -> None:
        """Moves to the end of a value without quotes. A comma ends it only where another item may begin."""
        depth = 0
        in_object = self._open[-1] != "]"
        while self.at < len(self.text):
            char = self.text[self.at]
            if self.at in self.quotes:
                raise UnreadableCall("a quote inside a value without quotes")
            if depth == 0 and char in "}])" and char == self._open[-1]:
                return
            if depth == 0 and char == "," and (not in_object or self._item_follows()):
                return
            depth += (char in "{[") - (char in "}]" and depth > 0)
            self.at += 1
        if not self.ended:
            raise UnreadableCall("the call ends inside a value")

    def _item_follows(self) -> bool:
        after = self.at + 1
        return bool(_NEXT_KEY.match(self.text, after) or not self.text[after:].strip(" \n}])"))

    # Objects and arrays

    def _object(self, closer: str) -> JsonObject:
        result: JsonObject = {}
        self._enter(closer)
        while not self._at_end(closer):
            key = self._key()
            value = self._value()
            if key in result:
                if not _same(result[key], value):
                    raise UnreadableCall(f"two values for {key!r}")
                self.note(f"argument {key!r} twice")
            result[key] = value
            self._between(closer)
        return result

    def _array(self) -> list[Any]:
        result: list[Any] = []
        self._enter("]")
        while not self._at_end("]"):
            result.append(self._value())
            self._between("]")
        return result

    def _enter(self, closer: str) -> None:
        self._open.append(closer)
        self.at += 1

    def _at_end(self, closer: str) -> bool:
        char = self._peek()
        if char == closer:
            self.at += 1
            self._open.pop()
            return True
        if char:
            return False
        if not self.ended:
            raise UnreadableCall("the call ends before its arguments do")
        self.note(f"missing {closer!r}")
        self._open.pop()
        return True

    def _between(self, closer: str) -> None:
        char = self._peek()
        if char == ",":
            self.at += 1
            if self._peek() in ("", closer):
                self.note("comma after the last value")
        elif char and char != closer:
            if closer == "]" or not _NEXT_KEY.match(self.text, self.at):
                raise UnreadableCall(f"{char!r} after a value")
            self.note("missing comma")

    def _key(self) -> str:
        char = self._peek()
        if self.at in self.quotes:
            key: str | None = self._quoted()
        elif char == '"':
            self.note("JSON-style key")
            key = self._scanned()
        elif char == "'":
            self.note("single-quoted key")
            key = self._single_quoted_key()
        else:
            key = self._bare_key()
        if key is None:
            raise UnreadableCall("a key without an end")
        if self._peek() == "=":
            self.note("'=' instead of ':'")
        elif self._peek() != ":":
            raise UnreadableCall(f"no ':' after {key!r}")
        self.at += 1
        return key

    def _single_quoted_key(self) -> str | None:
        begin, self.at = self.at + 1, self.text.find("'", self.at + 1) + 1
        return self.text[begin : self.at - 1] if self.at else None

    def _bare_key(self) -> str:
        begin = self.at
        while self.at < len(self.text) and self.text[self.at] not in ":={}[],\uffff":
            self.at += 1
        key = self.text[begin : self.at].strip()
        if not key:
            raise UnreadableCall("a key is missing")
        if not BARE_KEY.fullmatch(key):
            self.note(f"key {key!r} without quotes")
        return key

    def _peek(self) -> str:
        """The next character that is not blank, after moving to it; empty at the end."""
        while self.at < len(self.text) and self.text[self.at] in " \t\r\n":
            self.at += 1
        return self.text[self.at : self.at + 1]


def _same(one: JsonValue, other: JsonValue) -> bool:
    """Whether the values are one in JSON, where ``1`` and ``true`` differ."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _number(word: str) -> int | float | None:
    """The number, or None where Python has none that is the same (too many digits, too large)."""
    try:
        if word.lstrip("-").isdigit():
            return int(word)
        number = float(word)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
