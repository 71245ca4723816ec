"""What a tool is: a name, a description, schemas, an effect class, limits, and a way to call it."""

from __future__ import annotations

import asyncio
import copy
import functools
import inspect
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, Concatenate, Generic, Literal, ParamSpec, Self, TypeAlias, TypeVar, cast, get_args, overload

from agentkit.errors import UsageError
from agentkit.messages import JsonObject, JsonValue
from agentkit.tools.arguments import Arguments
from agentkit.tools.context import ToolContext
from agentkit.tools.invoke import Call, call_here, within
from agentkit.tools.process import Target, call_in_process, find_target
from agentkit.tools.reconcile import Reconcile, Reconciled, ask
from agentkit.tools.results import Results
from agentkit.tools.schema import support_typed_dicts
from agentkit.tools.signature import Signature, define_error, place_of, read_signature, underlying

__all__ = ["Effect", "FunctionTool", "Isolation", "Sink", "Tool"]

Effect: TypeAlias = Literal["pure", "idempotent", "keyed", "once"]
"""What it means to call a tool again.

- ``pure``: it only computes or reads; the result may be cached and the call made again.
- ``idempotent``: it changes something, and doing it twice is the same as once.
- ``keyed``: it may be made again with the same idempotency key.
- ``once``: it is never made again unasked.
"""

Isolation: TypeAlias = Literal["thread", "process"]
"""Where a tool runs: in this process, or in one of its own that can be killed."""

Sink: TypeAlias = bool | tuple[str, ...]
"""Whether a tool does something that text from strangers must not decide; names of arguments, when only these decide.

A tool that is called again at a cost (effect ``once`` or ``keyed``) is a sink without saying so. Of ``send_mail``, with
``("to",)``, the text may come from anywhere, and the receiver may not.
"""

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")

_SOURCE = re.compile(r"file|web|untrusted|mcp:\S+")


class Tool(ABC):
    """Something a model can call. Functions become tools by `agentkit.tools.decorator.tool`."""

    name: str
    description: str
    parameters: JsonObject
    """JSON Schema of an object; its properties are the parameters."""
    returns: JsonObject | None
    """JSON Schema of the result, where known."""
    effect: Effect
    timeout: float | None
    """Seconds that one call may take; ``None`` for no limit of its own."""
    isolation: Isolation
    origin: str
    """Where it comes from, for messages: ``get_weather (weather.py:12)``."""
    source: str | None = None
    """Where the text in its results comes from: ``file``, ``web``, ``untrusted``, ``mcp:SERVER``; ``None`` when it is
    the developer's own. What is neither a file nor one's own is untrusted (see `agentkit.labels`)."""
    own: tuple[str, ...] = ()
    """Fields of its results that it makes itself and no stranger can choose, such as ``id``: of the result itself or
    of each of its items; further down, with dots and without indices: ``messages.id``."""
    sink: Sink = False
    reuse: bool = True
    """Whether a result may be taken from an earlier run; not that of a clock."""

    @abstractmethod
    def validate(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the arguments as the tool takes them.

        Raises:
            agentkit.errors.ArgumentError: They do not fit; the message is meant for the model.
        """

    @abstractmethod
    async def invoke(self, arguments: JsonObject, context: ToolContext | None = None) -> JsonValue:
        """Validates, runs, and returns the result as JSON.

        Cancelling the awaiting task stops the tool: at its next ``await`` (async), at its next ``yield``
        (generator), or by killing its process; a plain function in a thread runs on unseen.

        Args:
            arguments: JSON, as the model gave them.
            context: The run around the call.

        Raises:
            agentkit.errors.ArgumentError: The arguments do not fit.
            agentkit.errors.Retry: The tool wants to be called again with other arguments.
            agentkit.errors.ToolFailed: The tool can't do it, or its result is not JSON.
            agentkit.errors.ToolTimeout: It ran longer than its limit.
            Exception: Whatever else the tool raised.
        """

    async def reconcile(self, arguments: JsonObject, key: str) -> Reconciled:
        """Finds out whether a call was made that was begun before a crash; ``None`` when that can't be told.

        Args:
            arguments: Those of the call.
            key: The call's idempotency key.
        """
        return None

    def held(self) -> AbstractAsyncContextManager[None]:
        """Keeps open what its calls share, such as the process of a server; entered for as long as a run goes on."""
        return nullcontext()

    def replace(self, *, name: str | None = None, description: str | None = None) -> Self:
        """Returns the same tool under another name or description."""
        other = copy.copy(self)
        other.name = self.name if name is None else name
        other.description = self.description if description is None else description
        return other

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}({', '.join(self.parameters.get('properties', {}))})>"


class FunctionTool(Tool, Generic[P, R]):
    """A Python function as a tool; calling it calls the function as it was.

    Args:
        function: A function (sync, async, generator), method, partial or callable object.
        name: The tool's name; the function's own by default.
        description: What the model is told; the docstring's text by default.
        effect: What it means to call it again.
        timeout: Seconds that one call may take.
        isolation: Where it runs; by default in a process where only that can enforce the timeout of a
            sync function, otherwise in a thread (sync) or on the event loop (async).
        reconcile: Finds out whether a call was made that was begun before a crash.
        source: Where the text in its results comes from, such as ``web``.
        own: Fields of its results that it makes itself, such as ids; `source` does not hold for them.
        sink: Whether, or in which arguments, untrusted text must not decide what it does.
        reuse: Whether a result may be taken from an earlier run.
        names: Local names that annotations may use.

    Raises:
        agentkit.errors.ToolDefinitionError: It can't be a tool as it is written.
    """

    def __init__(
        self,
        function: Callable[P, R],
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
        names: Mapping[str, Any] | None = None,
    ) -> None:
        _check_function(function)
        _check_options(function, effect, timeout, isolation)
        self.function = function
        self.signature: Signature = read_signature(function, name=name, names=names or {})
        self.name: str = self.signature.name
        self.description: str = (
            self.signature.docs.description if description is None else inspect.cleandoc(description)
        )
        for p in self.signature.parameters:
            support_typed_dicts(p.annotation)
        support_typed_dicts(self.signature.result)
        self._arguments = Arguments(function, self.signature.parameters)
        self._results = Results(function, self.signature)
        self.parameters: JsonObject = self._arguments.schema
        self.returns: JsonObject | None = self._results.schema
        self.effect: Effect = effect
        self.timeout: float | None = timeout
        self._reconcile = reconcile
        self.isolation: Isolation = isolation or self._default_isolation()
        self._target: Target | None = None
        if self.isolation == "process":
            self._target = find_target(function, self.signature)
        self.source: str | None = source
        self.own: tuple[str, ...] = tuple(own)
        self.sink: Sink = sink if isinstance(sink, bool) else tuple(sink)
        self.reuse: bool = reuse
        self.origin: str = place_of(function)
        _check_labels(self)
        functools.update_wrapper(self, underlying(function), updated=())

    def _default_isolation(self) -> Isolation:
        return "process" if self.timeout is not None and self.signature.style in ("sync", "generator") else "thread"

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Calls the function as it was."""
        return self.function(*args, **kwargs)

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(
        self: FunctionTool[Concatenate[Any, Q], R], instance: object, owner: type | None = None
    ) -> FunctionTool[Q, R]: ...
    def __get__(self, instance: object, owner: type | None = None) -> Any:
        """Binds a method that was decorated in its class to its object."""
        if instance is None or not self.signature.unbound:
            return self
        bound = copy.copy(self)
        bound.function = functools.partial(cast("Any", self.function), instance)
        bound.signature = self.signature.bound()
        return bound

    def validate(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the arguments as Python values; those left to the function's defaults are not in it."""
        return self._arguments.validate(self.name, arguments)

    async def invoke(self, arguments: JsonObject, context: ToolContext | None = None) -> JsonValue:
        """Validates, runs, and returns the result as JSON."""
        values = self.validate(arguments)
        context = ToolContext() if context is None else context
        context.bind(asyncio.get_running_loop())
        try:
            if self._target is not None:
                return await call_in_process(
                    self._target, arguments, tool=self.name, timeout=self.timeout, context=context
                )
            call = self.call(values, progress=context.progress, context=context)
            left = "it was cancelled" if call.is_async else "its thread was left behind and may still be running"
            return self.to_json(await within(self.timeout, self.name, call_here(call), consequence=left))
        except BaseException:
            context.cancel()
            raise

    async def reconcile(self, arguments: JsonObject, key: str) -> Reconciled:
        """Asks the function that was given for it."""
        return await ask(self._reconcile, arguments, key)

    def call(
        self, values: Mapping[str, Any], *, progress: Callable[[JsonValue], None], context: ToolContext | None = None
    ) -> Call:
        """Returns one call of the function, ready to run.

        Args:
            values: Python values, as `validate` gives them.
            progress: Takes what a generator yields.
            context: Goes to the parameter that asks for it.

        Raises:
            agentkit.errors.UsageError: It is a method and has no object.
        """
        if self.signature.unbound:
            raise UsageError(
                f"{self.origin} is a method without its object; give the tool of an object: obj.{self.name}"
            )
        rest = dict(values)
        if self.signature.context is not None:
            rest[self.signature.context] = context
        positional = [rest.pop(p.name, p.default) for p in self.signature.parameters if p.positional_only]
        return Call(
            tool=self.name,
            function=functools.partial(cast("Any", self.function), *positional, **rest),
            is_async=self.signature.style in ("async", "async_generator"),
            result_is_returned=self.signature.result_is_returned,
            progress=progress,
            stopped=(lambda: False) if context is None else (lambda: context.cancelled),
        )

    def to_json(self, value: Any) -> JsonValue:
        """Returns a result of the function as JSON.

        Raises:
            agentkit.errors.ToolFailed: It is not what the annotation says, or not JSON.
        """
        return self._results.to_json(self.name, value)


def _check_function(function: Any) -> None:
    if isinstance(function, Tool):
        raise UsageError(f"{function.origin} is a tool already; use tool.replace(name=...) for another name")
    if isinstance(function, classmethod | staticmethod):
        kind = type(function).__name__  # pyright: ignore[reportUnknownArgumentType]
        raise define_error(
            cast("Any", function).__func__,
            f"it is a {kind} object; apply tool() to it on the class: tool(Class.method)",
        )
    if inspect.isclass(function):
        raise define_error(function, "it is a class; write a function that makes one")
    if not callable(function):
        raise define_error(function, "it can't be called; give a function")


def _check_options(
    function: Callable[..., Any], effect: Effect, timeout: float | None, isolation: Isolation | None
) -> None:
    if effect not in get_args(Effect):
        raise define_error(function, f"effect={effect!r} is not one of {', '.join(map(repr, get_args(Effect)))}")
    if isolation is not None and isolation not in get_args(Isolation):
        raise define_error(function, f"isolation={isolation!r} is neither 'thread' nor 'process'")
    if timeout is not None and not 0 < timeout < math.inf:
        raise define_error(function, f"timeout={timeout!r} is not a number of seconds above 0")


def _check_labels(tool: FunctionTool[..., Any]) -> None:
    if tool.source is not None and not _SOURCE.fullmatch(tool.source):
        raise define_error(
            tool.function, f"source={tool.source!r} is not one of 'file', 'web', 'untrusted', and not 'mcp:SERVER'"
        )
    if isinstance(tool.sink, tuple) and (unknown := set(tool.sink) - set(tool.parameters.get("properties", {}))):
        names = ", ".join(map(repr, tool.parameters.get("properties", {}))) or "none"
        raise define_error(tool.function, f"sink names the argument {min(unknown)!r}, and its arguments are: {names}")
