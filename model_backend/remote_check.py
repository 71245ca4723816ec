"""Whether a server's reply fits what was asked, what to say when it does not, and the turn it makes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from agentkit.messages import Assistant, Message, Piece, Text, Thought, ToolCall, Usage, User
from agentkit.model_backend.base import Turn, TurnRequest, TurnStop
from agentkit.model_backend.constraint import validate
from agentkit.model_backend.constraint.json_text import read_json
from agentkit.model_backend.remote_wire import RawCall, Reply, json_object

__all__ = ["make_turn", "problems", "repair_request"]

_MOST_PROBLEMS = 5
_LONGEST_PROBLEM = 300
"""Characters; a message may quote the value that is wrong."""
_LONGEST_QUOTE = 4000
"""Characters of what the model said that it is shown again: what does not fit may be endless."""


def problems(request: TurnRequest, reply: Reply) -> list[str]:
    """Returns in what a reply does not fit its request; an empty list when it does."""
    if request.calls == "none" or not reply.calls:
        found = _answer_problems(request, reply)
    else:
        calls = reply.calls[: request.max_calls]
        if reply.finish == "length":
            calls = calls[:-1]  # the last was cut off; it is left out of the turn
        found = [problem for call in calls for problem in _call_problems(request, call)]
    return [_cut(problem, _LONGEST_PROBLEM) for problem in found[:_MOST_PROBLEMS]]


def repair_request(request: TurnRequest, reply: Reply, wrong: Sequence[str]) -> TurnRequest:
    """Returns the request to send after a reply that did not fit: the same, with what was wrong.

    An answer that has to fit a schema is asked for without tools, so that the server can hold to the schema.
    """
    listed = "\n".join(f"- {problem}" for problem in wrong)
    if reply.calls and request.calls != "none":
        asked = (
            f"None of these calls was made, because of errors:\n{listed}\nMake all of them again, without the errors."
        )
        return replace(request, messages=[*request.messages, *_exchange(reply, asked)])
    if request.calls == "required":
        return replace(request, messages=[*request.messages, *_exchange(reply, f"{listed}\nCall a tool now.")])
    schema = json.dumps(request.output)
    asked = f"{listed}\nGive the answer again as JSON that fits this JSON Schema, and nothing else:\n{schema}"
    return replace(request, calls="none", messages=[*request.messages, *_exchange(reply, asked)])


def make_turn(request: TurnRequest, reply: Reply, usage: Usage, notes: list[str]) -> Turn:
    """Returns the turn that a fitting reply makes."""
    calls = [] if request.calls == "none" else reply.calls
    if len(calls) > request.max_calls:
        notes.append(f"{len(calls) - request.max_calls} calls over the limit of {request.max_calls} were left out")
        calls = calls[: request.max_calls]
    if reply.calls and request.calls == "none":
        notes.append("calls were left out: this turn may make none")
    cut = reply.finish == "length"
    if cut and calls and _call_problems(request, calls[-1]):
        notes.append(f"the last call ({calls[-1].name}) was cut off and left out")
        calls = calls[:-1]
    pieces: list[Piece] = []
    if reply.thought:
        pieces.append(Thought(reply.thought))
    if reply.text.strip():
        pieces.append(Text(reply.text))
    pieces += [ToolCall(call.name, _arguments(call)) for call in calls]
    stop: TurnStop = "calls" if calls else "length" if cut else "answer"
    return Turn(message=Assistant(tuple(pieces)), stop=stop, usage=usage, notes=tuple(notes))


def _answer_problems(request: TurnRequest, reply: Reply) -> list[str]:
    if request.calls == "required":
        return ["no tool was called, but the turn must call one"] if reply.finish != "length" else []
    if request.output is None or reply.finish == "length":
        return []
    try:
        value = read_json(reply.text)
    except (ValueError, RecursionError) as error:
        return [f"the answer is not JSON: {error}"]
    return [f"the answer does not fit: {problem}" for problem in validate(request.output, value)]


def _call_problems(request: TurnRequest, call: RawCall) -> list[str]:
    tool = next((tool for tool in request.callable_tools if tool.name == call.name), None)
    if tool is None:
        known = ", ".join(tool.name for tool in request.callable_tools) or "none"
        return [f"there is no tool {call.name!r}; the tools are: {known}"]
    try:
        arguments = _arguments(call)
    except (ValueError, RecursionError) as error:
        return [f"the arguments of {call.name!r} are not a JSON object: {error}"]
    return [f"argument of {call.name!r}: {problem}" for problem in validate(tool.parameters, arguments)]


def _arguments(call: RawCall) -> dict[str, Any]:
    """Returns a call's arguments; some servers send nothing for a call without any.

    Raises:
        ValueError: They are not a JSON object.
    """
    value: object = read_json(call.arguments) if call.arguments.strip() else {}
    arguments = json_object(value)
    if not isinstance(value, dict):
        raise ValueError(f"it is {type(value).__name__}")
    return arguments


def _exchange(reply: Reply, asked: str) -> tuple[Message, Message]:
    """Returns what the model said, as text, and what to tell it.

    As text, because servers put calls of the history through the model's template, and some fail on
    arguments that are not JSON.
    """
    calls = "\n".join(f"{call.name}({call.arguments})" for call in reply.calls)
    said = "\n".join(part for part in (reply.text.strip(), calls) if part) or "(nothing)"
    return Assistant((Text(_cut(said, _LONGEST_QUOTE)),)), User(asked)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[:longest]}..."
