"""Arguments that may be references: the schema to decode them under, and how they are read.

An argument is a literal that fits its parameter, or one of the references whose type fits it. The references are
listed in the schema, so a constrained decoder can write no other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from agentkit.errors import PlanError
from agentkit.messages import JsonObject, is_array, is_object
from agentkit.planners.fit import Fit, fits, item_schema, paths
from agentkit.planners.plan import ITEM, Ref, StepId, Template, joined, render_refs

__all__ = ["Offer", "arguments_schema", "item_offers", "items_of", "offers", "read_arguments", "uses_item"]

_SCALAR: JsonObject = {"type": ["string", "number", "boolean"]}
MAX_REFS = 60
"""References offered for one argument."""
_SHAPED = {"pattern", "format", "minLength", "maxLength"}
"""Keywords of text whose shape would not survive that results are put in."""
_TEXT = r"^(([^$]|\$\$|\$(TEXTS))([^$]|\$\$|\$(REFS)|\$[^$a-zA-Z_{])*\$?)?$"
"""Pattern of text in which the references REFS may stand. At its start stands none but to text (TEXTS), so that a
number alone is not passed where text is expected: it would be converted, and is hardly ever meant."""
_NO_REFERENCE = r"^([^$][\s\S]*|\$\$[\s\S]*)?$"
"""Pattern of text that is no reference: a dollar at its start is doubled, as in a task file."""


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


def arguments_schema(parameters: JsonObject, offered: Sequence[Offer]) -> JsonObject:
    """Returns a tool's parameters with references allowed wherever one of a fitting type is on offer."""
    return _Parameters(parameters, offered).literal(parameters)


@dataclass(frozen=True)
class _Parameters:
    root: JsonObject
    offered: Sequence[Offer]

    @cached_property
    def text(self) -> str:
        """Pattern of text in which references to scalars may stand, anywhere."""
        refs = in_text(self.offered)
        if not refs:
            return _NO_REFERENCE
        texts = [o.ref for o in self.offered if o.ref in refs and _is_text(o.schema)]
        pattern = _TEXT if texts else _TEXT.replace(r"|\$(TEXTS)", "")
        return pattern.replace("TEXTS", _alternatives(texts)).replace("REFS", _alternatives(refs))

    def argument(self, schema: JsonObject) -> JsonObject:
        """Returns the schema of a value that may be a reference."""
        fitting = [str(o.ref) for o in self.offered if fits(o.schema, schema, root=self.root).fit is not Fit.NO]
        if schema.get("type") == "string":
            fitting = [str(o.ref) for o in self.offered if str(o.ref) in fitting and not _is_number(o.schema)]
        literal = self.literal(schema)
        return {"anyOf": [{"enum": fitting[:MAX_REFS]}, literal]} if fitting else literal

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
            literal["pattern"] = self.text if kind == "string" and not _SHAPED & schema.keys() else _NO_REFERENCE
            if "pattern" in schema:
                literal["allOf"] = [*schema.get("allOf", []), {"pattern": schema["pattern"]}]
        if is_object(inside := schema.get("properties")):
            literal["properties"] = {k: self.argument(s) if is_object(s) else s for k, s in inside.items()}
        if is_object(items := schema.get("items")):
            literal["items"] = self.argument(items)
        return literal


def _alternatives(refs: Iterable[Ref]) -> str:
    return "|".join(re.escape(str(ref)[1:]) for ref in refs)


def _is_text(schema: JsonObject | None) -> bool:
    return fits(schema, {"type": "string"}).fit is Fit.YES and not _is_number(schema)


def _is_number(schema: JsonObject | None) -> bool:
    return schema is not None and schema.get("type") in ("integer", "number", "boolean")


def in_text(offered: Iterable[Offer]) -> list[Ref]:
    """Returns the references that may stand within text: to what is text, a number or true or false."""
    scalars = (o.ref for o in offered if fits(o.schema, _SCALAR).fit is Fit.YES)
    return [*scalars][:MAX_REFS]


def read_arguments(value: Any, offered: Sequence[Offer], renamed: Mapping[StepId, StepId]) -> Any:
    """Returns decoded arguments with references as `Ref`, text with references in it as `Template`.

    Args:
        value: What was decoded under `arguments_schema`.
        offered: The references that were on offer.
        renamed: Steps that stand for others.
    """
    refs = {str(o.ref): Ref(renamed.get(o.ref.step, o.ref.step), o.ref.path) for o in offered}
    # The longest first: $s1.total_sales is not $s1.total and some text.
    within = "|".join(re.escape(str(ref)) for ref in sorted(in_text(offered), key=lambda ref: -len(str(ref))))
    return _read(value, refs, re.compile(rf"\$\$|{within}" if within else r"\$\$"))


def _read(value: Any, refs: Mapping[str, Ref], marks: re.Pattern[str]) -> Any:
    if is_object(value):
        return {k: _read(v, refs, marks) for k, v in value.items()}
    if is_array(value):
        return [_read(v, refs, marks) for v in value]
    if not isinstance(value, str):
        return value
    return refs[value] if value in refs else _read_text(value, refs, marks)


def _read_text(text: str, refs: Mapping[str, Ref], marks: re.Pattern[str]) -> str | Template:
    parts: list[str | Ref] = []
    end = 0
    for found in marks.finditer(text):
        parts += [text[end : found.start()], refs.get(found[0], "$")]
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
