"""Where tools come from: objects, files, modules, entry points; and what is said when there are none."""

from __future__ import annotations

import asyncio
import importlib.metadata
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from agentkit import tool
from agentkit.errors import UsageError
from agentkit.tools.loading import load_file, load_tools
from agentkit.tools.toolsets import Toolset


@tool
def one(a: int) -> int:
    return a


def plain(a: int) -> int:
    return a


def write(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text)
    return f"./{name}"


def names(source: Any, base: Path | None = None) -> list[str]:
    return [made.name for made in load_tools(source, base=base)]


def refused(source: Any, base: Path | None = None) -> str:
    with pytest.raises(UsageError) as caught:
        load_tools(source, base=base)
    return str(caught.value)


FILE = """
from __future__ import annotations
import pickle
from dataclasses import dataclass
from typing import TypedDict
from agentkit import tool
from agentkit.tools import Toolset

class Row(TypedDict):
    month: str

@dataclass
class Money:
    amount: int

@tool
def second(row: Row, money: Money) -> Money:
    return pickle.loads(pickle.dumps(money))

@tool
def first(a: int) -> int:
    return a

def third(a: int) -> int:
    return a

def not_a_tool(whatever):
    return 1

tools = [first, third, Toolset([third]).renamed({"third": "fourth"})]
"""


def test_objects_are_taken_as_they_are() -> None:
    assert load_tools(one) == [one]
    assert names(plain) == ["plain"]
    assert names(Toolset([one, plain]).prefixed("x")) == ["x_one", "x_plain"]
    assert names([one, plain, Toolset([one]).prefixed("x")]) == ["one", "plain", "x_one"]


def test_a_toolset_is_asked_also_where_a_loop_runs() -> None:
    async def main() -> list[str]:
        return names(Toolset([one]))

    assert asyncio.run(main()) == ["one"]


def test_a_file_offers_its_tools_in_order_and_its_list(tmp_path: Path) -> None:
    source = write(tmp_path, "my tools.py", FILE)
    loaded = load_tools(source, base=tmp_path)
    assert [made.name for made in loaded] == ["second", "first", "third", "fourth"]
    assert asyncio.run(loaded[0].invoke({"row": {"month": "May"}, "money": {"amount": 2}})) == {"amount": 2}
    assert load_tools(source, base=tmp_path)[0] is loaded[0]
    assert names(tmp_path / "my tools.py") == ["second", "first", "third", "fourth"]
    assert names(f"{source}:third", base=tmp_path) == ["third"]


def test_two_files_of_one_name_are_two_modules(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder, "mine.py", f"from agentkit import tool\n@tool\ndef {folder}_tool() -> None: ...\n")
    assert names("a/mine.py", tmp_path) == ["a_tool"]
    assert names("b/mine.py", tmp_path) == ["b_tool"]


def test_a_file_may_import_the_files_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    write(tmp_path, "beside_h7.py", "NUMBER = 5\n")
    source = write(tmp_path, "uses.py", "from beside_h7 import NUMBER\nfrom agentkit import tool\n"
                   "@tool\ndef number() -> int:\n    return NUMBER\n")  # fmt: skip
    assert asyncio.run(load_tools(source, base=tmp_path)[0].invoke({})) == 5


def test_a_tool_from_a_file_runs_in_a_process(tmp_path: Path) -> None:
    text = FILE.replace("@tool\ndef second", "@tool(timeout=30)\ndef second")
    (made, *_) = load_tools(write(tmp_path, "apart.py", text), base=tmp_path)
    assert made.isolation == "process"
    assert asyncio.run(made.invoke({"row": {"month": "May"}, "money": {"amount": 2}})) == {"amount": 2}


def test_modules_are_named_with_dots() -> None:
    module = types.ModuleType("fake_package_module")
    module.__dict__.update(one=one, number=5, tools=(plain,))
    assert names(module) == ["one", "plain"]
    assert "read_file" in names("agentkit.tools.files")
    assert names("agentkit.tools.files:read_file") == ["read_file"]


def test_entry_points_offer_tools(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write(tmp_path, "offered_h7.py", FILE)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    points = [
        importlib.metadata.EntryPoint("offered", "offered_h7", "agentkit.tools"),
        importlib.metadata.EntryPoint("just_first", "offered_h7:first", "agentkit.tools"),
    ]

    def entry_points(*, group: str) -> list[importlib.metadata.EntryPoint]:
        return points if group == "agentkit.tools" else []

    monkeypatch.setattr("agentkit.tools.loading.entry_points", entry_points)
    assert names("offered") == ["second", "first", "third", "fourth"]
    assert names("just_first") == ["first"]
    assert names("offered:third") == ["third"]
    assert "did you mean 'offered'?" in refused("ofered")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\n\nraise ValueError('boom')\n", "'./bad.py' can't be imported: {file}:3: ValueError: boom"),
        ("x = (\n", "'./bad.py' can't be imported: {file}:1: SyntaxError: '(' was never closed"),
        ("import no_such_module_h7\n", "{file}:1: ModuleNotFoundError: No module named 'no_such_module_h7'"),
        ("import sys\nsys.exit(3)\n", "{file}:2: it called sys.exit(3); put what a script does under: if __name__"),
        ("from agentkit import tool\n@tool\ndef f(a): ...\n", "{file}:2: ToolDefinitionError: f (bad.py:2) can't be"),
        ("def helper(a: int) -> int: ...\n", "'./bad.py' has no tools; put @tool (from agentkit import tool) above "
                                            "the functions that a model may call, such as 'helper'"),
        ("", "'./bad.py' has no tools; put @tool"),
        ("tools = [5]\n", "5 is neither a tool nor a function"),
    ],
)  # fmt: skip
def test_a_file_that_offers_nothing_is_one_message_with_place_and_fix(tmp_path: Path, text: str, message: str) -> None:
    source = write(tmp_path, "bad.py", text)
    assert message.format(file=(tmp_path / "bad.py").resolve()) in refused(source, tmp_path)
    assert message.format(file=(tmp_path / "bad.py").resolve()) in refused(source, tmp_path)


def test_what_is_not_there_is_named_with_the_nearest(tmp_path: Path) -> None:
    write(tmp_path, "ledger_tools.py", FILE)
    (tmp_path / "folder.py").mkdir()
    write(tmp_path, "data.csv", "a,b\n")
    for source, message in [
        ("./ldger_tools.py", "tool file './ldger_tools.py' is not there; did you mean 'ledger_tools.py'?"),
        ("./zzz.py", f"tool file './zzz.py' is not there; looked for {str((tmp_path / 'zzz.py').resolve())!r}"),
        ("./folder.py", "tool file './folder.py' is not there"),
        ("./data.csv", "tool file './data.csv' is not a Python file; give a file that ends in .py"),
        ("ledger_tools", "there is a file of that name: write './ledger_tools.py'"),
        ("no.such.module", "there are no tools called 'no.such.module': no module and no entry point has that name"),
        ("agentkit.tools.files:raed_file", "'agentkit.tools.files:raed_file': 'raed_file' is not there; did you mean"),
        ("./ledger_tools.py:zzz", "'zzz' is not there; check the name after the colon"),
        ("", "there are no tools called ''"),
        (5, "5 is neither a tool nor a function"),
    ]:
        assert message in refused(source, tmp_path)


def test_a_module_that_fails_is_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    write(tmp_path, "broken_h7.py", "import json\nimport missing_h7\n")
    message = refused("broken_h7")
    assert f"'broken_h7' can't be imported: {tmp_path / 'broken_h7.py'}:2: ModuleNotFoundError" in message


def test_ctrl_c_while_a_file_is_imported_is_not_hidden(tmp_path: Path) -> None:
    write(tmp_path, "slow.py", "raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        load_file(tmp_path / "slow.py")
