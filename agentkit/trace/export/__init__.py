"""A run in the forms that other programs and people without agentkit can read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias, get_args

from agentkit.trace.export.html import to_html
from agentkit.trace.export.jsonl import to_jsonl
from agentkit.trace.export.otlp import to_otlp_json
from agentkit.trace.export.svg import to_svg
from agentkit.trace.trace import Trace

__all__ = ["FORMATS", "Format", "export", "to_html", "to_jsonl", "to_otlp_json", "to_svg"]

Format: TypeAlias = Literal["html", "svg", "jsonl", "otlp-json"]

FORMATS: tuple[Format, ...] = get_args(Format)

_WRITERS: dict[Format, Callable[[Trace], str]] = {
    "html": to_html,
    "svg": to_svg,
    "jsonl": to_jsonl,
    "otlp-json": to_otlp_json,
}


def export(trace: Trace, form: Format) -> str:
    """Returns a run in another form, in ASCII only, so that no encoding on the way can spoil it.

    Args:
        trace: The run.
        form: ``html`` is a page that needs nothing else, ``svg`` a picture, ``jsonl`` an event on each line, and
            ``otlp-json`` what OpenTelemetry programs import.
    """
    return _WRITERS[form](trace)
