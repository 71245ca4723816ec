"""`tool`: makes a Python function one that a model can call."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypeVar, overload

from agentkit.tools.reconcile import Reconcile
from agentkit.tools.tool import Effect, FunctionTool, Isolation

__all__ = ["tool"]

P = ParamSpec("P")
R = TypeVar("R")


@overload
def tool(
    function: Callable[P, R],
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    effect: Effect = "once",
    timeout: float | None = None,
    isolation: Isolation | None = None,
    reconcile: Reconcile | None = None,
    source: str | None = None,
    own: Sequence[str] = (),
    sink: bool | Sequence[str] = False,
    reuse: bool = True,
) -> FunctionTool[P, R]: ...
@overload
def tool(
    *,
    name: str | None = None,
    description: str | None = None,
    effect: Effect = "once",
    timeout: float | None = None,
    isolation: Isolation | None = None,
    reconcile: Reconcile | None = None,
    source: str | None = None,
    own: Sequence[str] = (),
    sink: bool | Sequence[str] = False,
    reuse: bool = True,
) -> Callable[[Callable[P, R]], FunctionTool[P, R]]: ...
def tool(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    effect: Effect = "once",
    timeout: float | None = None,
    isolation: Isolation | None = None,
    reconcile: Reconcile | None = None,
    source: str | None = None,
    own: Sequence[str] = (),
    sink: bool | Sequence[str] = False,
    reuse: bool = True,
) -> Any:
    """Returns the function as a tool; it can still be called as the function it was.

    Use it bare (``@tool``) or with arguments (``@tool(effect="pure")``).

    The model is told the name, the docstring's text, and each parameter's type, default and documentation
    (from ``Annotated`` or from a Google, NumPy or reST docstring). Arguments are validated and converted
    before the function sees them.

    Args:
        function: A function, method, partial or callable object with typed parameters.
        name: The tool's name; the function's own by default.
        description: What the model is told; the docstring's text by default.
        effect: What it means to call it again: ``"pure"``, ``"idempotent"``, ``"keyed"`` or ``"once"``.
        timeout: Seconds that one call may take. A sync function with a timeout runs in a process of its
            own, which is killed at the limit with all it started.
        isolation: ``"thread"`` keeps a sync function with a timeout in this process: at the limit its
            thread is left behind, still running. ``"process"`` asks for a process without a timeout.
        reconcile: Takes the arguments of a ``"once"`` call that was begun before a crash, and its idempotency key,
            and returns `agentkit.tools.reconcile.Done`, ``NotDone``, or ``None`` when it can't tell.
        source: Where the text in its results comes from: ``"web"``, ``"file"`` or ``"untrusted"``; by default it is the
            developer's own. Text from the web and untrusted text must not decide about effects.
        own: Fields of its results that it makes itself, at any depth, such as ``("id",)``: `source` does not hold for
            them.
        sink: Whether text that is not trusted must not decide what it does: ``True``, or the names of the arguments
            that decide, such as ``("to",)``. Tools with the effect ``"once"`` or ``"keyed"`` are sinks without it.
        reuse: Whether a result may be taken from an earlier run (``agentkit run --reuse``); ``False`` for what changes
            without its arguments, such as a clock.

    Raises:
        agentkit.errors.ToolDefinitionError: It can't be a tool as it is written; the message names the
            parameter and the fix.

    Example:
        >>> @tool(effect="pure")
        ... def add(a: int, b: int = 1) -> int:
        ...     '''Add two numbers.'''
        ...     return a + b
        >>> add(2, 3), add.name, add.parameters["required"]
        (5, 'add', ['a'])
    """
    frame = inspect.currentframe()
    names = (
        frame.f_back.f_locals if frame and frame.f_back else {}
    )  # annotations may name classes of the function around

    def make(function: Callable[..., Any]) -> FunctionTool[..., Any]:
        return FunctionTool(
            function,
            name=name,
            description=description,
            effect=effect,
            timeout=timeout,
            isolation=isolation,
            reconcile=reconcile,
            source=source,
            own=own,
            sink=sink,
            reuse=reuse,
            names=names,
        )

    return make if function is None else make(function)
