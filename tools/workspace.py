"""Opens files in a workspace folder, and none outside it.

A path is resolved with all its links, and what it resolves to must lie in the workspace. The resolved
path is then walked from an open folder to the next, following no link (``openat`` with ``O_NOFOLLOW``):
a link that is swapped in between the check and the use is refused, not followed.

What this can't do: a hard link inside the workspace to a file outside looks like any other file, so
reading one reads the shared content. Writing is safe, because a file is replaced and never written through.
"""

from __future__ import annotations

import difflib
import errno
import os
import secrets
import stat
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from agentkit.errors import Retry, ToolFailed

__all__ = ["MAX_BYTES", "FileEntry", "files_in", "open_file", "read_text", "relative", "replace_file"]

MAX_BYTES = 20_000_000
"""How much of one file is read, in bytes; the rest is left out, and the reader is told."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: opening a named pipe must not wait for its other end.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class FileEntry(NamedTuple):
    """A file of the workspace."""

    path: str
    """Relative to the workspace, with forward slashes."""
    size: int
    """In bytes."""


def relative(root: Path, path: str) -> Path:
    """Returns where `path` leads, links resolved, relative to the workspace `root`.

    Raises:
        agentkit.errors.Retry: It leads out of the workspace or can't be a path.
    """
    home = os.path.realpath(root)
    try:
        target = Path(os.path.realpath(os.path.join(home, path.strip())))
    except (ValueError, OSError) as error:
        raise Retry(f"{path!r} is not a usable path ({_reason(error)}); give one such as 'notes.txt'") from None
    if not target.is_relative_to(home):
        raise Retry(f"{path!r} is outside the workspace; give a path inside it, such as 'notes.txt' or 'logs/a.log'")
    return target.relative_to(home)


@contextmanager
def _folder(root: Path, parts: tuple[str, ...], *, create: bool = False) -> Generator[int]:
    """Opens the folder that `parts` lead to, link by no link, and gives its descriptor."""
    current = os.open(os.path.realpath(root), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in parts:
            if create:
                with suppress(FileExistsError):
                    os.mkdir(part, dir_fd=current)
            following = os.open(part, _FOLDER, dir_fd=current)
            os.close(current)
            current = following
        yield current
    finally:
        os.close(current)


def open_file(root: Path, path: str) -> int:
    """Opens a file of the workspace for reading and returns its descriptor, which the caller closes.

    Raises:
        agentkit.errors.Retry: There is no such file, or it is outside the workspace; names near ones.
        agentkit.errors.ToolFailed: It is there and can't be read.
    """
    place = relative(root, path)
    if not place.parts:
        raise Retry(f"{path!r} is the workspace folder; give a file in it{_some_files(root, path)}")
    try:
        with _folder(root, place.parts[:-1]) as folder:
            descriptor = os.open(place.name, _READ, dir_fd=folder)
    except OSError as error:
        raise _cannot("read", root, path, error) from None
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return descriptor
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise Retry(f"{path!r} is a folder; give a file in it{_some_files(root, path)}")
    raise ToolFailed(f"{path!r} is a device or a pipe; only plain files can be read")


def read_text(root: Path, path: str) -> tuple[str, str]:
    """Returns the text of a file and a note: what had to be assumed or left out, mostly ``""``.

    Raises:
        agentkit.errors.Retry: There is no such file, or it is outside the workspace.
        agentkit.errors.ToolFailed: It is a binary file or can't be read.
    """
    with os.fdopen(open_file(root, path), "rb") as file:
        size = os.fstat(file.fileno()).st_size
        data = file.read(MAX_BYTES)
        cut = bool(file.read(1))
    notes = [f"only the first {MAX_BYTES:,} of {size:,} bytes were read"] if cut else []
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace"), "; ".join(notes)
    if b"\0" in data:
        raise ToolFailed(f"{path!r} is a binary file of {size:,} bytes; only text files can be read")
    try:
        # A cut may fall into the middle of a character: at most 3 bytes are lost.
        text = data.decode("utf-8-sig", errors="ignore" if cut else "strict")
    except UnicodeDecodeError:
        text = data.decode("cp1252", errors="replace")
        notes.append("the file is not UTF-8 and was read as Windows-1252")
    return text, "; ".join(notes)


def replace_file(root: Path, path: str, data: bytes) -> tuple[str, bool]:
    """Writes a whole file, making folders on the way; a reader sees the old content or the new.

    Returns:
        The path relative to the workspace, and whether the file was there before.

    Raises:
        agentkit.errors.Retry: The path is outside the workspace, a folder, or not a usable name.
        agentkit.errors.ToolFailed: The file can't be written.
    """
    place = relative(root, path)
    if not place.parts or path.rstrip().endswith("/"):
        raise Retry(f"{path!r} names a folder; give the name of a file, such as 'report.md'")
    try:
        with _folder(root, place.parts[:-1], create=True) as folder:
            existed = _is_plain_file(place.name, folder)
            _write_and_rename(place.name, data, folder)
    except OSError as error:
        raise _cannot("write", root, path, error) from None
    return place.as_posix(), existed


def _is_plain_file(name: str, folder: int) -> bool:
    try:
        mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return False
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    return True


def _write_and_rename(name: str, data: bytes, folder: int) -> None:
    temporary = f".{secrets.token_hex(8)}.part"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(temporary, flags, 0o644, dir_fd=folder), "wb") as file:
            file.write(data)
        os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:
        with suppress(OSError):
            os.unlink(temporary, dir_fd=folder)
        raise


def files_in(root: Path, pattern: str = "*") -> Iterator[FileEntry]:
    """Yields the plain files whose path fits a pattern, in order of their names; links are left out.

    Args:
        root: The workspace.
        pattern: ``*.log`` fits names in any folder, ``logs/*.log`` paths, ``logs`` all that is in a folder.
    """
    wanted = pattern.strip().removeprefix("./").removeprefix("**/").rstrip("/") or "*"
    for folder, folders, names, descriptor in os.fwalk(os.path.realpath(root), follow_symlinks=False):
        folders.sort()
        for name in sorted(names):
            path = Path(folder, name).relative_to(os.path.realpath(root)).as_posix()
            if not (fnmatchcase(path, wanted) or fnmatchcase(name, wanted) or path.startswith(f"{wanted}/")):
                continue
            with suppress(OSError):  # deleted while we look
                status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                if stat.S_ISREG(status.st_mode):
                    yield FileEntry(path, status.st_size)


def _cannot(verb: str, root: Path, path: str, error: OSError) -> Retry | ToolFailed:
    if error.errno == errno.ENOENT and verb == "read":
        return Retry(f"there is no file {path!r}{_some_files(root, path)}")
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        return Retry(f"{path!r} leads through a link or a file that is no folder; give a plain path")
    if error.errno == errno.EISDIR:
        return Retry(f"{path!r} is a folder; give the name of a file in it, such as '{path.rstrip('/')}/report.md'")
    if error.errno == errno.ENAMETOOLONG:
        return Retry("the path is too long; give a shorter name")
    return ToolFailed(f"can't {verb} {path!r}: {_reason(error)}")


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return "it holds a character that no path can hold"


def _some_files(root: Path, path: str) -> str:
    """Returns the end of a message: the files with the nearest names, or the first few."""
    paths = [entry.path for entry, _ in zip(files_in(root), range(1000), strict=False)]
    names = {os.path.basename(p): p for p in reversed(paths)}
    near = [names[n] for n in difflib.get_close_matches(os.path.basename(path), names, n=3)]
    shown = near or paths[:8]
    return f"; there is {', '.join(map(repr, shown))}" if shown else "; the workspace has no files"
