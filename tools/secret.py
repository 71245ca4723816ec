"""Secrets: values that tools may use and nobody else may see, not the model, and no file that a run leaves.

A secret is taken out where text comes in and before anything is written: of a tool's results and errors, of what the
model is told, of every event. Found is its exact value, also as JSON, a URL, base64 or hex write it. Pieces of a value,
and forms that a tool makes up, are not found: a tool must not give a secret away on purpose.
"""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import quote, quote_plus

from agentkit.errors import UsageError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["NO_SECRETS", "Secret", "Secrets"]

_SHORTEST = 6

T = TypeVar("T")
D = TypeVar("D", bound="DataclassInstance")


class Secret:
    """A value that is not shown: as text it is ``[secret NAME]``.

    Args:
        name: What it is called.
        value: The value.
    """

    __slots__ = ("_value", "name")

    def __init__(self, name: str, value: str) -> None:
        self.name: str = name
        self._value = value

    def reveal(self) -> str:
        """Returns the value. Call it where the value is handed over, and keep it nowhere."""
        return self._value

    def __str__(self) -> str:
        return f"[secret {self.name}]"

    __repr__ = __str__

    def __reduce__(self) -> str:
        raise TypeError("a secret can't be copied into a file")


class Secrets:
    """The secrets of a run, by name.

    Args:
        values: Their values.

    Raises:
        agentkit.errors.UsageError: A value is too short to be told from other text.
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        for name, value in values.items():
            if len(value) < _SHORTEST:
                raise UsageError(
                    f"the secret {name!r} has {len(value)} characters and can't be told from other text; "
                    f"secrets have at least {_SHORTEST}"
                )
        self._values = dict(values)
        self._names = {form: name for name, value in values.items() for form in _forms(value)}
        longest_first = sorted(self._names, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE)
        self._names = {form.casefold(): name for form, name in self._names.items()}

    @classmethod
    def of(cls, given: Sequence[str] | Mapping[str, str]) -> Secrets:
        """Returns secrets: names of environment variables, or values by name.

        Raises:
            agentkit.errors.UsageError: A variable is not set, or a value is too short.
        """
        if isinstance(given, Mapping):
            return cls(given)
        for name in given:
            if name not in os.environ:
                raise UsageError(f"the secret {name!r} is not set; set the environment variable {name}")
        return cls({name: os.environ[name] for name in given})

    def __getitem__(self, name: str) -> Secret:
        """Returns a secret.

        Raises:
            agentkit.errors.UsageError: There is none of that name.
        """
        if name in self._values:
            return Secret(name, self._values[name])
        there = f"there are: {', '.join(self._values)}; " if self._values else ""
        raise UsageError(
            f"there is no secret {name!r}; {there}name it under 'secrets' in the task file or of the Agent"
        )

    def environment(self) -> dict[str, str]:
        """Returns the values by name, as environment variables for a tool's process."""
        return dict(self._values)

    def text(self, text: str) -> str:
        """Returns a text without secrets."""
        return self._pattern.sub(self._shown, text) if self._values else text

    def without(self, value: T) -> T:
        """Returns a JSON value without secrets, in keys too; the value itself when there are none in it."""
        return cast("T", self._without(value)) if self._values else value

    def without_in(self, record: D) -> D:
        """Returns a dataclass object whose fields hold JSON, without secrets."""
        if not self._values:
            return record
        changed: dict[str, Any] = {}
        for field in fields(record):
            value = getattr(record, field.name)
            if (shown := self._without(value)) is not value:
                changed[field.name] = shown
        return replace(record, **changed) if changed else record

    def _without(self, value: Any) -> Any:
        if isinstance(value, str):
            shown = self.text(value)
            return value if shown == value else shown
        if isinstance(value, dict):
            items: dict[Any, Any] = value  # pyright: ignore[reportUnknownVariableType]
            pairs = {self._without(k): self._without(v) for k, v in items.items()}
            same = len(pairs) == len(items) and all(
                k is k2 and v is v2 for (k, v), (k2, v2) in zip(items.items(), pairs.items(), strict=True)
            )
            return items if same else pairs
        if isinstance(value, list | tuple):
            items_ = cast("Iterable[Any]", value)
            shown_ = [self._without(item) for item in items_]
            if all(a is b for a, b in zip(items_, shown_, strict=True)):
                return value  # pyright: ignore[reportUnknownVariableType]
            return shown_ if isinstance(value, list) else tuple(shown_)
        return value

    def _shown(self, match: re.Match[str]) -> str:
        return f"[secret {self._names[match[0].casefold()]}]"


def _forms(value: str) -> set[str]:
    """Returns how a value may be written."""
    data = value.encode("utf-8", "surrogateescape")
    forms = {value, quote(data, safe=""), quote(data), quote_plus(data), repr(value)[1:-1], data.hex()}
    for text in (json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]):
        forms |= {text, json.dumps(text)[1:-1]}  # JSON in a text in JSON
    return forms | _in_base64(data)


def _in_base64(data: bytes) -> set[str]:
    """Returns what base64 makes of bytes, alone and in the middle of others: it depends on where they begin."""
    forms: set[str] = set()
    for before in range(3):
        text = base64.b64encode(bytes(before) + data)
        # Characters that also hold bits of what stands before and after are left out.
        whole = text[(0, 2, 3)[before] : (before + len(data)) * 8 // 6].decode()
        forms |= {whole, whole.replace("+", "-").replace("/", "_")}
    return forms


NO_SECRETS = Secrets({})
