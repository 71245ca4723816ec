"""Toolsets: tools that come together, and small wrappers that choose and rename among them."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import Any, TypeAlias

from agentkit.errors import UsageError
from agentkit.tools.registry import ToolRegistry
from agentkit.tools.tool import FunctionTool, Tool

__all__ = ["BaseToolset", "Prepare", "Toolset", "as_tool"]

Prepare: TypeAlias = Callable[[list[Tool]], list[Tool] | Awaitable[list[Tool]]]
"""Takes the tools and returns those to offer now; sync or async."""


class BaseToolset(ABC):
    """Where tools come from. Wrappers leave the wrapped toolset as it is."""

    @abstractmethod
    async def get_tools(self) -> list[Tool]:
        """Returns the tools, in order."""

    def filtered(self, keep: Callable[[Tool], bool] | Collection[str]) -> BaseToolset:
        """Returns the toolset with only the tools that `keep` names or says yes to."""
        return _Filtered(self, keep)

    def prefixed(self, prefix: str) -> BaseToolset:
        """Returns the toolset with ``prefix_`` before each name."""
        return _Prefixed(self, prefix)

    def renamed(self, names: Mapping[str, str]) -> BaseToolset:
        """Returns the toolset with tools renamed, old name to new."""
        return _Renamed(self, names)

    def prepared(self, prepare: Prepare) -> BaseToolset:
        """Returns the toolset whose tools go through a hook each time they are asked for."""
        return _Prepared(self, prepare)


class Toolset(BaseToolset):
    """A fixed list of tools.

    Args:
        tools: Tools or plain functions.

    Raises:
        agentkit.errors.UsageError: Two have the same name.
    """

    def __init__(self, tools: Iterable[Tool | Callable[..., Any]]) -> None:
        self._tools = ToolRegistry(map(as_tool, tools))

    async def get_tools(self) -> list[Tool]:
        """Returns the tools, in order."""
        return list(self._tools)


class _Filtered(BaseToolset):
    def __init__(self, inner: BaseToolset, keep: Callable[[Tool], bool] | Collection[str]) -> None:
        self._inner, self._keep = inner, keep

    async def get_tools(self) -> list[Tool]:
        tools = await self._inner.get_tools()
        if callable(self._keep):
            return list(filter(self._keep, tools))
        _check_names(self._keep, tools)
        return [tool for tool in tools if tool.name in self._keep]


class _Prefixed(BaseToolset):
    def __init__(self, inner: BaseToolset, prefix: str) -> None:
        self._inner, self._prefix = inner, prefix

    async def get_tools(self) -> list[Tool]:
        return [tool.replace(name=f"{self._prefix}_{tool.name}") for tool in await self._inner.get_tools()]


class _Renamed(BaseToolset):
    def __init__(self, inner: BaseToolset, names: Mapping[str, str]) -> None:
        self._inner, self._names = inner, names

    async def get_tools(self) -> list[Tool]:
        tools = await self._inner.get_tools()
        _check_names(self._names, tools)
        return [tool.replace(name=self._names.get(tool.name)) for tool in tools]


class _Prepared(BaseToolset):
    def __init__(self, inner: BaseToolset, prepare: Prepare) -> None:
        self._inner, self._prepare = inner, prepare

    async def get_tools(self) -> list[Tool]:
        prepared = self._prepare(await self._inner.get_tools())
        return await prepared if inspect.isawaitable(prepared) else prepared


def as_tool(item: Any) -> Tool:
    """Returns a tool as it is, and a plain function as a tool with the defaults of `tool`.

    Raises:
        agentkit.errors.UsageError: It is neither, or can't be a tool as it is written.
    """
    if isinstance(item, Tool):
        return item
    if callable(item):
        return FunctionTool(item)
    raise UsageError(f"{item!r} is neither a tool nor a function; give functions, tools or toolsets")


def _check_names(names: Iterable[str], tools: Iterable[Tool]) -> None:
    registry = ToolRegistry(tools)
    for name in names:
        registry.get(name)
