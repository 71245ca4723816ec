"""A plan as a tree of its waves, and what its shape says in a few lines."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import RenderableType
from rich.text import Text
from rich.tree import Tree

from agentkit.messages import is_array, is_object
from agentkit.planners.plan import Plan, Ref, Step, StepId, Template
from agentkit.planners.shape import Shape, shape_of
from agentkit.policy import Verdict
from agentkit.tools.tool import Tool
from agentkit.trace.text import counted, one_line, visible

__all__ = ["render_plan"]

_VALUE = 40
_PROSE = 200
_STEPS = 20
"""Most characters of an argument and of a text, and most steps of the critical path."""

_STYLES = {"pure": "dim", "idempotent": "", "keyed": "yellow", "once": "yellow"}


def render_plan(
    task: str, plan: Plan, tools: Mapping[str, Tool], verdicts: Mapping[StepId, Verdict]
) -> Iterator[RenderableType]:
    """Yields the steps by waves, as a tree, and then what they amount to.

    Args:
        task: What the plan is for.
        plan: The plan.
        tools: The tools that its steps call, by name.
        verdicts: What the policy says of the steps whose calls it does not simply allow.
    """
    shape = shape_of(plan)
    tree = Tree(Text.assemble(("plan  ", "bold"), one_line(task, _PROSE)))
    for number, wave in enumerate(shape.waves, 1):
        together = f", {len(wave)} at the same time" if len(wave) > 1 else ""
        branch = tree.add(Text(f"wave {number}{together}", style="dim"))
        for step in wave:
            _add_step(branch, plan[step], tools.get(plan[step].tool), verdicts.get(step))
    yield tree
    yield _summary(plan, shape, tools, verdicts)


def _add_step(branch: Tree, step: Step, tool: Tool | None, verdict: Verdict | None) -> None:
    head = Text.assemble((visible(step.id), "bold"), "  ", (_call(step), "cyan"))
    if tool is not None:
        head.append(f"  {tool.effect}", _STYLES[tool.effect])
    if verdict is not None:
        head.append(*(("  asks", "bold yellow") if verdict.action == "ask" else ("  denied", "bold red")))
    node = branch.add(head)
    if step.for_each is not None:
        skipping = {"fail": "", "skip": ", leaving out those that fail", "collect": ", keeping the errors"}
        node.add(Text(f"for each item of {step.for_each}{skipping[step.on_error]}"))
    if step.after:
        node.add(Text(f"after {', '.join(step.after)}"))
    if step.purpose.strip():
        node.add(Text(one_line(step.purpose, _PROSE), style="dim"))


def _call(step: Step) -> str:
    return visible(f"{step.tool}({', '.join(f'{name}={_short(value)}' for name, value in step.args.items())})")


def _short(value: Any) -> str:
    text = " ".join(_written(value).split())
    return text if len(text) <= _VALUE else f"{text[: _VALUE - 3]}..."


def _written(value: Any) -> str:
    """Returns an argument as JSON, with references as such."""
    if isinstance(value, Ref):
        return str(value)
    if isinstance(value, Template):
        return f'"{value}"'
    if is_object(value):
        return "{" + ", ".join(f"{json.dumps(k, ensure_ascii=False)}: {_written(v)}" for k, v in value.items()) + "}"
    return f"[{', '.join(map(_written, value))}]" if is_array(value) else json.dumps(value, ensure_ascii=False)


def _summary(plan: Plan, shape: Shape, tools: Mapping[str, Tool], verdicts: Mapping[StepId, Verdict]) -> Text:
    together = f"up to {shape.width} steps at the same time" if shape.width > 1 else "one step at a time"
    path = [*shape.span[:_STEPS], *(["..."] if len(shape.span) > _STEPS else [])]
    lines = Text()
    for name, text in (
        ("waves", f"{len(shape.waves):,}, {together}"),
        ("calls", _work(plan, shape)),
        ("critical path", f"{' -> '.join(path)} ({counted(len(shape.span), 'step')})"),
        ("effects", ", ".join(_effects(plan, tools)) or "none"),
        ("approvals", ", ".join(step for step, v in verdicts.items() if v.action == "ask") or "none"),
        ("answer", "the result of " + ", ".join(shape.last)),
    ):
        lines.append(f"{name:<15}", "bold").append(f"{visible(text)}\n")
    lines.right_crop()
    return lines


def _work(plan: Plan, shape: Shape) -> str:
    each = [f"1 for each item of {plan[step].for_each}" for step in shape.loops]
    return ", and ".join([*([f"{shape.work:,}"] if shape.work else []), *each])


def _effects(plan: Plan, tools: Mapping[str, Tool]) -> Iterator[str]:
    for step in plan:
        tool = tools.get(step.tool)
        if tool is not None and tool.effect != "pure":
            yield f"{step.id} ({tool.effect})"
