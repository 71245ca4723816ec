"""What the model does when nothing leads it: questions about a family that only real weights can answer.

Everything here is for people to read; none of it decides whether a file is sound.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Sequence
from dataclasses import replace
from typing import Any

from agentkit.errors import AgentkitError
from agentkit.messages import Assistant, JsonObject, Message, Thought, ToolCall, ToolResult
from agentkit.model_backend.base import TurnRequest
from agentkit.model_backend.constraint import validate
from agentkit.model_backend.doctor.decoding import Probe
from agentkit.model_backend.doctor.findings import Finding, plural, quoted
from agentkit.model_backend.doctor.golden import GOLDEN, Golden
from agentkit.model_backend.doctor.readings import Reading, read_gemma_turn, read_json_turn
from agentkit.model_backend.doctor.script_start import script_start
from agentkit.model_backend.formats.chat_template import ChatTemplateFormat
from agentkit.model_backend.formats.gemma4 import Gemma4Format
from agentkit.model_backend.formats.gemma4_tokens import Mark
from agentkit.model_backend.script import Decoded

__all__ = ["check_live"]

_ASKED = ("get_weather", "set_timer", "move", "tag_photo", "order")
_CALL_TOKENS = 96
_TEXT_TOKENS = 40
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
    right: list[bool] = []
    readings: list[Reading] = []
    details: list[str] = []

    async def ask(golden: Golden) -> None:
        reading, decoded = await _write(probe, _question(probe, golden), _CALL_TOKENS)
        readings.append(reading)
        if len(reading.calls) == 1 and not validate(golden.tool.parameters, reading.calls[0].arguments):
            right.append(reading.calls[0] == replace(golden.call, id=reading.calls[0].id))
        if reading.kind != "call":
            details.append(f"{golden.call.name}: {reading.kind}: {quoted(decoded.text, 100)}")

    late = await _together(probe, [ask(golden) for golden in goldens])
    kinds = Counter(reading.kind for reading in readings)
    data: JsonObject = {
        **{str(kind): count for kind, count in kinds.items()},
        "asked": len(goldens),
        "valid": len(right),
        "as_asked": sum(right),
    }
    said = (
        f"asked for a call {len(goldens)} times with nothing to lead it: {kinds['call']} written as taught, "
        f"{kinds['loose call']} otherwise, {kinds['text']} no call, {kinds['nothing']} nothing; "
        f"{len(right)} fit their schema, {sum(right)} as asked"
    )
    if isinstance(probe.form, Gemma4Format):
        opened, whole = (sum(getattr(r, name) for r in readings) for name in ("opened", "one_token"))
        token = probe.form.alphabet.ids[Mark.CALL]
        said += f". Token {token} came {opened} times, with the single token 'call' after it {whole} times"
        data |= {"opened": opened, "one_token": whole}
    return Finding("free calls", "note", said + late, details=tuple(details), data=data)


async def _cut_thoughts(probe: Probe, goldens: Sequence[Golden]) -> Finding:
    """Does a thought that was closed at its budget lead on to a turn?"""
    seen: Counter[str] = Counter()

    async def ask(golden: Golden) -> None:
        request = replace(_question(probe, golden), thinking=_THOUGHT_TOKENS, max_tokens=_CALL_TOKENS)
        draft = (await probe.turn(request)).value
        seen["cut"] += any("cut" in note for note in draft.notes)
        rest = [piece for piece in draft.pieces if not isinstance(piece, Thought)]
        called = any(isinstance(piece, ToolCall) for piece in rest)
        seen["call" if called else "text" if rest else "nothing"] += 1

    late = await _together(probe, [ask(golden) for golden in goldens])
    said = (
        f"{seen['cut']} of {plural(len(goldens), 'thought')} were cut at {_THOUGHT_TOKENS} tokens; then came "
        f"{plural(seen['call'], 'call')}, {seen['text']} times text, {seen['nothing']} times nothing"
    )
    return Finding("cut thoughts", "note", said + late, data=dict(seen))


async def _after_results(probe: Probe, goldens: Sequence[Golden]) -> Finding:
    """Does the model end its turn without a word after a result, and does it help to keep it from that?"""
    seen: Counter[str] = Counter()

    async def ask(golden: Golden) -> None:
        request = _with_result(probe, golden, "done: 15, sunny", is_error=False)
        reading, _ = await _write(probe, request, _TEXT_TOKENS)
        seen["empty"] += reading.kind == "nothing"
        draft = (await probe.turn(replace(request, max_tokens=_TEXT_TOKENS))).value
        seen["led"] += any(not isinstance(piece, Thought) for piece in draft.pieces)

    late = await _together(probe, [ask(golden) for golden in goldens])
    said = (
        f"the turn after a result was empty {seen['empty']} of {len(goldens)} times when left alone; "
        f"decoded as in a run it said something {seen['led']} times"
    )
    return Finding("after results", "note", said + late, data=dict(seen))


async def _after_errors(probe: Probe, goldens: Sequence[Golden]) -> Finding:
    """Does the model see that a call failed?"""
    details: list[str] = []
    seen: Counter[str] = Counter()

    async def ask(golden: Golden) -> None:
        request = _with_result(probe, golden, "the service is down; tell the user to try tomorrow", is_error=True)
        reading, decoded = await _write(probe, request, _TEXT_TOKENS)
        repeated = any(call.arguments == golden.call.arguments for call in reading.calls)
        what = "the same call" if repeated else "another call" if reading.calls else reading.kind
        seen[what] += 1
        details.append(f"{golden.call.name}: {what}: {quoted(decoded.text, 100)}")

    late = await _together(probe, [ask(golden) for golden in goldens])
    said = f"told {len(goldens)} times that a call failed and why; what it wrote then is for you to judge{late}"
    return Finding("after errors", "note", said, details=tuple(details), data=dict(seen))


async def _together(probe: Probe, trials: Sequence[Coroutine[Any, Any, None]]) -> str:
    """Runs the trials in one batch; returns what to say when they did not all end in time."""
    tasks = [asyncio.ensure_future(trial) for trial in trials]
    done, left = await asyncio.wait(tasks, timeout=probe.seconds)
    for task in left:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    failures = [error for task in done if (error := task.exception())]
    for error in failures:
        if not isinstance(error, AgentkitError):
            raise error
    said = f"; {len(left)} not done in {probe.seconds:.0f} s" if left else ""
    return said + (f"; {len(failures)} failed: {quoted(str(failures[0]), 100)}" if failures else "")


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
