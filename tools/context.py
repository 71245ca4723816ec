"""What a running tool may ask of its run: ids, shared state, progress, cancellation."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, MutableMapping
from pathlib import Path
from typing import Any

from agentkit.messages import JsonValue
from agentkit.tools.access import Access
from agentkit.tools.secret import Secret

__all__ = ["ToolContext"]


class ToolContext:
    """The run around one call of a tool.

    A parameter annotated ``ToolContext`` (or ``ToolContext | None``) is filled in and not shown to the
    model. It is handed over as an argument, never looked up, so it reaches threads as it is.

    Args:
        run_id: The run; empty outside of one.
        step_id: The step of the run's plan.
        idempotency_key: The same for every attempt of the same step; pass it to services that accept one.
        workspace: The folder that the run may work in; the current folder by default.
        state: Shared by all tools of the run. Its values should be JSON.
        access: What else the run lets the tool get at.
        on_progress: Called with each progress message, on the event loop's thread.
    """

    def __init__(
        self,
        *,
        run_id: str = "",
        step_id: str = "",
        idempotency_key: str = "",
        workspace: Path | None = None,
        state: MutableMapping[str, Any] | None = None,
        access: Access | None = None,
        on_progress: Callable[[JsonValue], None] | None = None,
    ) -> None:
        self.run_id = run_id
        self.step_id = step_id
        self.idempotency_key = idempotency_key
        self.workspace: Path = Path.cwd() if workspace is None else workspace
        self.state: MutableMapping[str, Any] = {} if state is None else state
        self.access: Access = Access() if access is None else access
        self.sandbox: str = ""
        """How the call was kept apart from this process; empty when it was not."""
        self._on_progress = on_progress
        self._cancelled = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def progress(self, message: object) -> None:
        """Says how far the tool is; may be called from any thread. What is not JSON is sent as text."""
        if self._on_progress is None:
            return
        from pydantic_core import to_jsonable_python

        plain: JsonValue = to_jsonable_python(message, fallback=str, inf_nan_mode="strings")
        if self._loop is None or self._loop.is_closed():
            self._on_progress(plain)
        else:  # through the loop's queue from its own thread too, so that messages keep their order
            self._loop.call_soon_threadsafe(self._on_progress, plain)

    def secret(self, name: str) -> Secret:
        """Returns a secret of the run: an environment variable that the task or the agent names.

        Raises:
            agentkit.errors.UsageError: It names none that is called so.
        """
        return self.access.secrets[name]

    @property
    def cancelled(self) -> bool:
        """Whether the call was cancelled or ran out of time: its result is no longer wanted."""
        return self._cancelled.is_set()

    def check_cancelled(self) -> None:
        """Ends the tool here when its result is no longer wanted. Call it now and then in long loops.

        Raises:
            asyncio.CancelledError: The call was cancelled or ran out of time.
        """
        if self.cancelled:
            raise asyncio.CancelledError

    def cancel(self) -> None:
        """Tells the tool that its result is no longer wanted."""
        self._cancelled.set()

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Makes progress messages arrive on `loop`; the call that gets this context does it."""
        self._loop = loop
