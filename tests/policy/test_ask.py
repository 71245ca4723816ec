"""The question on the terminal: what is shown, and what may be answered."""

from __future__ import annotations

import asyncio
import io
import json

import pytest
from rich.console import Console

from agentkit.approval import Approval, Decision
from agentkit.cli.ask import ask
from agentkit.messages import JsonObject
from agentkit.tools.tool import Tool

ARGUMENTS: JsonObject = {"to": "ann", "amount": 5}


def answer(
    tool: Tool, *lines: str, edited: str | None = None, arguments: JsonObject = ARGUMENTS, item: int | None = None
) -> tuple[Decision | None, str]:
    """Asks, and returns the decision and what was shown."""
    said = list(lines)

    async def read() -> str | None:
        return said.pop(0) if said else None

    async def edit(text: str) -> str | None:
        assert json.loads(text) == arguments
        return edited

    screen = io.StringIO()
    asked = Approval(
        run_id="r",
        step="pay",
        item=item,
        tool=tool,
        arguments=arguments,
        reason="because [bold]so[/bold]",
        labels=("user", "web"),
    )
    out = Console(file=screen, width=60, markup=False, emoji=False, highlight=False)
    decision = asyncio.run(ask(asked, out, read, edit))
    assert not said
    return decision, screen.getvalue()


@pytest.mark.parametrize(
    ("line", "decision"),
    [
        ("y\n", Decision(allow=True, by="terminal")),
        ("YES\n", Decision(allow=True, by="terminal")),
        ("a\n", Decision(allow=True, always=True, by="terminal")),
        ("n\n", Decision(allow=False, by="terminal")),
        ("no not before Friday\n", Decision(allow=False, message="not before Friday", by="terminal")),
    ],
)
def test_a_letter_answers(line: str, decision: Decision, named: dict[str, Tool]) -> None:
    assert answer(named["send_money"], line)[0] == decision


def test_what_is_no_answer_is_asked_again(named: dict[str, Tool]) -> None:
    decision, shown = answer(named["send_money"], "\n", "perhaps\n", "yesterday\n", "y\n")
    assert decision is not None
    assert decision.allow
    assert shown.count("Answer y, n, a or e") == 3


def test_the_end_of_the_input_leaves_it_open(named: dict[str, Tool]) -> None:
    decision, shown = answer(named["send_money"])
    assert decision is None
    assert "the run pauses" in shown


def test_the_call_is_shown_in_full(named: dict[str, Tool]) -> None:
    long = "x" * 5000
    _, shown = answer(named["send_money"], "n\n", arguments={"to": "ann", "amount": 5, "note": long})
    assert long in shown
    assert "pay wants to call send_money" in shown
    assert "because [bold]so[/bold]" in shown
    assert "where it comes from: user, web" in shown


def test_an_item_is_named(named: dict[str, Tool]) -> None:
    assert "pay[3] wants to call" in answer(named["send_money"], "n\n", item=3)[1]


def test_control_characters_in_arguments_move_nothing(named: dict[str, Tool]) -> None:
    _, shown = answer(named["send_money"], "n\n", arguments={"to": "\x1b[2Jann\u202e\r", "amount": 5})
    assert not {"\x1b", "\u202e", "\r"} & set(shown)


def test_edited_arguments_are_shown_again_and_used(named: dict[str, Tool]) -> None:
    changed: JsonObject = {"to": "bob", "amount": 1}
    decision, shown = answer(named["send_money"], "e\n", "y\n", edited=json.dumps(changed))
    assert decision == Decision(allow=True, arguments=changed, by="terminal")
    assert shown.count("wants to call") == 2
    assert '"to": "bob"' in shown


@pytest.mark.parametrize(
    ("edited", "part"), [("{", "not taken"), ("[]", "one JSON object"), ('{"to": "bob"}', "amount")]
)
def test_arguments_that_do_not_fit_are_not_taken(edited: str, part: str, named: dict[str, Tool]) -> None:
    decision, shown = answer(named["send_money"], "e\n", "y\n", edited=edited)
    assert decision == Decision(allow=True, by="terminal")
    assert part in shown


def test_an_editor_that_saved_nothing_changes_nothing(named: dict[str, Tool]) -> None:
    assert answer(named["send_money"], "e\n", "y\n")[0] == Decision(allow=True, by="terminal")
