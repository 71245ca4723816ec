"""A file that is no whole, plausible GGUF is refused in one clear line, fast, before llama.cpp sees it."""

from __future__ import annotations

import json
import os
import struct
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentkit.errors import ModelUnavailable
from agentkit.model_backend.gguf_header import check_gguf
from tests.catalog.crafted import ARCHITECTURE, array, gguf, pair, scalar, string, tensor, text
from tests.tiny_gguf import build_tiny_gguf

WORDS = [string(f"word{n}") for n in range(3000)]
SAFETENSORS = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
NESTED = struct.pack("<IQ", 9, 1)

FOREIGN = {
    "empty": (b"", "is empty"),
    "three bytes": (b"GGU", "is not a GGUF file"),
    "only the magic": (b"GGUF", "truncated"),
    "a web page": (b"\n <!DOCTYPE html><html><head><title>Sign in</title>", "web page"),
    "an XML error": (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "web page"),
    "a zip": (b"PK\x03\x04" + bytes(100), "zip"),
    "gzip": (b"\x1f\x8b\x08" + bytes(100), "unpack it"),
    "safetensors": (struct.pack("<Q", len(SAFETENSORS)) + SAFETENSORS + bytes(4), "safetensors"),
    "a Git LFS pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "git lfs pull"),
    "GGML of old": (b"tjgg" + bytes(100), "before GGUF"),
    "JSON": (b'{"error": "not found"}', "is not a GGUF file"),
    "zeros": (bytes(4096), "is not a GGUF file"),
    "lower-case magic": (gguf(ARCHITECTURE, magic=b"gguf"), "is not a GGUF file"),
}

HEADERS = {
    "version 1": (gguf(ARCHITECTURE, version=1), "version 1"),
    "a version to come": (gguf(ARCHITECTURE, version=4), "version 4"),
    "big-endian": (gguf(ARCHITECTURE, version=3 << 24), "big-endian"),
    "cut in the counts": (gguf(ARCHITECTURE)[:20], "ends inside the header"),
    "cut in a key": (gguf(ARCHITECTURE)[:34], "ends inside the header"),
    "cut in the vocabulary": (gguf(ARCHITECTURE, array("t", 8, WORDS))[:20_000], "ends inside the header"),
    "cut in the tensor list": (gguf(ARCHITECTURE, data=0)[:-40], "ends inside the header"),
    "2**63 keys": (gguf(ARCHITECTURE, pair_count=1 << 63), "not a plausible model file"),
    "2**63 tensors": (gguf(ARCHITECTURE, tensor_count=1 << 63), "not a plausible model file"),
    "a key of 2**62 bytes": (gguf(struct.pack("<Q", 1 << 62) + b"k"), "for a metadata key"),
    "a text of 2**62 bytes": (gguf(pair("k", 8, struct.pack("<Q", 1 << 62))), "bytes for 'k'"),
    "a word of 2**62 bytes": (gguf(array("k", 8, [struct.pack("<Q", 1 << 62)])), "a string in 'k'"),
    "2**62 numbers": (gguf(array("k", 4, [], count=1 << 62)), "for 'k'"),
    "more numbers than the file": (gguf(array("k", 4, [], count=1 << 20)), "ends inside the header"),
    "more words than the file": (gguf(array("k", 8, [], count=1 << 24), tensors=[], data=0), "ends inside the header"),
    "2**20 arrays": (gguf(array("k", 9, [], count=1 << 20)), "1048576 arrays"),
    "arrays in arrays without end": (gguf(pair("k", 9, NESTED * 500)), "5 deep"),
    "an unknown type": (gguf(pair("k", 13, bytes(8))), "unknown type 13 for 'k'"),
    "an array of an unknown type": (gguf(array("k", 99, [])), "unknown type 99 for 'k'"),
    "a key twice": (gguf(ARCHITECTURE, ARCHITECTURE), "'general.architecture' twice"),
    "no architecture": (gguf(text("general.name", "x")), "general.architecture"),
    "an architecture that is a number": (gguf(scalar("general.architecture", 4, "<I", 7)), "general.architecture"),
    "a text for the part of a split model": (gguf(text("split.no", "1")), "general.architecture"),
    "a later part of a split model": (gguf(scalar("split.no", 2, "<H", 1)), "part 2 of a split model"),
}

TENSORS = {
    "alignment 0": (gguf(ARCHITECTURE, scalar("general.alignment", 4, "<I", 0)), "alignment 0"),
    "alignment 24": (gguf(ARCHITECTURE, scalar("general.alignment", 4, "<I", 24)), "alignment 24"),
    "alignment 2**31": (gguf(ARCHITECTURE, scalar("general.alignment", 4, "<I", 1 << 31)), "alignment 2147483648"),
    "alignment as text": (gguf(ARCHITECTURE, text("general.alignment", "32")), "alignment"),
    "alignment as a signed number": (gguf(ARCHITECTURE, scalar("general.alignment", 5, "<i", 32)), "alignment"),
    "alignment as a truth value": (gguf(ARCHITECTURE, scalar("general.alignment", 7, "<?", 1)), "alignment"),
    "no tensors": (gguf(ARCHITECTURE, tensors=[]), "no tensors"),
    "tensors cut": (gguf(ARCHITECTURE, data=127), "Download it again"),
    "no tensor data at all": (gguf(ARCHITECTURE, data=0), "Download it again"),
    "a tensor twice": (gguf(ARCHITECTURE, tensors=[tensor("t"), tensor("t")]), "'t' twice"),
    "no dimensions": (gguf(ARCHITECTURE, tensors=[tensor("t", (), dims=0)]), "0 dimensions"),
    "2**32 - 1 dimensions": (gguf(ARCHITECTURE, tensors=[tensor("t", dims=0xFFFFFFFF)]), "dimensions"),
    "a dimension of 0": (gguf(ARCHITECTURE, tensors=[tensor("t", (32, 0))]), "the shape [32, 0]"),
    "a product beyond 64 bits": (gguf(ARCHITECTURE, tensors=[tensor("t", (1 << 33,) * 4)]), "the shape"),
    "rows that are no whole blocks": (gguf(ARCHITECTURE, tensors=[tensor("t", (33,), kind=2)]), "multiples of 32"),
    "a crooked offset": (gguf(ARCHITECTURE, tensors=[tensor("t", offset=7)], data=999), "at offset 7"),
    "an offset beyond the file": (gguf(ARCHITECTURE, tensors=[tensor("t", offset=1 << 62)]), "Download it again"),
    "a newer type beyond the file": (gguf(ARCHITECTURE, tensors=[tensor("t", kind=77, offset=4096)]), "again"),
    "a name of 2**40 bytes": (gguf(ARCHITECTURE, tensors=[struct.pack("<Q", 1 << 40)]), "for a tensor name"),
    "a name of 60,000 bytes": (gguf(text("k" * 60_000, "x"), text("k" * 60_000, "x")), "twice"),
    "names with control characters": (gguf(text("\x1b[2J\n", "x"), text("\x1b[2J\n", "x")), "twice"),
}


@pytest.mark.parametrize(
    ("content", "says"), [pytest.param(*v, id=k) for k, v in (FOREIGN | HEADERS | TENSORS).items()]
)
def test_a_wrong_file_is_refused_in_one_line(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(content)
    start = time.process_time()
    message = refused(path)
    assert time.process_time() - start < 0.5
    assert says in message
    assert message.startswith(f"{path}: ")


def test_what_is_no_file_is_refused_in_one_line(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "is a folder" in refused(tmp_path)
    assert "no such file" in refused(tmp_path / "missing.gguf")
    assert "not a regular file" in refused(tmp_path / "pipe")
    assert "not a regular file" in refused(Path("/dev/zero"))
    assert "can't be read" in refused(tmp_path / ("long" * 100))
    assert "can't be read" in refused(Path("a\0b.gguf"))


def test_what_the_header_says_is_returned(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    pairs = [
        ARCHITECTURE,
        scalar("llama.context_length", 4, "<I", 4096),
        scalar("llama.rms", 6, "<f", 0.5),
        scalar("flag", 7, "<?", True),
        array("tokens", 8, WORDS),
        array("scores", 6, [struct.pack("<f", 0.0)] * 7),
        array("nested", 9, [struct.pack("<IQ", 0, 3) + b"abc"] * 2),
    ]
    path.write_bytes(gguf(*pairs, tensors=[tensor("t", (32, 2), kind=2)], data=36))
    header = check_gguf(path)
    assert (header.version, header.tensors) == (3, 1)
    assert header.metadata == {
        "general.architecture": "llama",
        "llama.context_length": 4096,
        "llama.rms": 0.5,
        "flag": True,
        "tokens": 3000,
        "scores": 7,
        "nested": 2,
    }


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("alignment", [1, 8, 64, 65536])
def test_any_alignment_that_is_a_power_of_two_is_read(tmp_path: Path, alignment: int, version: int) -> None:
    path = tmp_path / "model.gguf"
    pairs = (ARCHITECTURE, scalar("general.alignment", 4, "<I", alignment))
    path.write_bytes(gguf(*pairs, alignment=alignment, version=version))
    assert check_gguf(path).version == version


def test_files_by_the_official_writer_pass_and_their_every_truncation_is_refused(tmp_path: Path) -> None:
    path = build_tiny_gguf(tmp_path / "tiny.gguf")
    assert check_gguf(path).metadata["general.architecture"] == "gemma4"
    whole = path.stat().st_size
    for left in [whole - 1, whole - 64, whole // 2, 40_000, *range(0, 8000, 97)]:
        os.truncate(path, left) if left < path.stat().st_size else path.write_bytes(path.read_bytes()[:left])
        refused(path)


def test_a_vocabulary_of_a_quarter_million_words_is_read_fast(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    words = [string("x" * (n % 70)) for n in range(262_144)]
    path.write_bytes(gguf(ARCHITECTURE, array("tokens", 8, words), array("merges", 8, words)))
    start = time.process_time()
    assert check_gguf(path).metadata["tokens"] == 262_144
    assert time.process_time() - start < 2.0


BASE = gguf(ARCHITECTURE, scalar("n", 4, "<I", 1), array("tokens", 8, WORDS[:300]), array("a", 9, [NESTED + bytes(4)]))


@given(st.lists(st.tuples(st.integers(0, len(BASE) - 1), st.integers(0, 255)), max_size=12), st.integers(0, len(BASE)))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damage_never_raises_anything_else(tmp_path: Path, damage: list[tuple[int, int]], length: int) -> None:
    content = bytearray(BASE)
    for at, byte in damage:
        content[at] = byte
    path = tmp_path / "model.gguf"
    path.write_bytes(content if length > len(BASE) // 2 else content[: length * 2])
    try:
        check_gguf(path)
    except ModelUnavailable as error:
        assert_clear(str(error))


def refused(path: Path) -> str:
    with pytest.raises(ModelUnavailable) as caught:
        check_gguf(path)
    assert_clear(str(caught.value))
    return str(caught.value)


def assert_clear(message: str) -> None:
    assert message.isprintable()  # one line, and nothing that a terminal obeys
    assert len(message) < 1000
