"""Search in a run: words and conditions such as ``status:error tool:load dur>1s``."""

from __future__ import annotations

import json
import operator
import re
import shlex
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TypeAlias

from agentkit.messages import is_object
from agentkit.trace.facts import Facts
from agentkit.trace.spans import ItemSpan, StepSpan, TurnSpan, Wait
from agentkit.trace.tree import Node

__all__ = ["FIELDS", "Query", "QueryError"]

FIELDS = ("status", "tool", "kind", "id", "label", "effect", "dur", "tokens", "in", "out", "retries")
"""What conditions may be about; the last five are numbers."""

_NUMBERS = FIELDS[-5:]
_CONDITION = re.compile(r"(-?)(\w+)(:|<=|>=|=|<|>)(.*)", re.DOTALL)
_AMOUNT = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ms|s|m|h|k)?")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "k": 1000.0, "": 1.0}
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
    ":": operator.eq,
}
_ERRORS = ("failed", "not run", "stopped", "in doubt", "cut off", "denied", "warning")
"""What ``status:error`` stands for."""

Test: TypeAlias = "Callable[[Node, Facts], bool]"


class QueryError(ValueError):
    """What was asked for can't be understood; the message says what was expected."""


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for. All conditions and all words have to be met.

    Args:
        tests: The conditions.
        words: Text to be found in what a row says or has, in small letters.
        without: The same, text that must not be there.
    """

    tests: tuple[Test, ...] = ()
    words: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Query:
        """Returns what a text asks for.

        Words are joined by "and"; quotes keep words together, ``-`` means "not". Conditions are ``field:value``,
        or for numbers ``field>value``; see `FIELDS`.

        Raises:
            QueryError: A condition is about something unknown, or its number is none.
        """
        try:
            parts = shlex.split(text)
        except ValueError:  # a quote that is not closed: it is still being typed
            parts = text.split()
        tests: list[Test] = []
        words: list[str] = []
        without: list[str] = []
        for part in parts:
            match = _CONDITION.fullmatch(part)
            if match is not None and match[2] in FIELDS:
                tests.append(_test(match[2], match[3], match[4], negated=bool(match[1])))
            elif match is not None and match[3] == ":" and not match[4].startswith("/") and match[2].isalpha():
                raise QueryError(f"{match[2]!r} is unknown; conditions are about {', '.join(FIELDS)}")
            elif part.startswith("-") and len(part) > 1:
                without.append(part[1:].casefold())
            else:
                words.append(part.casefold())
        return cls(tuple(tests), tuple(words), tuple(without))

    def __bool__(self) -> bool:
        return bool(self.tests or self.words or self.without)

    def fits(self, node: Node, facts: Facts, stored: Callable[[str], Collection[str]] | None = None) -> bool:
        """Returns whether a row is what is looked for.

        Args:
            node: The row.
            facts: What it shows.
            stored: Returns the digests of the large values, left in the run's file, in which a text stands.
        """
        if not all(test(node, facts) for test in self.tests):
            return False
        if not (self.words or self.without):
            return True
        text = f"{facts.label} {facts.note} {facts.state} {payload(node)}".casefold()
        return all(_stands(w, text, stored) for w in self.words) and not any(
            _stands(w, text, stored) for w in self.without
        )


def _stands(word: str, text: str, stored: Callable[[str], Collection[str]] | None) -> bool:
    if word in text:
        return True
    return stored is not None and '"$blob"' in text and any(digest in text for digest in stored(word))


def payload(node: Node) -> str:
    """Returns what a row has, as text to be searched; rows below it speak for themselves."""
    match node.source:
        case TurnSpan() as turn:
            return _json(turn.messages)
        case StepSpan() as step:
            items = step.items is not None
            return _json([step.tool, step.args, step.purpose, None if items else step.value, step.labels])
        case ItemSpan() as item:
            return _json(item.value)
        case Wait() as wait:
            return _json([wait.args, wait.reason, wait.labels])
        case source if is_object(source):
            return _json(source)
        case source:
            return _json(getattr(source, "output", None))


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _test(field: str, sign: str, wanted: str, *, negated: bool) -> Test:
    if field in _NUMBERS:
        test = _number_test(field, sign, wanted)
    elif sign not in (":", "="):
        raise QueryError(f"{field!r} is text; write {field}:{wanted}")
    else:
        test = _text_test(field, wanted.casefold())
    return (lambda node, facts: not test(node, facts)) if negated else test


def _number_test(field: str, sign: str, wanted: str) -> Test:
    match = _AMOUNT.fullmatch(wanted)
    if match is None:
        raise QueryError(
            f"{field}{sign}{wanted} has no number; write {'dur>1.5s' if field == 'dur' else f'{field}>100'}"
        )
    amount = float(match[1]) * _UNITS[match[2] or ""]

    def test(node: Node, facts: Facts) -> bool:
        found = _number(field, facts)
        return found is not None and _COMPARE[sign](found, amount)

    return test


def _number(field: str, facts: Facts) -> float | None:
    match field:
        case "dur":
            return facts.end - facts.start if facts.end is not None and facts.start is not None else None
        case "retries":
            return facts.retries
        case _ if facts.usage is None:
            return None
        case "in":
            return facts.usage.prompt_tokens
        case "out":
            return facts.usage.output_tokens
        case _:
            return facts.usage.tokens


def _text_test(field: str, wanted: str) -> Test:
    def test(node: Node, facts: Facts) -> bool:
        source = node.source
        match field:
            case "status":
                return facts.state in _ERRORS if wanted == "error" else facts.state.startswith(wanted)
            case "kind":
                return node.kind.startswith(wanted)
            case "tool":
                return wanted in _tool(node).casefold()
            case "id":
                return facts.label.casefold() == wanted
            case "effect":
                return isinstance(source, StepSpan) and source.effect == wanted
            case _:
                labels = source.labels + source.result_labels if isinstance(source, StepSpan) else []
                return any(wanted in label.casefold() for label in labels)

    return test


def _tool(node: Node) -> str:
    match node.source:
        case StepSpan() as step:
            return step.tool
        case Wait() as wait:
            return wait.tool
        case ItemSpan() if node.parent is not None:
            return _tool(node.parent)
        case source:
            return str(source.get("call", "")) if is_object(source) else ""
