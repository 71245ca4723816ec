"""A grammar at work: which tokens may come next, and which must.

One `Constraints` serves one model. A grammar is compiled once and copied for each use (about 5 µs).
"""

from __future__ import annotations

import threading
import warnings
from collections import OrderedDict
from collections.abc import Collection, Sequence
from typing import TypeAlias

import numpy as np
from llguidance import LLMatcher, LLParserLimits, LLTokenizer
from llguidance.llamacpp import lltokenizer_from_vocab
from numpy.typing import NDArray

from agentkit.errors import ModelError
from agentkit.model_backend.constraint.deadline import TooSlow, within
from agentkit.model_backend.script import Grammar

__all__ = ["Constraints", "Mask", "Matcher"]

Mask: TypeAlias = NDArray[np.uint32]
"""One bit per token, 32 to a word, the lowest bit first."""

COMPILE_SECONDS = 10.0
CACHED_GRAMMARS = 128


class Constraints:
    """Compiles grammars for one vocabulary.

    Args:
        vocab_handle: The ``llama_vocab`` pointer. Reading it takes about a second on large vocabularies.
        eog: The tokens that end generation; they are allowed wherever a grammar may end.

    Raises:
        ModelError: The vocabulary is damaged: a token of more than 16 KB, or none for some bytes.
    """

    def __init__(self, vocab_handle: object, *, eog: Collection[int]) -> None:
        with warnings.catch_warnings():
            # llguidance still calls llama_token_get_attr, which llama-cpp-python warns of.
            warnings.simplefilter("ignore", DeprecationWarning)
            try:
                self._tokenizer: LLTokenizer = lltokenizer_from_vocab(vocab_handle, eos_token=sorted(eog))  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]  # a ctypes pointer
            except ValueError as e:
                raise ModelError(f"grammars can't be used with the model's vocabulary: {e}") from e
        self._compiled: OrderedDict[Grammar, LLMatcher] = OrderedDict()
        self._lock = threading.Lock()

    def matcher(self, grammar: Grammar) -> Matcher:
        """Returns a matcher at the start of the grammar.

        Raises:
            ModelError: The grammar is wrong, or takes longer than 10 seconds to compile.
        """
        with self._lock:
            compiled = self._compiled.get(grammar)
            if compiled is None:
                compiled = self._compiled[grammar] = self._compile(grammar)
                if len(self._compiled) > CACHED_GRAMMARS:
                    self._compiled.popitem(last=False)
            else:
                self._compiled.move_to_end(grammar)
        return Matcher(compiled.deep_copy(), self._tokenizer.vocab_size)

    def _compile(self, grammar: Grammar) -> LLMatcher:
        source = LLMatcher.grammar_from_lark(grammar.lark)
        limits = LLParserLimits(verbose_errors=False)
        try:
            matcher = within(COMPILE_SECONDS, lambda: LLMatcher(self._tokenizer, source, log_level=0, limits=limits))
        except TooSlow as e:
            raise ModelError(
                f"a grammar of {len(grammar.lark)} characters took longer than {COMPILE_SECONDS:g} s to compile: "
                "simplify the schemas of the tools or of the output"
            ) from e
        if matcher.is_error():
            raise ModelError(f"the grammar can't be compiled: {_first_line(matcher)}")
        return matcher


class Matcher:
    """A place in a grammar. Not for use by several threads at once."""

    def __init__(self, matcher: LLMatcher, vocab_size: int) -> None:
        self._matcher = matcher
        self._mask: Mask = np.zeros((vocab_size + 31) // 32, dtype=np.uint32)

    def forced(self) -> list[int]:
        """Returns the tokens that must come next, maybe none. They are not accepted yet."""
        return self._matcher.compute_ff_tokens()

    def allows(self, token: int) -> bool:
        """Returns whether the token may come next."""
        return self._matcher.validate_tokens([token]) == 1

    def mask(self) -> Mask:
        """Returns the tokens that may come next: a view, good until the next call of any method.

        Raises:
            ModelError: No token may come next: the grammar has run into a dead end.
        """
        self._matcher.unsafe_compute_mask_ptr(self._mask.ctypes.data, self._mask.nbytes)
        self._check()
        if not self._mask.any():
            raise ModelError("the grammar allows no token here: it asks for a value that can't be finished")
        return self._mask

    def accept(self, tokens: Sequence[int]) -> None:
        """Moves forward over the tokens.

        Raises:
            ModelError: The grammar refuses one of them.
        """
        if not self._matcher.consume_tokens(list(tokens)):
            raise ModelError(f"the grammar refuses tokens {list(tokens)!r}: {_first_line(self._matcher)}")

    @property
    def complete(self) -> bool:
        """Whether nothing but the end can follow."""
        self._check()
        return self._matcher.is_stopped()

    @property
    def accepting(self) -> bool:
        """Whether the text so far may stand as it is; more may be able to follow."""
        return self._matcher.is_accepting()

    def _check(self) -> None:
        if self._matcher.is_error():
            raise ModelError(f"the grammar failed: {_first_line(self._matcher)}")


def _first_line(matcher: LLMatcher) -> str:
    return next(iter(matcher.get_error().splitlines()), "no reason given")
