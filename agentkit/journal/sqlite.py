"""A run's file as one SQLite database, ``<run id>.sqlite``, that one thread of one process writes."""

from __future__ import annotations

import errno
import os
import queue
import sqlite3
import threading
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Literal, TypeAlias

from agentkit.errors import JournalError, RunsNotWritable
from agentkit.events import Event
from agentkit.journal.lock import RunLock
from agentkit.journal.tables import FORMAT, SCHEMA, row

__all__ = ["Durability", "SqliteJournal"]

Durability: TypeAlias = Literal["full", "normal"]
"""What survives: with ``full`` everything that was flushed; with ``normal`` all of it when only the process dies, and
perhaps not the latest of it when the machine loses power."""

_NOT_WRITABLE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR}

_Item: TypeAlias = "Event | Future[None] | None"


class SqliteJournal:
    """Appends events to a run's file, and holds the run for this process.

    `append` never blocks: a thread of its own writes, and commits whatever has come up in one transaction, so steps
    that run side by side share one wait for the disk.

    Args:
        path: The file.
        resume: Whether the file is there and is gone on with; otherwise it is made.
        durability: What survives a loss of power.

    Raises:
        agentkit.errors.JournalError: It can't be made or opened, or is (not) there already.
        agentkit.errors.RunsNotWritable: Its folder can't be written to.
        agentkit.errors.RunOwned: Another owner holds the run.
    """

    def __init__(self, path: Path, *, resume: bool = False, durability: Durability = "full") -> None:
        self.path = path
        self._resume = resume
        self._durability = durability
        self._items: queue.SimpleQueue[_Item] = queue.SimpleQueue()
        self._error: Exception | None = None
        self._closed = False
        self._closing = threading.Lock()
        opened: Future[None] = Future()
        self._thread = threading.Thread(target=self._write, args=(opened,), name=f"journal {path.stem}", daemon=True)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = RunLock(path)
            self._thread.start()
            opened.result()
        except (OSError, sqlite3.Error) as e:
            if self._thread.ident is not None:
                self._lock.release()
            what = f"can't {'open' if resume else 'create'} the run file {str(path)!r}"
            if isinstance(e, OSError) and e.errno in _NOT_WRITABLE:
                advice = (
                    "copy it to a folder that can be written to" if resume else "set AGENTKIT_HOME to another folder"
                )
                raise RunsNotWritable(f"{what}: {e.strerror}; {advice}") from e
            raise JournalError(f"{what}: {e}") from e

    def append(self, event: Event) -> None:
        """Hands an event to the writer."""
        self._items.put(event)

    def flush(self) -> Future[None]:
        """Returns a future that is done when everything appended so far is on disk.

        It fails with `agentkit.errors.JournalError` when it can't be written, or the journal is closed.
        """
        done: Future[None] = Future()
        if self._closed:
            done.set_exception(JournalError(f"the run file {str(self.path)!r} is closed"))
        else:
            self._items.put(done)
        return done

    def close(self) -> None:
        """Writes what is left and closes the file. Closing twice is allowed, also at the same time.

        Raises:
            agentkit.errors.JournalError: Something could not be written.
        """
        with self._closing:  # who waits for this in a thread may be cancelled, and close again
            if not self._closed:
                self._closed = True
                self._items.put(None)
            self._thread.join()
            self._lock.release()
        if self._error is not None:
            raise JournalError(f"can't write the run file {str(self.path)!r}: {self._error}") from self._error

    def _write(self, opened: Future[None]) -> None:
        try:
            db = self._open() if self._resume else self._create()
        except Exception as e:
            opened.set_exception(e)
            return
        opened.set_result(None)
        going = True
        while going:
            going = self._commit(db, self._batch())
        db.close()

    def _create(self) -> sqlite3.Connection:
        self.path.touch(exist_ok=False)
        try:
            db = self._connect()
            try:
                self._prepare(db)
                db.executescript(f"BEGIN; {SCHEMA} PRAGMA user_version={FORMAT}; COMMIT;")
                _sync_folder(self.path.parent)
            except BaseException:
                db.close()
                raise
        except BaseException:  # such as a full disk: no run began, so none is left
            for end in ("", "-wal", "-shm"):
                Path(f"{self.path}{end}").unlink(missing_ok=True)
            raise
        return db

    def _open(self) -> sqlite3.Connection:
        if not self.path.is_file():
            raise FileNotFoundError("there is no such file")
        db = self._connect()
        try:
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version != FORMAT:
                raise sqlite3.DatabaseError(f"its format is {version}, and this version of agentkit writes {FORMAT}")
            self._prepare(db)
        except BaseException:
            db.close()
            raise
        return db

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path, isolation_level=None)

    def _prepare(self, db: sqlite3.Connection) -> None:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute(f"PRAGMA synchronous={self._durability}")

    def _batch(self) -> list[_Item]:
        """Waits for an item, and takes what else is there."""
        items = [self._items.get()]
        while not self._items.empty():
            items.append(self._items.get())
        return items

    def _commit(self, db: sqlite3.Connection, items: list[_Item]) -> bool:
        """Writes a batch in one transaction; returns whether more may come."""
        events = [e for e in items if isinstance(e, Event)]
        if events and self._error is None:
            try:
                rows = [row(e) for e in events]
                db.execute("BEGIN IMMEDIATE")
                for _, blobs in rows:
                    db.executemany("INSERT OR IGNORE INTO blobs (digest, data) VALUES (?, ?)", blobs.items())
                db.executemany("INSERT INTO events (kind, at, data) VALUES (?, ?, ?)", [event for event, _ in rows])
                db.execute("COMMIT")
            except Exception as e:  # whatever it is: the thread goes on, because others wait for it
                self._error = e
                with suppress(sqlite3.Error):  # SQLite may have rolled back, and a disk that fails may fail again
                    db.execute("ROLLBACK")
        for item in items:
            if isinstance(item, Future):
                _settle(item, self._error, self.path)
        return None not in items


def _sync_folder(folder: Path) -> None:
    """Makes a new file's name survive a loss of power, as SQLite does for what is in the file."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _settle(done: Future[None], error: Exception | None, path: Path) -> None:
    if not done.set_running_or_notify_cancel():
        return  # nobody waits any more
    if error is None:
        done.set_result(None)
    else:
        done.set_exception(JournalError(f"can't write the run file {str(path)!r}: {error}"))
