"""What a model may write for an argument, and what it is told when it does not fit."""

from __future__ import annotations

import asyncio
import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import AfterValidator, Field

from agentkit import tool
from agentkit.errors import ArgumentError
from agentkit.tools.tool import FunctionTool
from tests.tools.kinds import Cat, Colour, Dog, Level, Loose, Open, Person, Point, Tree


def even(value: int) -> int:
    if value % 2:
        raise ValueError("must be even")
    return value


def tool_for(annotation: Any) -> FunctionTool[..., Any]:
    def f(x: Any) -> None: ...

    f.__annotations__ = {"x": annotation}
    return FunctionTool(f)


@pytest.mark.parametrize(
    ("annotation", "given", "expected"),
    [
        (int, "5", 5),
        (int, 5.0, 5),
        (int, " 7 ", 7),
        (int, 10**30, 10**30),
        (float, "5.5", 5.5),
        (float, 5, 5.0),
        (str, 5, "5"),
        (str, 5.5, "5.5"),
        (str, "", ""),
        (str, "naïve ☃", "naïve ☃"),
        (bool, "true", True),
        (bool, "no", False),
        (bool, 1, True),
        (int | str, "5", "5"),
        (int | str, 5, 5),
        (str | None, None, None),
        (str | None, 5, "5"),
        (int | bool, True, True),
        (Literal[1, 2], 2, 2),
        (Colour, "red", Colour.RED),
        (Level, 1, Level.LOW),
        (list[int], ["1", 2], [1, 2]),
        (set[int], [1, 1, 2], {1, 2}),
        (tuple[int, str], ["1", "a"], (1, "a")),
        (dict[int, int], {"1": "2"}, {1: 2}),
        (Decimal, "0.10", Decimal("0.10")),
        (Decimal, 0.1, Decimal("0.1")),
        (dt.date, "2026-05-31", dt.date(2026, 5, 31)),
        (dt.date, dt.date(2026, 5, 31), dt.date(2026, 5, 31)),  # YAML gives dates
        (dt.datetime, "2026-05-31T10:00:00", dt.datetime(2026, 5, 31, 10)),
        (dt.timedelta, "PT90S", dt.timedelta(seconds=90)),
        (dt.timedelta, "01:30:00", dt.timedelta(hours=1, minutes=30)),
        (Path, "a/b", Path("a/b")),
        (bytes, "aGk=", b"hi"),
        (Point, {"x": "1"}, Point(1, 0)),
        (list[Point], [{"x": 1, "y": 2}], [Point(1, 2)]),
        (Cat | Dog, {"kind": "dog", "tricks": ["sit"]}, Dog(kind="dog", tricks=["sit"])),
        (Open, {"a": 1, "b": True}, Open.model_validate({"a": 1, "b": True})),
        (Any, {"a": [True, None, 1.5]}, {"a": [True, None, 1.5]}),
    ],
)
def test_an_argument_is_converted(annotation: Any, given: Any, expected: Any) -> None:
    value = tool_for(annotation).validate({"x": given})["x"]
    assert value == expected
    assert type(value) is type(expected)


INT = "expected an integer"


MISFITS: list[tuple[Any, Any, list[str]]] = [
        (int, "abc", [f'x: got "abc"; {INT}']),
        (int, 5.5, [f"x: got 5.5; {INT}"]),
        (int, "5.5", [f'x: got "5.5"; {INT}']),
        (int, True, [f"x: got true; {INT}"]),
        (int, None, [f"x: got null; {INT}"]),
        (int, [5], [f"x: got [5]; {INT}"]),
        (float, "abc", ['x: got "abc"; expected a number']),
        (float, False, ["x: got false; expected a number"]),
        (float, float("nan"), ["x: got NaN; expected a number"]),
        (float, float("inf"), ["x: got Infinity; expected a number"]),
        (float, "nan", ['x: got "nan"; expected a number']),
        (str, True, ["x: got true; expected a string"]),
        (str, ["a"], ['x: got ["a"]; expected a string']),
        (str, float("nan"), ["x: got NaN; expected a string"]),
        (bool, "maybe", ['x: got "maybe"; expected true or false']),
        (bool, 2, ["x: got 2; expected true or false"]),
        (int | str, True, ["x: got true; expected an integer or a string"]),
        (int | None, "abc", ['x: got "abc"; expected an integer or null']),
        (Literal["a", "b"], "c", ['x: got "c"; expected one of "a", "b"']),
        (Literal[1], True, ["x: got true; expected 1"]),
        (Colour, "RED", ['x: got "RED"; expected one of "red", "blue"']),
        (list[int], [1, "a", None], [f'x[1]: got "a"; {INT}', f"x[2]: got null; {INT}"]),
        (list[int], "1,2", ['x: got "1,2"; expected a list whose items are each an integer']),
        (list[int], [True], [f"x[0]: got true; {INT}"]),
        (set[int], {"a": 1}, ['x: got {"a": 1}; expected a list whose items are each an integer']),
        (tuple[int, str], [1], ["x[1]: missing; expected a string"]),
        (dict[str, int], {"a": "b"}, [f'x.a: got "b"; {INT}']),
        (dict[str, int], [], ["x: got []; expected an object"]),
        (Point, {"y": 1}, [f"x.x: missing; {INT}"]),
        (Point, {"x": 1, "z": 2}, ["x.z: there is no such field; there are 'x', 'y'"]),
        (Point, {"x": 1, "other": 2}, ["x.other: there is no such field; there are 'x', 'y'"]),
        (Point, 5, ["x: got 5; expected an object with 'x', 'y'"]),
        (Loose, {"b": "x"}, [f"x.a: missing; {INT}"]),
        (Person, {"name": "Ann", "age": -1}, ["x.age: got -1; expected an integer of at least 0"]),
        (Person, {"nmae": "Ann", "age": 1}, ["x.nmae: there is no such field; did you mean 'name'?",
                                              "x.name: missing; expected a string"]),
        (Tree, {"value": 1, "children": [{"value": "a", "children": []}]}, [f'x.children[0].value: got "a"; {INT}']),
        (Tree, {"value": True, "children": []}, [f"x.value: got true; {INT}"]),
        (dt.date, "31.05.2026", ['x: got "31.05.2026"; expected a date such as "2026-05-31"']),
        (dt.date, 20260531, ['x: got 20260531; expected a date such as "2026-05-31"']),
        (dt.datetime, 2026, ['x: got 2026; expected a date and time such as "2026-05-31T14:30:00Z"']),
        (dt.datetime, "1700000000",
         ['x: got "1700000000"; expected a date and time such as "2026-05-31T14:30:00Z"']),
        (dt.time, "noon", ['x: got "noon"; expected a time such as "14:30:00"']),
        (dt.timedelta, 90, ['x: got 90; expected a duration such as "PT1H30M"']),
        (bytes, "not base64!", ['x: got "not base64!"; expected base64 text']),
        (Annotated[int, Field(ge=0, le=10)], 11, ["x: got 11; expected an integer from 0 to 10"]),
        (Annotated[int, Field(gt=0)], 0, ["x: got 0; expected an integer above 0"]),
        (Annotated[int, Field(multiple_of=5)], 6, ["x: got 6; expected an integer, a multiple of 5"]),
        (Annotated[str, Field(min_length=2, max_length=3)], "a",
         ['x: got "a"; expected a string of 2 to 3 characters']),
        (Annotated[str, Field(pattern="^a+$")], "b", ['x: got "b"; expected a string that matches ^a+$']),
        (Annotated[list[int], Field(min_length=1)], [],
         ["x: got []; expected a list of at least 1 item, each an integer"]),
        (Annotated[int, AfterValidator(even)], 3, [f"x: got 3; {INT}: must be even"]),
        (str, ["a" * 200], [f'x: got ["{"a" * 75}...; expected a string']),
]  # fmt: skip


@pytest.mark.parametrize(("annotation", "given", "lines"), MISFITS)
def test_what_does_not_fit_is_said_with_place_value_and_expectation(
    annotation: Any, given: Any, lines: list[str]
) -> None:
    with pytest.raises(ArgumentError) as caught:
        tool_for(annotation).validate({"x": given})
    assert str(caught.value).splitlines() == ["The arguments of 'f' do not fit:", *(f"- {line}" for line in lines)]


@tool
def weather(city: str, days: int = 1) -> None:
    """Look it up."""


@pytest.mark.parametrize(
    ("given", "lines"),
    [
        ({}, ["- city: missing; expected a string"]),
        ({"ctiy": "Rome"}, ["- ctiy: there is no such parameter; did you mean 'city'?",
                            "- city: missing; expected a string"]),
        ({"city": "Rome", "when": 1}, ["- when: there is no such parameter; there are 'city', 'days'"]),
        ({"city": "Rome", "day": 1}, ["- day: there is no such parameter; did you mean 'days'?"]),
        ({"days": "x"}, ["- city: missing; expected a string", '- days: got "x"; expected an integer']),
    ],
)  # fmt: skip
def test_unknown_and_missing_parameters_are_named(given: dict[str, Any], lines: list[str]) -> None:
    with pytest.raises(ArgumentError) as caught:
        weather.validate(given)
    assert str(caught.value).splitlines()[1:] == lines


def test_a_tool_without_parameters_takes_none() -> None:
    @tool
    def now() -> None: ...

    with pytest.raises(ArgumentError, match="- zone: there is no such parameter; it takes none"):
        now.validate({"zone": "UTC"})


def test_the_functions_own_defaults_are_used() -> None:
    seen: list[Any] = []
    default: list[int] = []

    @tool
    def f(a: list[int] = default) -> None:
        seen.append(a)

    asyncio.run(f.invoke({}))
    assert seen[0] is default


@pytest.mark.parametrize("value", [object(), {1, 2} | {object()}, "\ud800"], ids=["object", "set", "surrogate"])
def test_what_is_not_json_is_refused(value: Any) -> None:
    with pytest.raises(ArgumentError, match="The arguments of 'weather' are not JSON"):
        weather.validate({"city": value})


def test_arguments_nested_without_end_are_refused() -> None:
    value: Any = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(ArgumentError):
        weather.validate({"city": value})


def test_positional_only_parameters_are_filled_in() -> None:
    @tool
    def f(a: int, b: int = 2, c: int = 3, /, d: int = 4) -> list[int]:
        return [a, b, c, d]

    assert asyncio.run(f.invoke({"a": 1, "c": 30})) == [1, 2, 30, 4]
