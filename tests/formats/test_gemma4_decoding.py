"""Whatever the weights say, calls parse and fit their schemas, and so do answers."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("llama_cpp")
pytest.importorskip("llguidance")

from tests.formats.gemma4.random_calls import KINDS, check_answers, check_calls, random_schema


def test_calls_of_random_weights_are_valid(tmp_path: Path) -> None:
    schemas = [random_schema(seed) for seed in range(30)]
    counts = [check_calls(kind, tmp_path, schemas[i::3], 7) for i, kind in enumerate(KINDS)]
    assert sum(counts) == 210


def test_answers_of_random_weights_are_valid(tmp_path: Path) -> None:
    assert check_answers("dense", tmp_path, [random_schema(seed) for seed in range(30)], 2) == 60


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_two_thousand_calls_of_a_hundred_schemas_are_valid(tmp_path: Path) -> None:
    schemas = [random_schema(seed) for seed in range(100)]
    counts = [check_calls(kind, tmp_path, schemas, times) for kind, times in zip(KINDS, (7, 7, 6), strict=True)]
    assert sum(counts) == 2000


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_two_thousand_answers_of_a_hundred_schemas_are_valid(tmp_path: Path) -> None:
    schemas = [random_schema(seed) for seed in range(100)]
    counts = [check_answers(kind, tmp_path, schemas, times) for kind, times in zip(KINDS, (7, 7, 6), strict=True)]
    assert sum(counts) == 2000
