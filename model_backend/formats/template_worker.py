"""Renders a chat template that came with a file, in a process of its own that may be killed.

Run as a script by `agentkit.model_backend.formats.template`; it imports no part of agentkit. The first line on
standard input is the template, each further line a set of variables, all JSON; each gets one line back:
``{"text": ...}``, ``{"refused": ...}`` when the template itself raised, or ``{"error": ...}``.

The sandbox keeps a template from reaching Python; the limits on memory (here) and time (by killing) keep
it from taking the machine.
"""

from __future__ import annotations

import datetime
import json
import sys
from typing import Any, NoReturn

import jinja2
import jinja2.ext
import jinja2.nodes
import jinja2.parser
import jinja2.sandbox

__all__ = ["main", "make_environment"]

MEMORY_BYTES = 512 * 2**20
LONGEST_TEXT = 16 * 2**20


class Refused(Exception):
    """The template called ``raise_exception``."""


class GenerationTag(jinja2.ext.Extension):
    """``{% generation %}``: marks what a model is trained on; renders as what is inside it."""

    tags = {"generation"}

    def parse(self, parser: jinja2.parser.Parser) -> list[jinja2.nodes.Node]:
        """Returns the nodes inside the tag."""
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def make_environment() -> jinja2.sandbox.ImmutableSandboxedEnvironment:
    """Returns an environment with what Hugging Face chat templates expect."""
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=[jinja2.ext.loopcontrols, GenerationTag],
    )
    environment.filters["tojson"] = _tojson
    helpers: dict[str, Any] = {"raise_exception": _raise_exception, "strftime_now": _strftime_now}
    environment.globals.update(helpers)
    return environment


def _tojson(value: Any, indent: int | None = None, ensure_ascii: bool = False, **options: Any) -> str:
    # Jinja's own filter escapes < and > for HTML, which no model was trained on.
    return json.dumps(value, indent=indent, ensure_ascii=ensure_ascii, **options)


def _raise_exception(message: str) -> NoReturn:
    raise Refused(message)


def _strftime_now(pattern: str) -> str:
    return datetime.datetime.now().strftime(pattern)


def render(template: jinja2.Template, variables: dict[str, Any]) -> dict[str, str]:
    """Returns the answer to one line of variables."""
    try:
        text = template.render(**variables)
    except Refused as e:
        return {"refused": str(e)[:1000]}
    except MemoryError:
        return {"error": "it needs too much memory"}
    except RecursionError:
        return {"error": "it calls itself without end"}
    except Exception as e:
        return {"error": f"{type(e).__name__}: {e}"[:1000]}
    if len(text) > LONGEST_TEXT:
        return {"error": f"its text is longer than {LONGEST_TEXT} characters"}
    return {"text": text}


def main() -> None:
    """Answers lines until standard input ends."""
    _limit_memory()
    try:
        template = make_environment().from_string(json.loads(sys.stdin.readline()))
    except (jinja2.TemplateError, MemoryError, RecursionError) as e:
        reason = {"error": f"it can't be read: {type(e).__name__}: {e}"[:1000]}
        for _ in sys.stdin:
            _answer(reason)
        return
    for line in sys.stdin:
        _answer(render(template, json.loads(line)))


def _answer(answer: dict[str, str]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # Windows: only time is limited there
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = MEMORY_BYTES if hard == resource.RLIM_INFINITY else min(MEMORY_BYTES, hard)
    try:
        resource.setrlimit(resource.RLIMIT_AS, (wanted, hard))
    except (ValueError, OSError):  # macOS refuses a limit below what the process has mapped already
        return


if __name__ == "__main__":
    main()
