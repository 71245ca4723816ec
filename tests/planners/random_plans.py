"""Plans that random weights write for random tools."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agentkit.errors import ArgumentError
from agentkit.messages import JsonObject, JsonValue, Text, User
from agentkit.model_backend.base import Part, Parts, ToolSpec, TurnRequest
from agentkit.model_backend.constraint import validate
from agentkit.planners.check import check_plan
from agentkit.planners.lines import PlanWriter
from agentkit.planners.plan import Plan, Step, render_refs
from agentkit.tools.context import ToolContext
from agentkit.tools.tool import Tool
from tests.formats.gemma4.random_calls import decode_all, random_schema
from tests.tiny_gguf import TinyKind

LEAST, MAX_STEPS = 3, 6


class SchemaTool(Tool):
    """A tool that is nothing but its schemas."""

    def __init__(self, spec: ToolSpec) -> None:
        self.name, self.description, self.origin = spec.name, "", "random"
        self.parameters, self.returns = spec.parameters, spec.returns
        self.effect, self.timeout, self.isolation = "pure", None, "thread"

    def validate(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        known = {k: s for k, s in self.parameters["properties"].items() if k in arguments}
        if problems := validate({**self.parameters, "properties": known, "required": []}, dict(arguments)):
            raise ArgumentError("; ".join(map(str, problems)))
        return dict(arguments)

    async def invoke(self, arguments: JsonObject, context: ToolContext | None = None) -> JsonValue:
        raise NotImplementedError


def random_tools(seed: int) -> dict[str, ToolSpec]:
    """Returns two to five tools; what one gives often fits what another takes. Equal seeds give equal tools."""
    choose = random.Random(seed)
    tools: dict[str, ToolSpec] = {}
    for i in range(choose.randint(2, 5)):
        parameters = random_schema(seed * 10 + i)
        given = random_schema(seed * 10 + choose.randint(0, 6))
        returns: JsonObject | None = choose.choice([given, {"type": "array", "items": given}, None, given])
        tools[f"tool_{i}"] = ToolSpec(name=f"tool_{i}", description="", parameters=parameters, returns=returns)
    return tools


def check_plans(kind: TinyKind, folder: Path, seeds: Sequence[int], times: int) -> tuple[int, int, int]:
    """Has plans written for each tool set that many times; returns how many, their steps and their references."""
    writers = [PlanWriter(random_tools(seed), least=LEAST, max_steps=MAX_STEPS) for seed in seeds for _ in range(times)]
    written: list[list[JsonValue]] = [[] for _ in writers]
    pairs = zip(writers, written, strict=True)
    asked = [TurnRequest(messages=[User("go")], parts=_kept(w, lines), max_tokens=4000) for w, lines in pairs]
    steps = references = 0
    for writer, lines, outcome in zip(writers, written, decode_all(kind, folder, asked), strict=True):
        if writer.ending(lines):  # else the tokens ran out
            (said,) = outcome.value.pieces
            assert isinstance(said, Text)
            assert all(step["id"] for step in json.loads(said.text))
        plan = check(writer, lines)
        steps += len(plan)
        references += sum(len(step.refs) for step in plan)
    return len(writers), steps, references


def check(writer: PlanWriter, lines: Sequence[JsonValue]) -> list[Step]:
    """Checks that the lines are a plan that loads, has no cycle, and has only references that may fit."""
    found = writer.steps(lines)
    plan = Plan()
    for step in found:
        plan.add(step)
    problems = check_plan(found, {name: SchemaTool(spec) for name, spec in writer.tools.items()})
    assert [p for p in problems if p.severity == "error"] == [], lines
    calls = [json.dumps([s.tool, str(s.for_each), render_refs(s.args)], sort_keys=True) for s in found]
    assert len(calls) == len(set(calls))
    return found


def _kept(writer: PlanWriter, lines: list[JsonValue]) -> Parts:
    """Returns the parts of a plan, whose values are kept as they come."""

    def parts(done: Sequence[JsonValue]) -> Sequence[Part]:
        lines[:] = done
        return writer.parts(done)

    return parts
