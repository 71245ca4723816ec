"""Tiny models, whole and in parts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("llama_cpp")
pytest.importorskip("llguidance")

from agentkit.model_backend.doctor import Finding, examine
from tests.doctor.damage import Parts, take_apart
from tests.doctor.gemma_templates import gemma_template
from tests.tiny_gguf import build_tiny_gguf


@pytest.fixture(scope="package", autouse=True)
def all_cores() -> Iterator[set[int]]:
    """Keeps the child processes to one core, and gives those there are, for a test that wants them.

    For tiny models, threads that wait for each other cost most.
    """
    if not hasattr(os, "sched_setaffinity"):
        yield set()
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    yield before
    os.sched_setaffinity(0, before)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound file in the manner of the large models."""
    return build_tiny_gguf(tmp_path_factory.mktemp("doctor") / "tiny.gguf", template=gemma_template())


@pytest.fixture(scope="session")
def parts(tiny: Path) -> Parts:
    return take_apart(tiny)


def findings(path: Path, *, quick: bool = False) -> list[Finding]:
    """All findings about a file."""
    return [step for step in examine(path, quick=quick) if isinstance(step, Finding)]


def by_topic(found: list[Finding], topic: str) -> list[Finding]:
    return [finding for finding in found if finding.topic == topic]
