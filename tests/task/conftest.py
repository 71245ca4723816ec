from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agentkit.task import Task, load_task


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Task]:
    """Writes a task file and loads it with the variables that are given."""

    def write_and_load(content: str, **variables: str) -> Task:
        path = tmp_path / "task.yaml"
        path.write_text(content, encoding="utf-8")
        return load_task(path, variables)

    return write_and_load
