"""The same rows, weights and machine: plans of the graph planner, plans asked for as plain JSON, and a loop's calls.

    python benchmarks/plan_quality.py --suite nestful --data nestful.jsonl --model starter --rows 40 --every 4

- ``graph``: `agentkit.planners.graph.write_plan`. Each line is decoded under a schema that allows only what fits.
- ``json``: the model is asked for a JSON list of steps, with a worked example and the same list of tools; nothing is
  constrained, and the answer is read leniently.
- ``loop``: the loop planner calls tools that give made-up results of the declared type. Every value in them is one of
  a kind, so where a later call has it in an argument, that argument was a reference. Calls that failed are left out;
  their tokens count, as do those of the final answer.

All are greedy and do not think. Every row that is done is a line in ``--out``; a second run goes on where the first
was stopped. The table has the rows that all systems have done.
"""

from __future__ import annotations

import ast
import asyncio
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from agentkit import Agent, Limits
from agentkit.bench.nestful_cases import load_nestful
from agentkit.bench.parallelqa_cases import load_parallelqa
from agentkit.bench.plan_cases import PlanCase
from agentkit.bench.plan_check import DeclaredTool
from agentkit.bench.plan_report import PlanOutcome, measure_plans
from agentkit.bench.plan_values import map_parts, read_references
from agentkit.bench.plans import PlanRespondent, plan_outcome, planner_respondent
from agentkit.bench.report import report_json
from agentkit.cli.bench_suites import NESTFUL, PARALLELQA, table
from agentkit.errors import PlanError
from agentkit.messages import JsonObject, JsonValue, System, User, is_array, is_object
from agentkit.model_backend.base import Model, Sampling, ToolSpec, TurnRequest
from agentkit.model_backend.loading import open_model
from agentkit.planners.graph import WrittenPlan
from agentkit.planners.listing import listing
from agentkit.planners.plan import Ref, Step, StepId, joined, render_refs
from agentkit.tools.context import ToolContext

SYSTEMS = ("graph", "json", "loop")
GREEDY = Sampling(temperature=0.0, seed=0)

# The plan as plain JSON

ASK = """\
You plan how a user's task is done with tools. Answer with the plan and nothing else: a JSON list of steps.

A step is an object with "id" ("s1", "s2", ...), "tool" (the tool's name) and "args" (an object with the arguments). \
Where an argument is the result of an earlier step, write a reference instead of a value: "$s1.field" for a field of \
the result, "$s1" for all of it. Take other values from the task. Leave out optional arguments that the task does \
not mention. Use only the tools below, and make every call that the task needs.

Example. With the tools
find_city(name: string) -> {{city_id: string, country: string}}
forecast(city: string, days?: integer) -> {{summary: string}}
send_message(to: string, text: string) -> {{sent: boolean}}
the task "Send the forecast for Oslo for the next 3 days to Kim." has the plan
[
  {{"id": "s1", "tool": "find_city", "args": {{"name": "Oslo"}}}},
  {{"id": "s2", "tool": "forecast", "args": {{"city": "$s1.city_id", "days": 3}}}},
  {{"id": "s3", "tool": "send_message", "args": {{"to": "Kim", "text": "$s2.summary"}}}}
]

Tools:

{tools}"""


def json_respondent(model: Model) -> PlanRespondent:
    """Returns a respondent that asks for a plan as JSON, unconstrained."""

    async def respond(case: PlanCase) -> WrittenPlan:
        system = System(ASK.format(tools="\n".join(map(listing, case.tools))))
        messages = (system, User(f"Task: {case.task}"))
        turn = await model.turn(TurnRequest(messages=messages, calls="none", max_tokens=1024, sampling=GREEDY))
        try:
            steps = read_plan(turn.message.text)
        except PlanError as error:
            return WrittenPlan(steps=(), usage=turn.usage, problems=(str(error),))
        return WrittenPlan(steps=steps, usage=turn.usage)

    return respond


def read_plan(text: str) -> list[Step]:
    """Returns the steps in an answer, whatever stands around them and however the JSON is dented.

    Raises:
        agentkit.errors.PlanError: There is no step in it.
    """
    rows = _rows(text)
    if not rows:
        raise PlanError(f"there is no plan in the answer: {text[:100]!r}")
    ids = [str(row.get("id") or f"s{i}") for i, row in enumerate(rows, 1)]
    mentioned = re.findall(r"\$\{?([A-Za-z_][\w-]*)", json.dumps([_first(row, "args") for row in rows]))
    known = {name: StepId(name) for name in (*ids, *mentioned)}
    return [
        Step(id=StepId(step), tool=str(_first(row, "tool")), args=_args(row, known))
        for step, row in zip(ids, rows, strict=True)
    ]


_NAMES = {"tool": ("tool", "name", "function"), "args": ("args", "arguments", "parameters")}


def _first(row: JsonObject, key: str) -> Any:
    return next((row[name] for name in _NAMES[key] if name in row), None)


def _args(row: JsonObject, known: dict[str, StepId]) -> JsonObject:
    given = _first(row, "args")
    plain = map_parts(given, lambda v: re.sub(r"\$\{([^}]*)\}", r"$\1", v) if isinstance(v, str) else v)
    read = read_references(plain, known)
    return read if is_object(read) else {}


def _rows(text: str) -> list[JsonObject]:
    """Returns the objects of the outermost list, or else all objects that have a tool."""
    body = re.sub(r"```\w*", "", text)
    start, end = body.find("["), body.rfind("]")
    for candidate in (body, body[start : end + 1] if 0 <= start < end else ""):
        value = _read(candidate.strip())
        if is_object(value):
            value = next((value[key] for key in ("steps", "plan") if key in value), [value])
        if is_array(value) and (found := [row for row in value if is_object(row) and _first(row, "tool")]):
            return found
    return [row for row in _objects(body) if _first(row, "tool")]


def _read(text: str) -> Any:
    text = re.sub(r",(\s*[\]}])", r"\1", text)
    try:
        return json.loads(text, strict=False)
    except ValueError:
        pass
    python = re.sub(r"\b(true|false|null)\b", lambda m: {"true": "True", "false": "False"}.get(m[1], "None"), text)
    try:
        return ast.literal_eval(python)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def _objects(text: str) -> Iterator[JsonObject]:
    decoder = json.JSONDecoder(strict=False)
    start = text.find("{")
    while start >= 0:
        try:
            value, end = decoder.raw_decode(text, start)
        except ValueError:
            end = start + 1
        else:
            yield value
        start = text.find("{", end)


# The calls of the loop


class Marks:
    """Values that are one of a kind, and where each came from."""

    def __init__(self) -> None:
        self._refs: dict[str, Ref] = {}
        self._count = 0

    def result(self, schema: Any, step: StepId, path: tuple[str | int, ...] = ()) -> JsonValue:
        """Returns a value of a schema, made of marks."""
        kind = schema.get("type") if is_object(schema) else None
        value: JsonValue
        if is_object(schema) and schema.get("enum"):
            return schema["enum"][0]  # type: ignore[no-any-return]  # not one of a kind
        if kind in ("number", "integer"):
            value = self._number()
        elif kind == "boolean":
            return True
        elif kind == "array":
            value = [self.result(schema.get("items", {}), step, (*path, i)) for i in range(2)]
        elif kind == "object":
            fields: JsonObject = schema.get("properties") or dict.fromkeys(("id", "name"), {"type": "string"})
            value = {key: self.result(inner, step, (*path, key)) for key, inner in fields.items()}
        else:
            number = self._number()
            self._refs[str(number)] = Ref(step, path)
            name = next((str(part) for part in reversed(path) if isinstance(part, str)), "result")
            value = f"{name} {number}"
        self._refs[_key(value)] = Ref(step, path)
        return value

    def read(self, value: Any) -> Any:
        """Returns an argument with references for the values that came from results."""
        if _key(value) in self._refs:
            return self._refs[_key(value)]
        if is_object(value):
            return {key: self.read(inner) for key, inner in value.items()}
        if is_array(value):
            return [self.read(inner) for inner in value]
        return self._read_text(value) if isinstance(value, str) else value

    def _read_text(self, text: str) -> Any:
        marks = sorted((mark for mark in self._refs if mark[:1] not in "[{"), key=len, reverse=True)
        if not marks:
            return text
        found = re.split(f"((?<!\\d)(?:{'|'.join(map(re.escape, marks))})(?!\\d))", text)
        return joined([self._refs[part] if i % 2 else part for i, part in enumerate(found)])

    def _number(self) -> int:
        self._count += 1
        return 40_127 + 373 * self._count


def _key(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


class MarkingTool(DeclaredTool):
    """Gives a made-up result of the declared type."""

    def __init__(self, spec: ToolSpec, marks: Marks) -> None:
        super().__init__(spec)
        self._marks = marks

    async def invoke(self, arguments: JsonObject, context: ToolContext | None = None) -> JsonValue:
        """Checks the arguments, and returns the result."""
        self.validate(arguments)
        assert context is not None
        return self._marks.result(self.returns, StepId(context.step_id))


def loop_respondent(model: Model) -> PlanRespondent:
    """Returns a respondent that lets the loop planner do the task with made-up results."""

    async def respond(case: PlanCase) -> WrittenPlan:
        marks = Marks()
        tools = [MarkingTool(tool, marks) for tool in case.tools]
        limits = Limits(time=None, turns=20, calls=20)
        agent = Agent(model, tools, planner="loop", record=False, sampling=GREEDY, limits=limits)
        result = await agent.run(case.task)
        done = {getattr(e, "id", "") for e in result.events if e.kind == "step_finished" and getattr(e, "ok", False)}
        steps = [
            Step(id=step.id, tool=step.tool, args={key: marks.read(value) for key, value in step.args.items()})
            for step in result.plan
            if step.id in done
        ]
        return WrittenPlan(steps=steps, usage=result.usage)

    return respond


# Running


@click.command()
@click.option("--suite", type=click.Choice(["nestful", "parallelqa"]), default="nestful", show_default=True)
@click.option("--data", type=click.Path(path_type=Path), required=True)
@click.option("--model", "name", default="starter", show_default=True, help="Catalog id or path of a GGUF file.")
@click.option("--system", "systems", type=click.Choice(SYSTEMS), multiple=True, default=SYSTEMS, show_default=True)
@click.option("--rows", type=click.IntRange(min=1), help="How many rows; all unless given.")
@click.option("--every", type=click.IntRange(min=1), default=1, show_default=True, help="Take every how many-th row.")
@click.option("--first", type=click.IntRange(min=1), default=1, show_default=True, help="Number of the first row.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("plan_quality.jsonl"), show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print a list with an object for each system.")
def main(
    suite: str,
    data: Path,
    name: str,
    systems: tuple[str, ...],
    rows: int | None,
    every: int,
    first: int,
    out: Path,
    as_json: bool,
) -> None:
    """Run rows of a suite through all systems, and print one table."""
    everything: Sequence[PlanCase] = load_nestful(data) if suite == "nestful" else load_parallelqa(data)
    cases = everything[first - 1 :: every][:rows]
    key = {"suite": suite, "model": name}
    done = _read_done(out, key)
    model = open_model(name)
    try:
        asyncio.run(_run(cases, _respondents(model, systems), done, out, key))
    except KeyboardInterrupt:
        click.echo("stopped; what is done is kept", err=True)
    finally:
        model.close()
    shared = [case.id for case in cases if all((system, case.id) in done for system in systems)]
    groups = {system: [done[system, row] for row in shared] for system in systems}
    if as_json:
        sample = {"rows": len(everything), "every": every, "first": first}
        reports = [report_json(suite, name, found, measure_plans) for found in groups.values()]
        click.echo(json.dumps([{"driver": s} | sample | of for s, of in zip(groups, reports, strict=True)]))
    elif shared:
        sample_text = f"one in {every}, from number {first}"
        title = f"{suite}, {name}: {len(shared)} of {len(everything)} rows ({sample_text})"
        Console(width=110).print(table(NESTFUL if suite == "nestful" else PARALLELQA, title, groups, label="system"))


def _respondents(model: Model, systems: Sequence[str]) -> dict[str, PlanRespondent]:
    every = {"graph": planner_respondent(model), "json": json_respondent(model), "loop": loop_respondent(model)}
    return {system: every[system] for system in systems}


async def _run(
    cases: Sequence[PlanCase],
    respondents: dict[str, PlanRespondent],
    done: dict[tuple[str, str], PlanOutcome],
    out: Path,
    key: JsonObject,
) -> None:
    """Runs what is not done yet, row by row, so that a busy machine is as bad for all systems."""
    for i, case in enumerate(cases, 1):
        for system, respond in respondents.items():
            if (system, case.id) in done:
                continue
            written: list[WrittenPlan] = []
            outcome = await plan_outcome(case, _keeping(respond, written))
            done[system, case.id] = outcome
            plan = [{"id": s.id, "tool": s.tool, "args": render_refs(s.args)} for w in written for s in w.steps]
            with out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(key | {"system": system} | asdict(outcome) | {"plan": plan}) + "\n")
            click.echo(f"[{i}/{len(cases)}] {case.id}  {system}  {outcome.summary}", err=True)


def _keeping(respond: PlanRespondent, written: list[WrittenPlan]) -> PlanRespondent:
    async def kept(case: PlanCase) -> WrittenPlan:
        written.append(await respond(case))
        return written[-1]

    return kept


def _read_done(out: Path, key: JsonObject) -> dict[tuple[str, str], PlanOutcome]:
    if not out.exists():
        return {}
    done: dict[tuple[str, str], PlanOutcome] = {}
    for line in out.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if key.items() <= row.items():
            system = row.pop("system")
            done[system, row["id"]] = PlanOutcome(**{k: v for k, v in row.items() if k not in key and k != "plan"})
    return done


if __name__ == "__main__":
    main()
