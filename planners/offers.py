"""Arguments that may be references: the schema to decode them under, and how they are read.

An argument is a literal that fits its parameter, or one of the references whose type fits it. The references are
listed in the schema, so a constrained decoder can write no other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

from agentkit.errors import PlanError
from agentkit.messages import JsonObject, is_array, is_object
from agentkit.planners.fit import Fit, fits, item_schema, paths
from agentkit.planners.plan import ITEM, Ref, StepId, Template, joined, parse_refs, render_refs

__all__ = [
    "ANYWHERE",
    "Offer",
    "Sources",
    "arguments_schema",
    "item_offers",
    "items_of",
    "offers",
    "read_arguments",
    "takers",
    "takers_of_items",
    "uses_item",
]

_IN_TEXT: JsonObject = {"type": ["string", "number", "boolean", "array"]}
MAX_REFS = 60
"""References offered for one argument."""
_SHAPED = {"pattern", "format", "minLength", "maxLength"}
"""Keywords of text whose shape would not survive that results are put in."""
_DOLLAR = r"\$\$([^$si]|s[^$0-9]|i[^$t])"
"""A literal dollar, and what may follow: a reference that is not on offer can't be written as if it were text."""
_TEXT = rf"^((\$(REFS))*([^$\[]|{_DOLLAR}|\$[^$a-zA-Z_{{])|\[)*(\$(REFS))*\$?$"
"""Pattern of text in which the references REFS may stand; an index after one would be a reference that is none."""
_TEXT_WITHOUT_DOLLARS = r"^((\$(REFS))*[^$\[]|\[)*(\$(REFS))*$"
"""The same, without dollars that are no references."""
_HOLDING = rf"^([^$]|{_DOLLAR})*\$(REFS)(([^$\[]|{_DOLLAR})([^$]|{_DOLLAR})*)?$"
"""Pattern of text in which one of REFS stands."""
_NO_REFERENCE = rf"^([^$][\s\S]*|{_DOLLAR}[\s\S]*)?$"
"""Pattern of text that is no reference: a dollar at its start is doubled, as in a task file."""
_NONE_HERE = rf"^([^$]|{_DOLLAR}|\$[^$a-zA-Z_{{])*\$?$"
"""Pattern of text in which no reference may stand, though there are some."""
_WITHOUT_DOLLARS = r"^[^$]*$"
_SPECIAL = re.compile(r"[.\[\](){}*+?|^$\\]")
"""What has to be escaped in a pattern; `re.escape` also escapes what JSON Schema's dialect does not let be escaped."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A reference that may be used, and what is known of the value behind it."""

    ref: Ref
    schema: JsonObject | None


def offers(results: Mapping[StepId, JsonObject | None]) -> list[Offer]:
    """Returns references to all parts of results.

    Args:
        results: The schema of each result, where known; the first are offered first.
    """
    return [Offer(Ref(step, path), schema) for step, result in results.items() for path, schema in paths(result)]


def item_offers(listed: Offer) -> list[Offer]:
    """Returns references to the item at hand of a list."""
    return offers({ITEM: items_of(listed)})


def items_of(offer: Offer) -> JsonObject | None:
    """Returns the schema of a list's items; ``None`` for what is no list, or a list of nobody knows what."""
    try:
        return item_schema(offer.schema)
    except PlanError:
        return None


def takers(parameters: JsonObject, offered: Sequence[Offer]) -> list[str]:
    """Returns the names of the parameters that one of the references fits, or fits as an item of a list."""
    forms = _Parameters(parameters, offered)
    named: Mapping[str, Any] = parameters.get("properties", {})
    return [name for name, schema in named.items() if is_object(schema) and forms.takes_any(schema)]


def takers_of_items(parameters: JsonObject, offered: Iterable[Offer]) -> list[str]:
    """Returns the names of the parameters that the item at hand, or a part of it, fits.

    A list with nothing but the item in it is not meant: a tool that takes a list of objects takes the whole list.
    """
    named: Mapping[str, Any] = parameters.get("properties", {})
    names = takers(parameters, [o for o in offered if o.ref.step == ITEM])
    return [name for name in names if not is_object(inside := named[name].get("items")) or "properties" not in inside]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where arguments may come from, beside what their types say."""

    named: Mapping[str, Collection[str]] = field(default_factory=dict[str, "Collection[str]"])
    """For some parameters the references that have their name: they take no others."""
    barred: Mapping[str, Collection[str]] = field(default_factory=dict[str, "Collection[str]"])
    """For some parameters references that they may not be, though the type fits."""
    said: Collection[str] = ()
    """Parameters that are written out, or left out where they are optional: an earlier step was told the same."""
    words: Collection[str] = ()
    """What may be written out for those in `named` where they are text; anything when it is empty."""
    found: Mapping[str, Collection[str]] = field(default_factory=dict[str, "Collection[str]"])
    """For some parameters the references that they have to be, as far as the type fits."""
    dollars: bool = True
    """Whether text may hold literal dollars: a model that would like to refer to what is not there yet writes nonsense
    behind one."""


ANYWHERE = Sources()
"""All sources."""


def arguments_schema(
    parameters: JsonObject,
    offered: Sequence[Offer],
    sources: Sources = ANYWHERE,
    *,
    must_use_item: str | None = None,
    only_results: Collection[str] = (),
) -> JsonObject:
    """Returns a tool's parameters with references allowed wherever one of a fitting type is on offer.

    Args:
        parameters: JSON Schema of the tool's parameters.
        offered: The references.
        sources: Where arguments may come from.
        must_use_item: The parameter in which the item at hand has to stand, if it can stand in no other.
        only_results: Parameters that may not be written out, as far as there is something to refer to.
    """
    every = _Parameters(parameters, offered, sources.dollars)
    schema = every.literal(parameters)
    properties, required = dict(schema.get("properties", {})), [*schema.get("required", [])]
    for name, others in sources.barred.items():
        rest = [offer for offer in offered if str(offer.ref) not in others]
        partial = _Parameters(parameters, rest, sources.dollars, is_partial=True)
        properties[name] = partial.argument(parameters["properties"][name])
    for name, refs in sources.found.items():
        if fitting := [ref for ref in every.fitting(parameters["properties"][name]) if ref in refs]:
            properties[name] = {"enum": fitting[:MAX_REFS]}
    written = _Parameters(parameters, [], dollars=False, is_partial=True)
    for name in sources.said:
        properties[name] = written.literal(parameters["properties"][name])
    for name, refs in sources.named.items():
        properties[name] = every.named(parameters["properties"][name], refs, sources.words)
    for name in only_results:
        if every.takes_any(original := parameters["properties"][name]):
            properties[name] = every.holding_one(original)
        elif name not in required:
            del properties[name]
    if must_use_item is not None:
        items = _Parameters(parameters, [o for o in offered if o.ref.step == ITEM])
        properties[must_use_item] = items.holding_one(parameters["properties"][must_use_item])
        required = [*dict.fromkeys([*required, must_use_item])]
    return {**schema, "properties": properties, "required": required}


@dataclass(frozen=True)
class _Parameters:
    root: JsonObject
    offered: Sequence[Offer]
    dollars: bool = True
    is_partial: bool = False
    """Whether there are more references, which are not on offer here."""

    @cached_property
    def text(self) -> str:
        """Pattern of text in which references to scalars may stand, anywhere."""
        refs = in_text(self.offered)
        if refs:
            return (_TEXT if self.dollars else _TEXT_WITHOUT_DOLLARS).replace("REFS", _alternatives(refs))
        if not self.dollars:
            return _WITHOUT_DOLLARS
        return _NONE_HERE if self.is_partial else _NO_REFERENCE

    def takes_any(self, schema: JsonObject) -> bool:
        """Returns whether one of the references may stand for the value or, where it is a list, for an item of it."""
        inside = schema.get("items") if schema.get("type") == "array" else None
        return bool(self.fitting(schema)) or (is_object(inside) and bool(self.fitting(inside)))

    def fitting(self, schema: JsonObject) -> list[str]:
        """Returns the references whose type fits."""
        wanted, root = _key(schema), _key({"$defs": self.root["$defs"]} if "$defs" in self.root else {})
        return [str(o.ref) for o in self.offered if _fit(_key(o.schema), wanted, root) is not Fit.NO]

    def argument(self, schema: JsonObject) -> JsonObject:
        """Returns the schema of a value that may be a reference."""
        fitting = self.fitting(schema)
        literal = self.literal(schema)
        return {"anyOf": [{"enum": fitting[:MAX_REFS]}, literal]} if fitting else literal

    def named(self, schema: JsonObject, refs: Collection[str], words: Collection[str]) -> JsonObject:
        """Returns the schema of a value that is one of some references, or else one of some words where it is text."""
        fitting = [ref for ref in self.fitting(schema) if ref in refs]
        literal = self.literal(schema)
        if words and schema.get("type") == "string" and _may_hold_references(schema):
            literal = {"enum": [*map(render_refs, words)]}
        return {"anyOf": [{"enum": fitting[:MAX_REFS]}, literal]} if fitting else literal

    def holding_one(self, schema: JsonObject) -> JsonObject:
        """Returns the schema of a value that is one of the references or holds one."""
        if schema.get("type") == "string" and not _SHAPED & schema.keys() and (refs := in_text(self.offered)):
            return {**schema, "pattern": _HOLDING.replace("REFS", _alternatives(refs))}
        forms: list[JsonObject] = []
        if fitting := self.fitting(schema):
            forms.append({"enum": fitting[:MAX_REFS]})
        inside = schema.get("items") if schema.get("type") == "array" else None
        if is_object(inside) and (items := self.fitting(inside)):
            forms.append({**schema, "items": {"enum": items[:MAX_REFS]}, "minItems": max(1, schema.get("minItems", 0))})
        return forms[0] if len(forms) == 1 else {"anyOf": forms}

    def literal(self, schema: JsonObject) -> JsonObject:
        """Returns the schema of a value that is written out; what is inside it may be a reference again."""
        for key in ("enum", "const"):
            if key in schema:
                return {**schema, key: render_refs(schema[key])}
        if "anyOf" in schema:
            return {**schema, "anyOf": [self.literal(o) if is_object(o) else o for o in schema["anyOf"]]}
        literal = dict(schema)
        kind = schema.get("type")
        if kind == "string" or (is_array(kind) and "string" in kind):
            literal["pattern"] = self.text if _may_hold_references(schema) else _NO_REFERENCE
            if "pattern" in schema:
                literal["allOf"] = [*schema.get("allOf", []), {"pattern": schema["pattern"]}]
        if is_object(inside := schema.get("properties")):
            literal["properties"] = {k: self.argument(s) if is_object(s) else s for k, s in inside.items()}
        if is_object(items := schema.get("items")):
            literal["items"] = self.argument(items)
        return literal


def _may_hold_references(schema: JsonObject) -> bool:
    """Returns whether results may stand within the text that a schema allows; elsewhere a dollar is a dollar."""
    if any(is_object(option) and _may_hold_references(option) for option in schema.get("anyOf", ())):
        return True
    return schema.get("type") == "string" and not (_SHAPED | {"enum", "const"}) & schema.keys()


def _key(schema: JsonObject | None) -> str:
    """Returns what counts for the type: results have many fields that differ only in what is said of them."""
    return json.dumps(schema if schema is None else {k: v for k, v in schema.items() if k != "description"})


@lru_cache(maxsize=50_000)
def _fit(result: str, parameter: str, root: str) -> Fit:
    return fits(json.loads(result), json.loads(parameter), root=json.loads(root)).fit


def _alternatives(refs: Iterable[Ref]) -> str:
    return "|".join(_SPECIAL.sub(r"\\\g<0>", str(ref)[1:]) for ref in refs)


def in_text(offered: Iterable[Offer]) -> list[Ref]:
    """Returns the references that may stand within text: to text, numbers, true or false, and lists.

    A list is put in as JSON. An object is not: one of its keys is meant.
    """
    fitting = (o.ref for o in offered if _fit(_key(o.schema), _key(_IN_TEXT), "{}") is Fit.YES)
    return [*fitting][:MAX_REFS]


def read_arguments(
    value: Any, parameters: JsonObject, offered: Sequence[Offer], renamed: Mapping[StepId, StepId]
) -> Any:
    """Returns decoded arguments with references as `Ref`, text with references in it as `Template`.

    Args:
        value: What was decoded under `arguments_schema`.
        parameters: JSON Schema of the tool's parameters.
        offered: The references that were on offer.
        renamed: Steps that stand for others.
    """
    return _Reader(offered, renamed).read(value, parameters)


class _Reader:
    def __init__(self, offered: Sequence[Offer], renamed: Mapping[StepId, StepId]) -> None:
        self._refs = {str(o.ref): Ref(renamed.get(o.ref.step, o.ref.step), o.ref.path) for o in offered}
        self._lists = {str(o.ref) for o in offered if o.schema is not None and o.schema.get("type") == "array"}
        # The longest first: $s1.total_sales is not $s1.total and some text.
        self._within = sorted(map(str, in_text(offered)), key=len, reverse=True)
        self._marks = re.compile("|".join([r"\$\$", *map(re.escape, self._within)]))

    def read(self, value: Any, schema: Any) -> Any:
        """Returns the value with references in it; the schema is that of its parameter, as far as it is known."""
        inside: JsonObject = schema if is_object(schema) else {}
        if is_object(value):
            named: Mapping[str, Any] = inside.get("properties", {})
            return {key: self.read(part, named.get(key)) for key, part in value.items()}
        if is_array(value):
            return [self.read(part, inside.get("items")) for part in value]
        if not isinstance(value, str):
            return value
        # Where text is expected, a list is meant as its JSON.
        is_whole = value in self._refs and not (value in self._lists and inside.get("type") == "string")
        if is_whole:
            return self._refs[value]
        if _may_hold_references(inside) and self._within:
            return self._text(value)
        if {"enum", "const"} & inside.keys():
            return parse_refs(value)  # undoes how the values were rendered
        return value[1:] if value.startswith("$$") else value

    def _text(self, text: str) -> str | Template:
        parts: list[str | Ref] = []
        end = 0
        for found in self._marks.finditer(text):
            parts += [text[end : found.start()], self._refs.get(found[0], "$")]
            end = found.end()
        return joined([*parts, text[end:]])


def uses_item(value: Any) -> bool:
    """Returns whether arguments refer to the item at hand."""
    if is_object(value):
        return any(map(uses_item, value.values()))
    if is_array(value):
        return any(map(uses_item, value))
    if isinstance(value, Template):
        return any(map(uses_item, value.refs))
    return isinstance(value, Ref) and value.step == ITEM
