"""Scores calls by the AST rules of BFCL v4: the same verdict as its own checker for Python.

The rules are those of ``ast_checker.py`` in the package ``bfcl-eval`` (Apache-2.0), which are lenient
in places and strict in others:

- Exactly the expected number of calls; in the parallel categories in any order, each expected call
  taking the first call that fits.
- Types are compared exactly (``true`` is no integer), but an integer will do for a float parameter;
  not so inside an array.
- Strings are compared without case, spaces and ``,./-_*^``; at the top level, in a list and as a value
  of an object, not deeper.
- Where the allowed values have another type than the declaration, that type is accepted too.
- ``""`` among the allowed values means that the parameter may be left out. As an empty value of a
  list parameter it also allows ``[]``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from agentkit.bench.bfcl_cases import Case
from agentkit.messages import JsonObject, ToolCall

__all__ = ["mismatch"]

_PYTHON_TYPES: dict[str, type] = {
    "string": str,
    "integer": int,
    "float": float,
    "boolean": bool,
    "array": list,
    "tuple": list,
    "dict": dict,
    "any": str,
}
_IGNORED = re.compile(r"[ ,./\-_*^]")


def mismatch(case: Case, calls: Sequence[ToolCall]) -> str | None:
    """Returns what is wrong with the calls as an answer to the case, or ``None`` when they are right."""
    if len(calls) != len(case.answer):
        return f"{len(calls)} calls instead of {len(case.answer)}"
    functions = {function["name"]: function for function in case.functions}
    left = list(calls)
    for expected in case.answer:
        name = next(iter(expected))
        problems = [_call_problem(functions[name], call, expected[name]) for call in left]
        if None not in problems:
            return (
                problems[0]
                if len(problems) == 1
                else f"no call fits the expected {name!r}: {'; '.join(map(str, problems))}"
            )
        del left[problems.index(None)]
    return None


def _call_problem(function: JsonObject, call: ToolCall, allowed: Mapping[str, list[Any]]) -> str | None:
    if call.name != function["name"]:
        return f"{call.name!r} was called instead of {function['name']!r}"
    parameters = function["parameters"].get("properties", {})
    required = function["parameters"].get("required", ())
    if missing := [name for name in required if name not in call.arguments]:
        return f"the required parameter {missing[0]!r} is missing"
    for name, value in call.arguments.items():
        if name not in parameters or name not in allowed:
            return f"the parameter {name!r} is not expected"
        if not _value_fits(parameters[name], value, allowed[name]):
            return f"{name!r} is {value!r}, expected one of {allowed[name]!r}"
    if missing := [name for name in allowed if name not in call.arguments and "" not in allowed[name]]:
        return f"the parameter {missing[0]!r} is missing"
    return None


def _value_fits(declared: JsonObject, value: Any, allowed: list[Any]) -> bool:
    name = declared.get("type", "any")
    if name == "float" and type(value) is int:
        value = float(value)
    kind = _PYTHON_TYPES[name]
    if not _is(value, kind):
        return _is(value, _type_of_first(allowed)) and value in allowed
    if kind is list and not _items_fit(declared.get("items", {}), value, allowed):
        return False
    if _type_of_first(allowed) not in (kind, None):
        return value in allowed
    if kind is dict:
        return any(_dict_fits(value, option) for option in allowed)
    if kind is list:
        if declared.get("items", {}).get("type") == "dict":
            return any(_dicts_fit(value, option) for option in allowed)
        return _plain_list(value) in [_plain_list(option) for option in allowed]
    if kind is str:
        return _plain(value) in [_plain(option) for option in allowed if _is(option, str)]
    return value in allowed


def _items_fit(items: JsonObject, value: list[Any], allowed: list[Any]) -> bool:
    """Tells whether the items have the declared type, or that of the items of an allowed value."""
    if "type" not in items:
        return True
    kind = _PYTHON_TYPES[items["type"]]
    return any(
        not _is(option, list) or all(_is(item, kind) or _is(item, _type_of_first(option)) for item in value)
        for option in allowed
    )


def _dicts_fit(value: list[Any], allowed: Any) -> bool:
    return len(value) == len(allowed) and all(map(_dict_fits, value, allowed))


def _dict_fits(value: Any, allowed: Any) -> bool:
    if not _is(value, dict) or not _is(allowed, dict):
        return False
    return all(key in allowed and _plain(item) in map(_plain, allowed[key]) for key, item in value.items()) and all(
        key in value or "" in options for key, options in allowed.items()
    )


def _is(value: Any, kind: type | None) -> bool:
    """Tells whether a value has exactly this type: ``True`` is an ``int`` to Python, and not to BFCL."""
    return type(value) is kind


def _type_of_first(allowed: Sequence[Any]) -> type | None:
    """Returns the type of the first value that is not the mark for "may be left out"."""
    return next((value.__class__ for value in allowed if value != ""), None)


def _plain(value: Any) -> Any:
    """Returns a string without what BFCL ignores, and any other value as it is."""
    return _IGNORED.sub("", value).lower().replace("'", '"') if isinstance(value, str) else value


def _plain_list(values: Sequence[Any]) -> list[Any]:
    return [_plain(value) for value in values]
