"""Tiny models, loaded engines, and a way to run a test's code where a crash can't take pytest with it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("llama_cpp")
pytest.importorskip("llguidance")

from agentkit.model_backend.engine import Engine, EngineSettings
from tests.tiny_gguf import build_tiny_gguf

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_gguf(tmp_path_factory.mktemp("tiny") / "tiny.gguf")


@pytest.fixture(scope="module")
def engine(tiny: Path) -> Iterator[Engine]:
    loaded = Engine.load(tiny, EngineSettings(context=2048))
    yield loaded
    loaded.close()


def run_child(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Runs Python code in a process of its own."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)
