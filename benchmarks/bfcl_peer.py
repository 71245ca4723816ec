"""The same BFCL rows, weights, messages and machine: agentkit and llama-cpp-python's own chat API.

    python benchmarks/bfcl_peer.py --data simple.jsonl --data parallel.jsonl --model starter --limit 25

The peer is ``llama_cpp.Llama.create_chat_completion(tools=...)``, greedy like ours. It gives text for
most models, so its answer is read leniently: every JSON object in it that has a name and arguments
counts as a call, in whatever wrapping and with whatever text around it. Its rows are scored and
counted by the same code as ours.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import click
import llama_cpp
from rich.console import Console

from agentkit.bench.bfcl import Answer, Respondent, conversation, model_respondent, run_cases
from agentkit.bench.bfcl_cases import Case, load_cases
from agentkit.bench.bfcl_report import CallOutcome, measure_calls
from agentkit.bench.report import by_category, report_json
from agentkit.cli.bench_suites import BFCL, collect, table
from agentkit.messages import Assistant, JsonObject, ToolCall
from agentkit.model_backend import catalog
from agentkit.model_backend.loading import open_model

CONTEXT = 8192
MAX_TOKENS = 1024


@click.command()
@click.option("--data", "files", type=click.Path(path_type=Path), multiple=True, required=True)
@click.option("--model", "name", default="starter", show_default=True, help="Catalog id or path of a GGUF file.")
@click.option("--limit", type=click.IntRange(min=1), help="Only the first rows of each file.")
@click.option("--json", "as_json", is_flag=True, help="Print a list of two objects: ours, the peer's.")
def main(files: tuple[Path, ...], name: str, limit: int | None, as_json: bool) -> None:
    """Run BFCL rows through agentkit and through llama-cpp-python's chat API, and print both tables."""
    cases = [case for file in files for case in load_cases(file, limit=limit)]
    model = open_model(name)
    ours = run(cases, model_respondent(model))
    model.close()
    theirs = run(cases, peer_respondent(Path(name) if Path(name).is_file() else catalog.require(catalog.get(name))))
    both = {"agentkit": ours, "create_chat_completion": theirs}
    if as_json:
        reports = [{"driver": key} | report_json("bfcl", name, rows, measure_calls) for key, rows in both.items()]
        click.echo(json.dumps(reports))
        return
    for title, rows in both.items():
        Console(width=100).print(table(BFCL, f"{title}, {name}", by_category(rows) | {"all": rows}))


def run(cases: list[Case], respond: Respondent) -> list[CallOutcome]:
    """Returns how the cases went; those that were done when Ctrl-C was pressed."""
    outcomes: list[CallOutcome] = []
    try:
        asyncio.run(collect(run_cases(cases, respond), outcomes, len(cases)))
    except KeyboardInterrupt:
        click.echo(f"stopped after {len(outcomes)} of {len(cases)} rows", err=True)
    return outcomes


def peer_respondent(path: Path) -> Respondent:
    """Returns a respondent that asks llama-cpp-python as its documentation shows."""
    llama = cast("Any", llama_cpp.Llama(str(path), n_ctx=CONTEXT, verbose=False))

    async def answer(case: Case) -> Answer:
        tools = [
            {"type": "function", "function": {"name": t.name, "description": t.description, "parameters": t.parameters}}
            for t in case.tools
        ]
        messages = [
            {"role": m.role, "content": m.text}
            for m in conversation(case)
            if not isinstance(m, Assistant) and m.role != "tool"
        ]
        done = await asyncio.to_thread(
            llama.create_chat_completion, messages, tools=tools, temperature=0.0, max_tokens=MAX_TOKENS
        )
        return Answer(calls=calls_in(done["choices"][0]["message"]), tokens=done["usage"]["completion_tokens"])

    return answer


def calls_in(message: JsonObject) -> list[ToolCall]:
    """Returns the calls in an answer: those given as such, else every JSON object in the text that is one."""
    given: list[JsonObject] = message.get("tool_calls") or []
    found = map(_call, [call["function"] for call in given] or _objects(message.get("content") or ""))
    return [call for call in found if call is not None]


def _objects(text: str) -> Iterator[JsonObject]:
    """Yields the JSON objects in a text, those in a list too, wherever they stand."""
    decoder = json.JSONDecoder()
    start = text.find("{")
    while start >= 0:
        try:
            value, end = decoder.raw_decode(text, start)
        except ValueError:
            end = start + 1
        else:
            yield value
        start = text.find("{", end)


def _call(item: JsonObject) -> ToolCall | None:
    name = item.get("name")
    arguments: Any = next((item[key] for key in ("arguments", "parameters", "args") if key in item), None)
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments)
        except ValueError:
            return None
    if not isinstance(name, str) or not isinstance(arguments, dict):
        return None
    return ToolCall(name, cast("JsonObject", arguments))


if __name__ == "__main__":
    main()
