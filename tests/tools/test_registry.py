"""The registry: names are unique, and a wrong one is answered with the nearest."""

from __future__ import annotations

import pytest

from agentkit import tool
from agentkit.errors import UsageError
from agentkit.tools.registry import ToolRegistry


@tool
def read_file(path: str) -> str:
    return path


@tool
def write_file(path: str) -> None: ...


@tool(name="read_file")
def another(path: str) -> str:
    return path


def test_tools_are_kept_in_order_and_found_by_name() -> None:
    registry = ToolRegistry([write_file])
    registry.add(read_file)
    registry.add(read_file)
    assert registry.names == ["write_file", "read_file"]
    assert list(registry) == [write_file, read_file]
    assert (len(registry), "read_file" in registry, "x" in registry) == (2, True, False)
    assert registry.get("read_file") is read_file


def test_two_tools_of_one_name_are_refused_with_both_origins() -> None:
    with pytest.raises(UsageError) as caught:
        ToolRegistry([read_file, another])
    assert str(caught.value).startswith("two tools are called 'read_file': read_file (test_registry.py:")
    assert " and another (test_registry.py:" in str(caught.value)
    assert "rename one with @tool(name=...), or prefix its toolset" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("raed_file", "there is no tool 'raed_file'; did you mean 'read_file'"),
        ("ReadFile", "there is no tool 'ReadFile'; did you mean 'read_file'"),
        ("zzz", "there is no tool 'zzz'; there are: read_file, write_file"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(name: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        ToolRegistry([read_file, write_file]).get(name)
    assert str(caught.value).startswith(message)


def test_nearest_names_come_first() -> None:
    assert ToolRegistry([read_file, write_file]).nearest("wite_file")[0] == "write_file"
    assert ToolRegistry().nearest("x") == []
