"""What is told of a file without llama.cpp, and what fits the memory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentkit.model_backend import catalog
from agentkit.model_backend.base import Sampling
from agentkit.model_backend.catalog import Architecture, BadFile
from agentkit.model_backend.doctor import memory
from agentkit.model_backend.doctor.facts import check_holes, check_identity, check_sampling, describe
from agentkit.model_backend.doctor.memory import architecture_of, check_memory, largest_context
from agentkit.model_backend.engine.settings import EngineSettings
from agentkit.model_backend.gguf_header import GgufHeader, check_gguf
from tests.catalog.crafted import ARCHITECTURE, gguf, scalar, text
from tests.catalog.make_entry import make_entry
from tests.doctor.damage import numbers

# Layers, full one in every, heads, K/V heads in sliding and full layers, layers that share, window.
CONFIGS = {
    "gemma-4-e2b": (35, 5, 8, 1, 1, 20, 512),
    "gemma-4-e4b": (42, 6, 8, 2, 2, 18, 512),
    "gemma-4-12b": (48, 6, 16, 8, 1, 0, 1024),
    "gemma-4-26b-a4b": (30, 6, 16, 8, 2, 0, 1024),
    "gemma-4-31b": (60, 6, 32, 16, 4, 0, 1024),
}


def number(key: str, value: int) -> bytes:
    return scalar(key, 4, "<I", value)


def written(path: Path, *pairs: bytes) -> tuple[GgufHeader, Path]:
    path.write_bytes(gguf(*pairs))
    return check_gguf(path), path


def gemma(name: str) -> list[bytes]:
    """The metadata of one of Gemma 4's sizes."""
    layers, period, heads, sliding_heads, full_heads, shared, window = CONFIGS[name]
    slides = [(layer + 1) % period != 0 for layer in range(layers)]
    prefix = "gemma4.attention."
    return [
        text("general.architecture", "gemma4"),
        number("gemma4.block_count", layers),
        number("gemma4.embedding_length", 64),
        number("gemma4.context_length", 131_072),
        number(prefix + "head_count", heads),
        numbers(prefix + "head_count_kv", [sliding_heads if each else full_heads for each in slides], "<I", 4),
        numbers(prefix + "sliding_window_pattern", [float(each) for each in slides], "<?", 7),
        number(prefix + "sliding_window", window),
        number(prefix + "shared_kv_layers", shared),
        *(number(prefix + key, 512) for key in ("key_length", "value_length")),
        *(number(prefix + key, 256) for key in ("key_length_swa", "value_length_swa")),
    ]


@pytest.mark.parametrize("name", CONFIGS)
def test_the_cache_of_gemma_4_is_read_from_the_file_as_the_catalog_has_it(tmp_path: Path, name: str) -> None:
    assert architecture_of(*written(tmp_path / "m.gguf", *gemma(name))) == catalog.get(name).architecture


def test_the_cache_of_other_families_is_read_from_the_file(tmp_path: Path) -> None:
    def read(family: str, *pairs: bytes) -> Architecture | None:
        base = [number(f"{family}.{key}", value) for key, value in (("block_count", 12), ("embedding_length", 1536))]
        heads = number(f"{family}.attention.head_count", 12)
        return architecture_of(
            *written(tmp_path / "m.gguf", text("general.architecture", family), *base, heads, *pairs)
        )

    plain = read("qwen2", number("qwen2.attention.head_count_kv", 2))
    assert plain and (plain.full_layers, plain.full_kv_heads, plain.full_head_dim) == (12, 2, 128)
    without_groups = read("llama")
    assert without_groups and without_groups.full_kv_heads == 12
    known = read("gemma3", number("gemma3.attention.sliding_window", 512))
    assert known and (known.full_layers, known.window_layers, known.window) == (2, 10, 512)
    said = read(
        "other", number("other.attention.sliding_window", 512), number("other.attention.sliding_window_pattern", 4)
    )
    assert said and (said.full_layers, said.window_layers) == (3, 9)
    unsaid = read("other", number("other.attention.sliding_window", 512))
    assert unsaid and (unsaid.full_layers, unsaid.window_layers) == (12, 0)


@pytest.mark.parametrize(
    "pairs",
    [
        pytest.param([], id="nothing"),
        pytest.param([number("llama.block_count", 2)], id="no heads"),
        pytest.param([number("llama.block_count", 1 << 31), number("llama.attention.head_count", 1)], id="many layers"),
        pytest.param([number("llama.block_count", 0), number("llama.attention.head_count", 1)], id="no layers"),
        pytest.param(
            [number("llama.block_count", 3), numbers("llama.attention.head_count", [1, 2], "<I", 4)], id="two for three"
        ),
        pytest.param([text("llama.block_count", "2"), number("llama.attention.head_count", 1)], id="text"),
        pytest.param(
            [scalar("llama.block_count", 5, "<i", -2), number("llama.attention.head_count", 1)], id="negative"
        ),
    ],
)
def test_what_does_not_say_its_shape_has_none(tmp_path: Path, pairs: list[bytes]) -> None:
    assert architecture_of(*written(tmp_path / "m.gguf", ARCHITECTURE, *pairs)) is None


@given(
    st.builds(
        Architecture,
        full_layers=st.integers(1, 60),
        full_kv_heads=st.integers(1, 16),
        full_head_dim=st.integers(32, 512),
        window_layers=st.integers(0, 60),
        window_kv_heads=st.integers(1, 16),
        window_head_dim=st.integers(32, 512),
        window=st.integers(0, 4096),
    ),
    st.integers(1, 300_000),
    st.integers(0, 10**11),
)
def test_the_largest_context_fits_and_one_more_step_does_not(arch: Architecture, trained: int, free: int) -> None:
    def size(context: int) -> int:
        return catalog.cache_bytes(arch, context, sequences=memory.SLOTS, batch=memory.BATCH)

    fits = largest_context(arch, trained, free)
    assert 0 <= fits <= trained
    assert fits == 0 or size(fits) <= free
    assert fits + 256 > trained or size(fits + 256) > free


def test_memory_is_that_of_an_engine_with_its_defaults() -> None:
    defaults = EngineSettings()
    assert (defaults.slots, defaults.batch) == (memory.SLOTS, memory.BATCH)


@pytest.mark.parametrize(
    ("gigabytes", "level", "says"),
    [
        (8.0, "ok", "A context of 131,072 tokens fits"),
        (0.9, "ok", "A context of 30,720 tokens fits"),
        (0.48, "warning", "A context of 5,"),
        (0.31, "problem", "A context of 0 tokens fits"),
        (0.1, "problem", "would be read from disk again"),
    ],
)
def test_a_context_that_does_not_fit_is_told_with_one_that_does(
    tmp_path: Path, gigabytes: float, level: str, says: str
) -> None:
    header, path = written(tmp_path / "m.gguf", *gemma("gemma-4-e4b"))
    finding = check_memory(header, path, int(gigabytes * 1e9))
    assert (finding.level, says in finding.message) == (level, True), finding
    assert bool(finding.advice) == (level != "ok")


def test_a_file_says_what_it_is(tmp_path: Path) -> None:
    header, path = written(tmp_path / "m.gguf", ARCHITECTURE, text("general.name", "A\x1b[2J" + "b" * 500))
    finding = describe(header, path)
    assert finding.message.startswith(r"'A\x1b[2Jbbb")
    assert finding.message.endswith(f"architecture llama, 32 parameters, {path.stat().st_size * 8 / 32:.1f} bits each, "
                                    f"{path.stat().st_size:,} bytes")  # fmt: skip
    assert len(finding.message) < 250


def test_the_origin_is_told_from_size_and_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = bytes(range(256)) * 8
    path = tmp_path / "m.gguf"
    path.write_bytes(content)
    entry = make_entry(content)
    assert check_identity(path, None).level == "note"
    unverified = check_identity(path, entry)
    assert (unverified.level, entry.sha256 in unverified.message) == ("note", True)
    path.with_name("m.gguf.sha256").write_text(entry.sha256)
    assert check_identity(path, entry).level == "ok"
    changed = check_identity(path, replace(entry, size=len(content) + 1, sha256="0" * 64))
    assert (changed.level, f"agentkit models pull {entry.id}" in changed.advice) == ("warning", True)
    bad = BadFile(size=len(content), sha256_start=entry.sha256[:8], reason="it aborts")
    monkeypatch.setattr(catalog, "entries", lambda: (replace(entry, bad=(bad,)),))
    assert (check_identity(path, entry).level, "it aborts" in check_identity(path, entry).message) == ("problem", True)


def test_sampling_values_and_where_they_come_from_are_told(tmp_path: Path) -> None:
    entry = make_entry(b"x")
    header, _ = written(tmp_path / "m.gguf", ARCHITECTURE, scalar("general.sampling.temp", 6, "<f", 0.5))
    known = check_sampling(Sampling(temperature=1.0, top_k=64), entry, header)
    assert known.message == "temperature 1.0, top_k 64 (from the catalog); the file itself recommends temp 0.5"
    assert "this family" in check_sampling(Sampling(temperature=1.0), None, header).message
    unknown = check_sampling(Sampling(), None, header)
    assert (unknown.level, unknown.data["file"]) == ("note", {"temp": 0.5})


@pytest.mark.parametrize(("share", "level"), [(0.0, None), (0.02, None), (0.1, "warning"), (0.6, "problem")])
def test_holes_are_found(tmp_path: Path, share: float, level: str | None) -> None:
    size = 4_000_000
    path = tmp_path / "m.gguf"
    path.write_bytes(b"\1" * (size - int(size * share)) + bytes(int(size * share)))
    finding = check_holes(path)
    assert (finding and finding.level) == level


def test_a_number_of_another_kind_is_read_too(tmp_path: Path) -> None:
    pairs = [scalar("llama.block_count", 10, "<Q", 2), scalar("llama.attention.head_count", 2, "<H", 4)]
    arch = architecture_of(*written(tmp_path / "m.gguf", ARCHITECTURE, *pairs, number("llama.embedding_length", 64)))
    assert arch and (arch.full_layers, arch.full_head_dim) == (2, 16)
