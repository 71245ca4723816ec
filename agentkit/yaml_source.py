"""YAML 1.2 as a tree of nodes that know where they stand, so that a message can say line and column.

The tree is built straight from the parser's events, for three reasons. Limits hold before anything
grows: nesting (the parser needs quadratic time for deep brackets), size, and what aliases expand to.
Values are JSON values by YAML's core schema: a date stays text, ``yes`` is not true. And duplicate
keys, tags and second documents are errors with a position.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.reader import ReaderError

from agentkit.errors import TaskFileError
from agentkit.messages import JsonValue

__all__ = ["MAX_BYTES", "MAX_DEPTH", "MAX_VALUES", "Node", "Source"]

MAX_BYTES = 256 * 1024
"""Largest file, in bytes; data belongs in files that tools read."""
MAX_DEPTH = 40
"""Deepest nesting."""
MAX_VALUES = 20_000
"""Most values, counted after aliases are expanded."""

Scalar: TypeAlias = "None | bool | int | float | str"


@dataclass(slots=True)
class Node:
    """A YAML value and its place."""

    value: Scalar | list[Node] | dict[str, Node]
    line: int
    """Counted from 1."""
    column: int
    """Counted from 1."""
    start: int = 0
    """Index of the value's first character in the source."""
    end: int = 0
    """Index after its last character."""
    keys: dict[str, Node] = field(default_factory=dict[str, "Node"])
    """Where each key of a mapping stands."""
    size: int = 1
    """Values in it, itself and expanded aliases included."""
    depth: int = 1
    """Levels of nesting in it, itself included."""

    def plain(self) -> JsonValue:
        """Returns the value without positions."""
        if isinstance(self.value, dict):
            return {k: n.plain() for k, n in self.value.items()}
        if isinstance(self.value, list):
            return [n.plain() for n in self.value]
        return self.value

    def describe(self) -> str:
        """Returns what the value is, in words that fit after "not"."""
        match self.value:
            case None:
                return "nothing"
            case bool():
                return str(self.value).lower()
            case int() | float():
                return f"the number {self.value!r}" if abs(self.value) < 1e15 else "a huge number"
            case str():
                text = self.value if len(self.value) <= 40 else self.value[:37] + "..."
                return f"the text {text!r}"
            case list():
                return "a list"
            case dict():
                return "a mapping"

    def find(self, path: tuple[str | int, ...]) -> Node:
        """Returns the node that keys and indices lead to, or the last one on the way that exists."""
        node = self
        for part in path:
            if isinstance(node.value, dict) and part in node.value:
                node = node.value[str(part)]
            elif isinstance(node.value, list) and isinstance(part, int) and part < len(node.value):
                node = node.value[part]
            else:
                break
        return node


class Source:
    """A YAML file: its name, its text, and errors that point into it."""

    def __init__(self, path: Path, data: bytes) -> None:
        """Decodes the file.

        Args:
            path: The name that messages give the file.
            data: What is in it.

        Raises:
            agentkit.errors.TaskFileError: It is too large, or not UTF-8 text.
        """
        self.path = path
        self.text = ""
        if len(data) > MAX_BYTES:
            raise self.error(
                None, f"the file has {len(data):,} bytes, the most is {MAX_BYTES:,}; keep data in files of its own"
            )
        if data.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise self.error(None, "the file is UTF-16; save it as UTF-8")
        if b"\0" in data:
            raise self.error(None, "this is a binary file, not YAML text; give the path of a task file")
        try:
            self.text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            before = data[: error.start].decode("utf-8-sig", "replace")
            raise self.at(before, f"byte 0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8") from None

    def at(self, before: str, message: str) -> TaskFileError:
        """Returns an error at the place that comes after the text `before`."""
        line = before.count("\n") + 1
        return TaskFileError(message, path=self.path, line=line, column=len(before) - before.rfind("\n"))

    def error(self, node: Node | None, message: str) -> TaskFileError:
        """Returns an error at a node, or at the top of the file."""
        line, column = (node.line, node.column) if node else (1, 1)
        return TaskFileError(message, path=self.path, line=line, column=column)

    def parse(self) -> Node:
        """Returns the tree of the only document.

        Raises:
            agentkit.errors.TaskFileError: The text is not YAML, or breaks a limit.
        """
        builder = _Builder(self)
        events: Any = YAML(typ="safe", pure=True).parse(self.text)  # pyright: ignore[reportUnknownMemberType]  # untyped
        read = 0
        try:
            for event in events:
                builder.take(event)
                read = event.end_mark.index
        except TaskFileError:
            raise
        except ReaderError as error:
            raise self._character(error) from None
        except MarkedYAMLError as error:
            raise self._syntax(error) from None
        except (YAMLError, ArithmeticError, AttributeError, LookupError, ValueError) as error:
            # The parser lets these through on hostile input, such as "\UFFFFFFFF".
            raise self.at(
                self.text[:read], f"this can't be read as YAML ({error}); quote the text or correct it"
            ) from None
        if builder.root is None:
            raise self.error(None, "the file is empty; a task file starts with 'task: what is to be done'")
        return builder.root

    def _character(self, error: Any) -> TaskFileError:
        code = error.character if isinstance(error.character, int) else ord(error.character)
        message = f"the character U+{code:04X} is not allowed in YAML; delete it, or write it as an escape in quotes"
        return self.at(self.text[: error.position], message)

    def _syntax(self, error: Any) -> TaskFileError:
        problem = str(error.problem or error.context or "not valid YAML")
        mark, opened = error.problem_mark or error.context_mark, error.context_mark
        hint = next((h for sign, h in _HINTS if sign in f"{error.context} {problem}"), "correct the YAML here")
        if "end of stream" in problem or "stream end" in problem:
            if opened is not None and opened.index < mark.index:
                mark = opened
                hint = "a quote or bracket that is opened here is not closed; close it"
            else:
                hint = "the file ends too early; add what is missing"
        line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
        return TaskFileError(f"not valid YAML: {problem}; {hint}", path=self.path, line=line, column=column)


_HINTS = (
    ("'\\t'", "YAML is indented with spaces, not with tabs"),
    ("mapping values are not allowed", "quote text that has ': ' in it, or correct the indentation"),
    ("cannot start any token", "quote text that starts with this character"),
    ("expected ',' or", "a comma or the closing bracket is missing"),
    ("could not find expected ':'", "a key must be followed by ': ' and its value"),
    ("expected <block end>", "make its indentation the same as that of the lines it belongs to"),
    ("escape", "write \\\\ for a backslash, or use single quotes"),
    ("expected the node content", "a value is missing here"),
    ("undefined tag handle", "tags are not used in task files; delete it"),
)


class _Builder:
    """Takes the parser's events one by one and builds the tree, without recursion."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.root: Node | None = None
        self._open: list[Node] = []
        self._keys: list[Node | None] = []
        self._anchors: dict[str, Node] = {}
        self._documents = 0

    def take(self, event: Any) -> None:
        match type(event).__name__:
            case "DocumentStartEvent":
                self._document(event)
            case "AliasEvent":
                self._value(self._alias(event))
            case "ScalarEvent":
                node = self._node(event, None)
                plain = event.style is None and event.tag != "!"
                node.value = self._resolve(event.value, node) if plain else event.value
                self._value(node)
            case "SequenceStartEvent":
                self._start(self._node(event, []))
            case "MappingStartEvent":
                self._start(self._node(event, {}))
            case "SequenceEndEvent" | "MappingEndEvent":
                self._end(event)
            case _:
                pass

    def _document(self, event: Any) -> None:
        self._documents += 1
        here = Node(None, event.start_mark.line + 1, event.start_mark.column + 1)
        if self._documents > 1:
            raise self.source.error(here, "a second document starts here; a task file has one, so delete this '---'")
        if event.version not in (None, (1, 2)):
            raise self.source.error(here, "task files are YAML 1.2; delete the %YAML line")

    def _node(self, event: Any, value: Any) -> Node:
        mark = event.start_mark
        node = Node(value, mark.line + 1, mark.column + 1, mark.index, event.end_mark.index)
        if event.tag is not None and event.tag != "!":
            raise self.source.error(node, f"the tag {str(event.tag)!r} is not used in task files; delete it")
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _alias(self, event: Any) -> Node:
        here = Node(None, event.start_mark.line + 1, event.start_mark.column + 1)
        target = self._anchors.get(event.anchor)
        if target is None:
            raise self.source.error(
                here, f"there is no anchor '&{event.anchor}' before this; define it, or quote '*{event.anchor}' as text"
            )
        if any(target is n for n in self._open):
            raise self.source.error(here, f"'*{event.anchor}' stands inside itself; write the value out")
        return replace(target, line=here.line, column=here.column)

    def _resolve(self, text: str, node: Node) -> Scalar:
        if text in ("", "~", "null", "Null", "NULL"):
            return None
        if text in ("true", "True", "TRUE"):
            return True
        if text in ("false", "False", "FALSE"):
            return False
        try:
            if _INT.fullmatch(text):
                return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
            if _FLOAT.fullmatch(text) and abs(number := float(text)) != float("inf"):
                return number
        except ValueError:  # more digits than Python converts
            raise self.source.error(node, "this number is too long; quote it if it is text") from None
        if _FLOAT.fullmatch(text) or _NOT_FINITE.fullmatch(text):
            raise self.source.error(node, f"{text[:20]!r} is not a finite number; quote it if it is text")
        return text

    def _start(self, node: Node) -> None:
        if self._awaits_key():
            raise self.source.error(
                node, "a key must be text, not a list or mapping; text that starts with '{' or '[' must be quoted"
            )
        self._check_depth(node)
        self._open.append(node)
        self._keys.append(None)

    def _end(self, event: Any) -> None:
        node = self._open.pop()
        self._keys.pop()
        node.end = event.end_mark.index
        self._value(node)

    def _check_depth(self, node: Node) -> None:
        if len(self._open) + node.depth > MAX_DEPTH:
            raise self.source.error(node, f"this is nested more than {MAX_DEPTH} levels deep; make it flatter")

    def _awaits_key(self) -> bool:
        return bool(self._open) and isinstance(self._open[-1].value, dict) and self._keys[-1] is None

    def _value(self, node: Node) -> None:
        if self._awaits_key():
            self._key(node)
            return
        self._check_depth(node)
        if not self._open:
            self.root = node
            return
        parent = self._open[-1]
        parent.size += node.size
        parent.depth = max(parent.depth, node.depth + 1)
        if parent.size > MAX_VALUES:
            raise self.source.error(
                node, f"more than {MAX_VALUES:,} values, aliases expanded; keep data in files of its own"
            )
        if isinstance(parent.value, list):
            parent.value.append(node)
        elif isinstance(parent.value, dict) and (key := self._keys[-1]) is not None:
            parent.value[str(key.value)] = node
            self._keys[-1] = None

    def _key(self, node: Node) -> None:
        parent = self._open[-1]
        if not isinstance(node.value, str):
            raise self.source.error(node, f"a key must be text, not {node.describe()}; quote it")
        if node.value in parent.keys:
            first = parent.keys[node.value]
            raise self.source.error(
                node, f"the key {node.value!r} is there twice, first on line {first.line}; delete one of the two"
            )
        parent.keys[node.value] = node
        self._keys[-1] = node


_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
