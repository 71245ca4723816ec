"""Which token comes next.

Order of the steps, as in llama.cpp: repeat penalty, top-k, top-p, min-p, temperature.

Under a grammar the result is distributed as the sampler's own distribution restricted to what the grammar
allows. Most tokens come out without computing a mask: one is drawn freely and only that one is checked.
When it is refused, the draw is repeated among those of the same candidates that are allowed, which gives each
the probability p / (sum of p over the allowed), as if the refused ones had never been there. Only where no
candidate is allowed, the steps start again from the allowed tokens.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from agentkit.errors import ModelError
from agentkit.model_backend.engine.native import Logits
from agentkit.model_backend.engine.settings import ResolvedSampling

__all__ = ["Matcher", "Sampler", "allowed_ids"]

_PENALTY_WINDOW = 64  # tokens that the repeat penalty looks back on

Ids = NDArray[np.intp]


class Matcher(Protocol):
    """What the engine asks of a compiled grammar: `agentkit.model_backend.constraint.Matcher`."""

    def forced(self) -> list[int]:
        """Returns tokens that must come next; they are not consumed."""
        ...

    def allows(self, token: int) -> bool:
        """Returns whether a token may come next."""
        ...

    def mask(self) -> NDArray[np.uint32]:
        """Returns a bit per token: what may come next. Valid until the next call."""
        ...

    def accept(self, tokens: list[int]) -> None:
        """Moves on by tokens that were allowed."""
        ...

    @property
    def complete(self) -> bool:
        """Whether nothing but the end can follow."""
        ...


class Sampler:
    """Draws the tokens of one run."""

    def __init__(
        self, sampling: ResolvedSampling, *, suppressed: Collection[int] = (), seen: Sequence[int] = ()
    ) -> None:
        self._sampling = sampling
        self._suppressed = frozenset(suppressed)
        self._random = np.random.default_rng(sampling.seed & 0xFFFF_FFFF_FFFF_FFFF)
        self._recent: deque[int] = deque(maxlen=_PENALTY_WINDOW)
        self.see(seen[-_PENALTY_WINDOW:])

    def see(self, tokens: Iterable[int]) -> None:
        """Tells which tokens have been added to the context, for the repeat penalty."""
        if self._sampling.repeat_penalty != 1.0:
            self._recent.extend(tokens)

    def free(self, logits: Logits, banned: Collection[int] = ()) -> int:
        """Returns the next token without a grammar.

        Raises:
            ModelError: The logits are not numbers.
        """
        values = self._penalised(logits)
        if self._sampling.temperature <= 0:
            token = _greedy(values)
            if token not in banned and token not in self._suppressed:
                return token
        refused = [*banned, *self._suppressed]
        if refused:
            values = values.copy()
            values[refused] = -np.inf
        return self._draw(None, values)

    def constrained(self, logits: Logits, matcher: Matcher) -> int:
        """Returns the next token of those that a grammar allows.

        Raises:
            ModelError: The grammar allows no token, or the logits are not numbers.
        """
        values = self._penalised(logits)
        if self._sampling.temperature <= 0:
            token = _greedy(values)
            if token not in self._suppressed and matcher.allows(token):
                return token
            return self._draw_allowed(values, matcher)
        ids, weights = self._candidates(None, values)
        token = self._pick(ids, weights)
        if token not in self._suppressed and matcher.allows(token):
            return token
        allowed = self._allowed(matcher, len(values))
        kept = np.isin(ids, allowed, assume_unique=True)
        if weights[kept].sum() > 0:
            return self._pick(ids[kept], weights[kept])
        return self._draw(allowed, values[allowed])

    def _draw_allowed(self, values: Logits, matcher: Matcher) -> int:
        allowed = self._allowed(matcher, len(values))
        return self._draw(allowed, values[allowed])

    def _allowed(self, matcher: Matcher, size: int) -> Ids:
        allowed = allowed_ids(matcher.mask(), size)
        if self._suppressed:
            unsuppressed = allowed[~np.isin(allowed, list(self._suppressed))]
            allowed = unsuppressed if len(unsuppressed) else allowed
        if not len(allowed):
            raise ModelError("the grammar allows no token here; please report the grammar")
        return allowed

    def _penalised(self, logits: Logits) -> Logits:
        if not self._recent:
            return logits
        seen = list(set(self._recent))
        values = logits.copy()
        chosen = values[seen]
        penalty = self._sampling.repeat_penalty
        values[seen] = np.where(chosen > 0, chosen / penalty, chosen * penalty)
        return values

    def _draw(self, ids: Ids | None, values: Logits) -> int:
        if self._sampling.temperature <= 0:
            best = _greedy(values)
            return best if ids is None else int(ids[best])
        return self._pick(*self._candidates(ids, values))

    def _candidates(self, ids: Ids | None, values: Logits) -> tuple[Ids, NDArray[np.float64]]:
        """Returns the tokens that may be drawn, and their probabilities."""
        sampling = self._sampling
        kept = _likeliest(values, sampling.top_k)
        chosen = values[kept].astype(np.float64)
        chosen -= chosen.max()
        if sampling.top_p < 1.0:
            few = _nucleus(chosen, sampling.top_p)
            kept, chosen = kept[few], chosen[few]
        if sampling.min_p > 0.0:
            near = chosen >= np.log(min(sampling.min_p, 1.0))
            kept, chosen = kept[near], chosen[near]
        weights = np.exp(chosen / sampling.temperature)
        return (kept if ids is None else ids[kept]), weights / weights.sum()

    def _pick(self, ids: Ids, weights: NDArray[np.float64]) -> int:
        edges = np.cumsum(weights)
        index = int(np.searchsorted(edges, self._random.random() * float(edges[-1]), side="right"))
        return int(ids[min(index, len(ids) - 1)])


def _greedy(values: Logits) -> int:
    best = int(values.argmax())
    if not np.isfinite(values[best]):  # argmax stops at the first NaN
        raise ModelError("the model gave no usable numbers; the file may be damaged: check its digest")
    return best


def _likeliest(values: Logits, count: int) -> Ids:
    """Returns the indices of the `count` highest values (0: of all), in no order."""
    floor = values[_greedy(values)] - 10
    if not 0 < count < len(values):
        return np.flatnonzero(values > -np.inf)
    # Partitioning a vocabulary of 262,144 takes ten times longer than looking for what is near the top.
    near = np.flatnonzero(values >= floor)
    if len(near) < count:
        near = np.arange(len(values))
    if len(near) == count:
        return near
    return near[np.argpartition(values[near], -count)[-count:]]


def _nucleus(logits: NDArray[np.float64], share: float) -> Ids:
    """Returns the indices of the likeliest tokens that together reach a share of the probability."""
    weights = np.exp(logits)
    order = np.argsort(-weights, kind="stable")
    reached = np.cumsum(weights[order])
    count = int(np.searchsorted(reached, share * float(reached[-1]))) + 1
    return order[:count]


def allowed_ids(words: NDArray[np.uint32], size: int) -> Ids:
    """Returns the ids below `size` whose bits are set. Most masks are nearly empty, so only set words are read."""
    filled = np.flatnonzero(words)
    bits = np.unpackbits(words[filled].astype("<u4", copy=False).view(np.uint8), bitorder="little")
    rows, columns = np.nonzero(bits.reshape(-1, 32))
    ids = filled[rows] * 32 + columns
    return ids[ids < size]
