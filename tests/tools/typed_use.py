"""What type checkers know of tools; nothing here runs, mypy and pyright read it."""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_type

from agentkit import ToolContext, tool
from agentkit.tools import FunctionTool, Tool, load_tools


@tool
def bare(city: str, days: int = 1) -> list[float]:
    return [float(days)]


@tool(effect="pure", timeout=5)
async def with_arguments(city: str) -> int:
    return len(city)


class Service:
    @tool
    def method(self, city: str) -> int:
        return len(city)


def len_of(text: str) -> int:
    return len(text)


def takes_tools(tools: list[Tool]) -> None: ...


def takes_function(function: Callable[[str], list[float]]) -> None: ...


def takes_function_tool(made: FunctionTool[[str], int]) -> None: ...


async def use(context: ToolContext) -> None:
    assert_type(bare("Rome"), list[float])
    assert_type(bare(city="Rome", days=2), list[float])
    assert_type(await with_arguments("Rome"), int)
    assert_type(Service().method("Rome"), int)
    bare(5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    bare()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    Service().method(5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    tool(effect="read")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]

    takes_tools([bare, with_arguments, Service().method, *load_tools(bare)])
    takes_function(bare)
    assert_type(tool(len_of, name="f")("text"), int)
    takes_function_tool(tool(len_of, name="f"))
    assert_type(bare.name, str)
    await bare.invoke({"city": "Rome"}, context)
