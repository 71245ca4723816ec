"""What can be said of a plan's calls before it runs."""

from __future__ import annotations

from typing import Any

from agentkit.plan_approvals import foresee
from agentkit.planners.plan import Step, StepId, parse_refs
from agentkit.policy import Policy, Rule
from agentkit.tools.tool import Tool

BIG = Rule("send_money", {"amount": {"exclusiveMinimum": 100}})


def step(name: str, tool: str, **args: Any) -> Step:
    return Step(id=StepId(name), tool=tool, args=parse_refs(args))


def said(tools: dict[str, Tool], policy: Policy, *steps: Step) -> dict[str, str]:
    return {str(name): verdict.action for name, verdict in foresee(steps, tools, policy).items()}


def test_origins_follow_the_edges_of_a_plan(named: dict[str, Tool]) -> None:
    plan = [
        step("page", "fetch_page", url="x"),
        step("short", "shorten", text="$page"),
        step("pay", "send_money", to="$short", amount=1),
        step("note", "send_money", to="bob", amount=1, note="$short"),
        step("drop", "delete_mail", id="$short"),
    ]
    assert said(named, Policy(), *plan) == {"pay": "ask", "drop": "ask"}
    assert said(named, Policy(trusted=["fetch_page"]), *plan) == {}


def test_conditions_are_judged_on_values_that_stand_there(named: dict[str, Tool]) -> None:
    plan = [
        step("known", "balance"),
        step("small", "send_money", to="a", amount=5),
        step("big", "send_money", to="a", amount=500),
        step("later", "send_money", to="a", amount="$known"),
    ]
    assert said(named, Policy(ask=[BIG]), *plan) == {"big": "ask"}
    assert said(named, Policy(deny=[BIG]), *plan) == {"big": "deny"}
    allowed = Policy(allow=["balance", Rule("send_money", {"amount": {"maximum": 100}})])
    assert said(named, allowed, *plan) == {"big": "deny"}


def test_rules_without_conditions_hold_whatever_comes(named: dict[str, Tool]) -> None:
    plan = [step("known", "balance"), step("later", "send_money", to="a", amount="$known"), step("odd", "nothing")]
    assert said(named, Policy(ask=["send_money"]), *plan) == {"later": "ask"}
