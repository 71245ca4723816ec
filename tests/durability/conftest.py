"""One process that has imported everything, for all tests here."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from tests.durability.zygotes import Zygote


@pytest.fixture(scope="session")
def zygote() -> Generator[Zygote]:
    made = Zygote()
    yield made
    made.close()
