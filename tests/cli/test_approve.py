"""A run that waits for a person: it pauses with exit code 3, is decided about, and goes on."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from agentkit.trace.runs import run_files
from agentkit.trace.trace import Trace
from tests.cli.conftest import Cli
from tests.cli.test_terminal import on_terminal

WriteTask = Callable[..., str]
EFFECTS = '''
from agentkit import tool


@tool
def pay(to: str, amount: float) -> str:
    """Pay."""
    with open("paid.txt", "a") as file:
        file.write(f"{to} {amount:g}\\n")
    return f"paid {to}"


@tool(effect="pure", source="web")
def fetch() -> list[str]:
    """Fetch a page."""
    return ["eve", "mallory"]
'''
PAY = "{id: pay, tool: pay, args: {to: bob, amount: 5}}"
ASK = "policy: {ask: [pay]}\n"


@pytest.fixture
def paid(folder: Path) -> Callable[[], list[str]]:
    """Adds tools that pay; gives what was paid."""
    with (folder / "tools.py").open("a", encoding="utf-8") as file:
        file.write(EFFECTS)
    return lambda: (folder / "paid.txt").read_text().splitlines() if (folder / "paid.txt").exists() else []


@pytest.fixture
def paused(cli: Cli, write_task: WriteTask, paid: Callable[[], list[str]]) -> str:
    """A run that waits to be allowed to pay."""
    done = cli("run", write_task(PAY, more=ASK))
    assert (done.code, done.out) == (3, "")
    return run_files()[0].stem


def test_a_run_that_nobody_watches_pauses_and_says_how_to_go_on(
    cli: Cli, write_task: WriteTask, paid: Callable[[], list[str]]
) -> None:
    done = cli("run", write_task(PAY, more=ASK))
    run = run_files()[0].stem
    assert done.code == 3
    assert "pay(to=\"bob\", amount=5) waits to be allowed: the policy asks about 'pay'" in done.err
    assert f"agentkit approve {run}" in done.err
    assert paid() == []


def test_what_waits_is_shown_in_full(cli: Cli, paused: str) -> None:
    shown = cli("approve", paused)
    assert shown.code == 0
    assert "pay wants to call pay" in shown.out
    assert '"to": "bob",' in shown.out
    assert "the policy asks about 'pay'" in shown.out
    assert f"agentkit approve {paused} pay" in shown.err
    waiting = cli("approve", "--json").json["waiting"]
    assert [(w["step"], w["tool"], w["args"]) for w in waiting] == [("pay", "pay", {"to": "bob", "amount": 5})]


def test_an_allowed_call_is_made_when_the_run_goes_on(cli: Cli, paused: str, paid: Callable[[], list[str]]) -> None:
    allowed = cli("approve", paused, "pay")
    assert (allowed.code, allowed.out, paid()) == (0, "", [])
    assert f"go on with: agentkit resume {paused}" in allowed.err
    resumed = cli("resume", paused)
    assert (resumed.code, resumed.out, paid()) == (0, "paid bob\n", ["bob 5"])


def test_a_denied_call_is_not_made(cli: Cli, paused: str, paid: Callable[[], list[str]]) -> None:
    done = cli("approve", paused, "pay", "--deny", "--message", "too much", "--resume")
    assert (done.code, paid()) == (1, [])
    assert "a person denied this call of 'pay': too much" in done.err


def test_other_arguments_are_used(cli: Cli, paused: str, paid: Callable[[], list[str]]) -> None:
    done = cli("approve", paused, "pay", "--args", '{"to": "ann", "amount": 1}', "--resume")
    assert (done.code, paid()) == (0, ["ann 1"])


def test_items_are_decided_one_by_one_and_always_covers_the_rest(
    cli: Cli, write_task: WriteTask, paid: Callable[[], list[str]]
) -> None:
    each = "{id: each, tool: pay, for_each: $who, args: {to: $item, amount: 1}}"
    assert cli("run", write_task("{id: who, tool: fetch}", each)).code == 3
    names = [w["step"] for w in cli("approve", "--json").json["waiting"]]
    assert names == ["each[0]", "each[1]"]
    run = run_files()[0].stem
    assert cli("approve", run, "each[0]", "--json").json == {
        "run_id": run,
        "decision": "allow",
        "steps": ["each[0]"],
        "left": ["each[1]"],
    }
    assert cli("resume", run).code == 3
    assert paid() == ["eve 1"]
    assert cli("approve", run, "each[1]", "--always", "--resume").code == 0
    assert paid() == ["eve 1", "mallory 1"]


@pytest.mark.parametrize(
    ("args", "part"),
    [
        (["{run}", "pya"], "did you mean 'pay'?"),
        (["{run}", "pay", "--deny", "--always"], "--deny can't go with"),
        (["{run}", "pay", "--deny", "--args", "{}"], "--deny can't go with"),
        (["{run}", "pay", "--message", "x"], "add --deny"),
        (["{run}", "pay", "--args", "{"], "--args is not JSON"),
        (["{run}", "pay", "--args", "[]"], "must be a JSON object"),
        (["{run}", "pay", "--args", '{"to": 5, "amount": 1}'], "does not fit 'pay'"),
        (["{run}", "--deny"], "name the step"),
        (["nothing-like-it"], "nothing-like-it"),
    ],
)
def test_misuse_is_one_message(
    args: list[str], part: str, cli: Cli, paused: str, paid: Callable[[], list[str]]
) -> None:
    done = cli("approve", *(arg.replace("{run}", paused) for arg in args))
    assert (done.code, done.out) == (2, "")
    assert part in done.err
    assert "Traceback" not in done.err


def test_a_decision_is_made_once(cli: Cli, paused: str) -> None:
    assert cli("approve", paused, "pay", "--deny").code == 0
    again = cli("approve", paused, "pay")
    assert again.code == 2
    assert "nothing in it waits" in again.err
    assert cli("approve", paused).err == f"nothing in run {paused} waits to be allowed\n"


def test_a_decision_is_in_the_file_before_the_command_ends(cli: Cli, paused: str) -> None:
    cli("approve", paused, "pay")
    with sqlite3.connect(run_files()[0]) as file:
        rows = file.execute("select data from events where kind = 'approval_decided'").fetchall()
    assert [json.loads(data)["decision"] for (data,) in rows] == ["allow"]


def test_a_policy_may_be_loosened_while_the_run_waits(
    cli: Cli, paused: str, write_task: WriteTask, paid: Callable[[], list[str]]
) -> None:
    write_task(PAY)
    assert (cli("resume", paused).code, paid()) == (0, ["bob 5"])


def test_the_trace_shows_what_was_decided(cli: Cli, paused: str) -> None:
    cli("approve", paused, "pay", "--deny", "--resume")
    shown = cli("trace", paused, "--print")
    assert "denied" in shown.out
    assert Trace.load(paused).stop_reason == "tool_error"


# Before it runs.


def test_a_plan_shows_what_a_person_will_be_asked_about(
    cli: Cli, write_task: WriteTask, paid: Callable[[], list[str]]
) -> None:
    each = "{id: each, tool: pay, for_each: $who, args: {to: $item, amount: 1}}"
    task = write_task("{id: who, tool: fetch}", each, "{id: own, tool: pay, args: {to: bob, amount: 2}}")
    done = cli("plan", task)
    assert done.code == 0
    assert "each  pay(to=$item, amount=1)  once  asks\n" in done.out
    assert 'own  pay(to="bob", amount=2)  once\n' in done.out
    assert "approvals      each\n" in done.out
    assert done.err == (
        "task.yaml:5:22: warning: a person is asked before this call is made: the argument 'to' of 'pay' comes from "
        "text that strangers may have written (web)\n"
    )
    assert list(cli("plan", task, "--json").json["approvals"]) == ["each"]


def test_a_plan_with_a_call_that_the_policy_denies_is_refused(
    cli: Cli, write_task: WriteTask, paid: Callable[[], list[str]]
) -> None:
    task = write_task(PAY, more="policy: {deny: [{tool: pay, when: {amount: {minimum: 5}}}]}\n")
    for command in ("plan", "run"):
        done = cli(command, task)
        assert done.code == 2
        assert "task.yaml:4:21: error: the policy denies this call of 'pay' when amount is {'minimum': 5}" in done.err
    assert paid() == []


# On a terminal.


@pytest.mark.parametrize(("typed", "code", "done"), [(b"y\n", 0, ["bob 5"]), (b"n\n", 1, []), (b"\x04", 3, [])])
def test_a_person_at_the_terminal_is_asked(
    typed: bytes, code: int, done: list[str], write_task: WriteTask, paid: Callable[[], list[str]]
) -> None:
    shown = on_terminal("run", write_task(PAY, more=ASK), typed=typed)
    assert (shown.code, paid()) == (code, done)
    assert "pay wants to call pay" in shown.text
    assert "[y]es, [n]o, [a]lways in this run, [e]dit" in shown.text


def test_arguments_are_edited_in_an_editor(write_task: WriteTask, paid: Callable[[], list[str]], folder: Path) -> None:
    editor = folder / "editor.sh"
    editor.write_text('#!/bin/sh\nsed -i s/bob/ann/ "$1"\n')
    editor.chmod(0o755)
    shown = on_terminal("run", write_task(PAY, more=ASK), typed=b"e\ny\n", EDITOR=str(editor), VISUAL=str(editor))
    assert (shown.code, paid()) == (0, ["ann 5"])


def test_resume_asks_at_the_terminal(cli: Cli, paused: str, paid: Callable[[], list[str]]) -> None:
    shown = on_terminal("resume", paused, typed=b"y\n")
    assert (shown.code, shown.out, paid()) == (0, "paid bob\n", ["bob 5"])
