"""Runs BFCL cases: one turn of the model for each, scored by BFCL's rules."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import jsonschema_rs

from agentkit.bench.bfcl_cases import Case
from agentkit.bench.bfcl_match import mismatch
from agentkit.bench.bfcl_report import CallOutcome
from agentkit.errors import RunError, SchemaError
from agentkit.messages import Message, System, ToolCall
from agentkit.model_backend.base import Model, Sampling, ToolSpec, TurnRequest

__all__ = ["Answer", "Respondent", "conversation", "model_respondent", "run_cases"]

_INSTRUCTIONS = (
    "Answer by calling functions. Make every call that the request needs, one for each separate thing that is asked, "
    "and no other. Take the values from the request; leave out optional parameters that it does not mention."
)
_MAX_CALLS = 16
_MAX_TOKENS = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a model made of a case."""

    calls: Sequence[ToolCall]
    tokens: int
    forced: int = 0


Respondent: TypeAlias = Callable[[Case], Awaitable[Answer]]
"""Answers a case. A `RunError` or `SchemaError` that it raises counts as a wrong answer."""


def conversation(case: Case) -> list[Message]:
    """Returns the messages that every respondent is given: the case's, after our instructions."""
    return [System(_INSTRUCTIONS), *case.messages]


def model_respondent(model: Model, *, seed: int = 0) -> Respondent:
    """Returns a respondent that takes one greedy turn of the model in which it has to call."""
    sampling = Sampling(temperature=0.0, seed=seed)

    async def answer(case: Case) -> Answer:
        turn = await model.turn(
            TurnRequest(
                messages=conversation(case),
                tools=case.tools,
                calls="required",
                max_calls=_MAX_CALLS,
                max_tokens=_MAX_TOKENS,
                sampling=sampling,
            )
        )
        return Answer(calls=turn.message.calls, tokens=turn.usage.output_tokens, forced=turn.usage.forced_tokens)

    return answer


async def run_cases(cases: Iterable[Case], respond: Respondent) -> AsyncIterator[CallOutcome]:
    """Yields how each case went, one after the other."""
    for case in cases:
        started = time.perf_counter()
        failure = ""
        try:
            answer = await respond(case)
        except (RunError, SchemaError) as error:
            answer, failure = Answer(calls=(), tokens=0), str(error)
        yield CallOutcome(
            id=case.id,
            category=case.category,
            problem=failure or mismatch(case, answer.calls),
            calls=len(answer.calls),
            valid_calls=_count_valid(case.tools, answer.calls),
            tokens=answer.tokens,
            forced=answer.forced,
            seconds=time.perf_counter() - started,
        )


def _count_valid(tools: Iterable[ToolSpec], calls: Iterable[ToolCall]) -> int:
    """Counts the calls that fit, by a validator that knows nothing of how they were decoded."""
    validators = {tool.name: jsonschema_rs.validator_for(tool.parameters) for tool in tools}
    return sum(call.name in validators and validators[call.name].is_valid(call.arguments) for call in calls)
