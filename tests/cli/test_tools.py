"""`agentkit tools`: what a model would be told about tools, and where a file goes wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Cli

ADD = """\
add(a, b)  pure
    Add two numbers.
    a: {"type": "integer"}
        The first.
    b: {"type": "integer"}
    returns {"type": "integer"}
"""


def test_a_tool_is_shown_with_its_parameters(cli: Cli) -> None:
    done = cli("tools", "./tools.py:add")
    assert (done.code, done.out, done.err) == (0, ADD, "")


def test_all_tools_of_all_sources_are_shown_in_order(cli: Cli) -> None:
    done = cli("tools", "./tools.py", "agentkit.tools.arithmetic")
    heads = [line.partition("(")[0] for line in done.out.splitlines() if line and not line.startswith(" ")]
    assert heads[:6] == ["add", "odd", "fail", "nothing", "rows", "slow"]
    assert len(heads) > 6


def test_optional_parameters_stand_in_brackets(cli: Cli, folder: Path) -> None:
    (folder / "more.py").write_text(
        "from typing import Any\nfrom agentkit import tool\n@tool\ndef f(a: Any, b: int = 5) -> None:\n    'Do it.'\n"
    )
    assert cli("tools", "./more.py").out.startswith("f(a, [b])  once\n    Do it.\n    a: {}\n")


def test_json_has_all_of_each_tool(cli: Cli) -> None:
    (found,) = cli("tools", "./tools.py:add", "--json").json
    assert list(found) == ["name", "description", "parameters", "returns", "effect"]
    assert found["name"] == "add"
    assert found["parameters"]["required"] == ["a", "b"]
    assert found["returns"] == {"type": "integer"}


def test_control_characters_of_a_description_are_not_printed(cli: Cli, folder: Path) -> None:
    (folder / "more.py").write_text(
        "from agentkit import tool\n@tool(description='Wipe \\x1b[2J')\ndef f() -> None: ...\n"
    )
    assert "Wipe \\x1b[2J" in cli("tools", "./more.py").out


@pytest.mark.parametrize(
    ("source", "part"),
    [
        (".a", "'.a'"),
        ("..", "'..'"),
        ("", "''"),
        (":", "''"),
        ("/", "'/'"),
        ("a" * 5000, "no module"),
        ("a/" + "b" * 5000 + ".py", ".py"),
        ("./nosuch.py", "nosuch.py"),
        ("./tools.py:ad", "did you mean 'add'?"),
        ("no.such.module", "no.such.module"),
        ("json", "@tool"),
        ("./raises.py", "raises.py:2: ZeroDivisionError"),
        ("./syntax.py", "syntax.py:1: SyntaxError"),
        ("./bytes.py", "bytes.py"),
        ("./untyped.py", "'a'"),
        (".", "'.'"),
    ],
)
def test_a_source_without_tools_is_one_message(source: str, part: str, cli: Cli, folder: Path) -> None:
    (folder / "raises.py").write_text("x = 0\n1 / x\n")
    (folder / "syntax.py").write_text("def f(:\n")
    (folder / "bytes.py").write_bytes(b"\xff\x00\x01")
    (folder / "untyped.py").write_text("from agentkit import tool\n@tool\ndef f(a: object()) -> None: ...\n")
    done = cli("tools", source)
    assert (done.code, done.out) == (2, ""), done.err
    assert done.err.startswith("error: ")
    assert part in done.err
    assert "Traceback" not in done.err


def test_a_source_must_be_named(cli: Cli) -> None:
    done = cli("tools")
    assert done.code == 2
    assert "Missing argument" in done.err
