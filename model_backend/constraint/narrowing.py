"""Makes a schema say what its grammar should, where llguidance takes it more widely than the check afterwards.

llguidance's own formats allow leap seconds at any minute, a 29th of February in any year and addresses of any length;
and a key that the schema does not name may go on for ever. The grammar is kept from both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agentkit.messages import JsonObject
from agentkit.model_backend.constraint.closing import lone_nodes
from agentkit.model_backend.constraint.keywords import ANNOTATIONS, is_object, subschemas
from agentkit.model_backend.constraint.text_formats import FORMATS

__all__ = ["LONGEST_KEY", "narrow"]

LONGEST_KEY = 64
"""Characters of a key that the schema does not name."""
_NAMED, _NAME = 400, 40
"""Characters of all names that other keys are kept apart from, and of each; with more the expression gets too large."""
_ANYTHING: JsonObject = {"$ref": "#/$defs/--anything--"}
_ABOUT_OBJECTS = frozenset({"properties", "required", "additionalProperties", "minProperties", "maxProperties"})


def narrow(schema: JsonObject) -> None:
    """Changes the schema, in place."""
    _formats(schema)
    if _points_inside(schema):
        return
    for node in list(lone_nodes(schema)):
        if not node.keys() - ANNOTATIONS:
            for key in node.keys() - {"$defs", "definitions"}:
                del node[key]
            node.update(_ANYTHING)
        elif node.get("type") == "array" and not {"items", "prefixItems"} & node.keys():
            node["items"] = _ANYTHING
        else:
            _bound_keys(node)
    schema["$defs"] = {**schema.get("$defs", {}), "--anything--": _anything()}


def _anything() -> JsonObject:
    """Any value; without a name of its own its keys could not be bounded at every depth."""
    by_name = {f"^{_other_than(())}$": _ANYTHING}
    objects = {"type": "object", "patternProperties": by_name, "additionalProperties": False}
    arrays = {"type": "array", "items": _ANYTHING}
    return {"anyOf": [{"type": ["string", "number", "boolean", "null"]}, arrays, objects]}


def _formats(node: object) -> None:
    if not is_object(node):
        return
    name = node.get("format")
    if isinstance(name, str) and name in FORMATS and not {"enum", "const"} & node.keys():
        del node["format"]
        expression = f"^({FORMATS[name]})$"
        if "pattern" in node:
            node["allOf"] = [*node.get("allOf", ()), {"pattern": expression}]
        else:
            node["pattern"] = expression
    for _, inner in subschemas(node):
        _formats(inner)


def _points_inside(node: object) -> bool:
    """Whether a reference leads into a keyword that is about to be moved."""
    if not is_object(node):
        return False
    ref = node.get("$ref")
    inside = isinstance(ref, str) and "/additionalProperties" in ref
    return inside or any(_points_inside(inner) for _, inner in subschemas(node))


def _bound_keys(node: JsonObject) -> None:
    about_objects = node.get("type") == "object" or bool(_ABOUT_OBJECTS & node.keys())
    names: Sequence[str] = [*node.get("properties", ())]
    extra: Any = node.get("additionalProperties", True)
    missing = set(node.get("required", ())) - set(names)
    too_long = sum(map(len, names)) > _NAMED or max(map(len, names), default=0) > _NAME
    if about_objects and extra is not False and not (missing or too_long or "patternProperties" in node):
        node["patternProperties"] = {f"^{_other_than(names)}$": _ANYTHING if extra in (True, {}) else extra}
        node["additionalProperties"] = False


def _other_than(names: Sequence[str], depth: int = 0) -> str:
    """Returns an expression for all keys but these, which begin at the given depth of a key."""
    heads = sorted({name[0] for name in names if name})
    other = "[^" + "".join(map(_escaped, heads)) + "]" if heads else "(?s:.)"
    ways = [f"{other}(?s:.){{0,{LONGEST_KEY - depth - 1}}}"]
    for head in heads:
        rests = [name[1:] for name in names if name.startswith(head)]
        ways.append(_escaped(head) + _other_than(rests, depth + 1))
    may_end = depth > 0 and "" not in names
    return f"({'|'.join(ways)}){'?' if may_end else ''}"


def _escaped(char: str) -> str:
    return f"\\x{{{ord(char):x}}}"
