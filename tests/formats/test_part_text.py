"""The text of an answer in parts: what is written is read again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentkit.model_backend.base import Part
from agentkit.model_backend.part_text import ends_before, part_text, read_part

HEAD = Part(schema={"type": "object"}, before="  ", ends={', "args":': ()}, is_open=True)
LAST = Part(schema={"type": "object"}, before="  ", ends={"\n]": ()})
ARGUMENTS = Part(schema={}, before=" ", ends={"},\n": (), "}\n]": ("end",)})

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
objects = st.dictionaries(st.text(min_size=1), values, min_size=1, max_size=3)


@given(values, st.sampled_from(list(ARGUMENTS.ends)))
def test_a_value_is_read_as_it_was_written_and_its_end_says_more(value: Any, end: str) -> None:
    text = part_text(ARGUMENTS, value, end)
    assert read_part([ARGUMENTS], text) == [value, *ARGUMENTS.ends[end]]


@given(objects)
def test_an_open_object_goes_on_with_what_follows(value: Any) -> None:
    (end,) = HEAD.ends
    text = part_text(HEAD, value, end)
    assert read_part([LAST, HEAD], text) == [value]
    assert json.loads(text + " 1}") == value | {"args": 1}


def test_text_that_is_none_of_the_choices_is_told() -> None:
    for text in ("", "  {", '  {"a": 1}', '  {"a": }\n]'):
        with pytest.raises(ValueError, match="none of the 2 choices"):
            read_part([LAST, HEAD], text)


def test_what_came_after_a_part_tells_how_it_ended() -> None:
    assert ends_before(ARGUMENTS, []) == ARGUMENTS.ends
    assert ends_before(ARGUMENTS, ["end"]) == {"}\n]": ("end",)}
    assert ends_before(ARGUMENTS, [{"id": "s2"}]) == {"},\n": ()}
