"""The inputs of a task file: defaults, ``--set key=value``, and ``{{ name }}`` in texts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

import jinja2
from jinja2 import meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from agentkit.errors import TaskFileError
from agentkit.messages import JsonValue
from agentkit.trace.text import value_text
from agentkit.yaml_source import Node, Source

__all__ = ["MAX_CHARACTERS", "did_you_mean", "escape", "read_inputs", "render"]

_NEAR = 0.65
"""How alike names are to be taken for each other; a little less, and "hosts" is proposed for "steps"."""
MAX_CHARACTERS = 1_000_000
"""Longest text after inputs are put in."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ENVIRONMENT = ImmutableSandboxedEnvironment(keep_trailing_newline=True, finalize=value_text)
_ENVIRONMENT.globals.clear()
_TEMPLATE = re.compile(r"\{[{%#]|\{[\s\S]*\r|\r[\s\S]*\{")
_ALLOWED = (nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const)
_NOT_A_NAME = r"(\{%(?!-?\s*(?:end)?raw)|\{\{(?!-?\s*\w+\s*-?\}\}))"


def did_you_mean(name: str, names: Mapping[str, Any] | list[str] | tuple[str, ...], what: str) -> str:
    """Returns the end of a message: the nearest of the valid names, and all of them.

    Args:
        name: The wrong name.
        names: The valid names, in the order to list them.
        what: What they are, in the plural.
    """
    near = get_close_matches(name, list(names), n=1, cutoff=_NEAR)
    listed = f"{what}: {', '.join(names)}" if names else f"there are no {what}"
    return f"did you mean {near[0]!r}? ({listed})" if near else listed


def read_inputs(source: Source, node: Node | None, given: Mapping[str, str]) -> dict[str, JsonValue]:
    """Returns the inputs: the defaults of the file, replaced by what was given as text.

    A given text takes the type of the default: number, true or false, text; JSON for a list or mapping. An
    input without a default (``file:``) must be given.

    Raises:
        agentkit.errors.TaskFileError: A name is not an input, a text does not fit, or an input has no value.
    """
    if node is not None and not isinstance(node.value, dict):
        raise source.error(
            node, f"'inputs' must be a mapping of names to defaults such as 'file: data.csv', not {node.describe()}"
        )
    defaults = node.value if node is not None and isinstance(node.value, dict) else {}
    for name in given:
        if name not in defaults:
            add = f"; to have one, write '{name}:' under inputs" if _NAME.fullmatch(name) else ""
            raise source.error(
                node, f"--set {name!r}: there is no such input; {did_you_mean(name, defaults, 'inputs')}{add}"
            )
    values: dict[str, JsonValue] = {}
    for name, default in defaults.items():
        if not _NAME.fullmatch(name):
            place = node.keys[name] if node is not None else None
            raise source.error(place, f"the input name {name!r} must be letters, digits and '_'; rename it")
        values[name] = _convert(source, name, default, given[name]) if name in given else default.plain()
        if values[name] is None:
            raise source.error(default, f"the input {name!r} has no value; give one with --set {name}=VALUE")
    return values


def _convert(source: Source, name: str, default: Node, text: str) -> JsonValue:
    def wrong(expected: str) -> TaskFileError:
        return source.error(default, f"--set {name}={text!r}: expected {expected}, because the default is one")

    match default.value:
        case bool():
            if text not in ("true", "false"):
                raise wrong("true or false")
            return text == "true"
        case int():
            try:
                return int(text)
            except ValueError:
                raise wrong("a whole number") from None
        case float():
            try:
                number = float(text)
            except ValueError:
                number = float("nan")
            if abs(number) < float("inf"):
                return number
            raise wrong("a number")
        case list() | dict():
            try:
                value: Any = json.loads(text)
            except (ValueError, RecursionError):
                value = None
            if type(value) is not type(default.value):
                raise wrong("a list as JSON" if isinstance(default.value, list) else "a mapping as JSON")
            return value
        case _:
            return text


def render(source: Source, node: Node, inputs: Mapping[str, JsonValue]) -> str:
    """Returns a text node with ``{{ name }}`` replaced by inputs; what is not text is written as JSON.

    Nothing else of Jinja is allowed: a loop or a calculation in a task file could run without end.

    Raises:
        agentkit.errors.TaskFileError: The template is wrong, at the place of what is wrong.
    """
    text = str(node.value)
    if "{" not in text:
        return text
    try:
        tree = _ENVIRONMENT.parse(text)
    except jinja2.TemplateSyntaxError as error:
        raise source.error(node, f"the template is wrong: {error.message}; correct what is in the braces") from None
    if not all(isinstance(n, _ALLOWED) for n in tree.find_all(nodes.Node)):
        message = "only '{{ name }}' can be used in a task file, no other template code; do the rest in a tool"
        raise _at(source, node, _NOT_A_NAME, message)
    if unknown := meta.find_undeclared_variables(tree) - set(inputs):
        name = min(unknown, key=lambda n: (text.find(n), n))
        message = f"{name!r} in '{{{{ }}}}' is not an input; {did_you_mean(name, list(inputs), 'inputs')}"
        raise _at(source, node, rf"\{{\{{.*?\b({re.escape(name)})\b", f"{message}; add it under 'inputs'")
    return _bounded(source, node, _ENVIRONMENT.from_string(tree).generate(inputs))


def escape(text: str) -> str:
    """Returns a text written so that `render` gives it back as it is."""
    return re.sub(r"[{\r]", lambda m: f"{{{{ {m[0]!r} }}}}", text) if _TEMPLATE.search(text) else text


def _bounded(source: Source, node: Node, parts: Iterable[str]) -> str:
    text = ""
    for part in parts:
        text += part
        if len(text) > MAX_CHARACTERS:
            message = f"this has more than {MAX_CHARACTERS:,} characters with its inputs; keep data in files of its own"
            raise source.error(node, message)
    return text


def _at(source: Source, node: Node, pattern: str, message: str) -> TaskFileError:
    """Returns an error at the pattern's group in the text as it is written, which may hold escapes."""
    match = re.search(pattern, source.text[node.start : node.end], re.DOTALL)
    return source.at(source.text[: node.start + match.start(1)], message) if match else source.error(node, message)
