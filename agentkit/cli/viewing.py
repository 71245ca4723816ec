"""``agentkit run --trace``: the viewer has the terminal while the run goes on in this process."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from types import TracebackType
from typing import IO

from agentkit.cli.display import Display, SilentDisplay
from agentkit.events import Event, RunStarted
from agentkit.paths import runs_folder

__all__ = ["ViewerDisplay"]

_NICER = 10
"""By how much the viewer gives way to the run: a tenth of a core when both want the same one."""

_MAIN = "from agentkit.cli.main import main; main()"


class ViewerDisplay(SilentDisplay):
    """Opens the viewer in a process of its own, which reads the run's file; the run is not slowed down by drawing.

    Meanwhile whatever is printed here goes to a file, and comes out when the viewer is left. A run that still goes on
    then is shown as it always is.

    Args:
        after: Makes the display for a run that goes on after the viewer was left.
        command: What is started, with the run's file as one more argument.
    """

    def __init__(
        self, after: Callable[[], Display], *, command: tuple[str, ...] = (sys.executable, "-c", _MAIN)
    ) -> None:
        self._make_after = after
        self._command = command
        self._after: Display | None = None
        self._viewer: subprocess.Popen[bytes] | None = None
        self._left = threading.Event()
        self._printed: IO[bytes] | None = None
        self._terminal: tuple[int, int] | None = None

    def show(self, event: Event) -> None:
        """Opens the viewer with the first event; shows events itself once the viewer was left."""
        if isinstance(event, RunStarted) and self._viewer is None:
            self._open(event.run_id)
        if self._viewer is None or not self._left.is_set():
            return
        if self._after is None:
            self._restore()
            self._after = self._make_after().__enter__()
        self._after.show(event)

    def wait(self) -> None:
        """Waits until the viewer was left."""
        if self._viewer is not None:
            self._left.wait()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._after is not None:
            self._after.__exit__(kind, error, traceback)
        if self._viewer is not None and kind is not None:
            self._viewer.terminate()
        self.wait()
        self._restore()

    def _open(self, run_id: str) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        out, err = os.dup(1), os.dup(2)
        self._terminal = (out, err)
        self._printed = tempfile.TemporaryFile()  # noqa: SIM115  # closed when the terminal is given back
        self._viewer = subprocess.Popen(
            [*self._command, "trace", str(runs_folder() / f"{run_id}.sqlite")], stdout=out, stderr=err
        )
        if hasattr(os, "setpriority"):  # where cores are few, the run comes first
            os.setpriority(os.PRIO_PROCESS, self._viewer.pid, os.getpriority(os.PRIO_PROCESS, 0) + _NICER)
        # To ask at each event whether it was left would cost up to a millisecond: another thread takes the lock of the
        # interpreter meanwhile.
        threading.Thread(target=self._wait_for, args=(self._viewer,), daemon=True).start()
        for number in (1, 2):
            os.dup2(self._printed.fileno(), number)

    def _wait_for(self, viewer: subprocess.Popen[bytes]) -> None:
        viewer.wait()
        self._left.set()

    def _restore(self) -> None:
        """Gives the terminal back, and prints what was printed meanwhile."""
        if self._terminal is None or self._printed is None:
            return
        sys.stdout.flush()
        sys.stderr.flush()
        for saved, number in zip(self._terminal, (1, 2), strict=True):
            os.dup2(saved, number)
            os.close(saved)
        self._terminal = None
        self._printed.seek(0)
        os.write(2, self._printed.read())
        self._printed.close()
