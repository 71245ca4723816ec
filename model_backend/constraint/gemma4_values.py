"""JSON Schemas to rules of a Lark grammar, for values in Gemma's call syntax.

The schema comes from `schema.check_schema`, so it is one that the JSON grammar takes, with numbers bounded and
tools' objects closed. Where this syntax needs a rule that can't be written (two patterns that contradict each other,
counts of mixed keys), the rule allows more and `relaxed` says so; the value is checked after decoding anyway.

Keys come in the order of the alphabet without regard to case, at every level: the chat template sorts them so. Keys
that the schema does not name come after those it does: a model that began with them might never get to the others.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from llguidance import LLMatcher

from agentkit.messages import JsonObject
from agentkit.model_backend.constraint.compiling import json_rule
from agentkit.model_backend.constraint.gemma4_merge import merged, resolve
from agentkit.model_backend.constraint.gemma4_strings import ANY_TEXT, BARE, BARE_KEY, anchored, string_terms
from agentkit.model_backend.constraint.keywords import ANNOTATIONS, is_array, is_object
from agentkit.model_backend.constraint.narrowing import LONGEST_KEY
from agentkit.model_backend.constraint.numbers import bound_number
from agentkit.model_backend.constraint.scientific import NUMBER, number
from agentkit.model_backend.constraint.validation import validate

__all__ = ["Rules"]

_TYPES = ("string", "integer", "number", "boolean", "null", "array", "object")
_NUMBERS = ("type", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")


class Rules:
    """Collects the rules of one grammar; equal rules are written once.

    Args:
        quote: The quote token, as Lark writes it.

    Attributes:
        relaxed: What a rule allows beyond its schema, in words.
    """

    def __init__(self, quote: str) -> None:
        self._quote = quote
        self._named: dict[str, str] = {}
        self._by_body: dict[str, str] = {}
        self._refs: dict[tuple[int, str], str] = {}
        self._root: JsonObject = {}
        self.relaxed: list[str] = []

    @property
    def text(self) -> str:
        """The rules, one a line."""
        return "\n".join(f"{name}: {body}" for name, body in self._named.items())

    def schema(self, schema: JsonObject) -> str:
        """Adds the rules of a schema and returns the name of the first."""
        self._root = schema
        self._refs = {}
        return self._value(schema)

    def rule(self, body: str, *, terminal: bool = False) -> str:
        """Returns the name of a rule with this body."""
        key = f"/{body}" if terminal else body
        if key not in self._by_body:
            name = f"{'T' if terminal else 'r'}{len(self._by_body)}"
            self._by_body[key] = name
            self._named[name] = body
        return self._by_body[key]

    def _value(self, node: Any) -> str:
        if not is_object(node) or not node.keys() - ANNOTATIONS:
            return self._anything()
        if isinstance(ref := node.get("$ref"), str):
            return self._reference(node, ref)
        if "allOf" in node:
            return self._value(self._merge({k: v for k, v in node.items() if k != "allOf"}, node["allOf"]))
        if "const" in node or "enum" in node:
            return self._constants(node)
        for key in ("anyOf", "oneOf"):
            if key in node:
                rest = {k: v for k, v in node.items() if k != key}
                return self._union([self._merge(rest, [branch]) for branch in node[key]])
        kinds: Any = node.get("type", _TYPES)
        if not isinstance(kinds, str):
            if "number" in kinds:
                kinds = [kind for kind in kinds if kind != "integer"]
            branches: list[JsonObject] = [{**node, "type": kind} for kind in kinds]
            if "type" not in node:  # `check_schema` bounds numbers by their type
                for branch in branches:
                    bound_number(branch)
            return self._union(branches)
        return self._typed(node, kinds)

    def _typed(self, node: JsonObject, kind: str) -> str:
        makers: dict[str, Callable[[JsonObject], str]] = {
            "string": self._string,
            "integer": self._number,
            "number": self._number,
            "array": self._array,
            "object": self._object,
        }
        if kind in makers:
            return makers[kind](node)
        return self.rule('"true" | "false"' if kind == "boolean" else '"null"')

    def _union(self, nodes: Sequence[JsonObject]) -> str:
        return self.rule(" | ".join(dict.fromkeys(self._value(node) for node in nodes)))

    def _merge(self, node: JsonObject, others: Sequence[Any]) -> JsonObject:
        for other in others:
            if is_object(other):
                node = merged(self._root, node, other, self.relaxed)
        return node

    def _reference(self, node: JsonObject, ref: str) -> str:
        beside = {k: v for k, v in node.items() if k != "$ref" and k not in ANNOTATIONS}
        if beside:
            return self._value(merged(self._root, beside, resolve(self._root, ref), self.relaxed))
        key = (id(self._root), ref)
        if key not in self._refs:
            # Named before it is made: a schema may refer to itself.
            name = self._refs[key] = f"ref{len(self._named)}_{len(self._refs)}"
            self._named[name] = ""
            self._named[name] = self._value(resolve(self._root, ref))
        return self._refs[key]

    # Scalars

    def _constants(self, node: JsonObject) -> str:
        values = [node["const"]] if "const" in node else node["enum"]
        defs: JsonObject = {k: self._root[k] for k in ("$defs", "definitions") if k in self._root}
        fitting = [value for value in values if not validate({**defs, **node}, value)]
        return self.rule(" | ".join(map(self._constant, fitting or values)))

    def _constant(self, value: Any) -> str:
        if isinstance(value, str):
            return " ".join([self._quote, *([_lark(value)] if value else []), self._quote])
        if is_array(value):
            return _joined('"["', [self._constant(item) for item in value], '"]"')
        if is_object(value):
            items = sorted(value.items(), key=lambda item: item[0].lower())
            return _joined('"{"', [f"{self._key(key)} {self._constant(item)}" for key, item in items], '"}"')
        return _lark(json.dumps(value))

    def _string(self, node: JsonObject) -> str:
        return self.rule(f"{self._quote} {self._text(string_terms(node))} {self._quote}")

    def _text(self, terms: Sequence[tuple[str, str]]) -> str:
        """The terminal that matches all terms; one that does not compile is left out and told."""
        body = ""
        for keyword, term in terms:
            longer = f"{body} & /{_slashes(term)}/" if body else f"/{_slashes(term)}/"
            if _compiles(longer):
                body = longer
            else:
                self.relaxed.append(f"{keyword} {term!r} is not in the grammar")
        return self.rule(body or f"/{ANY_TEXT}/", terminal=True)

    def _number(self, node: JsonObject) -> str:
        bounded: JsonObject = {k: node[k] for k in _NUMBERS if k in node}
        return self.rule(number(bounded) or json_rule(json.dumps(bounded)))

    def _anything(self) -> str:
        if "anything" not in self._named:
            self._named["anything"] = ""
            pair = f"{self._any_key()} anything"
            self._named["anything"] = (
                f'{self._string({})} | {self.rule(NUMBER)} | "true" | "false" | "null" '
                f'| "[" "]" | "[" anything ("," anything)* "]" | "{{" "}}" | "{{" {pair} ("," {pair})* "}}"'
            )
        return "anything"

    # Arrays and objects

    def _array(self, node: JsonObject) -> str:
        prefix: list[Any] = node.get("prefixItems") or []
        items: Any = node.get("items", True)
        if is_array(items):  # drafts before 2020-12
            prefix, items = items, node.get("additionalItems", True)
        low, high = node.get("minItems", 0), node.get("maxItems")
        if items is False:
            high = min(len(prefix), len(prefix) if high is None else high)
        rest = None if items is False else self._value(items)
        named = [self._value(schema) for schema in prefix][: high if high is not None else None]
        tail = ""
        if rest and (high is None or high > len(named)):
            more_low = max(low - max(len(named), 1), 0)
            more_high = "" if high is None else str(high - max(len(named), 1))
            tail = f'("," {rest}){{{more_low},{more_high}}}'
            named = named or [rest]
        for i in range(len(named) - 1, -1, -1):
            item = f'"," {named[i]}' if i else named[i]
            body = f"{item} {tail}".strip()
            tail = self.rule(body) if i < low else f"({self.rule(body)})?"
        return self.rule(f'"[" {tail} "]"')

    def _object(self, node: JsonObject) -> str:
        declared: JsonObject = node.get("properties") or {}
        names = sorted(dict.fromkeys([*declared, *(node.get("required") or ())]), key=str.lower)
        extra = node.get("additionalProperties", True)
        properties = [(name, declared.get(name, extra if extra is not False else True)) for name in names]
        properties = [(name, schema) for name, schema in properties if schema is not False]
        required: set[str] = set(node.get("required") or ())
        pair = self._further(node, [name for name, _ in properties])
        low, high = node.get("minProperties", 0), node.get("maxProperties")
        if not properties:
            return self._map(pair, low, high)
        if low > len(required) or (high is not None and (pair or high < len(properties))):
            self.relaxed.append("minProperties and maxProperties are not in the grammar")
        first = f'({pair} ("," {pair})*)?' if pair else ""
        later = f'("," {pair})*' if pair else ""
        for name, schema in reversed(properties):
            item = f"{self._key(name)} {self._value(schema)}"
            with_item = self.rule(f"{item} {later}".strip()), self.rule(f'"," {item} {later}'.strip())
            if name in required:
                first, later = with_item
            else:
                first, later = (
                    self.rule(f"{a} | {b or chr(34) * 2}") for a, b in zip(with_item, (first, later), strict=True)
                )
        return self.rule(f'"{{" {first} "}}"')

    def _map(self, pair: str, low: int, high: int | None) -> str:
        if not pair or high == 0:
            return self.rule('"{" "}"')
        more = f'("," {pair}){{{max(low - 1, 0)},{"" if high is None else high - 1}}}'
        full = f'"{{" {pair} {more} "}}"'
        return self.rule(full if low else f'"{{" "}}" | {full}')

    def _further(self, node: JsonObject, names: Sequence[str]) -> str:
        """The rule of a key and value that the schema does not name; empty where there is none."""
        pairs: list[str] = []
        patterns: JsonObject = node.get("patternProperties") or {}
        for pattern, schema in patterns.items():
            pairs.append(f"{self._any_key(names, pattern)} {self._value(schema)}")
        extra = node.get("additionalProperties", True)
        if extra is not False:
            pairs.append(f"{self._any_key([*names], without=list(patterns))} {self._value(extra)}")
        return self.rule(" | ".join(pairs)) if pairs else ""

    def _any_key(self, names: Sequence[str] = (), pattern: str | None = None, without: Sequence[str] = ()) -> str:
        fits = f" & /{_slashes(anchored(pattern))}/" if pattern is not None else ""
        fits += "".join(f" & ~/{_slashes(anchored(other))}/" for other in without)
        if names:
            fits += " & ~/(" + "|".join(_escaped(name) for name in names) + ")/"
        bare = self.rule(f"/{BARE}/{fits}", terminal=True)
        raw = self.rule(f"/(?s:.){{1,{LONGEST_KEY}}}/{fits}", terminal=True)
        return self.rule(f'{bare} ":" | {self._quote} {raw} {self._quote} ":"')

    def _key(self, name: str) -> str:
        return _lark(name + ":") if BARE_KEY.fullmatch(name) else f'{self._constant(name)} ":"'


def _lark(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _joined(begin: str, items: Sequence[str], end: str) -> str:
    return " ".join([begin, ' "," '.join(items), end])


def _slashes(term: str) -> str:
    return term.replace("\\/", "/").replace("/", "\\/").replace("\n", "\\n")


def _escaped(text: str) -> str:
    return "".join(c if c.isalnum() or c == "_" else f"\\x{{{ord(c):x}}}" for c in text)


def _compiles(terminal: str) -> bool:
    grammar = LLMatcher.grammar_from_lark(f'start: "<" T ">"\nT: {terminal}')
    failed, _ = LLMatcher.validate_grammar_with_warnings(grammar)
    return not failed
