"""Runs that act on an outside world, which is a file that every tool appends to and syncs, and that ask a person.

A model here is a function of what it is asked, so that it says the same in every process.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agentkit import Agent, Limits, Policy, ScriptedModel, ToolContext, ToolFailed, tool
from agentkit.approval import Approval, Decision
from agentkit.cli.main import execute
from agentkit.messages import ToolCall
from agentkit.model_backend.base import TurnRequest
from agentkit.model_backend.scripted import ScriptedParts
from agentkit.planners.plan import Step, StepId, parse_refs

world = Path()
"""The file; set by the process that runs a scenario."""
people = Path()
"""What a person was asked, and what they were told is decided; also set by the process."""
pause = 0.0
"""Seconds that a tool takes before and after it acts, so that a kill may come in between."""


def act(what: str) -> None:
    time.sleep(pause)
    write(world, what)
    time.sleep(pause)


def write(file: Path, line: str) -> None:
    fd = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(fd, f"{line}\n".encode())
    os.fsync(fd)
    os.close(fd)


@tool(effect="pure")
def look(x: int) -> int:
    """Look something up."""
    return x * 10


@tool(effect="idempotent")
def put(x: int) -> str:
    """Put something down."""
    act(f"put {x} -")
    return f"put {x}"


@tool(effect="keyed")
def order(x: int, context: ToolContext) -> str:
    """Order something."""
    context.state["orders"] = context.state.get("orders", 0) + 1
    act(f"order {x} {context.idempotency_key}")
    return f"ordered {x}"


@tool
def pay(x: int, context: ToolContext) -> str:
    """Pay for something."""
    act(f"pay {x} {context.idempotency_key}")
    return f"paid {x}"


@tool(effect="pure")
def fail(x: int) -> int:
    """Fail."""
    raise ToolFailed("this never works; look instead")


TOOLS: list[Any] = [look, put, order, pay, fail]


def by_results(*turns: Any) -> ScriptedModel:
    """A model whose turn depends on how many turns it has taken, as the prompt shows."""

    def decide(request: TurnRequest) -> Any:
        return turns[sum(m.role == "assistant" for m in request.messages)]

    return ScriptedModel([decide] * 100)


def call(name: str, x: int) -> ToolCall:
    return ToolCall(name, {"x": x})


def loop() -> Agent:
    """Turn by turn, with several effects in a turn."""
    model = by_results([call("look", 1), call("order", 1)], call("pay", 2), [call("put", 3), call("pay", 4)], "Done.")
    return Agent(model, TOOLS, planner="loop")


def wide() -> Agent:
    """A given plan, eight wide, with a list in it."""
    names = ["put", "order", "pay", "order", "pay", "put", "pay", "order"]
    steps = [Step(id=StepId(f"w{i}"), tool=name, args={"x": i}) for i, name in enumerate(names)]
    rows = Step(id=StepId("rows"), tool="many", args={"n": 4})
    each = Step(id=StepId("each"), tool="order", for_each=parse_refs("$rows"), args=parse_refs({"x": "$item"}))
    last = Step(id=StepId("last"), tool="pay", args={"x": 99}, after=tuple(s.id for s in [*steps, each]))
    return Agent(None, [*TOOLS, many], planner=[*steps, rows, each, last], limits=Limits(parallel=8))


@tool(effect="pure")
def many(n: int) -> list[int]:
    """Give numbers."""
    return [100 + i for i in range(n)]


def lines(*steps: tuple[str, int], first: int = 1) -> list[Any]:
    found: list[Any] = []
    for i, (name, x) in enumerate(steps, first):
        found += [{"id": f"s{i}", "tool": name}, {"x": x}]
    return [*found, {"id": f"s{first + len(steps)}", "tool": "answer"}]


def graph() -> Agent:
    """A plan by the model that runs while it is written, fails in part, and is mended."""
    plan = lines(("order", 1), ("pay", 2), ("fail", 3), ("put", 4))
    mend = lines(("pay", 5), ("look", 6), first=5)
    parts = [ScriptedParts(parts=plan, seconds=0.002), ScriptedParts(parts=mend, seconds=0.002)]
    return Agent(by_results(*parts, "Done."), TOOLS, planner="graph")


ASK = Policy(ask=["pay", "order", "put"])
DENIED = {4, 102}
"""What a person does not allow to be paid."""


async def decide(asked: Approval) -> Decision:
    """A person who is there: allows, changes and denies, and writes down what was asked."""
    write(people, f"asked {asked.step}")
    match asked.tool.name, asked.arguments["x"]:
        case "order", _:
            return Decision(allow=True, always=True)
        case "put", x:
            return Decision(allow=True, arguments={"x": x * 10})
        case _, x:
            return Decision(allow=x not in DENIED)


def asked() -> Agent:
    """Turn by turn, with a person who is asked about the effects."""
    turns = [[call("look", 1), call("order", 1)], [call("pay", 2), call("put", 3)], [call("pay", 4), call("order", 5)]]
    return Agent(by_results(*turns, "Done."), TOOLS, planner="loop", policy=ASK, approve=decide)


def unattended() -> Agent:
    """A given plan that waits twice for a person who is not there, also with items of a list."""
    puts = [Step(id=StepId(f"put{x}"), tool="put", args={"x": x}) for x in (5, 6)]
    rows = Step(id=StepId("rows"), tool="many", args={"n": 3})
    item = parse_refs({"x": "$item"})
    pays = Step(id=StepId("pays"), tool="pay", for_each=parse_refs("$rows"), args=item, on_error="skip")
    orders = Step(id=StepId("orders"), tool="order", for_each=parse_refs("$rows"), args=item, after=(pays.id,))
    return Agent(None, [*TOOLS, many], planner=[*puts, rows, pays, orders], policy=ASK)


def approve(run: str) -> None:
    """What a person does who comes by later: ``agentkit approve`` for each call that waits."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        execute(["approve", run, "--json"])
        for waiting in json.loads(out.getvalue())["waiting"]:
            step, x = waiting["step"], waiting["args"]["x"]
            how = ["--deny"] if waiting["tool"] == "pay" and x in DENIED else []
            how += ["--args", json.dumps({"x": x * 10})] if waiting["tool"] == "put" else []
            if execute(["approve", run, step, *how]) == 0:
                write(people, f"decided {step}")


SCENARIOS: dict[str, Callable[[], Agent]] = {
    "loop": loop,
    "wide": wide,
    "graph": graph,
    "asked": asked,
    "unattended": unattended,
}

EFFECTS = {
    "loop": {"order 1", "pay 2", "put 3", "pay 4"},
    "wide": {"put 0", "order 1", "pay 2", "order 3", "pay 4", "put 5", "pay 6", "order 7", "pay 99"}
    | {f"order {x}" for x in range(100, 104)},
    "graph": {"order 1", "pay 2", "pay 5"},
    "asked": {"order 1", "pay 2", "put 30", "order 5"},
    "unattended": {"put 50", "put 60", "pay 100", "pay 101"} | {f"order {x}" for x in range(100, 103)},
}
"""What each scenario does to the world."""

_CALLS = ("before-intent", "after-intent", "after-effect", "after-result")
_TURNS = ("before-turn", "after-turn")
_DECISIONS = ("before-approval", "after-approval")

PASSED: dict[str, dict[str, int]] = {
    "loop": {"run-started": 1} | dict.fromkeys(_CALLS, 5) | dict.fromkeys(_TURNS, 4),
    "wide": {"run-started": 1} | dict.fromkeys(_CALLS, 14),
    "graph": {"run-started": 1, "turn-part": 9, "plan-change": 1} | dict.fromkeys(_CALLS, 6) | dict.fromkeys(_TURNS, 3),
    "asked": {"run-started": 1} | dict.fromkeys(_CALLS, 5) | dict.fromkeys(_TURNS, 4) | dict.fromkeys(_DECISIONS, 4),
    "unattended": {"run-started": 1} | dict.fromkeys(_CALLS, 4) | dict.fromkeys(_DECISIONS, 5),
}
"""How often a scenario surely comes by each point in one of its lives."""
