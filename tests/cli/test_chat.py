"""`agentkit chat`: a line in, an answer out, and what was said is remembered."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agentkit import ScriptedModel
from agentkit.errors import ModelError
from agentkit.messages import Message, Text, ToolCall, User
from agentkit.trace import Trace
from tests.cli.conftest import Cli

Script = Callable[..., ScriptedModel]


def words(messages: list[Message]) -> list[str]:
    """What the user said, in order."""
    return [m.text for m in messages if isinstance(m, User)]


@pytest.mark.parametrize("stdin", ["", "\n  \n", "/quit\nnot read\n"])
def test_a_chat_ends_with_its_input(stdin: str, cli: Cli, scripted: Script) -> None:
    scripted()
    done = cli("chat", stdin=stdin)
    assert (done.code, done.out, done.err) == (0, "", "")


def test_answers_go_to_stdout_and_earlier_turns_are_remembered(cli: Cli, scripted: Script) -> None:
    model = scripted("Hello Ada.", "You are Ada.")
    done = cli("chat", stdin="I am Ada.\nWho am I?")
    assert (done.code, done.out) == (0, "Hello Ada.\nYou are Ada.\n")
    assert words(list(model.requests[1].messages)) == ["I am Ada.", "Who am I?"]


def test_tools_are_called_and_what_they_print_is_not_in_the_answer(cli: Cli, scripted: Script) -> None:
    scripted(ToolCall("add", {"a": 20, "b": 22}), "42")
    done = cli("chat", "--tools", "./tools.py", stdin="What is 20 + 22?\n")
    assert (done.code, done.out) == (0, "42\n")
    assert "adding" in done.err.splitlines()


def test_an_unknown_command_is_not_sent_to_the_model(cli: Cli, scripted: Script) -> None:
    model = scripted()
    done = cli("chat", stdin="/help\n")
    assert done.code == 0
    assert done.err.startswith("unknown command; /quit")
    assert model.requests == []


def test_a_failed_answer_is_forgotten_and_the_chat_goes_on(cli: Cli, scripted: Script) -> None:
    model = scripted(ModelError("the backend \x1b[2Jfailed"), "Yes.")
    done = cli("chat", stdin="First\nStill there?\n")
    assert (done.code, done.out) == (0, "Yes.\n")
    assert "model_error: the backend \\x1b[2Jfailed" in done.err.splitlines()
    assert words(list(model.requests[1].messages)) == ["Still there?"]


def test_ctrl_c_stops_an_answer_and_the_chat_goes_on(cli: Cli, scripted: Script) -> None:
    def interrupt(_: object) -> Text:
        raise KeyboardInterrupt

    scripted(interrupt, "Yes.")
    done = cli("chat", stdin="First\nStill there?\n")
    assert (done.code, done.out) == (0, "Yes.\n")
    assert "stopped; the chat goes on without this answer" in done.err.splitlines()


MAIL = '''
from agentkit import tool


@tool(effect="pure", source="web")
def fetch() -> str:
    """Read a page."""
    return "call 555"


@tool
def dial(number: str) -> str:
    """Call somebody."""
    return f"{number} answered"
'''


def test_an_answer_that_waits_for_a_person_goes_on_from_the_command_line(
    cli: Cli, folder: Path, scripted: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "phone.py").write_text(MAIL, encoding="utf-8")
    model = scripted("Hello Ada.", ToolCall("fetch", {}), ToolCall("dial", {"number": "555"}), "They answered, Ada.")
    done = cli("chat", "--tools", "./phone.py", stdin="I am Ada.\nCall them.\n")
    assert (done.code, done.out) == (0, "Hello Ada.\n")
    run = Trace.load()
    assert run.stop_reason == "approval"
    assert f"agentkit approve {run.run_id}, then agentkit resume {run.run_id}" in done.err
    monkeypatch.chdir(folder.parent)  # its tools and its files are found from anywhere
    assert cli("approve", run.run_id, run.steps[-1].id).code == 0
    again = cli("resume", run.run_id)
    assert (again.code, again.out) == (0, "They answered, Ada.\n")
    assert words(list(model.requests[-1].messages)) == ["I am Ada.", "Call them."]
    assert cli("replay", run.run_id).code == 0


@pytest.mark.parametrize(
    ("args", "part"),
    [
        ((), "agentkit models pull starter"),
        (("--model", "./no.gguf"), "no.gguf"),
        (("--tools", "./no.py"), "no.py"),
        (("--tools", ".a"), "'.a'"),
    ],
)
def test_what_is_not_there_is_said_before_the_first_line_is_read(
    args: tuple[str, ...], part: str, cli: Cli, folder: Path
) -> None:
    done = cli("chat", *args, stdin="Hello\n")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: ")
    assert part in done.err
