"""One owner for each run: a lock that the system frees when its process ends, however that happens."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from agentkit.errors import RunOwned

__all__ = ["RunLock", "is_held"]


class RunLock:
    """Holds a run for this process, by a lock on a file beside the run's.

    Not on the run's file itself: closing any descriptor of that would drop the locks that SQLite holds on it.

    Args:
        path: The run's file.

    Raises:
        agentkit.errors.RunOwned: Another owner holds the run.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.with_suffix(".lock")
        self._fd = -1
        while self._fd < 0:
            self._fd = self._take(path)

    def _take(self, run: Path) -> int:
        """Returns the descriptor that holds the lock; -1 when its last owner removed the file in between."""
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(fd, 32, 0).decode(errors="replace").strip()
            os.close(fd)
            raise RunOwned(
                f"run {run.stem!r} is still going on{f' in process {owner}' if owner else ''}; wait for it or end it"
            ) from None
        except BaseException:
            os.close(fd)
            raise
        if not self._is_still(fd):
            os.close(fd)
            return -1
        os.ftruncate(fd, 0)
        os.pwrite(fd, str(os.getpid()).encode(), 0)
        return fd

    def _is_still(self, fd: int) -> bool:
        try:
            return os.path.samestat(os.fstat(fd), os.stat(self._path))
        except FileNotFoundError:
            return False

    def release(self) -> None:
        """Gives the run up. Releasing twice is allowed."""
        if self._fd >= 0:
            self._path.unlink(missing_ok=True)  # while it is held, so that nobody holds a file that is gone
            os.close(self._fd)
            self._fd = -1


def is_held(run: Path) -> bool:
    """Returns whether a process holds a run.

    Only where the process that the lock file names is alive is the lock itself tried: who is just about to take it
    must not be kept from it by someone who looks.

    Args:
        run: The run's file.
    """
    try:
        fd = os.open(run.with_suffix(".lock"), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        os.kill(int(os.pread(fd, 32, 0)), 0)
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # the second: it is another user's
        return True
    except (OSError, ValueError, OverflowError):
        return False
    else:
        return False
    finally:
        os.close(fd)
