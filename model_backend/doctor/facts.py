"""What can be told of a file without llama.cpp: what it is, whether it is known, whether it has holes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from agentkit.errors import ModelUnavailable
from agentkit.messages import JsonObject
from agentkit.model_backend import catalog
from agentkit.model_backend.base import Sampling
from agentkit.model_backend.catalog import CatalogEntry
from agentkit.model_backend.doctor.findings import Finding, quoted, shortened
from agentkit.model_backend.gguf_header import GgufHeader

__all__ = ["check_holes", "check_identity", "check_sampling", "describe"]

_SAMPLES, _SAMPLE_BYTES = 256, 4096
_ENCODERS = ("clip", "bert", "nomic-bert", "jina-bert-v2", "t5encoder")
_FILE_SAMPLING = "general.sampling."


def describe(header: GgufHeader, path: Path) -> Finding:
    """Returns what the file says of itself."""
    metadata, size = header.metadata, path.stat().st_size
    architecture = str(metadata["general.architecture"])
    data: JsonObject = {
        "architecture": architecture,
        "name": _text(metadata.get("general.name")),
        "size_label": _text(metadata.get("general.size_label")),
        "bytes": size,
        "parameters": header.parameters,
        "tensors": header.tensors,
        "gguf_version": header.version,
        "context_length": metadata.get(f"{architecture}.context_length"),
        "vocabulary": metadata.get("tokenizer.ggml.tokens"),
    }
    named = f"{quoted(data['name'], 60)}, " if data["name"] else ""
    bits = f", {8 * size / header.parameters:.1f} bits each" if header.parameters else ""
    message = (
        f"{named}architecture {shortened(architecture)}, {_count(header.parameters)} parameters{bits}, {size:,} bytes"
    )
    if architecture in _ENCODERS:
        return Finding(
            "file",
            "problem",
            f"{message}: it encodes images, audio or text and does not write",
            "name the language model; an encoder (mmproj) only goes with one",
            data=data,
        )
    return Finding("file", "ok", message, data=data)


def check_identity(path: Path, entry: CatalogEntry | None) -> Finding:
    """Returns whether the file is one that the catalog knows, as good or as bad."""
    try:
        catalog.refuse_known_bad(path)
    except ModelUnavailable as error:
        return Finding("origin", "problem", str(error), "get the corrected file; this one can't be used")
    size, digest = path.stat().st_size, catalog.recorded_digest(path)
    if entry is None:
        message = "not a file of the catalog: nobody has vouched for it here"
        return Finding("origin", "note", message, data={"catalog_id": None})
    data: JsonObject = {"catalog_id": entry.id, "sha256": digest}
    if digest and (digest == entry.sha256 or (not entry.sha256 and digest.startswith(entry.sha256_start))):
        return Finding("origin", "ok", f"{entry.id} of the catalog; its digest was verified", data=data)
    if entry.size and size != entry.size:
        message = f"named {entry.id} in the catalog, which has {entry.size:,} bytes; this file has {size:,}"
        advice = f"get the one that is known: agentkit models remove {entry.id}; agentkit models pull {entry.id}"
        return Finding("origin", "warning", message, advice, data=data)
    wanted = entry.sha256 or (entry.sha256_start and f"{entry.sha256_start}...")
    compare = f"; `sha256sum` should say {wanted}" if wanted else ""
    message = f"as large as {entry.id} of the catalog; its digest was not verified{compare}"
    return Finding("origin", "note", message, data=data)


def check_sampling(sampling: Sampling, entry: CatalogEntry | None, header: GgufHeader) -> Finding:
    """Returns which sampling values will be used, and where they come from."""
    ours = {name: value for name, value in asdict(sampling).items() if value is not None}
    own = {
        key.removeprefix(_FILE_SAMPLING): value
        for key, value in header.metadata.items()
        if key.startswith(_FILE_SAMPLING) and isinstance(value, int | float)
    }
    data: JsonObject = {"used": ours, "file": own}
    said = f"; the file itself recommends {_listed(own)}" if own else ""
    if ours:
        source = "the catalog" if entry else "the catalog's values for this family"
        return Finding("sampling", "ok", f"{_listed(ours)} (from {source}){said}", data=data)
    return Finding(
        "sampling",
        "note",
        f"no values known for this model: the likeliest token is taken each time{said}",
        "give values where its publisher names some: Agent(..., sampling=Sampling(...))",
        data=data,
    )


def check_holes(path: Path) -> Finding | None:
    """Returns a finding when parts of the file are nothing but zeros, as an unfinished download leaves them."""
    samples = list(_samples(path))
    empty = sum(not any(sample) for sample in samples)
    if 20 * empty < len(samples):  # a few rows of zeros are normal: tokens that were never trained
        return None
    message = f"{empty} of {len(samples)} places that were looked at hold nothing but zeros"
    advice = "download it again and compare its digest: an unfinished download looks like this"
    data = {"empty": empty, "samples": len(samples)}
    return Finding("holes", "problem" if 4 * empty >= len(samples) else "warning", message, advice, data=data)


def _samples(path: Path) -> Iterator[bytes]:
    """Blocks of the file, evenly spread over it."""
    size = path.stat().st_size
    with path.open("rb") as file:
        for number in range(_SAMPLES):
            file.seek(number * max(size - _SAMPLE_BYTES, 0) // _SAMPLES)
            yield file.read(_SAMPLE_BYTES)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _count(parameters: int) -> str:
    for unit, name in ((10**9, "B"), (10**6, "M"), (10**3, "K")):
        if parameters >= unit:
            return f"{parameters / unit:.2f} {name}"
    return str(parameters)


def _listed(values: JsonObject) -> str:
    return ", ".join(f"{shortened(str(name), 30)} {value}" for name, value in values.items())
