"""Decodes many runs together: each step puts what they feed into one batch.

A job is the list of all its tokens, and its slot knows how many of them are computed; all else follows from the two.
A job that has to give up its place in the cache has nothing computed any more, and starts again later.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from agentkit.errors import ModelError
from agentkit.messages import Usage
from agentkit.model_backend.engine.cache import PrefixCache, Slot, common_prefix
from agentkit.model_backend.engine.decode import Decoder
from agentkit.model_backend.engine.native import Chunk, Context, Logits, NoRoom

__all__ = ["Job", "Scheduler"]

_WORTH_WAITING = 32
"""Tokens of a common prefix for which a job waits until another has computed them."""

_WORTH_A_CHECKPOINT = 64
"""Tokens that a later prompt has to save."""

_TAIL = 16
"""How far before the end of a prompt a checkpoint is taken. The next prompt of the same conversation often differs in
the last few tokens, where the turn begins."""


class Job:
    """One run of a script.

    Attributes:
        tokens: The prompt and everything added to it.
        slot: Where it is computed; ``None`` while it waits.
        marks: Lengths at which a checkpoint is to be taken.
        cancelled: Set from any thread; the job is dropped before its next token.
        ended: Whether the script has returned or failed.
    """

    def __init__(
        self,
        prompt: Sequence[int],
        decoder: Decoder[Any],
        finish: Callable[[Any, Usage, BaseException | None], None],
    ) -> None:
        """Prepares a job.

        Args:
            prompt: Token ids, at least one.
            decoder: Decodes the script.
            finish: Called once, on the engine's thread, with the script's value or the error.
        """
        self.tokens = list(prompt)
        self.slot: Slot | None = None
        self.marks: set[int] = set()
        self.cancelled = False
        self.ended = False
        self._prompt_length = len(prompt)
        self._decoder = decoder
        self._feed = decoder.run()
        self._finish = finish
        self._reused = 0
        self._started = self._prompted = 0.0

    @property
    def computed(self) -> int:
        """How many of the tokens are in the cache."""
        return len(self.slot.tokens) if self.slot else 0

    def begin(self, slot: Slot) -> None:
        """Takes a slot; the first time, runs the script to where it needs the model."""
        self.slot = slot
        if not self._started:
            self._started = time.perf_counter()
            self._reused = self.computed
            self._advance(None)

    def advance(self, logits: Logits) -> None:
        """Runs the script to where it needs the model again."""
        if not self._prompted:
            self._prompted = time.perf_counter()
        self._advance(logits)

    def _advance(self, logits: Logits | None) -> None:
        try:
            self.tokens += next(self._feed) if logits is None else self._feed.send(logits)
        except StopIteration as end:
            self._end(end.value, None)
        except Exception as error:  # the script is the caller's code: whatever it raises is the caller's
            self._end(None, error)

    def fail(self, error: BaseException) -> None:
        """Ends the job with an error."""
        self._feed.close()
        self._end(None, error)

    def _end(self, value: Any, error: BaseException | None) -> None:
        if not self.ended:
            self.ended = True
            self._finish(value, self._usage(), error)

    def _usage(self) -> Usage:
        now = time.perf_counter()
        started = self._started or now
        prompted = self._prompted or now
        return Usage(
            turns=1,
            prompt_tokens=self._prompt_length,
            reused_tokens=self._reused,
            output_tokens=len(self._decoder.tokens),
            thought_tokens=self._decoder.thought_tokens,
            forced_tokens=self._decoder.forced_tokens,
            prompt_seconds=prompted - started,
            output_seconds=now - prompted,
        )


class Scheduler:
    """Moves all jobs forward, one batch at a time."""

    def __init__(self, context: Context, cache: PrefixCache) -> None:
        self._context = context
        self._cache = cache
        self._waiting: deque[Job] = deque()
        self._active: list[Job] = []  # oldest first
        self._crowded = False  # a job had to leave; none enters until another has ended

    @property
    def busy(self) -> bool:
        """Whether there is anything to do."""
        return bool(self._waiting or self._active)

    def add(self, job: Job) -> None:
        """Takes a job; it starts when a slot is free."""
        self._waiting.append(job)

    def step(self) -> None:
        """Decodes one batch, and runs each script whose logits have come.

        Raises:
            ModelError: llama.cpp failed; no job of the batch can go on.
        """
        self._drop_cancelled()
        self._admit()
        for job, chunk, logits in self._decode():
            assert job.slot is not None
            job.slot.tokens += chunk.tokens
            if job.computed in job.marks:
                self._cache.checkpoint(job.slot)
            if logits is not None:
                job.advance(logits)
        self._release()

    def fail_all(self, reason: str) -> None:
        """Ends all jobs with an error."""
        for job in [*self._active, *self._waiting]:
            job.fail(ModelError(reason))
        self._waiting.clear()
        self._release()

    def _drop_cancelled(self) -> None:
        for job in [*self._active, *self._waiting]:
            if job.cancelled and not job.ended:
                job.fail(ModelError("the run was cancelled"))
        self._waiting = deque(job for job in self._waiting if not job.ended)
        self._release()

    def _release(self) -> None:
        for job in self._active:
            if job.ended and job.slot:
                job.slot.free = True
                self._crowded = False
        self._active = [job for job in self._active if not job.ended]

    def _admit(self) -> None:
        while self._waiting and not (self._crowded and self._active):
            job = self._waiting[0]
            if self._should_wait(job):
                return
            seen = self._seen(job)
            slot = self._cache.take(job.tokens)
            if slot is None:
                return
            self._waiting.popleft()
            self._active.append(job)
            job.begin(slot)
            self._mark(job, seen)
            self._release()

    def _should_wait(self, job: Job) -> bool:
        """Returns whether another job is just computing a prefix that this one can use."""
        reuse = self._cache.best(job.tokens)
        worth = (reuse.length if reuse else 0) + _WORTH_WAITING
        common = [(common_prefix(other.tokens, job.tokens), other.computed) for other in self._active]
        return any(length > computed and length >= worth for length, computed in common)

    def _seen(self, job: Job) -> int:
        """Returns how much of a job's tokens some slot begins with, whether it can be reused or not."""
        return max(common_prefix(slot.tokens, job.tokens) for slot in self._cache.slots)

    def _mark(self, job: Job, seen: int) -> None:
        """Says where checkpoints are to be taken: where prompts part, and near the prompt's end."""
        if self._cache.takes_checkpoints:
            points = (seen, len(job.tokens) - _TAIL)
            job.marks = {point for point in points if point >= job.computed + _WORTH_A_CHECKPOINT}

    def _decode(self) -> list[tuple[Job, Chunk, Logits | None]]:
        while self._active:
            batch = self._batch()
            try:
                logits = self._context.decode([chunk for _, chunk in batch])
            except NoRoom:
                self._make_room()
            else:
                return [(job, chunk, found) for (job, chunk), found in zip(batch, logits, strict=True)]
        return []

    def _batch(self) -> list[tuple[Job, Chunk]]:
        """Returns what is computed next: the jobs with the least to do first, so that a long prompt stops no one."""
        batch: list[tuple[Job, Chunk]] = []
        room = self._context.size
        for job in sorted(self._active, key=lambda job: len(job.tokens) - job.computed):
            if not room:
                break
            assert job.slot is not None
            start = job.computed
            end = min(len(job.tokens), start + room, *(mark for mark in job.marks if mark > start))
            tokens = job.tokens[start:end]
            batch.append((job, Chunk(job.slot.id, start, tokens, logits=end == len(job.tokens))))
            room -= len(tokens)
        return batch

    def _make_room(self) -> None:
        """Frees cells of the cache: of what is kept for later first, then of the job that came last."""
        if self._cache.evict():
            return
        job = self._active.pop()
        assert job.slot is not None
        self._cache.clear(job.slot)
        job.slot.free = True
        job.slot = None
        if not self._active:
            job.fail(ModelError(f"the cache has no room for {len(job.tokens)} tokens: ask for a larger context"))
            return
        self._waiting.appendleft(job)
        self._crowded = True
