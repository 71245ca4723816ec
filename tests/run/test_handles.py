"""Large results stay out of the prompt and can be read by parts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agentkit.errors import ToolFailed
from agentkit.handles import preview, read_part


@pytest.mark.parametrize("value", [None, True, 3, "text", [1, 2], {"a": 1}])
def test_a_small_result_is_shown_whole(value: Any) -> None:
    assert preview("s1", value, 100) == (value, True)


@pytest.mark.parametrize(
    "value",
    [
        list(range(10_000)),
        [{"text": "x" * 5000}] * 50,
        {f"key{i}": i for i in range(5000)},
        {"one": "y" * 100_000},
        "line\n" * 20_000,
        "z" * 1_000_000,
    ],
    ids=["list", "list of large", "many keys", "large key", "lines", "one line"],
)
def test_a_large_result_is_shown_as_a_small_preview_with_its_handle(value: Any) -> None:
    shown, whole = preview("s1", value, 6000)
    assert not whole
    assert isinstance(shown, dict)
    assert shown["handle"] == "s1"
    assert len(json.dumps(shown)) < 6000


RESULTS: dict[str, Any] = {
    "s1": [{"n": i} for i in range(100)],
    "s2": "a\nb\nc\nd",
    "s3": {"rows": [[1, 2], [3, 4]], "total": 10},
}


@pytest.mark.parametrize(
    ("args", "part"),
    [
        (("s1", "", 2, 2), [{"n": 2}, {"n": 3}]),
        (("s1", "99.n"), 99),
        (("s2", "", 1, 2), "b\nc"),
        (("s3", "rows.1"), [3, 4]),
        (("s3", "", 1, 1), {"total": 10}),
        (("s3", "total"), 10),
    ],
)
def test_a_part_is_read_by_path_and_place(args: tuple[Any, ...], part: Any) -> None:
    assert read_part(RESULTS, *args) == part


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("s9",), "no result 's9'; there are s1, s2, s3"),
        (("s3", "sum"), "no part 'sum'; there is ['rows', 'total']"),
        (("s1", "100"), "no part '100'; there is a list"),
        (("s3", "total.x"), "no part 'x'; there is a int"),
    ],
)
def test_a_part_that_is_not_there_says_what_is(args: tuple[Any, ...], says: str) -> None:
    with pytest.raises(ToolFailed) as e:
        read_part(RESULTS, *args)
    assert says in str(e.value)
