"""Built-in tool that runs Python which a model wrote, in an interpreter that can't reach anything.

The interpreter is `pydantic-monty` (``pip install 'agentkit-gemma[python]'``): a Python of its own in a worker process,
without files, network, imports of other packages or access to this process. What is covered: plain computing with
functions, classes, ``re``, ``json``, ``datetime`` and ``math``. What is not: third-party packages.
"""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict

from agentkit.errors import Retry, ToolFailed
from agentkit.messages import JsonValue
from agentkit.tools.context import ToolContext
from agentkit.tools.decorator import tool

__all__ = ["run_python"]

SECONDS = 10.0
MEMORY = 256 * 1024 * 1024
OUTPUT = 16_000


class PythonResult(TypedDict):
    """What a program gave and printed."""

    value: Any
    printed: NotRequired[str]


@tool(effect="pure")
async def run_python(code: str, context: ToolContext) -> PythonResult:
    """Run a Python program and get the value of its last line. It has no files, no network and no packages.

    Args:
        code: The program, such as "sum(x * x for x in range(10))".
        context: The run.

    Raises:
        agentkit.errors.Retry: The program has an error; the message has Python's.
        agentkit.errors.ToolFailed: The extra is not installed, or a limit was reached.
    """
    try:
        import pydantic_monty as monty
    except ImportError:
        raise ToolFailed("running Python needs the extra: pip install 'agentkit-gemma[python]'") from None
    context.sandbox = "monty"
    printed = monty.CollectString(max_bytes=OUTPUT)
    limits = monty.ResourceLimits(max_feed_duration_secs=SECONDS, max_memory=MEMORY)
    try:
        async with monty.AsyncMonty() as pool, pool.checkout(limits=limits) as session:
            value = await session.feed_run(code, print_callback=printed)
    except monty.MontyCrashedError as error:
        raise ToolFailed(f"the interpreter was stopped: {error}") from None
    except monty.MontyError as error:
        raise Retry(f"{error}\n{printed.output}".strip()) from None
    result = PythonResult(value=_plain(value))
    if printed.output:
        result["printed"] = printed.output
    return result


def _plain(value: object) -> JsonValue:
    from pydantic_core import to_jsonable_python

    plain: JsonValue = to_jsonable_python(value, fallback=repr, inf_nan_mode="strings")
    return plain
