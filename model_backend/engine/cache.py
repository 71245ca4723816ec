"""Which part of a prompt has been computed before, and may be used again.

A slot is a sequence of llama.cpp's cache. After a run its tokens stay there, and the next prompt usually begins with
them. Models with sliding-window layers keep only the last positions of those layers: after going back further,
llama.cpp decodes without an error and the logits are wrong. (Asked to keep all positions it does so only while there
is room: in a full cache it overwrites those that no window reaches.) So a prefix is used only when the window before
its end is there, either still in the cache or in a checkpoint, which is a copy of the window taken when the prefix
was computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from agentkit.model_backend.engine.native import Context

__all__ = ["Checkpoint", "PrefixCache", "Reuse", "Slot", "common_prefix"]

CHECKPOINT_BYTES = 512 * 2**20
"""The most memory that checkpoints take together."""

CHECKPOINTS_PER_SLOT = 4


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The sliding-window layers as they were after the first `length` tokens of a slot."""

    length: int
    state: bytes


@dataclass(slots=True)
class Slot:
    """A sequence in the cache.

    Attributes:
        id: llama.cpp's number for it.
        tokens: What has been computed, from position 0.
        checkpoints: By length, shortest first.
        used: When it was last given out; higher is later.
        free: Whether no run has it.
    """

    id: int
    tokens: list[int] = field(default_factory=list[int])
    checkpoints: list[Checkpoint] = field(default_factory=list[Checkpoint])
    used: int = 0
    free: bool = True


@dataclass(frozen=True, slots=True)
class Reuse:
    """A prefix that a slot can give."""

    slot: Slot
    length: int
    """Tokens that need not be computed."""
    checkpoint: Checkpoint | None = None
    """What has to be put back first."""


def common_prefix(left: Sequence[int], right: Sequence[int]) -> int:
    """Returns how many tokens two sequences have in common at their start."""
    for index, (a, b) in enumerate(zip(left, right, strict=False)):
        if a != b:
            return index
    return min(len(left), len(right))


class PrefixCache:
    """Gives out slots, with as much of a prompt in them as can be reused.

    Args:
        context: Where the sequences are.
        slots: How many there are.
        window: The model's sliding window in tokens; 0 when it has none.
        checkpoints: Whether checkpoints are taken: not worth it where all positions are kept.
        recurrent: Whether the model has layers that can't forget a part of a sequence.
    """

    def __init__(self, context: Context, *, slots: int, window: int, checkpoints: bool, recurrent: bool) -> None:
        self.slots = [Slot(index) for index in range(slots)]
        self.takes_checkpoints = checkpoints and window > 0
        self._window = window
        self._context = context
        self._recurrent = recurrent
        self._clock = 0

    def best(self, prompt: Sequence[int]) -> Reuse | None:
        """Returns the longest prefix of a prompt that a slot can give, without its last token.

        That one is always computed, because its logits are needed.
        """
        found = [self._reusable(slot, min(common_prefix(slot.tokens, prompt), len(prompt) - 1)) for slot in self.slots]
        return max((reuse for reuse in found if reuse), key=lambda reuse: reuse.length, default=None)

    def _reusable(self, slot: Slot, length: int) -> Reuse | None:
        if length <= 0:
            return None
        if self._recurrent:
            whole = slot.free and length == len(slot.tokens)
            return Reuse(slot, length) if whole else None
        if not self._window or 0 <= self._context.first_position(slot.id) <= max(0, length - self._window):
            return Reuse(slot, length)
        fitting = [checkpoint for checkpoint in slot.checkpoints if checkpoint.length <= length]
        return Reuse(slot, fitting[-1].length, fitting[-1]) if fitting else None

    def take(self, prompt: Sequence[int]) -> Slot | None:
        """Returns a free slot that holds the longest prefix that can be had and nothing more.

        Returns:
            ``None`` when all slots are in use.
        """
        free = [slot for slot in self.slots if slot.free]
        if not free:
            return None
        reuse = self.best(prompt)
        if reuse is None:
            slot = min(free, key=lambda slot: (len(slot.tokens) > 0, slot.used))
            self.clear(slot)
        elif reuse.slot.free and (2 * reuse.length >= len(reuse.slot.tokens) or len(free) == 1):
            slot = reuse.slot
            self._go_back(reuse)
        else:  # most of that slot is worth keeping, or a run has it
            others = [slot for slot in free if slot is not reuse.slot]
            slot = min(others, key=lambda slot: (len(slot.tokens) > 0, slot.used))
            self._copy(reuse, slot)
        slot.free = False
        self._clock += 1
        slot.used = self._clock
        return slot

    def _go_back(self, reuse: Reuse) -> None:
        slot = reuse.slot
        restored = reuse.checkpoint is None or self._context.load_window(slot.id, reuse.checkpoint.state)
        if not restored or not self._context.cut(slot.id, reuse.length):
            self.clear(slot)
            return
        del slot.tokens[reuse.length :]
        slot.checkpoints = [c for c in slot.checkpoints if c.length <= reuse.length]

    def _copy(self, reuse: Reuse, target: Slot) -> None:
        self.clear(target)
        self._context.share(reuse.slot.id, target.id, reuse.length)
        target.tokens = reuse.slot.tokens[: reuse.length]
        target.checkpoints = [c for c in reuse.slot.checkpoints if c.length <= reuse.length]
        if reuse.checkpoint and not self._context.load_window(target.id, reuse.checkpoint.state):
            self.clear(target)

    def clear(self, slot: Slot) -> None:
        """Forgets what a slot holds."""
        self._context.cut(slot.id, 0)
        slot.tokens.clear()
        slot.checkpoints.clear()

    def evict(self) -> bool:
        """Forgets the free slot that was used longest ago; False when no free slot holds anything."""
        idle = [slot for slot in self.slots if slot.free and slot.tokens]
        if not idle:
            return False
        self.clear(min(idle, key=lambda slot: slot.used))
        return True

    def checkpoint(self, slot: Slot) -> None:
        """Keeps the sliding window as it is now, so that later prompts can go back to this point."""
        if not self.takes_checkpoints or any(c.length == len(slot.tokens) for c in slot.checkpoints):
            return
        state = self._context.save_window(slot.id)
        if state and len(state) <= CHECKPOINT_BYTES:
            slot.checkpoints.append(Checkpoint(len(slot.tokens), state))
            slot.checkpoints.sort(key=lambda c: c.length)
            del slot.checkpoints[:-CHECKPOINTS_PER_SLOT]
            self._limit_memory(slot)

    def _limit_memory(self, newest: Slot) -> None:
        """Drops checkpoints of the slots used longest ago until the rest fits."""
        by_age = sorted(self.slots, key=lambda slot: (slot is newest, slot.used))
        while sum(len(c.state) for slot in self.slots for c in slot.checkpoints) > CHECKPOINT_BYTES:
            del next(slot for slot in by_age if slot.checkpoints).checkpoints[0]
