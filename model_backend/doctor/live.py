"""What the model does when nothing leads it: questions about a family that only real weights can answer.

Everything here is for people to read; none of it decides whether a file is sound.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from agentkit.errors import AgentkitError
from agentkit.messages import Assistant, JsonObject, Message, Thought, ToolCall, ToolResult
from agentkit.model_backend.base import TurnRequest
from agentkit.model_backend.constraint import validate
from agentkit.model_backend.doctor.decoding import Probe
from agentkit.model_backend.doctor.findings import Finding, plural, quoted
from agentkit.model_backend.doctor.golden import GOLDEN, Golden
from agentkit.model_backend.doctor.readings import Reading, read_gemma_turn, read_json_turn
from agentkit.model_backend.doctor.script_start import script_start
from agentkit.model_backend.formats.base import Draft
from agentkit.model_backend.formats.chat_template import ChatTemplateFormat
from agentkit.model_backend.formats.gemma4 import Gemma4Format
from agentkit.model_backend.formats.gemma4_tokens import Mark
from agentkit.model_backend.script import Decoded

__all__ = ["check_live"]

T = TypeVar("T")

_ASKED = ("get_weather", "ping", "set_timer", "move", "tag_photo")
_CALL_TOKENS = 80
_TEXT_TOKENS = 32
_FIRST_TOKENS = 12
"""Enough to see whether a turn says anything."""
_THOUGHT_TOKENS = 24


async def check_live(probe: Probe) -> AsyncIterator[Finding]:
    """Yields what a few unconstrained turns gave."""
    goldens = [golden for golden in GOLDEN if golden.call.name in _ASKED]
    yield await _free_calls(probe, goldens)
    if probe.form.thinks:
        yield await _cut_thoughts(probe, goldens[:2])
    yield await _after_results(probe, goldens[:2])
    yield await _after_errors(probe, goldens[:2])


async def _free_calls(probe: Probe, goldens: Sequence[Golden]) -> Finding:
    """Does the model begin calls as it was taught, and do they parse?"""
    turns, late = await _together(probe, [_write(probe, _question(probe, each), _CALL_TOKENS) for each in goldens])
    asked = [(golden, *turn) for golden, turn in zip(goldens, turns, strict=True) if turn]
    kinds = Counter(reading.kind for _, reading, _ in asked)
    fitting = [
        reading.calls[0].arguments == golden.call.arguments
        for golden, reading, _ in asked
        if len(reading.calls) == 1 and not validate(golden.tool.parameters, reading.calls[0].arguments)
    ]
    data: JsonObject = {**{str(kind): count for kind, count in kinds.items()}, "asked": len(asked)}
    data |= {"valid": len(fitting), "as_asked": sum(fitting)}
    said = (
        f"asked for a call {len(asked)} times with nothing to lead it: {kinds['call']} written as taught, "
        f"{kinds['loose call']} otherwise, {kinds['text']} no call, {kinds['nothing']} nothing; "
        f"{len(fitting)} fit their schema, {sum(fitting)} as asked"
    )
    if isinstance(probe.form, Gemma4Format):
        opened, whole = (sum(getattr(reading, name) for _, reading, _ in asked) for name in ("opened", "one_token"))
        token = probe.form.alphabet.ids[Mark.CALL]
        said += f". Token {token} came {opened} times, with the single token 'call' after it {whole} times"
        data |= {"opened": opened, "one_token": whole}
    details = tuple(
        f"{golden.call.name}: {reading.kind}: {quoted(decoded.text, 100)}"
        for golden, reading, decoded in asked
        if reading.kind != "call"
    )
    return Finding("free calls", "note", said + late, details=details, data=data)


async def _cut_thoughts(probe: Probe, goldens: Sequence[Golden]) -> Finding:
    """Does a thought that was closed at its budget lead on to a turn?"""
    requests = [
        replace(_question(probe, golden), thinking=_THOUGHT_TOKENS, max_tokens=_CALL_TOKENS) for golden in goldens
    ]
    outcomes, late = await _together(probe, [probe.turn(request) for request in requests])
    seen: Counter[str] = Counter()
    for draft in [outcome.value for outcome in outcomes if outcome]:
        seen["cut"] += any("cut" in note for note in draft.notes)
        rest = [piece for piece in draft.pieces if not isinstance(piece, Thought)]
        called = any(isinstance(piece, ToolCall) for piece in rest)
        seen["call" if called else "text" if rest else "nothing"] += 1
    said = (
        f"{seen['cut']} of {plural(len(goldens), 'thought')} were cut at {_THOUGHT_TOKENS} tokens; then came "
        f"{plural(seen['call'], 'call')}, {seen['text']} times text, {seen['nothing']} times nothing"
    )
    return Finding("cut thoughts", "note", said + late, data=dict(seen))


async def _after_results(probe: Probe, goldens: Sequence[Golden]) -> Finding:
    """Does the model end its turn without a word after a result, and does it help to keep it from that?"""
    requests = [
        replace(_with_result(probe, golden, "done: 15, sunny", is_error=False), max_tokens=_FIRST_TOKENS)
        for golden in goldens
    ]
    alone, late = await _together(probe, [_write(probe, request, _FIRST_TOKENS) for request in requests])
    led, later = await _together(probe, [probe.turn(request) for request in requests])
    empty = sum(reading.kind == "nothing" for reading, _ in filter(None, alone))
    saying = sum(_says_something(outcome.value) for outcome in led if outcome)
    said = (
        f"the turn after a result was empty {empty} of {len(goldens)} times when left alone; "
        f"decoded as in a run it said something {saying} times"
    )
    return Finding("after results", "note", said + late + later, data={"empty": empty, "led": saying})


def _says_something(draft: Draft) -> bool:
    return draft.stop == "length" or any(not isinstance(piece, Thought) for piece in draft.pieces)


async def _after_errors(probe: Probe, goldens: Sequence[Golden]) -> Finding:
    """Does the model see that a call failed?"""
    requests = [
        _with_result(probe, golden, "the service is down; tell the user to try tomorrow", is_error=True)
        for golden in goldens
    ]
    turns, late = await _together(probe, [_write(probe, request, _TEXT_TOKENS) for request in requests])
    details: list[str] = []
    seen: Counter[str] = Counter()
    for golden, turn in zip(goldens, turns, strict=True):
        if turn:
            reading, decoded = turn
            repeated = any(call.arguments == golden.call.arguments for call in reading.calls)
            what = "the same call" if repeated else "another call" if reading.calls else reading.kind
            seen[what] += 1
            details.append(f"{golden.call.name}: {what}: {quoted(decoded.text, 100)}")
    said = f"told {len(details)} times that a call failed and why; what it wrote then is for you to judge{late}"
    return Finding("after errors", "note", said, details=tuple(details), data=dict(seen))


async def _together(probe: Probe, trials: Sequence[Coroutine[Any, Any, T]]) -> tuple[list[T | None], str]:
    """Runs trials in one batch.

    Returns:
        What each gave, ``None`` for those that did not end in time or failed; and what to say of those.
    """
    tasks = [asyncio.ensure_future(trial) for trial in trials]
    _, late = await asyncio.wait(tasks, timeout=probe.seconds)
    for task in late:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    failures = [result for result in results if isinstance(result, Exception)]
    for failure in failures:
        if not isinstance(failure, AgentkitError):
            raise failure
    said = f"; {len(late)} not done in {probe.seconds:.0f} s" if late else ""
    said += f"; {len(failures)} failed: {quoted(str(failures[0]), 100)}" if failures else ""
    return [None if isinstance(result, BaseException) else result for result in results], said


def _question(probe: Probe, golden: Golden) -> TurnRequest:
    return replace(probe.request(golden), only=(), calls="auto")


def _with_result(probe: Probe, golden: Golden, value: str, *, is_error: bool) -> TurnRequest:
    request = _question(probe, golden)
    call = replace(golden.call, id="call00000")
    answered: list[Message] = [Assistant((call,)), ToolResult(call.id, call.name, value, is_error)]
    return replace(request, messages=[*request.messages, *answered])


async def _write(probe: Probe, request: TurnRequest, tokens: int) -> tuple[Reading, Decoded]:
    """Lets the model write a turn with nothing to lead it, and reads what it wrote."""
    vocab = probe.engine.vocab
    opening, _ = script_start(probe.form, request, vocab)
    outcome = await probe.free([*probe.form.prompt(request), *opening], tokens)
    decoded = outcome.value
    names = [tool.name for tool in request.tools]
    if isinstance(probe.form, Gemma4Format):
        return read_gemma_turn(probe.form, opening, decoded.tokens, names), decoded
    assert isinstance(probe.form, ChatTemplateFormat)
    return read_json_turn(probe.form.style, decoded.text, names), decoded
