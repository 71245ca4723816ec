"""What the catalog says of its models is complete and consistent."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agentkit.model_backend.catalog import (
    CatalogEntry,
    entries,
    file_digest,
    get,
    memory_needed,
    physical_memory,
    recorded_digest,
    refuse_known_bad,
)


@pytest.mark.parametrize("entry", entries(), ids=lambda entry: entry.id)
def test_an_entry_is_complete(entry: CatalogEntry) -> None:
    assert re.fullmatch(r"[a-z0-9-]+", entry.id)
    assert re.fullmatch(r"[\w.-]+/[\w.-]+", entry.repo)
    assert re.fullmatch(r"[\w.-]+\.gguf", entry.file)
    assert entry.licence == "Apache-2.0"
    assert (entry.size is None) != (entry.size_about is None)
    assert re.fullmatch(r"([0-9a-f]{64})?", entry.sha256)
    assert re.fullmatch(r"([0-9a-f]{8})?", entry.sha256_start)
    assert entry.sha256 or not entry.parts  # parts have nobody else to say what is right
    assert entry.thinking == (entry.format == "gemma4")
    assert "text" in entry.modalities


def test_no_two_models_share_an_id_or_a_file() -> None:
    assert len({entry.id for entry in entries()}) == len({entry.file for entry in entries()}) == len(entries())


def test_memory_is_weights_and_a_cache_of_what_each_layer_keeps() -> None:
    starter = memory_needed(get("starter"), 8192)
    assert starter.cache == starter.cache_full == 28 * 2 * 128 * 2 * 2 * 8192
    assert starter.total == 1_117_320_768 + starter.cache
    small = memory_needed(get("gemma-4-e2b"), 8192)
    full, window = 3 * 512 * 2 * 2, 12 * 256 * 2 * 2  # bytes per token
    assert small.cache == full * 8192 + window * 1024  # the window and one batch
    assert small.cache_full == (full + window) * 8192


def test_a_short_context_needs_no_whole_window() -> None:
    need = memory_needed(get("gemma-4-31b"), 256)
    assert need.cache == need.cache_full


def test_this_machine_has_memory() -> None:
    assert 1 << 28 < physical_memory() < 1 << 50


def test_a_digest_is_recorded_only_for_files_that_were_pulled(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"abc")
    read: list[int] = []
    assert file_digest(path, read.append).startswith("ba7816bf")
    assert read == [3]
    for content in (None, b"", b"\xff\xfe"):
        if content is not None:
            (tmp_path / "model.gguf.sha256").write_bytes(content)
        assert recorded_digest(path) == ""


def test_a_file_of_no_known_size_is_not_read_to_be_let_through(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.touch()
    path.chmod(0)
    refuse_known_bad(path)
