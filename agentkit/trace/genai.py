"""A run in the words of OpenTelemetry's conventions for generative AI: the one place that knows their names.

The conventions (open-telemetry/semantic-conventions-genai) are still in development, so names may change between their
versions; `SCHEMA_URL` says which are meant. What they have no name for is called ``agentkit.*``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from agentkit.events import PlanChanged, PlannerChosen, RunFinished, RunPaused, RunResumed, RunStarted, Warned
from agentkit.messages import JsonObject, JsonValue
from agentkit.trace.critical import needs
from agentkit.trace.spans import ItemSpan, Span, StepSpan, TurnSpan
from agentkit.trace.text import change_text, plan_text

__all__ = [
    "AGENT",
    "SCHEMA_URL",
    "Attribute",
    "GenAiSpan",
    "SpanEvent",
    "moment",
    "run_span",
    "step_span",
    "turn_span",
]

SCHEMA_URL = "https://opentelemetry.io/schemas/gen-ai-dev/1.42.0-dev"

AGENT = "agentkit"
"""The agent's name: runs have none of their own."""

Attribute: TypeAlias = "str | bool | int | float | list[str]"


@dataclass(frozen=True, slots=True)
class SpanEvent:
    """Something that happened at one moment of a span."""

    name: str
    at: float
    """Seconds since the run started."""
    attributes: dict[str, Attribute]


@dataclass(frozen=True, slots=True, kw_only=True)
class GenAiSpan:
    """A span before it has ids."""

    key: str
    """Names the span in its run."""
    name: str
    kind: Literal["internal", "client"] = "internal"
    start: float
    """Seconds since the run started."""
    end: float
    attributes: dict[str, Attribute]
    error: str = ""
    """What went wrong; empty when nothing did."""
    links: tuple[str, ...] = ()
    """Keys of the spans that this one waited for."""
    events: tuple[SpanEvent, ...] = ()
    children: tuple[GenAiSpan, ...] = field(default=())


def run_span(
    start: RunStarted | None, end: RunFinished | RunPaused | None, seconds: float, *, content: bool
) -> GenAiSpan:
    """Returns the span of a run; what happened in it is given ids below it by whoever exports it.

    Args:
        start: The run's first event.
        end: Its last; ``None`` when there is none.
        seconds: When it ended, in seconds since it started.
        content: Whether the task and the answer are part of it.
    """
    found: dict[str, Attribute] = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": AGENT}
    if start is not None:
        found["gen_ai.conversation.id"] = start.run_id
        found["agentkit.run.id"] = start.run_id
        found["agentkit.planner"] = start.planner
        found |= _model(start)
        if content:
            found["gen_ai.input.messages"] = _json([_message("user", start.task)])
            found["gen_ai.tool.definitions"] = _json([_definition(t) for t in start.tools])
            if start.instructions:
                found["gen_ai.system_instructions"] = _json([{"type": "text", "content": start.instructions}])
    error = ""
    if end is not None:
        found["agentkit.stop_reason"] = end.stop_reason
        found |= _usage(end.usage)
        if isinstance(end, RunFinished) and end.stop_reason != "answer":
            error = end.message or end.stop_reason
            found["error.type"] = end.stop_reason
        elif content and isinstance(end, RunFinished):
            answer = end.output if isinstance(end.output, str) else _json(end.output)
            found["gen_ai.output.messages"] = _json([_message("assistant", answer) | {"finish_reason": "stop"}])
    else:
        error, found["error.type"] = "no end is recorded", "killed"
    return GenAiSpan(key="run", name=f"invoke_agent {AGENT}", start=0.0, end=seconds, attributes=found, error=error)


def turn_span(turn: TurnSpan, start: RunStarted | None, seconds: float, *, content: bool) -> GenAiSpan:
    """Returns the span of a model's turn; in a ``plan`` span when what the model wrote is a plan.

    Args:
        turn: The turn.
        start: The run's first event, which knows the model.
        seconds: When a turn that has no end was cut off.
        content: Whether prompts and answers are part of it.
    """
    model = _model(start)
    found: dict[str, Attribute] = {"gen_ai.operation.name": "chat", **model, "agentkit.turn": turn.turn}
    if turn.end is not None:
        finish = {"calls": "tool_call", "answer": "stop"}.get(turn.stop, turn.stop)
        found["gen_ai.response.finish_reasons"] = [finish]
        found |= _usage({k: getattr(turn.usage, k) for k in _USAGE})
        if (first := turn.first_token) is not None:
            found["gen_ai.response.time_to_first_chunk"] = first
    else:
        found["gen_ai.usage.input_tokens"] = turn.prompt_tokens
        found["error.type"] = "cut off"
    if content:
        found["gen_ai.input.messages"] = _json([_recorded(m) for m in turn.messages])
        parts = [_part(p) for p in turn.pieces]
        found["gen_ai.output.messages"] = _json([{"role": "assistant", "parts": parts, "finish_reason": turn.stop}])
    end = max(turn.at, seconds if turn.end is None else turn.end)
    remote = start is not None and start.model.get("kind") == "remote"
    chat = GenAiSpan(
        key=f"turn:{turn.turn}",
        name=f"chat {model.get('gen_ai.request.model', '?')}",
        kind="client" if remote else "internal",
        start=turn.at,
        end=end,
        attributes=found,
        error="the turn has no end" if turn.end is None else "",
    )
    if not any(isinstance(p.get("text"), str) and plan_text(p["text"]) for p in turn.pieces):
        return chat
    plan: dict[str, Attribute] = {"gen_ai.operation.name": "plan", "gen_ai.agent.name": AGENT}
    return GenAiSpan(
        key=f"plan:{turn.turn}", name=f"plan {AGENT}", start=turn.at, end=end, attributes=plan, children=(chat,)
    )


def step_span(step: StepSpan, seconds: float, *, content: bool, description: str = "") -> GenAiSpan:
    """Returns the span of a step, with one below it for each item that it ran for.

    Args:
        step: The step.
        seconds: When a step that has no end was stopped.
        content: Whether arguments and results are part of it.
        description: What the tool is for.
    """
    found: dict[str, Attribute] = _tool(step.tool, step.id, description)
    needed = needs(step)
    own: dict[str, Attribute] = {
        "agentkit.depends_on": needed,
        "agentkit.effect": step.effect,
        "agentkit.idempotency_key": step.key,
        "agentkit.taint": step.labels,
        "agentkit.sandbox": step.sandbox,
        "agentkit.state": step.state,
        "agentkit.purpose": step.purpose,
    }
    found |= {name: value for name, value in own.items() if value}
    found["agentkit.attempt"] = step.attempts
    if step.items is not None:
        found["agentkit.items"] = step.items
    if content:
        found["gen_ai.tool.call.arguments"] = _json(step.args)
        if step.ok:
            found["gen_ai.tool.call.result"] = _json(step.value)
    waits = tuple(
        SpanEvent(f"agentkit.{w.kind}", w.at, {"decision": w.decision or "waiting", "by": w.by, "reason": w.reason})
        for w in step.waits
    )
    end = max(step.at, seconds if step.end is None else step.end)
    error = _error(step.state, step.value)
    if error:
        found["error.type"] = _error_type(step.state, step.value)
    return GenAiSpan(
        key=f"step:{step.id}",
        name=f"execute_tool {step.tool}",
        start=step.at,
        end=end,
        attributes=found,
        error=error,
        links=tuple(f"step:{n}" for n in needed),
        events=waits,
        children=tuple(_item(step, i, seconds, content=content) for i in step.item_spans.values()),
    )


def moment(span: Span) -> SpanEvent | None:
    """Returns what happened to a run at one moment; ``None`` for turns and steps, which take time."""
    match span:
        case Warned():
            return SpanEvent(f"agentkit.warning.{span.about}", span.at, {"message": span.message})
        case PlannerChosen():
            return SpanEvent("agentkit.planner_chosen", span.at, {"planner": span.planner, "reason": span.reason})
        case PlanChanged():
            return SpanEvent("agentkit.plan_changed", span.at, {"reason": span.reason, "message": change_text(span)})
        case RunResumed():
            return SpanEvent("agentkit.resumed", span.at, {"number": span.number})
        case RunPaused():
            return SpanEvent("agentkit.paused", span.at, {"message": span.message})
        case _:
            return None


def _item(step: StepSpan, item: ItemSpan, seconds: float, *, content: bool) -> GenAiSpan:
    found = _tool(step.tool, f"{step.id}[{item.index}]", "")
    found |= {"agentkit.item": item.index, "agentkit.attempt": item.attempts, "agentkit.state": item.state}
    if item.key:
        found["agentkit.idempotency_key"] = item.key
    if content and item.ok:
        found["gen_ai.tool.call.result"] = _json(item.value)
    if error := _error(item.state, item.value):
        found["error.type"] = _error_type(item.state, item.value)
    return GenAiSpan(
        key=f"item:{step.id}:{item.index}",
        name=f"execute_tool {step.tool}",
        start=item.at,
        end=max(item.at, seconds if item.end is None else item.end),
        attributes=found,
        error=error,
    )


def _tool(name: str, call: str, description: str) -> dict[str, Attribute]:
    found: dict[str, Attribute] = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": name,
        "gen_ai.tool.type": "function",
        "gen_ai.tool.call.id": call,
    }
    return found | ({"gen_ai.tool.description": description} if description else {})


def _error(state: str, value: JsonValue) -> str:
    if state == "ok":
        return ""
    return value if isinstance(value, str) and value else state


def _error_type(state: str, value: JsonValue) -> str:
    """The name of the exception that a failed call's message begins with, or the step's state."""
    name, colon, _ = value.partition(":") if isinstance(value, str) else ("", "", "")
    return name if state == "failed" and colon and name.isidentifier() else state.replace(" ", "_")


_PROVIDERS = {"local": "llama_cpp", "remote": "openai", "scripted": "agentkit"}
"""Who answers, by the kind of model: a model behind a URL speaks OpenAI's protocol, whoever runs it."""


def _model(start: RunStarted | None) -> dict[str, Attribute]:
    if start is None or not start.model.get("name"):
        return {}
    kind = str(start.model.get("kind", ""))
    return {
        "gen_ai.provider.name": _PROVIDERS.get(kind, kind or AGENT),
        "gen_ai.request.model": str(start.model["name"]),
    }


_USAGE = {
    "prompt_tokens": "gen_ai.usage.input_tokens",
    "output_tokens": "gen_ai.usage.output_tokens",
    "reused_tokens": "gen_ai.usage.cache_read.input_tokens",
    "thought_tokens": "gen_ai.usage.reasoning.output_tokens",
    "forced_tokens": "agentkit.usage.forced_tokens",
}


def _usage(counts: JsonObject) -> dict[str, Attribute]:
    found: dict[str, Attribute] = {}
    for ours, theirs in _USAGE.items():
        count = counts.get(ours)
        if isinstance(count, int) and (count or ours in ("prompt_tokens", "output_tokens")):
            found[theirs] = count
    return found


def _message(role: str, text: str) -> JsonObject:
    return {"role": role, "parts": [{"type": "text", "content": text}]}


def _recorded(message: JsonObject) -> JsonObject:
    """A message of a prompt, in the form that the conventions have for it."""
    role = str(message.get("role", "user"))
    if isinstance(message.get("pieces"), list):
        return {"role": role, "parts": [_part(p) for p in message["pieces"]]}
    if "value" in message:
        response = {"type": "tool_call_response", "id": message.get("call_id", ""), "response": message["value"]}
        return {"role": "tool", "parts": [response]}
    return _message(role, str(message.get("text", "")))


def _part(piece: JsonObject) -> JsonObject:
    if "thought" in piece:
        return {"type": "reasoning", "content": piece["thought"]}
    if "call" in piece:
        call = {"type": "tool_call", "name": piece["call"], "arguments": piece.get("args")}
        return call | ({"id": piece["id"]} if piece.get("id") else {})
    return {"type": "text", "content": str(piece.get("text", ""))}


def _definition(tool: JsonObject) -> JsonObject:
    return {"type": "function", **{k: tool[k] for k in ("name", "description", "parameters") if k in tool}}


def _json(value: JsonValue) -> str:
    return json.dumps(value, ensure_ascii=False)
