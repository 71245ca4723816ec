"""Reads a function: its parameters, its result and its kind, or the reason why it can't be a tool."""

from __future__ import annotations

import collections.abc
import dataclasses
import functools
import inspect
import re
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin

from pydantic import Field
from pydantic.fields import FieldInfo

from agentkit.errors import ToolDefinitionError
from agentkit.tools.context import ToolContext
from agentkit.tools.docs import Docs, parse_docs

__all__ = ["EMPTY", "Parameter", "Signature", "Style", "define_error", "place_of", "read_signature", "underlying"]

Style: TypeAlias = Literal["sync", "async", "generator", "async_generator"]

EMPTY: Any = inspect.Parameter.empty
"""Stands for an annotation or a default that is not there."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
_GENERATORS = (collections.abc.Generator, collections.abc.AsyncGenerator)
_ITERATORS = (collections.abc.Iterator, collections.abc.AsyncIterator, collections.abc.AsyncIterable)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter that the model fills in."""

    name: str
    annotation: Any
    """As pydantic takes it, with the description in it."""
    default: Any = EMPTY
    """Python's default."""
    positional_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What a function takes and gives."""

    name: str
    docs: Docs
    parameters: tuple[Parameter, ...]
    context: str | None
    """The parameter that gets the `ToolContext`."""
    result: Any
    """Annotation of the result; `EMPTY` when there is none."""
    style: Style
    result_is_returned: bool
    """For generators: the result is what it returns, even ``None``. Otherwise a generator that returns
    nothing has its last yielded value as the result."""
    unbound: bool
    """A method that waits for its object."""

    def bound(self) -> Signature:
        """Returns the signature of the method when it has its object."""
        return dataclasses.replace(self, unbound=False)


def read_signature(function: Callable[..., Any], *, name: str | None, names: Mapping[str, Any]) -> Signature:
    """Returns the signature of a function that is to be a tool.

    Args:
        function: A function, method, partial or callable object.
        name: The tool's name; the function's own by default.
        names: Local names that annotations may use, besides the globals of the function's module.

    Raises:
        agentkit.errors.ToolDefinitionError: It can't be a tool as it is written.
    """
    source = underlying(function)
    tool_name = _tool_name(function, source, name)
    try:
        signature = inspect.signature(function)
    except (ValueError, TypeError) as error:
        raise define_error(function, f"Python can't tell its parameters ({error}); wrap it in a def") from None
    found = list(signature.parameters.values())
    unbound = bool(found) and _is_self(found[0], source)
    partial = _of_partial(function)
    bound = partial.keywords if partial else {}
    found = [p for p in found[unbound:] if p.name not in bound]
    hints = _resolve(function, source, [*found, _result_of(signature)], names)
    docs = parse_docs(inspect.getdoc(type(function) if _name_of(source) == "__call__" else source))
    contexts = [p.name for p in found if _is_context(hints[p.name])]
    if len(contexts) > 1:
        raise define_error(
            function, f"parameters {contexts[0]!r} and {contexts[1]!r} both take a ToolContext; keep one"
        )
    result, result_is_returned = _result(hints.get("return", EMPTY))
    return Signature(
        name=tool_name,
        docs=docs,
        parameters=tuple(_parameter(function, p, hints[p.name], docs) for p in found if p.name not in contexts),
        context=contexts[0] if contexts else None,
        result=result if result is EMPTY else _described(result, docs.returns),
        style=_style(source),
        result_is_returned=result_is_returned,
        unbound=unbound,
    )


def underlying(function: Callable[..., Any]) -> Callable[..., Any]:
    """Returns the plain function inside of partials, methods and callable objects."""
    if (inner := _of_partial(function)) is not None:
        return underlying(inner.func)
    if inspect.ismethod(function):
        return function.__func__
    if inspect.isroutine(function):
        return function
    by_class: Any = vars(type(function)).get("__call__") or type(function).__call__
    return by_class if inspect.isfunction(by_class) else function


def _of_partial(function: Any) -> functools.partial[Any] | None:
    return function if isinstance(function, functools.partial) else None  # pyright: ignore[reportUnknownVariableType]


def place_of(function: Callable[..., Any]) -> str:
    """Returns a function's name and place, for messages: ``get_weather (weather.py:12)``."""
    source = inspect.unwrap(underlying(function))
    label = getattr(source, "__qualname__", repr(function)).rpartition("<locals>.")[2]
    code = getattr(source, "__code__", None)
    return label + (f" ({Path(code.co_filename).name}:{code.co_firstlineno})" if code else "")


def define_error(function: Callable[..., Any], reason: str) -> ToolDefinitionError:
    """Returns the error that says why a function can't be a tool."""
    return ToolDefinitionError(f"{place_of(function)} can't be a tool: {reason}")


def _tool_name(function: Callable[..., Any], source: Callable[..., Any], name: str | None) -> str:
    chosen = name
    if chosen is None:
        own = _name_of(source)
        chosen = _snake(type(function).__name__) if own == "__call__" else own
        if chosen == "<lambda>":
            raise define_error(function, "a lambda has no name; give one with tool(..., name='...') or write a def")
    if not _NAME.fullmatch(chosen):
        raise define_error(
            function, f"the name {chosen!r} is not one; use a letter, then letters, digits, '_' or '-', 64 at most"
        )
    return chosen


def _name_of(source: Callable[..., Any]) -> str:
    return getattr(source, "__name__", "")


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _is_self(parameter: inspect.Parameter, source: Callable[..., Any]) -> bool:
    """Whether this is the ``self`` of a method that was decorated in its class."""
    owner = getattr(source, "__qualname__", "").rpartition(".")[0]
    return (
        parameter.name in ("self", "cls")
        and parameter.annotation is EMPTY
        and bool(owner)
        and not owner.endswith("<locals>")
    )


def _result_of(signature: inspect.Signature) -> inspect.Parameter:
    return inspect.Parameter("return_", inspect.Parameter.KEYWORD_ONLY, annotation=signature.return_annotation)


def _resolve(
    function: Callable[..., Any],
    source: Callable[..., Any],
    found: list[inspect.Parameter],
    names: Mapping[str, Any],
) -> dict[str, Any]:
    """Returns the annotations as objects, strings resolved; the result's under ``"return"``."""
    scope = {**getattr(inspect.unwrap(source), "__globals__", {})}
    hints: dict[str, Any] = {}
    for p in found:
        key = "return" if p.name == "return_" and p is found[-1] else p.name
        label = "the result" if key == "return" else f"parameter {p.name!r}"
        if p.annotation is EMPTY:
            hints[key] = EMPTY
            continue
        # get_type_hints wants an object with annotations: one at a time, so that an error names its parameter.
        holder = types.SimpleNamespace(__annotations__={key: p.annotation})
        try:
            hints[key] = typing.get_type_hints(holder, scope, dict(names), include_extras=True)[key]
        except NameError as error:
            raise define_error(
                function,
                f"{label} is annotated {p.annotation!r}, but {error}; "
                "import or define it where the function can see it at run time (not only under TYPE_CHECKING)",
            ) from None
        except Exception as error:
            raise define_error(function, f"{label} has the annotation {p.annotation!r}, which fails: {error}") from None
    return hints


def _is_context(annotation: Any) -> bool:
    if get_origin(annotation) is Annotated:
        return _is_context(annotation.__origin__)
    if get_origin(annotation) in (Union, types.UnionType):
        return any(map(_is_context, get_args(annotation)))
    return isinstance(annotation, type) and issubclass(annotation, ToolContext)


def _parameter(function: Callable[..., Any], p: inspect.Parameter, annotation: Any, docs: Docs) -> Parameter:
    if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
        stars = "*" if p.kind == p.VAR_POSITIONAL else "**"
        better = f"{p.name}: list[...]" if stars == "*" else f"{p.name}: dict[str, ...]"
        raise define_error(function, f"parameter '{stars}{p.name}' has no fixed shape; write {better} instead")
    if annotation is EMPTY:
        raise define_error(function, f"parameter {p.name!r} has no annotation; write its type, such as {p.name}: str")
    default = p.default
    if isinstance(default, FieldInfo):  # n: int = Field(ge=0), as in a pydantic model
        annotation, default = Annotated[annotation, default], EMPTY
    annotation = _iterable_as_list(function, p.name, annotation)
    return Parameter(
        p.name,
        _described(annotation, docs.parameters.get(p.name, "")),
        default,
        positional_only=p.kind == p.POSITIONAL_ONLY,
    )


def _iterable_as_list(function: Callable[..., Any], name: str, annotation: Any) -> Any:
    """Returns ``list[T]`` for ``Iterable[T]``, which pydantic would check only while the tool runs."""
    origin = get_origin(annotation) or annotation
    if origin is Annotated:
        inner = _iterable_as_list(function, name, annotation.__origin__)
        return Annotated[(inner, *annotation.__metadata__)]
    if origin in (collections.abc.Iterable, collections.abc.Collection):
        return types.GenericAlias(list, get_args(annotation) or (Any,))
    if origin in (*_ITERATORS, *_GENERATORS):
        raise define_error(function, f"parameter {name!r} is an iterator, which JSON has not; write {name}: list[...]")
    return annotation


def _described(annotation: Any, documented: str) -> Any:
    """Returns the annotation with its description as pydantic reads it.

    A description in ``Field`` comes first, then a bare string in ``Annotated``, then the docstring.
    """
    extras = annotation.__metadata__ if get_origin(annotation) is Annotated else ()
    if any(isinstance(extra, FieldInfo) and extra.description for extra in extras):
        return annotation
    text = next((extra for extra in extras if isinstance(extra, str)), documented)
    return Annotated[annotation, Field(description=text)] if text else annotation


def _result(annotation: Any) -> tuple[Any, bool]:
    """Returns the annotation of the result proper, and whether a generator's result is what it returns."""
    origin = get_origin(annotation) or annotation
    if (
        origin is collections.abc.Generator
        and len(args := get_args(annotation)) == 3
        and args[2] not in (None, type(None))
    ):
        return args[2], True
    if origin in (collections.abc.Awaitable, collections.abc.Coroutine):
        args = get_args(annotation)
        return (args[-1] if args else EMPTY), False
    if origin in (*_GENERATORS, *_ITERATORS, collections.abc.Iterator):
        args = get_args(annotation)
        return (args[0] if args else EMPTY), False
    return annotation, False


def _style(source: Callable[..., Any]) -> Style:
    if inspect.isasyncgenfunction(source):
        return "async_generator"
    if inspect.iscoroutinefunction(source):
        return "async"
    return "generator" if inspect.isgeneratorfunction(source) else "sync"
