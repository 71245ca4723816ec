"""`agentkit chat`: a line in, an answer out, and what was said is remembered."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agentkit import ScriptedModel
from agentkit.errors import ModelError
from agentkit.messages import Message, Text, ToolCall, User
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
