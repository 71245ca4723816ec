"""The check of a plan before it runs: its graph, its calls, and whether results fit where they are passed on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from agentkit.errors import ArgumentError, PlanError
from agentkit.messages import JsonObject, is_array, is_object
from agentkit.planners.check_graph import Finding, Place, Severity, check_graph, nearest, uses
from agentkit.planners.fit import Fit, doubt, fits, item_schema, schema_at
from agentkit.planners.plan import ITEM, Ref, Step, StepId, Template, render_refs
from agentkit.planners.results import result_schema
from agentkit.planners.schema_cases import cases
from agentkit.planners.schema_words import expected
from agentkit.tools.tool import Tool

__all__ = ["Finding", "Severity", "check_plan"]


def check_plan(steps: Sequence[Step], tools: Mapping[str, Tool]) -> list[Finding]:
    """Returns what is to be said about a plan, in the order of its steps.

    A plan without an error can be run. What the schemas leave open is checked when it runs; a note says so.

    Args:
        steps: The steps, in order.
        tools: The tools that they may call, by name.
    """
    results = {s.id: result_schema(s, tools[s.tool].returns) for s in reversed(steps) if s.tool in tools}
    found = check_graph(steps)
    for i, step in enumerate(steps):
        if step.tool in tools:
            found += _CallCheck(i, step, tools[step.tool], results).findings()
        else:
            message = f"there is no tool {step.tool!r}; {nearest(step.tool, tools, 'tools')}"
            found.append(Finding(severity="error", step=step.id, index=i, place=("tool",), message=message))
    found += _repeated(steps, tools)
    found += _unused(steps, tools)
    return sorted(found, key=lambda f: f.index)


class _CallCheck:
    """Checks one step's call.

    Args:
        index: Which of the steps it is.
        step: The step.
        tool: Its tool.
        results: What is known of the results of all steps whose tool is there.
    """

    def __init__(self, index: int, step: Step, tool: Tool, results: Mapping[StepId, JsonObject | None]) -> None:
        self._index = index
        self._step = step
        self._tool = tool
        self._results = results
        self._parameters: Mapping[str, Any] = tool.parameters.get("properties", {})
        self._item: JsonObject | None = None
        self._knows_item = False

    def findings(self) -> Iterator[Finding]:
        """Yields what is to be said."""
        if self._step.for_each is not None:
            yield from self._for_each(self._step.for_each)
        yield from self._names()
        yield from self._literals()
        for name, value in self._step.args.items():
            if name in self._parameters and _has_ref(value):
                yield from self._value(value, ("args", name))

    def _say(self, severity: Severity, place: Place, message: str, *, at_key: bool = False) -> Finding:
        return Finding(
            severity=severity, step=self._step.id, index=self._index, place=place, at_key=at_key, message=message
        )

    def _for_each(self, ref: Ref) -> Iterator[Finding]:
        place: Place = ("for_each",)
        if ref.step not in self._results:
            return
        try:
            found = schema_at(self._results[ref.step], ref.path)
            self._item = item_schema(found)
        except PlanError as error:
            yield self._say("error", place, f"{str(ref)!r} can't be used here: {error}")
            return
        self._knows_item = found is not None
        reason = doubt(self._results[ref.step], ref.path) or fits(found, {"type": "array"}).reason
        if reason:
            yield self._say("note", place, f"whether {str(ref)!r} is a list is checked when the plan runs: {reason}")

    def _names(self) -> Iterator[Finding]:
        """Yields arguments that the tool does not have, and those that it has to have."""
        args = self._step.args
        if self._tool.parameters.get("additionalProperties", True) is False:
            for name in args:
                if name not in self._parameters:
                    free = [p for p in self._parameters if p not in args] or self._parameters
                    message = f"{self._tool.name!r} has no argument {name!r}; {nearest(name, free, 'unused arguments')}"
                    yield self._say("error", ("args", name), message, at_key=True)
        for name in self._tool.parameters.get("required", ()):
            if name not in args:
                what = expected(self._parameters.get(name, True), self._tool.parameters)
                yield self._say("error", ("args",), f"{self._tool.name!r} needs the argument {name!r}: {what}")

    def _literals(self) -> Iterator[Finding]:
        """Yields what the tool itself says about the arguments that are given as values."""
        args = {k: v for k, v in self._step.args.items() if k in self._parameters and not _has_ref(v)}
        try:
            self._tool.validate(args)
        except ArgumentError as error:
            places = dict(reversed(error.problems))  # the first problem of a place counts
            for place, text in reversed(places.items()):
                if place and place[0] in args:
                    path = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in place).removeprefix(".")
                    yield self._say("error", ("args", *place), f"{path!r} does not fit {self._tool.name!r}: {text}")
            if not error.problems and len(args) == len(self._step.args):
                yield self._say("error", ("args",), " ".join(str(error).split()))

    def _value(self, value: Any, place: Place) -> Iterator[Finding]:
        """Yields what is wrong with an argument, or a part of one, that is a reference or stands beside one."""
        try:
            parameter = schema_at(self._tool.parameters, place[1:])
        except PlanError as error:
            yield self._say("error", place, f"this does not fit {self._tool.name!r}: {error}", at_key=True)
            return
        if isinstance(value, Ref):
            yield from self._ref(value, parameter, place)
            return
        verdict = fits(_known_of(value), True if parameter is None else parameter)
        if verdict.fit is Fit.NO:
            yield self._say("error", place, f"this does not fit {self._tool.name!r}: {verdict.reason}")
        elif isinstance(value, Template):
            for ref in value.refs:
                yield from self._ref(ref, None, place)
        elif _has_ref(value):
            if is_object(value):
                yield from self._missing_keys(value, parameter, place)
            for key, part in value.items() if is_object(value) else enumerate(value):
                yield from self._value(part, (*place, key))

    def _missing_keys(self, value: JsonObject, parameter: JsonObject | None, place: Place) -> Iterator[Finding]:
        forms = [] if parameter is None else cases(parameter, parameter)
        for key in forms[0].get("required", ()) if len(forms) == 1 else ():
            if key not in value:
                yield self._say("error", place, f"this does not fit {self._tool.name!r}: the key {key!r} is missing")

    def _for_each_hint(self, ref: Ref, part: JsonObject | None, parameter: JsonObject | None) -> str:
        """Returns the end of a message where a list is passed and one of its items would fit."""
        if self._step.for_each is not None or not _items_fit(part, parameter):
            return ""
        return f"; to call it for each item, write 'for_each: {ref}' and pass '$item'"

    def _ref(self, ref: Ref, parameter: JsonObject | None, place: Place) -> Iterator[Finding]:
        if ref.step == ITEM:
            known, result = self._knows_item, self._item
        else:
            known, result = ref.step in self._results, self._results.get(ref.step)
        if not known:
            return
        try:
            part = schema_at(result, ref.path)
            reason = doubt(result, ref.path)
        except PlanError as error:
            yield self._say("error", place, f"{str(ref)!r} leads nowhere: {error}")
            return
        verdict = fits(part, True if parameter is None else parameter)
        if verdict.fit is Fit.NO:
            message = f"{str(ref)!r} does not fit {self._tool.name!r}: {verdict.reason}"
            yield self._say("error", place, message + self._for_each_hint(ref, part, parameter))
        elif reason := reason or (verdict.reason if verdict.fit is Fit.UNKNOWN else ""):
            yield self._say("note", place, f"{str(ref)!r} is checked when the plan runs: {reason}")


def _items_fit(part: JsonObject | None, parameter: JsonObject | None) -> bool:
    try:
        items = item_schema(part)
    except PlanError:
        return False
    return items is not None and fits(items, parameter).fit is Fit.YES


def _has_ref(value: Any) -> bool:
    if is_object(value):
        return any(map(_has_ref, value.values()))
    return any(map(_has_ref, value)) if is_array(value) else isinstance(value, Ref | Template)


def _known_of(value: Any) -> JsonObject:
    """Returns the schema of what is known of an argument before the plan runs."""
    if isinstance(value, Template):
        return {"type": "string"}
    if _has_ref(value):
        return {"type": "array" if is_array(value) else "object"}
    return {"const": value}


def _repeated(steps: Sequence[Step], tools: Mapping[str, Tool]) -> Iterator[Finding]:
    """Yields steps whose call was made before with no change in between; a run does not make it again."""
    made: dict[str, StepId] = {}
    for i, step in enumerate(steps):
        if step.tool not in tools:
            continue
        key = json.dumps(
            [step.tool, render_refs(step.args), str(step.for_each), step.on_error], sort_keys=True, default=str
        )
        if key in made:
            message = f"this is the call of step {made[key]!r} again, and is not made twice; use '${made[key]}' instead"
            yield Finding(severity="warning", step=step.id, index=i, place=(), message=message)
            continue
        if tools[step.tool].effect != "pure":
            made.clear()
        made[key] = step.id


def _unused(steps: Sequence[Step], tools: Mapping[str, Tool]) -> Iterator[Finding]:
    """Yields steps that change nothing and whose result goes nowhere.

    The results of steps that nothing waits for are the answer. So only a step is idle that others come after
    without taking its result; that can be meant, when the step is there to fail.
    """
    read = {use.step for step in steps for use in uses(step) if use.ref is not None}
    waiting = {use.step: step.id for step in reversed(steps) for use in uses(step)}
    for i, step in enumerate(steps):
        if step.id in waiting and step.id not in read and step.tool in tools and tools[step.tool].effect == "pure":
            message = f"nothing takes the result of {step.id!r}, which changes nothing; {waiting[step.id]!r} only waits"
            yield Finding(severity="note", step=step.id, index=i, place=(), message=f"{message} for it")
