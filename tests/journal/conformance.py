"""What a journal must hold to, whatever it is made of: a machine that compares it with a list.

For another store, write a `Store`, and derive a machine from `JournalMachine` that makes it.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from agentkit.errors import JournalError, RunOwned
from agentkit.events import Event, StepFinished
from agentkit.journal import Journal

__all__ = ["JournalMachine", "Store"]

values = st.one_of(
    st.integers(),
    st.text(max_size=20),
    st.sampled_from(["x" * 20_000, ["y" * 9_000] * 3, {"$blob": "looks like one"}, "\ud800", "\0", None]),
)
"""Small ones, large ones that become blobs, and what is hard to keep."""


class Store(ABC):
    """Where a journal keeps its events."""

    @abstractmethod
    def open(self, *, resume: bool) -> Journal:
        """Makes the journal, or goes on with it."""

    @abstractmethod
    def read(self) -> list[Event]:
        """Reads it as another process would, also while it is open."""

    @abstractmethod
    def crash(self) -> None:
        """Leaves what is left when the writing process dies at this instant; the open journal is given up."""

    @abstractmethod
    def remove(self) -> None:
        """Frees everything."""


class JournalMachine(RuleBasedStateMachine):
    """Appends, flushes, reads, closes, opens and crashes, in any order."""

    new_store: ClassVar[type[Store]]
    """Makes a store in which nothing is."""

    def __init__(self) -> None:
        super().__init__()
        self.store: Store = self.new_store()
        self.journal: Journal = self.store.open(resume=False)
        self.is_open = True
        self.appended: list[Event] = []
        self.flushed = 0

    @precondition(lambda self: self.is_open)
    @rule(value=values, count=st.integers(1, 3))
    def append(self, value: Any, count: int) -> None:
        """Takes events."""
        for _ in range(count):
            number = len(self.appended)
            event = StepFinished(id=f"s{number}", tool="t", ok=True, value=value, seconds=0.1, at=float(number))
            self.journal.append(event)
            self.appended.append(event)

    @precondition(lambda self: self.is_open)
    @rule()
    def flush(self) -> None:
        """Waits until all is safe."""
        self.journal.flush().result(timeout=60)
        self.flushed = len(self.appended)

    @rule()
    def close(self) -> None:
        """Closes, also twice; a closed journal takes nothing and says so."""
        self.journal.close()
        self.is_open, self.flushed = False, len(self.appended)
        with pytest.raises(JournalError):
            self.journal.flush().result(timeout=60)

    @precondition(lambda self: not self.is_open)
    @rule()
    def open_again(self) -> None:
        """Goes on."""
        self.journal = self.store.open(resume=True)
        self.is_open = True

    @precondition(lambda self: self.is_open)
    @rule()
    def second_owner(self) -> None:
        """Is refused while there is one."""
        with pytest.raises(RunOwned):
            self.store.open(resume=True)

    @rule()
    def crash(self) -> None:
        """Loses at most what was not flushed, and that from the end."""
        self.store.crash()
        left = self.store.read()
        assert self.flushed <= len(left) <= len(self.appended)
        assert same(left, self.appended[: len(left)])
        self.appended, self.flushed = left, len(left)
        self.journal = self.store.open(resume=True)
        self.is_open = True

    @invariant()
    def what_is_read_is_a_beginning_of_what_was_appended(self) -> None:
        """And has all that was flushed."""
        seen = self.store.read()
        assert self.flushed <= len(seen) <= len(self.appended)
        assert same(seen, self.appended[: len(seen)])

    def teardown(self) -> None:
        """Frees everything."""
        self.journal.close()
        self.store.remove()


def same(one: list[Event], other: list[Event]) -> bool:
    """Returns whether events say the same; text with lone surrogates compares by its JSON."""
    return json.dumps(list(map(repr, one))) == json.dumps(list(map(repr, other)))
