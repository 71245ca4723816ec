"""What a policy says of a call: by rules, by conditions on arguments, by where the call comes from."""

from __future__ import annotations

from typing import Any

import pytest

from agentkit.errors import UsageError
from agentkit.labels import CallLabels
from agentkit.messages import JsonObject
from agentkit.policy import Policy, Rule, SinkRule
from agentkit.tools.tool import Tool

BIG = Rule("send_money", {"amount": {"exclusiveMinimum": 100}})
SMALL = Rule("send_money", {"amount": {"maximum": 100}})
NOT_ETC = Rule("save", {"path": {"not": {"pattern": "^/etc/"}}})
PAY = {"to": "bob", "amount": 50}
WEB = frozenset({"user", "web"})
MAIL = frozenset({"tool:read_mail", "untrusted"})
FILE = frozenset({"tool:load", "file"})
MCP = frozenset({"tool:look", "mcp:notes"})
READ = CallLabels(writer=WEB)
READ_UNFORESEEN = CallLabels(writer=WEB, foreseen=False)


def data(**arguments: frozenset[str]) -> CallLabels:
    """The labels of a call of the user's own plan."""
    return CallLabels(arguments=arguments)


# policy, tool, arguments, labels, what the user said, verdict
CASES: dict[str, tuple[Policy, str, JsonObject, CallLabels, str, str]] = {
    "no policy allows": (Policy(), "send_money", PAY, data(), "", "allow"),
    "deny wins over allow": (Policy(allow=["*"], deny=["send_*"]), "send_money", PAY, data(), "", "deny"),
    "deny wins over ask": (Policy(ask=["*"], deny=["send_*"]), "send_money", PAY, data(), "", "deny"),
    "ask wins over allow": (Policy(allow=["*"], ask=["send_money"]), "send_money", PAY, data(), "", "ask"),
    "what allow does not name is denied": (Policy(allow=["read_*"]), "send_money", PAY, data(), "", "deny"),
    "what allow names is allowed": (Policy(allow=["read_*"]), "read_mail", {}, data(), "", "allow"),
    "ask about a name": (Policy(ask=["balance"]), "balance", {}, data(), "", "ask"),
    "ask about a pattern": (Policy(ask=["*_money"]), "send_money", PAY, data(), "", "ask"),
    "a pattern that names another": (Policy(ask=["*_mail"]), "send_money", PAY, data(), "", "allow"),
    "patterns mind case": (Policy(deny=["SEND_MONEY"]), "send_money", PAY, data(), "", "allow"),
    "condition that holds": (Policy(ask=[BIG]), "send_money", PAY | {"amount": 101}, data(), "", "ask"),
    "condition at its limit": (Policy(ask=[BIG]), "send_money", PAY | {"amount": 100}, data(), "", "allow"),
    "condition on a number written as text": (
        Policy(ask=[BIG]),
        "send_money",
        PAY | {"amount": "900"},
        data(),
        "",
        "ask",
    ),
    "deny under a condition": (Policy(deny=[BIG]), "send_money", PAY | {"amount": 101}, data(), "", "deny"),
    "no deny without it": (Policy(deny=[BIG]), "send_money", PAY, data(), "", "allow"),
    "allow under a condition": (Policy(allow=[SMALL]), "send_money", PAY, data(), "", "allow"),
    "no allow without it": (Policy(allow=[SMALL]), "send_money", PAY | {"amount": 101}, data(), "", "deny"),
    "allow with a condition leaves the rest denied": (Policy(allow=[SMALL]), "balance", {}, data(), "", "deny"),
    "allow small, ask big": (
        Policy(allow=["send_money"], ask=[BIG]),
        "send_money",
        PAY | {"amount": 5000},
        data(),
        "",
        "ask",
    ),
    "condition on a default": (
        Policy(deny=[Rule("order", {"count": {"const": 1}})]),
        "order",
        {"item": "tea"},
        data(),
        "",
        "deny",
    ),
    "condition on an argument that is not given": (
        Policy(deny=[Rule("send_money", {"note": {"minLength": 1}})]),
        "send_money",
        PAY,
        data(),
        "",
        "allow",
    ),
    "two conditions, one holds": (
        Policy(deny=[Rule("send_money", {"amount": {"minimum": 1}, "to": {"const": "eve"}})]),
        "send_money",
        PAY,
        data(),
        "",
        "allow",
    ),
    "two conditions hold": (
        Policy(deny=[Rule("send_money", {"amount": {"minimum": 1}, "to": {"const": "bob"}})]),
        "send_money",
        PAY,
        data(),
        "",
        "deny",
    ),
    "enum of receivers": (
        Policy(allow=[Rule("send_money", {"to": {"enum": ["bob", "ann"]}})]),
        "send_money",
        PAY,
        data(),
        "",
        "allow",
    ),
    "not in the enum": (
        Policy(allow=[Rule("send_money", {"to": {"enum": ["ann"]}})]),
        "send_money",
        PAY,
        data(),
        "",
        "deny",
    ),
    "not a pattern": (Policy(allow=[NOT_ETC]), "save", {"path": "/etc/x", "text": ""}, data(), "", "deny"),
    "not the pattern": (Policy(allow=[NOT_ETC]), "save", {"path": "x", "text": ""}, data(), "", "allow"),
    "two allow rules, the second holds": (
        Policy(allow=[Rule("order", {"count": {"const": 9}}), "order"]),
        "order",
        {"item": "a"},
        data(),
        "",
        "allow",
    ),
    "arguments that do not fit are the tool's to refuse": (
        Policy(ask=["send_money"]),
        "send_money",
        {"to": "bob"},
        data(),
        "",
        "allow",
    ),
    # Where arguments come from, in a plan that was written before anything was read.
    "deciding argument from mail": (Policy(), "send_money", PAY, data(to=MAIL), "", "ask"),
    "other deciding argument from mail": (Policy(), "send_money", PAY, data(amount=MAIL), "", "ask"),
    "note from mail": (Policy(), "send_money", PAY | {"note": "hi"}, data(note=MAIL), "", "allow"),
    "deciding argument from the web": (Policy(), "send_money", PAY, data(to=WEB), "", "ask"),
    "deciding argument from an MCP server": (Policy(), "send_money", PAY, data(to=MCP), "", "ask"),
    "deciding argument from a file": (Policy(), "send_money", PAY, data(to=FILE), "", "allow"),
    "deciding argument from one's own tool": (
        Policy(),
        "send_money",
        PAY,
        data(amount=frozenset({"tool:balance"})),
        "",
        "allow",
    ),
    "it does not matter that the user said it too": (Policy(), "send_money", PAY, data(to=MAIL), "to bob", "ask"),
    "any argument of a once tool": (Policy(), "delete_mail", {"id": 7}, data(id=MAIL), "", "ask"),
    "any argument of a keyed tool": (Policy(), "order", {"item": "tea"}, data(item=WEB), "", "ask"),
    "argument of a pure tool": (Policy(), "shorten", {"text": "x"}, data(text=WEB), "", "allow"),
    "argument of an idempotent tool": (Policy(), "set_light", {"on": True}, data(on=WEB), "", "allow"),
    "text of a sink that minds the path": (Policy(), "save", {"path": "a", "text": "x"}, data(text=WEB), "", "allow"),
    "path of a sink that minds it": (Policy(), "save", {"path": "a", "text": "x"}, data(path=WEB), "", "ask"),
    "asked about by rule and by origin": (Policy(ask=["send_money"]), "send_money", PAY, data(to=MAIL), "", "ask"),
    "denied whatever its origin": (Policy(deny=[BIG]), "send_money", PAY | {"amount": 200}, data(to=MAIL), "", "deny"),
    "allow names tools and trusts nobody": (Policy(allow=["send_money"]), "send_money", PAY, data(to=MAIL), "", "ask"),
    "sink by policy": (Policy(sinks=["set_light"]), "set_light", {"on": True}, data(on=WEB), "", "ask"),
    "sink by policy in one argument": (
        Policy(sinks=[SinkRule("send_*", ("note",))]),
        "send_money",
        PAY,
        data(to=MAIL),
        "",
        "allow",
    ),
    # A model that has read untrusted text.
    "the model read and says what the user said": (Policy(), "send_money", PAY, READ, "Send 50 to Bob.", "allow"),
    "the model read and says more": (Policy(), "send_money", PAY, READ, "Send 50 to Ann.", "ask"),
    "another amount": (Policy(), "send_money", PAY, READ, "Send 5 to Bob.", "ask"),
    "a note that the user did not write": (
        Policy(),
        "send_money",
        PAY | {"note": "call 555"},
        READ,
        "Send 50 to Bob.",
        "ask",
    ),
    "a note that the user wrote": (
        Policy(),
        "send_money",
        PAY | {"note": "rent may"},
        READ,
        "Send Bob 50: rent May",
        "allow",
    ),
    "a tool that nobody foresaw": (Policy(), "send_money", PAY, READ_UNFORESEEN, "Send 50 to Bob.", "ask"),
    "only a number": (Policy(), "delete_mail", {"id": 13}, READ, "What is on June 13?", "ask"),
    "a truth value": (Policy(sinks=["set_light"]), "set_light", {"on": True}, READ, "Light on, True!", "ask"),
    "a default needs no words": (Policy(), "order", {"item": "tea", "count": 1}, READ, "Order tea.", "allow"),
    "a part of a word": (Policy(), "order", {"item": "tea"}, READ, "Order a steak.", "ask"),
    "a part of an address": (Policy(), "order", {"item": "gmail.com"}, READ, "Write to a@gmail.com.", "ask"),
    "a part of a date": (Policy(), "order", {"item": "2024"}, READ, "It is 2024-05-13.", "ask"),
    "the model read, and the tool only reads": (Policy(), "balance", {}, READ, "", "allow"),
    "the model read, and doing it twice is the same": (Policy(), "set_light", {"on": True}, READ, "", "allow"),
    "the model read a file": (Policy(), "send_money", PAY, CallLabels(writer=FILE), "", "allow"),
    "the model read what MCP gave": (Policy(), "send_money", PAY, CallLabels(writer=MCP), "", "ask"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_call_gets_its_verdict(case: str, named: dict[str, Tool]) -> None:
    policy, tool, arguments, labels, said, expected = CASES[case]
    verdict = policy.decide(named[tool], arguments, labels, said=said)
    assert verdict.action == expected
    assert bool(verdict.reason) == (expected != "allow")


def test_there_are_sixty_cases() -> None:
    assert len(CASES) >= 60


def test_a_verdict_says_why(named: dict[str, Tool]) -> None:
    denied = Policy(deny=[BIG]).decide(named["send_money"], PAY | {"amount": 500})
    assert denied.reason == "the policy denies this call of 'send_money' when amount is {'exclusiveMinimum': 100}"
    tainted = Policy().decide(named["send_money"], PAY, data(to=MAIL | WEB))
    assert tainted.reason == (
        "the argument 'to' of 'send_money' comes from text that strangers may have written (untrusted, web)"
    )
    read = Policy().decide(named["send_money"], PAY, READ, said="Send 50 to Ann")
    assert read.reason.endswith("before it asked for this call, and 'to' does not stand in the user's words")


def test_a_tool_is_hidden_when_no_call_of_it_may_be_made() -> None:
    policy = Policy(allow=["read_*", SMALL], deny=["read_secret", Rule("read_mail", {"count": {"minimum": 9}})])
    names = ("read_mail", "read_secret", "send_money", "balance")
    assert [policy.permits(name) for name in names] == [True, False, True, False]


def test_a_policy_overrides_what_tools_say_of_their_results(named: dict[str, Tool]) -> None:
    policy = Policy(untrusted=["balance", "read_*"], trusted=["fetch_*", "read_*"])
    sources = {name: policy.source(named[name]) for name in ("balance", "fetch_page", "read_mail", "load")}
    assert sources == {"balance": "untrusted", "fetch_page": None, "read_mail": "untrusted", "load": "file"}


@pytest.mark.parametrize(
    ("condition", "part"),
    [
        (5, "must be a JSON Schema"),
        ({}, "must be a JSON Schema"),
        ({"maximun": 5}, "did you mean 'maximum'?"),
        ({"anyOf": [{"patern": "x"}]}, "did you mean 'pattern'?"),
        ({"maximum": "5"}, "not valid JSON Schema"),
        ({"$ref": "http://example.com/schema"}, "unknown keyword '$ref'"),
    ],
)
def test_a_condition_that_can_not_be_meant_is_refused(condition: Any, part: str) -> None:
    with pytest.raises(UsageError) as failed:
        Rule("send_money", {"amount": condition})
    assert part in str(failed.value)


def test_what_does_not_fit_the_tools_is_said(named: dict[str, Tool]) -> None:
    policy = Policy(
        ask=["send_mony", Rule("send_money", {"amunt": {"const": 1}})],
        untrusted=["nobody_*"],
        sinks=[SinkRule("save", ("paht",))],
    )
    found = [(problem.place, problem.message.split(" (")[0]) for problem in policy.problems(named.values())]
    assert found[:2] == [
        (("ask", 0), "no tool is called 'send_mony'; did you mean 'send_money'?"),
        (("ask", 1, "when", "amunt"), "'send_money' has no argument 'amunt'; did you mean 'amount'?"),
    ]
    assert [place for place, _ in found[2:]] == [("untrusted", 0), ("sinks", 0, "arguments", 0)]


def test_a_policy_as_json_is_what_a_task_file_has() -> None:
    policy = Policy(allow=["a"], ask=[BIG], sinks=["b", SinkRule("c", ("d",))], trusted=["e"])
    assert policy.to_json() == {
        "allow": ["a"],
        "ask": [{"tool": "send_money", "when": {"amount": {"exclusiveMinimum": 100}}}],
        "trusted": ["e"],
        "sinks": ["b", {"tool": "c", "arguments": ["d"]}],
    }
