"""Writes JSON values as YAML for people: in blocks, with quotes only where needed, and long texts as lines."""

from __future__ import annotations

import io
import re
from typing import Any

from agentkit.messages import JsonValue, is_array, is_object

__all__ = ["yaml_text"]

_WIDTH = 1 << 30
"""No line is broken: where the library breaks one after an escape, it comes back as another text."""

# What needs no quotes; less than YAML allows, so that nobody has to wonder.
_PLAIN = re.compile(r"(?:[A-Za-z_]|\.{1,2}/|\$[A-Za-z_])[\w ./,()+=$\[\]'-]*(?<! )")
_OTHER_TYPES = {"null", "true", "false", "yes", "no", "on", "off"}


def yaml_text(value: JsonValue) -> str:
    """Returns a JSON value as YAML that `agentkit.yaml_source.Source` reads as the same value."""
    from ruamel.yaml import YAML

    writer: Any = YAML(typ="rt", pure=True)
    writer.default_flow_style = False
    writer.allow_unicode = True
    writer.width = _WIDTH
    writer.indent(mapping=2, sequence=4, offset=2)
    out = io.StringIO()
    writer.dump(_styled(value), out)
    # What can't be seen stands in double quotes only; the library escapes most of it, and so that all can be reviewed:
    return "".join(c if c == "\n" or c.isprintable() else f"\\U{ord(c):08X}" for c in out.getvalue())


def _styled(value: JsonValue) -> Any:
    if is_object(value):
        return {_text(key, key=True): _styled(part) for key, part in value.items()}
    if is_array(value):
        return [_styled(part) for part in value]
    return _text(value) if isinstance(value, str) else value


def _text(text: str, *, key: bool = False) -> str:
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString, LiteralScalarString

    if _PLAIN.fullmatch(text) and text.lower() not in _OTHER_TYPES:
        return text
    styled: str = LiteralScalarString(text) if _is_block(text) and not key else DoubleQuotedScalarString(text)
    return styled


def _is_block(text: str) -> bool:
    """Whether a text can stand as lines that are only indented."""
    lines = text.split("\n")
    whole = len(lines) > 1 and text[0] not in " \n" and not text.endswith("\n\n")
    return whole and all(line.isprintable() and not line.endswith(" ") for line in lines)
