"""A Hub on this machine, and an entry for a file that it has."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from agentkit.model_backend.catalog import CatalogEntry
from tests.catalog.fake_hub import FakeHub
from tests.catalog.make_entry import make_entry


@pytest.fixture(autouse=True)
def no_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keeps tests away from the network and from what the user has set."""
    for name in ("HF_TOKEN", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # nobody listens there
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")


@pytest.fixture(scope="session")
def content() -> bytes:
    return random.Random(0).randbytes(600_000)


@pytest.fixture
def hub(content: bytes, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    with FakeHub(content) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server


@pytest.fixture
def entry(content: bytes) -> CatalogEntry:
    return make_entry(content)
