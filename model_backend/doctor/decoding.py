"""What the weights do: usable numbers, golden calls decoded, speed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from agentkit.errors import AgentkitError, LimitReached, ModelError
from agentkit.messages import System, ToolCall, Usage, User
from agentkit.model_backend.base import ToolSpec, TurnRequest
from agentkit.model_backend.constraint import validate
from agentkit.model_backend.doctor.findings import Finding, plural
from agentkit.model_backend.doctor.golden import GOLDEN, Golden
from agentkit.model_backend.engine import Engine, Outcome, ResolvedSampling
from agentkit.model_backend.formats.base import Draft, Format
from agentkit.model_backend.script import Decoded, Free, Script

__all__ = ["Probe", "check_calls", "check_numbers"]

GREEDY = ResolvedSampling()
_INSTRUCTIONS = System("Do what the user asks by calling a tool.")
_CALL_TOKENS = 400
_FREE_TOKENS = 32
_TOO_SLOW = "take a smaller model, or close what else uses the processor"


@dataclass(frozen=True, slots=True)
class Probe:
    """A loaded model that is tried out.

    Attributes:
        engine: The model.
        form: How it writes.
        seconds: The most time for one kind of trial; what is not done by then is left out.
    """

    engine: Engine
    form: Format
    seconds: float = 60.0

    def request(self, golden: Golden) -> TurnRequest:
        """Returns the turn in which the golden call has to be made.

        All golden tools are declared, so that the prompts share their beginning; only the one if they don't fit.
        """
        for tools in ([other.tool for other in GOLDEN], [golden.tool]):
            request = self._request(golden, tools)
            if len(self.form.prompt(request)) + _CALL_TOKENS < self.engine.context:
                break
        return request

    def _request(self, golden: Golden, tools: Sequence[ToolSpec]) -> TurnRequest:
        return TurnRequest(
            messages=[_INSTRUCTIONS, User(golden.question)],
            tools=tools,
            only=(golden.tool.name,),
            calls="required",
            max_calls=1,
            max_tokens=_CALL_TOKENS,
        )

    async def turn(self, request: TurnRequest, sampling: ResolvedSampling = GREEDY) -> Outcome[Draft]:
        """Returns the turn as a run would get it."""
        return await self.engine.run(self.form.prompt(request), self.form.script(request), sampling=sampling)

    async def free(
        self, prompt: Sequence[int], tokens: int, sampling: ResolvedSampling = GREEDY, *, ends: bool = True
    ) -> Outcome[Decoded]:
        """Returns what the model writes without any constraint.

        Args:
            prompt: Token ids.
            tokens: The most tokens.
            sampling: How they are chosen.
            ends: Whether the model may end its turn.
        """
        ban = () if ends else tuple(sorted(self.engine.vocab.eog))

        def script() -> Script[Decoded]:
            return (yield Free(max_tokens=tokens, ban=ban))

        return await self.engine.run(prompt, script(), sampling=sampling)


async def check_numbers(probe: Probe) -> AsyncIterator[Finding]:
    """Yields how fast a prompt is read and tokens are written, or that the model gives no usable numbers."""
    prompt = probe.form.prompt(probe.request(GOLDEN[0]))
    try:
        async with asyncio.timeout(probe.seconds):
            outcome = await probe.free(prompt, _FREE_TOKENS, ends=False)
    except LimitReached as error:
        advice = "it is no model for tools: take one that was trained for a larger context"
        yield Finding("context", "problem", f"one tool and one question do not fit: {error}", advice)
        return
    except ModelError as error:
        advice = "the weights are damaged: compare the file's digest with its publisher's, and download it again"
        yield Finding("numbers", "problem", str(error), advice)
        return
    except TimeoutError:
        message = f"{plural(len(prompt), 'token')} of prompt and {_FREE_TOKENS} of text took longer than "
        message += f"{probe.seconds:.0f} s"
        yield Finding("speed", "warning", message, _TOO_SLOW)
        return
    usage = outcome.usage
    prompt_speed = usage.prompt_tokens / usage.prompt_seconds if usage.prompt_seconds else 0.0
    data = {
        "prompt_tokens": usage.prompt_tokens,
        "prompt_tokens_per_second": prompt_speed,
        "free_tokens_per_second": usage.tokens_per_second,
    }
    message = f"reads {prompt_speed:.0f} tokens/s (prompt of {usage.prompt_tokens:,}), writes "
    yield Finding("speed", "ok", f"{message}{usage.tokens_per_second:.1f} tokens/s", data=data)


async def check_calls(probe: Probe) -> AsyncIterator[Finding]:
    """Yields whether each golden tool is called validly when its call has to come, and how fast."""
    tried = _Tried([], [], Usage())
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(probe.seconds):
            for golden in GOLDEN:  # one after the other, as a run makes them
                await _call(probe, golden, tried)
    done = len(tried.right) + len(tried.faults)
    late = "" if done == len(GOLDEN) else f"; {len(GOLDEN) - done} not done in {probe.seconds:.0f} s"
    usage = tried.usage
    data = {
        "valid": len(tried.right),
        "as_asked": sum(tried.right),
        "tried": done,
        "faults": tried.faults,
        "constrained_tokens_per_second": usage.tokens_per_second,
        "forced_tokens": usage.forced_tokens,
        "output_tokens": usage.output_tokens,
    }
    if tried.faults:
        yield Finding(
            "decoded calls",
            "problem",
            f"{plural(len(tried.faults), 'call')} of {done} went wrong although a grammar led them{late}",
            "please report this with the model's name",
            details=tuple(tried.faults),
            data=data,
        )
        return
    forced = 100 * usage.forced_tokens // max(usage.output_tokens, 1)
    message = (
        f"{len(tried.right)} of {done} parse and fit their schema, {sum(tried.right)} say what was asked; "
        f"{usage.tokens_per_second:.1f} tokens/s, {forced} % of them forced{late}"
    )
    if done:
        yield Finding("decoded calls", "ok", message, data=data)
    else:
        yield Finding("decoded calls", "warning", f"no call was done in {probe.seconds:.0f} s", _TOO_SLOW, data=data)


@dataclass(slots=True)
class _Tried:
    right: list[bool]
    """For each valid call, whether it was the golden one."""
    faults: list[str]
    usage: Usage


async def _call(probe: Probe, golden: Golden, tried: _Tried) -> None:
    try:
        outcome = await probe.turn(probe.request(golden))
    except AgentkitError as error:
        what = "does not fit the context" if isinstance(error, LimitReached) else str(error)
        tried.faults.append(f"{golden.call.name}: {what}")
        return
    tried.usage += outcome.usage
    calls = [piece for piece in outcome.value.pieces if isinstance(piece, ToolCall)]
    if len(calls) != 1 or calls[0].name != golden.call.name:
        noted = "; ".join(outcome.value.notes) or outcome.value.stop
        tried.faults.append(f"{golden.call.name}: {plural(len(calls), 'call')} ({noted})")
    elif problems := validate(golden.tool.parameters, calls[0].arguments):
        tried.faults.append(f"{golden.call.name}: {problems[0]}")
    else:
        tried.right.append(calls[0].arguments == golden.call.arguments)
