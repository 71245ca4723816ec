"""Keys that come faster than they are handled, typed ahead or pasted: each is done before the next is looked at."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from textual import events
from textual.app import App
from textual.message_pump import MessagePump

__all__ = ["TypeAheadApp"]


class TypeAheadApp(App[None]):
    """An application that loses no key.

    Textual hands each key to what has the focus, which handles it later. Of keys that come at once, those after ``/``
    would go to the table, because the line for a search gets the focus only when ``/`` is handled.
    """

    def __init__(self) -> None:
        super().__init__()
        self._typed: deque[events.Key | events.Paste] = deque()

    async def on_event(self, event: events.Event) -> None:
        """Handles an event; a key when those before it are done."""
        if isinstance(event, events.Key | events.Paste) and not event.is_forwarded:
            self._typed.append(event)
            if len(self._typed) == 1:
                await self._take_key()
        else:
            await super().on_event(event)

    async def _take_key(self) -> None:
        path = self._path()
        await super().on_event(self._typed[0])
        # First the key goes up from what has the focus, then what came of it: the text of a line, a new window.
        self._wait_for(path, lambda: self._wait_for(self._path(), self._next_key))

    def _path(self) -> list[MessagePump]:
        """Returns what has the focus, and what is around it, up to the application."""
        return [*(self.focused or self.screen).ancestors_with_self]

    def _wait_for(self, path: list[MessagePump], then: Callable[[], None]) -> None:
        """Calls `then` when each of a path, one after the other, has handled what it was sent so far."""
        while path:
            if path.pop(0).call_later(self._wait_for, path, then):
                return  # else it has been closed
        then()

    def _next_key(self) -> None:
        self._typed.popleft()
        if self._typed:
            self.call_next(self._take_key)
