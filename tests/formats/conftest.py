"""A vocabulary with control tokens."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("llama_cpp")
pytest.importorskip("llguidance")

from agentkit.model_backend.engine import Engine, EngineSettings
from tests.tiny_gguf import build_tiny_gguf


@pytest.fixture(scope="package")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    path = build_tiny_gguf(tmp_path_factory.mktemp("tiny") / "tiny.gguf")
    engine = Engine.load(path, EngineSettings(context=2048, flash_attention=False))
    yield engine
    engine.close()
