"""Whatever the weights say, a plan loads, has no cycle, and its references fit."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("llama_cpp")
pytest.importorskip("llguidance")

from tests.formats.gemma4.random_calls import KINDS
from tests.planners.random_plans import check_plans


def test_plans_of_random_weights_are_valid(tmp_path: Path) -> None:
    plans, steps, references = check_plans("dense", tmp_path, range(6), 1)
    assert plans == 6
    assert steps > 12
    assert references > 1


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_thousand_plans_over_thirty_tool_sets_are_valid(tmp_path: Path) -> None:
    counts = [check_plans(kind, tmp_path, range(30), times) for kind, times in zip(KINDS, (12, 11, 11), strict=True)]
    assert sum(plans for plans, _, _ in counts) == 1020
    assert sum(references for _, _, references in counts) > 500
