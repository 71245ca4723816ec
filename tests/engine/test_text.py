"""Text comes out whole, whatever the borders of its tokens."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentkit.model_backend.engine.text import TextStream

PIECES = st.lists(st.integers(0, 12), max_size=40)


def cut(data: bytes, lengths: list[int]) -> list[bytes]:
    pieces: list[bytes] = []
    for length in lengths:
        pieces.append(data[:length])
        data = data[length:]
    return [*pieces, data]


@given(st.text(), PIECES)
def test_text_does_not_depend_on_where_it_is_cut(text: str, lengths: list[int]) -> None:
    stream = TextStream()
    released = "".join(stream.feed(piece) for piece in cut(text.encode(), lengths)) + stream.finish()
    assert released == stream.text == text


@given(st.text("ab<>/é"), st.text("ab<>/é"), PIECES)
def test_a_stop_string_ends_the_text_wherever_it_is_cut(before: str, after: str, lengths: list[int]) -> None:
    stop = "<é/>"
    whole = before + stop + after
    stream = TextStream([stop])
    left = len(whole.encode())
    for piece in cut(whole.encode(), lengths):
        stream.feed(piece)
        left -= len(piece)
        if stream.matched:
            break
    expected = whole[: whole.index(stop)]
    assert (stream.text, stream.matched) == (expected, stop)
    assert stream.surplus + left == len(whole.encode()) - len((expected + stop).encode())


@pytest.mark.parametrize(
    ("pieces", "released"),
    [
        (["ab", "c"], ["ab", "c"]),
        (["a<", "b"], ["a", "<b"]),
        (["a<s", "<st", "x"], ["a", "<s", "<stx"]),
        (["<sto", "p>"], ["", ""]),
    ],
)
def test_what_may_become_a_stop_string_is_held_back(pieces: list[str], released: list[str]) -> None:
    stream = TextStream(["<stop>"])
    assert [stream.feed(piece.encode()) for piece in pieces] == released


def test_the_first_of_several_stop_strings_counts() -> None:
    stream = TextStream(["bc", "ab"])
    stream.feed(b"xabc")
    assert (stream.text, stream.matched, stream.surplus) == ("x", "ab", 1)


def test_bytes_that_are_no_text_are_replaced() -> None:
    stream = TextStream()
    assert stream.feed(b"a\xff") == "a\ufffd"
    assert stream.feed("é".encode()[:1]) == ""
    assert stream.finish() == "\ufffd"


@given(st.text("ab<>/é日"), st.integers(0, 20))
def test_a_character_cut_in_two_by_a_pause_comes_whole_after_it(text: str, at: int) -> None:
    data = text.encode()
    first = TextStream(["<stop>"])
    before = first.feed(data[:at])
    rest, half = first.pause()
    second = TextStream(["<stop>"], begun=half)
    assert before + rest + second.feed(data[at:]) + second.finish() == text
