"""Functions as Python developers write them: what a tool is made of, and what is refused."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import Field

from agentkit import ToolContext, tool
from agentkit.errors import ToolDefinitionError, UsageError
from agentkit.tools.tool import FunctionTool
from tests.tools.kinds import Place, Point

if TYPE_CHECKING:
    from decimal import Decimal

INT = {"type": "integer"}
TEXT = {"type": "string"}


def closed(required: list[str], **properties: Any) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    return schema | ({"required": required} if required else {}) | {"additionalProperties": False}


def none() -> None: ...
def no_result(a: int): ...  # type: ignore[no-untyped-def]
def two(a: int, b: str) -> None: ...
def default(a: int, b: int = 3) -> None: ...
def all_default(a: int = 1, b: str = "x") -> None: ...
def null_default(a: int | None = None) -> None: ...
def keyword_only(a: int, *, b: str) -> None: ...
def positional_only(a: int, b: int = 2, /, c: int = 3) -> None: ...
def field_default(a: int = Field(default=3, ge=0, description="how many")) -> None: ...
def field_required(a: int = Field(ge=0)) -> None: ...
def field_in_annotated(a: Annotated[int, Field(default=3)]) -> None: ...
def title(title: str, description: str, default: int = 1) -> None: ...
def awkward(copy: int, model_config: int, json: int, schema: int, _private: int) -> None: ...
def self_alone(self: int) -> None: ...
def context_first(context: ToolContext, a: int) -> None: ...
def context_last(a: int, context: ToolContext | None = None) -> None: ...
def context_only(tool_context: ToolContext) -> None: ...
def list_default(a: list[int] = [1, 2]) -> None: ...  # noqa: B006
def object_default(a: Point = Point(1)) -> None: ...  # noqa: B008
def not_json_default(a: Any = object()) -> None: ...  # noqa: B008
def forward(a: "Point", b: "list[Place]") -> None: ...  # noqa: UP037
async def coroutine(a: int) -> int: ...  # type: ignore[empty-body]
def generator(a: int) -> Iterator[str]: ...  # type: ignore[empty-body]


POINT = closed(["x"], x=INT, y={"type": "integer", "default": 0})
PLACE = closed(["name"], name=TEXT, zip=INT)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (none, closed([])),
        (no_result, closed(["a"], a=INT)),
        (two, closed(["a", "b"], a=INT, b=TEXT)),
        (default, closed(["a"], a=INT, b={"type": "integer", "default": 3})),
        (all_default, closed([], a={"type": "integer", "default": 1}, b={"type": "string", "default": "x"})),
        (null_default, closed([], a={"type": ["integer", "null"], "default": None})),
        (keyword_only, closed(["a", "b"], a=INT, b=TEXT)),
        (positional_only, closed(["a"], a=INT, b={**INT, "default": 2}, c={**INT, "default": 3})),
        (field_default, closed([], a={**INT, "description": "how many", "minimum": 0, "default": 3})),
        (field_required, closed(["a"], a={**INT, "minimum": 0})),
        (field_in_annotated, closed([], a={**INT, "default": 3})),
        (title, closed(["title", "description"], title=TEXT, description=TEXT, default={**INT, "default": 1})),
        (
            awkward,
            closed(
                ["copy", "model_config", "json", "schema", "_private"],
                copy=INT,
                model_config=INT,
                json=INT,
                schema=INT,
                _private=INT,
            ),
        ),
        (self_alone, closed(["self"], self=INT)),
        (context_first, closed(["a"], a=INT)),
        (context_last, closed(["a"], a=INT)),
        (context_only, closed([])),
        (list_default, closed([], a={"type": "array", "items": INT, "default": [1, 2]})),
        (object_default, closed([], a={**POINT, "default": {"x": 1, "y": 0}})),
        (not_json_default, closed([], a={})),
        (forward, closed(["a", "b"], a=POINT, b={"type": "array", "items": PLACE})),
        (coroutine, closed(["a"], a=INT)),
        (generator, closed(["a"], a=INT)),
        (functools.partial(two, 1), closed(["b"], b=TEXT)),
        (functools.partial(two, b="x"), closed(["a"], a=INT)),
        (functools.partial(functools.partial(two, 1), b="x"), closed([])),
    ],
    ids=lambda value: getattr(value, "__name__", "partial") if callable(value) else "",
)
def test_the_parameters_are_those_of_the_function(function: Callable[..., Any], expected: dict[str, Any]) -> None:
    made = FunctionTool(function)
    assert made.parameters == expected
    Draft202012Validator.check_schema(made.parameters)


def yields() -> Iterator[int]: ...  # type: ignore[empty-body]
def yields_and_returns() -> Generator[str, None, int]: ...  # type: ignore[empty-body]
def yields_only() -> Generator[str, None, None]: ...  # type: ignore[empty-body]
async def yields_async() -> AsyncIterator[int]:
    yield 1


async def gives() -> list[int]: ...  # type: ignore[empty-body]
def documented() -> int:  # type: ignore[empty-body]
    """Counts.

    Returns:
        How many there are.
    """


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (none, {"type": "null"}),
        (no_result, None),
        (yields, INT),
        (yields_and_returns, INT),
        (yields_only, TEXT),
        (yields_async, INT),
        (gives, {"type": "array", "items": INT}),
        (documented, {"type": "integer", "description": "How many there are."}),
    ],
)  # fmt: skip
def test_the_result_is_what_the_annotation_says(function: Callable[..., Any], expected: Any) -> None:
    assert FunctionTool(function).returns == expected


GOOGLE = """Look up the weather.

    Takes a while.

    Args:
        city: Name of the city,
            in English.
        days (int): How many days.

    Returns:
        The weather.

    Raises:
        ValueError: Never.
    """
NUMPY = """Look up the weather.

    Takes a while.

    Parameters
    ----------
    city : str
        Name of the city,
        in English.
    days : int, optional
        How many days.

    Returns
    -------
    str
        The weather.
    """
REST = """Look up the weather.

    Takes a while.

    :param city: Name of the city,
        in English.
    :param days: How many days.
    :type days: int
    :returns: The weather.
    :raises ValueError: Never.
    """


@pytest.mark.parametrize("text", [GOOGLE, NUMPY, REST], ids=["google", "numpy", "rest"])
def test_each_docstring_style_documents_the_parameters_and_the_result(text: str) -> None:
    def weather(city: str, days: int = 1) -> str:
        return f"{city} {days}"

    weather.__doc__ = text
    made = FunctionTool(weather)
    assert made.description == "Look up the weather.\n\nTakes a while."
    assert made.parameters["properties"] == {
        "city": {"type": "string", "description": "Name of the city, in English."},
        "days": {"type": "integer", "description": "How many days.", "default": 1},
    }
    assert made.returns == {"type": "string", "description": "The weather."}


def test_a_description_in_the_annotation_comes_before_the_docstrings() -> None:
    def f(
        a: Annotated[int, "from a string"], b: Annotated[int, Field(description="from Field"), "a string"], c: int
    ) -> None:
        """Do it.

        Args:
            a: From the docstring.
            b: From the docstring.
            c: From the docstring.
        """

    described = {name: p["description"] for name, p in FunctionTool(f).parameters["properties"].items()}
    assert described == {"a": "from a string", "b": "from Field", "c": "From the docstring."}


@pytest.mark.parametrize("text", [None, "", "   ", "One line.", "Odd: text\n  : with ::\n\n---- lines"])
def test_any_docstring_is_taken(text: str | None) -> None:
    def f() -> None: ...

    f.__doc__ = text
    assert FunctionTool(f).description.startswith((text or "").strip()[:3])


def test_the_decorator_works_bare_and_with_arguments_and_keeps_the_function() -> None:
    @tool
    def bare(a: int) -> int:
        """Add one."""
        return a + 1

    @tool(name="plus_two", description="Adds two.", effect="pure", timeout=5, isolation="thread")
    def other(a: int) -> int:
        return a + 2

    assert (bare(1), bare(a=1), other(1)) == (2, 2, 3)
    assert (bare.name, bare.description, bare.effect, bare.timeout, bare.isolation, bare.__doc__) == (
        "bare", "Add one.", "once", None, "thread", "Add one.",
    )  # fmt: skip
    assert (other.name, other.description, other.effect, other.timeout) == ("plus_two", "Adds two.", "pure", 5)


class Counter:
    def __init__(self) -> None:
        self.count = 0

    @tool(effect="once")
    def add(self, by: int) -> int:
        """Count up."""
        self.count += by
        return self.count

    def plain(self, by: int) -> int:
        return self.count + by

    @classmethod
    def made(cls, by: int) -> int:
        return by

    @staticmethod
    def static(by: int) -> int:
        return by

    def __call__(self, by: int) -> int:
        """Count by calling."""
        return by


def test_a_method_decorated_in_its_class_belongs_to_each_object() -> None:
    one, other = Counter(), Counter()
    assert one.add.parameters == closed(["by"], by=INT)
    assert asyncio.run(one.add.invoke({"by": 2})) == 2
    assert one.add(1) == 3
    assert other.count == 0


def test_a_method_without_its_object_says_what_to_give_instead() -> None:
    with pytest.raises(UsageError, match=r"Counter.add .* is a method without its object; .* obj.add"):
        asyncio.run(Counter.add.invoke({"by": 2}))


@pytest.mark.parametrize("method", [Counter().plain, Counter.made, Counter.static, Counter()])
def test_bound_methods_and_callable_objects_are_tools(method: Callable[..., Any]) -> None:
    made = FunctionTool(method)
    assert made.parameters == closed(["by"], by=INT)
    assert asyncio.run(made.invoke({"by": 2})) == 2


def test_a_callable_object_is_named_and_described_by_its_class() -> None:
    class WordCount:
        """Counts words."""

        def __call__(self, text: str) -> int:
            return len(text.split())

    made = FunctionTool(WordCount())
    assert (made.name, made.description) == ("word_count", "Counts words.")


def test_a_wrapped_function_keeps_its_signature() -> None:
    def twice(function: Callable[..., int]) -> Callable[..., int]:
        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> int:
            return 2 * function(*args, **kwargs)

        return wrapper

    @tool
    @twice
    def one_more(a: int) -> int:
        return a + 1

    assert one_more.parameters == closed(["a"], a=INT)
    assert asyncio.run(one_more.invoke({"a": 1})) == 4


def test_annotations_may_name_classes_of_the_function_around() -> None:
    @dataclass
    class Here:
        a: int

    @tool
    def f(here: Here) -> int:
        return here.a

    assert asyncio.run(f.invoke({"here": {"a": 3}})) == 3


class Custom: ...


def variadic(*names: str) -> None: ...
def keywords(**options: str) -> None: ...
def untyped(city, days: int) -> None: ...  # type: ignore[no-untyped-def]  # pyright: ignore[reportUnknownParameterType, reportMissingParameterType]
def arbitrary(a: int, thing: Custom) -> None: ...
def nested(things: list[Custom]) -> None: ...
def callback(then: Callable[[int], int]) -> None: ...
def stream(file: IO[str]) -> None: ...
def iterator(rows: Iterator[int]) -> None: ...
def only_when_checking(price: Decimal) -> None: ...
def undefined(a: "Nowhere") -> None: ...  # type: ignore[name-defined]  # noqa: F821, UP037  # pyright: ignore[reportUndefinedVariable]
def wrong(a: "1 +") -> None: ...  # type: ignore[valid-type]  # noqa: F722  # pyright: ignore[reportInvalidTypeForm]
def gives_custom() -> Custom: ...  # type: ignore[empty-body]
def two_contexts(a: ToolContext, b: ToolContext) -> None: ...


REFUSED: list[tuple[Any, str]] = [
    (variadic, "parameter '*names' has no fixed shape; write names: list[...] instead"),
    (keywords, "parameter '**options' has no fixed shape; write options: dict[str, ...] instead"),
    (untyped, "parameter 'city' has no annotation; write its type, such as city: str"),
    (arbitrary, "parameter 'thing' has the type tests.tools.test_signatures.Custom, which has no JSON"),
    (nested, "parameter 'things' has the type list[tests.tools.test_signatures.Custom], which has no JSON Schema"),
    (
        callback,
        "parameter 'then' has the type collections.abc.Callable[[int], int], which has no JSON Schema; take",
    ),
    (stream, "parameter 'file' has the type IO[str], which has no JSON Schema"),
    (iterator, "parameter 'rows' is an iterator, which JSON has not; write rows: list[...]"),
    (only_when_checking, "parameter 'price' is annotated 'Decimal', but name 'Decimal' is not defined; import"),
    (undefined, "parameter 'a' is annotated \"'Nowhere'\", but name 'Nowhere' is not defined"),
    (wrong, "parameter 'a' has the annotation \"'1 +'\", which fails"),
    (
        gives_custom,
        "the result has the type tests.tools.test_signatures.Custom, which has no JSON Schema",
    ),
    (two_contexts, "parameters 'a' and 'b' both take a ToolContext; keep one"),
    (eval("lambda a: a"), "a lambda has no name; give one with tool(..., name='...') or write a def"),
    (Custom, "it is a class; write a function that makes one"),
    (staticmethod(two), "it is a staticmethod object; apply tool() to it on the class: tool(Class.method)"),
    (5, "it can't be called; give a function"),
    (len, "parameter 'obj' has no annotation"),
]


@pytest.mark.parametrize(("function", "message"), REFUSED)
def test_what_cant_be_a_tool_is_refused_with_the_fix(function: Any, message: str) -> None:
    with pytest.raises(ToolDefinitionError) as caught:
        tool(function)
    assert f"can't be a tool: {message}" in str(caught.value)


def test_a_refusal_says_where_the_function_is() -> None:
    with pytest.raises(ToolDefinitionError, match=rf"^untyped \({Path(__file__).name}:\d+\) can't be a tool"):
        tool(untyped)  # pyright: ignore[reportUnknownArgumentType]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "two words"}, "the name 'two words' is not one; use a letter"),
        ({"name": ""}, "the name '' is not one"),
        ({"effect": "read"}, "effect='read' is not one of 'pure', 'idempotent', 'keyed', 'once'"),
        ({"timeout": 0}, "timeout=0 is not a number of seconds above 0"),
        ({"timeout": float("inf")}, "timeout=inf is not a number of seconds above 0"),
        ({"isolation": "fork"}, "isolation='fork' is neither 'thread' nor 'process'"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ToolDefinitionError) as caught:
        tool(**options)(two)
    assert message in str(caught.value)


def test_a_tool_is_not_made_a_tool_again() -> None:
    with pytest.raises(UsageError, match="is a tool already; use tool.replace"):
        tool(tool(two))


def test_one_bad_parameter_does_not_hide_the_others() -> None:
    # ADK sends a tool without parameters when one annotation can't be resolved.
    with pytest.raises(ToolDefinitionError, match="parameter 'a'"):
        tool(undefined)  # pyright: ignore[reportUnknownArgumentType]
