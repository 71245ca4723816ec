"""A disk that loses power: it keeps what was synced, and of the rest whatever it likes.

Python's own SQLite has no seam for this, so the journal's statements run through apsw, which brings an SQLite of its
own (a newer one). The log of writes is taken once; a cut at any place in it is made afterwards.
"""
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import random
import sqlite3
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import apsw

from agentkit.journal import SqliteJournal

__all__ = ["Disk", "PowerLossJournal"]


@dataclass(frozen=True, slots=True)
class Operation:
    """What SQLite asked of a file, or a count of events that were acknowledged."""

    kind: str
    """``write``, ``truncate``, ``sync``, ``delete``, ``sync folder`` or ``acknowledged``."""
    file: str = ""
    at: int = 0
    """Place in the file, its new length, or the count."""
    data: bytes = b""


@dataclass
class Disk:
    """All that was asked of the files of a folder, in order."""

    log: list[Operation] = field(default_factory=list[Operation])

    def acknowledged(self, count: int) -> None:
        """Remembers that the caller was told that `count` events are safe."""
        self.log.append(Operation("acknowledged", at=count))

    def cut(self, at: int, folder: Path, dice: random.Random) -> int:
        """Writes what is left when the power fails after the first `at` operations.

        Returns:
            How many events had been acknowledged.
        """
        kept: defaultdict[str, bytearray] = defaultdict(bytearray)
        waiting: defaultdict[str, list[Operation]] = defaultdict(list)
        gone, count = set[str](), 0
        for op in self.log[:at]:
            match op.kind:
                case "acknowledged":
                    count = op.at
                case "delete":
                    gone.add(op.file)
                case "sync folder":
                    for name in gone:
                        kept.pop(name, None)
                        waiting.pop(name, None)
                    gone.clear()
                case "sync":
                    for done in waiting.pop(op.file, []):
                        _apply(kept[op.file], done)
                case _:
                    waiting[op.file].append(op)
        share = dice.choice((0.0, 0.5, 1.0))
        for name in gone:
            if dice.random() < share:
                kept.pop(name, None)
                waiting.pop(name, None)
        for name, operations in waiting.items():
            for op in operations:
                if dice.random() < share:
                    _apply(kept[name], op)
        for name, data in kept.items():
            (folder / name).write_bytes(data)
        return count


def _apply(data: bytearray, op: Operation) -> None:
    if op.kind == "truncate":
        del data[op.at :]
        return
    data.extend(bytes(max(0, op.at + len(op.data) - len(data))))
    data[op.at : op.at + len(op.data)] = op.data


class _File(apsw.VFSFile):
    def __init__(self, disk: Disk, name: Any, flags: list[int]) -> None:
        super().__init__("", name, flags)
        self._disk = disk
        self._name = Path(name.filename() if isinstance(name, apsw.URIFilename) else name).name

    def xWrite(self, data: Any, offset: int) -> None:
        self._disk.log.append(Operation("write", self._name, offset, bytes(data)))
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:
        self._disk.log.append(Operation("truncate", self._name, newsize))
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:
        super().xSync(flags)
        self._disk.log.append(Operation("sync", self._name))


class _Logging(apsw.VFS):
    def __init__(self, name: str, disk: Disk) -> None:
        self._disk = disk
        super().__init__(name, "")

    def xDelete(self, filename: str, syncdir: bool) -> None:
        super().xDelete(filename, syncdir)
        self._disk.log.append(Operation("delete", Path(filename).name))

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:
        return _File(self._disk, name, flags)


class _Connection(apsw.Connection):
    """apsw in the words of sqlite3, as far as the journal uses them."""

    def executescript(self, script: str) -> None:
        self.execute(script)


class PowerLossJournal(SqliteJournal):
    """The journal, on a disk that can lose power."""

    disk = Disk()
    """Set before it is made."""

    def _connect(self) -> sqlite3.Connection:
        name = f"power-{id(self)}"
        self._vfs = _Logging(name, self.disk)  # kept: apsw forgets one that nobody holds
        db = _Connection(str(self.path), vfs=name)
        db.execute("PRAGMA locking_mode=EXCLUSIVE")  # apsw has no shared memory for files of one's own
        return cast("sqlite3.Connection", db)
