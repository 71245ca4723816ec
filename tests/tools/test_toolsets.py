"""Toolsets: filter, prefix, rename and prepare, alone and together."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agentkit import tool
from agentkit.errors import ArgumentError, UsageError
from agentkit.tools import BaseToolset, Tool, ToolRegistry, Toolset


@tool(effect="pure")
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@tool(effect="once")
def send(text: str) -> None:
    """Send it."""


def double(a: int) -> int:
    """Double it."""
    return 2 * a


BOTH = Toolset([add, send, double])


def names(toolset: BaseToolset) -> list[str]:
    return [made.name for made in asyncio.run(toolset.get_tools())]


def only_pure(tools: list[Tool]) -> list[Tool]:
    return [made for made in tools if made.effect == "pure"]


async def nothing(tools: list[Tool]) -> list[Tool]:
    return []


@pytest.mark.parametrize(
    ("toolset", "expected"),
    [
        (BOTH, ["add", "send", "double"]),
        (BOTH.filtered(["double", "add"]), ["add", "double"]),
        (BOTH.filtered(lambda made: made.effect == "pure"), ["add"]),
        (BOTH.prefixed("mail"), ["mail_add", "mail_send", "mail_double"]),
        (BOTH.renamed({"send": "post"}), ["add", "post", "double"]),
        (BOTH.prepared(only_pure), ["add"]),
        (BOTH.prepared(nothing), []),
        (BOTH.filtered(["add"]).renamed({"add": "plus"}).prefixed("my"), ["my_plus"]),
    ],
)
def test_wrappers_choose_and_rename(toolset: BaseToolset, expected: list[str]) -> None:
    assert names(toolset) == expected
    assert names(BOTH) == ["add", "send", "double"]


def test_a_renamed_tool_works_and_speaks_under_its_new_name() -> None:
    (renamed,) = asyncio.run(BOTH.filtered(["add"]).prefixed("math").get_tools())
    assert asyncio.run(renamed.invoke({"a": 1, "b": 2})) == 3
    with pytest.raises(ArgumentError, match="The arguments of 'math_add' do not fit"):
        renamed.validate({})
    assert (renamed.effect, renamed.description, add.name) == ("pure", "Add two numbers.", "add")


@pytest.mark.parametrize("make", [lambda: BOTH.filtered(["sned"]), lambda: BOTH.renamed({"sned": "x"})])
def test_a_name_that_is_not_there_is_refused_with_the_nearest(make: Any) -> None:
    with pytest.raises(UsageError, match="there is no tool 'sned'; did you mean 'send'"):
        names(make())


def test_a_toolset_of_ones_own_has_the_wrappers_too() -> None:
    class Mine(BaseToolset):
        async def get_tools(self) -> list[Tool]:
            return [add]

    assert names(Mine().prefixed("my")) == ["my_add"]


def test_toolsets_with_the_same_tools_live_together_by_prefix() -> None:
    tools = [made for prefix in ("a", "b") for made in asyncio.run(BOTH.prefixed(prefix).get_tools())]
    assert len(ToolRegistry(tools)) == 6
    with pytest.raises(UsageError, match="two tools are called 'add'"):
        Toolset([add, add.replace(description="Other.")])


def test_what_is_no_function_is_refused() -> None:
    with pytest.raises(UsageError, match="5 is neither a tool nor a function; give functions, tools or toolsets"):
        Toolset([5])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
