"""Decodes scripts on a GGUF model in this process.

One thread owns the model, and every llama.cpp call on its context is made there; `Engine.run` hands it a job and
waits for the outcome.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from agentkit.errors import LimitReached, ModelError, ModelUnavailable, UsageError
from agentkit.messages import Usage
from agentkit.model_backend.base import Delta, Emit
from agentkit.model_backend.engine.cache import PrefixCache
from agentkit.model_backend.engine.decode import Decoder
from agentkit.model_backend.engine.files import check_file
from agentkit.model_backend.engine.native import Context, Model
from agentkit.model_backend.engine.sampling import Matcher, Sampler
from agentkit.model_backend.engine.scheduler import Job, Scheduler
from agentkit.model_backend.engine.settings import EngineSettings, Outcome, ResolvedSampling, physical_cores
from agentkit.model_backend.engine.tuning import flash_is_faster
from agentkit.model_backend.engine.vocab import Vocab
from agentkit.model_backend.script import Grammar, Script

__all__ = ["Engine"]

T = TypeVar("T")

_DEFAULTS = EngineSettings()
_DEFAULT_CONTEXT = 8192


class Engine:
    """A loaded model. Any number of runs may go on at once, from any event loop.

    Attributes:
        vocab: The model's tokens.
        context: The most tokens of one run, prompt included.
    """

    def __init__(self, worker: _Worker) -> None:
        self._worker = worker
        self.vocab = worker.vocab
        self.context = worker.context_size
        # Also runs when the engine is collected and when the interpreter exits: a model that is freed by anything
        # but its own thread, or while that thread decodes, is a crash. The thread holds no reference to the engine.
        self._finalizer = weakref.finalize(self, worker.close)

    @classmethod
    def load(cls, path: Path, settings: EngineSettings = _DEFAULTS) -> Engine:
        """Loads a GGUF file. Takes seconds for a large one; blocks until it is done.

        Raises:
            ModelUnavailable: There is no such file, or it can't be used.
        """
        check_file(path)
        worker = _Worker(path, settings)
        worker.ready.result()
        return cls(worker)

    async def run(
        self, prompt: Sequence[int], script: Script[T], *, sampling: ResolvedSampling, emit: Emit | None = None
    ) -> Outcome[T]:
        """Decodes a script after a prompt. Cancelling the awaiting task stops it within one token.

        Args:
            prompt: Token ids, a begin-of-text token included where the model needs one.
            script: The segments.
            sampling: How tokens are chosen.
            emit: Called with each bit of text, on the running event loop's thread.

        Raises:
            LimitReached: The prompt does not fit the context.
            ModelError: The model failed, or the engine was closed.
            UsageError: The prompt is empty, or holds ids that are not in the vocabulary.
        """
        self._check_prompt(prompt)
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[Outcome[T]] = loop.create_future()

        def show(delta: Delta) -> None:
            if emit is not None and not job.cancelled:
                emit(delta)

        def finish(value: T, usage: Usage, error: BaseException | None) -> None:
            tokens = tuple(decoder.tokens)
            _call_soon(loop, lambda: _settle(outcome, Outcome(value=value, usage=usage, tokens=tokens), error))

        decoder = Decoder(
            script,
            vocab=self.vocab,
            sampler=Sampler(sampling, suppressed=self.vocab.suppressed, seen=prompt),
            matcher=self._worker.matcher,
            room=self.context - len(prompt),
            emit=lambda delta: _call_soon(loop, lambda: show(delta)),
        )
        job = Job(prompt, decoder, finish)
        self._worker.submit(job)
        try:
            return await outcome
        finally:
            job.cancelled = True

    def _check_prompt(self, prompt: Sequence[int]) -> None:
        if not prompt:
            raise UsageError("a prompt needs at least one token")
        self.vocab.check(prompt)
        if len(prompt) >= self.context:
            raise LimitReached(
                f"the prompt has {len(prompt)} tokens and the context holds {self.context}: "
                "shorten it, or load the model with a larger context",
                reason="context_full",
            )

    def close(self) -> None:
        """Frees the model. Runs that are going on fail with ModelError. Closing twice is allowed."""
        self._finalizer()


def _call_soon(loop: asyncio.AbstractEventLoop, call: Callable[[], Any]) -> None:
    with contextlib.suppress(RuntimeError):  # the loop is closed: no one waits any more
        loop.call_soon_threadsafe(call)


def _settle(future: asyncio.Future[T], value: T, error: BaseException | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(value)
    else:
        future.set_exception(error)


class _Worker:
    """The thread that owns a model.

    Attributes:
        ready: Done when the model is loaded, or could not be.
        vocab: Set when ready, as is `context_size`.
    """

    vocab: Vocab
    context_size: int

    def __init__(self, path: Path, settings: EngineSettings) -> None:
        self.ready: Future[None] = Future()
        self._path = path
        self._settings = settings
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()  # None only wakes the thread
        self._lock = threading.Lock()  # so that no job is submitted after the last look into the queue
        self._closed = False
        self._constraints: Any = None
        # A daemon, because the interpreter waits for other threads before it calls the finalizer that ends this one.
        self._thread = threading.Thread(target=self._main, name=f"engine {path.name}", daemon=True)
        self._thread.start()

    def submit(self, job: Job) -> None:
        """Hands over a job.

        Raises:
            ModelError: The engine is closed.
        """
        with self._lock:
            if self._closed:
                raise ModelError("the model is closed: load it again")
            self._jobs.put(job)

    def close(self) -> None:
        """Ends the thread, after the batch it is computing."""
        with self._lock:
            self._closed = True
            self._jobs.put(None)
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def matcher(self, grammar: Grammar) -> Matcher:
        """Compiles a grammar, on the engine's thread."""
        if self._constraints is None:
            # Here, because it reads the whole vocabulary, and not every model is used with a grammar.
            from agentkit.model_backend.constraint import Constraints

            self._constraints = Constraints(self.vocab.handle, eog=self.vocab.eog)
        matcher: Matcher = self._constraints.matcher(grammar)
        return matcher

    def _main(self) -> None:
        try:
            model, context = self._load()
        except BaseException as error:
            self._closed = True
            self.ready.set_exception(error)
            return
        self.ready.set_result(None)
        cache = PrefixCache(
            context,
            slots=self._settings.slots,
            window=model.window,
            checkpoints=not self._settings.full_window,
            recurrent=model.recurrent,
        )
        scheduler = Scheduler(context, cache)
        reason = "the model was closed while it decoded"
        try:
            self._serve(scheduler)
        except Exception as error:
            reason = f"the engine failed: {error}"
        finally:
            with self._lock:
                self._closed = True
                self._take_jobs(scheduler)
            scheduler.fail_all(reason)
            self.vocab.close()
            context.free()
            model.free()

    def _serve(self, scheduler: Scheduler) -> None:
        while not self._closed:
            if not scheduler.busy:
                job = self._jobs.get()  # sleeps until there is something to do
                if job is not None:
                    scheduler.add(job)
            self._take_jobs(scheduler)
            if not self._closed:
                scheduler.step()

    def _take_jobs(self, scheduler: Scheduler) -> None:
        while not self._jobs.empty():
            job = self._jobs.get()
            if job is not None:
                scheduler.add(job)

    def _load(self) -> tuple[Model, Context]:
        model = Model(self._path, gpu_layers=self._settings.gpu_layers)
        try:
            if not model.generates:
                raise ModelUnavailable(f"{str(self._path)!r} does not generate text: it is an encoder")
            self.context_size = self._settings.context or min(model.trained_context, _DEFAULT_CONTEXT)
            threads = self._settings.threads or physical_cores()
            flash = self._settings.flash_attention
            context = Context(
                model,
                context=self.context_size,
                sequences=self._settings.slots,
                batch=self._settings.batch,
                threads=threads,
                full_window=self._settings.full_window,
                flash=flash_is_faster(model, threads=threads) if flash is None else flash,
            )
            self.vocab = Vocab(model)
        except BaseException:
            model.free()
            raise
        return model, context
