"""Examines a model file, from what is cheap and safe to what needs the weights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from agentkit.errors import ModelUnavailable
from agentkit.model_backend import catalog
from agentkit.model_backend.catalog import CatalogEntry
from agentkit.model_backend.doctor.facts import check_holes, check_identity, check_sampling, describe
from agentkit.model_backend.doctor.findings import Finding
from agentkit.model_backend.doctor.memory import check_memory
from agentkit.model_backend.doctor.watch import child_command, stage_limit, watch
from agentkit.model_backend.gguf_header import check_gguf
from agentkit.model_backend.loading import require_packages, sampling_for

__all__ = ["examine"]


def examine(path: Path, entry: CatalogEntry | None = None, *, quick: bool = False) -> Iterator[Finding | str]:
    """Yields findings as they are made, and the name of each stage as it begins.

    Whatever the file holds, this neither crashes nor hangs: llama.cpp sees it in a process of its own.

    Args:
        path: The file.
        entry: Its catalog entry, where it has one.
        quick: Leave the weights out; nothing is decoded then.

    Raises:
        ModelUnavailable: There is no such file.
        UsageError: The packages for local models are missing.
    """
    require_packages()
    yield "reading the header"
    try:
        header = check_gguf(path)
    except ModelUnavailable as error:
        if not path.is_file():
            raise
        said = str(error).removeprefix(f"{path}: ")
        yield Finding("file", "problem", said, "get the file again from its publisher, and compare its digest")
        return
    file = describe(header, path)
    yield file
    origin = check_identity(path, entry)
    yield origin
    yield check_sampling(sampling_for(entry, header), entry, header)
    if holes := check_holes(path):
        yield holes
    memory = check_memory(header, path, catalog.physical_memory())
    yield memory
    if "problem" in (file.level, origin.level):
        return
    size = path.stat().st_size
    without_weights = quick or memory.level == "problem"
    yield from watch(child_command(path, quick=without_weights), lambda stage: stage_limit(stage, size))
