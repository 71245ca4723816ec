"""Labels travel along references, through items and templates, through what a model has read, and through the world."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentkit.labels import LabelBook, untrusted
from agentkit.messages import Assistant, Message, Text, ToolResult, User
from agentkit.planners.plan import Step, StepId, parse_refs
from agentkit.untrusted_calls import stands_in

SOURCES = {"mail": "untrusted", "page": "web", "load": "file", "look": "mcp:notes"}


def step(name: str, tool: str, *, for_each: str = "", **args: Any) -> Step:
    return Step(id=StepId(name), tool=tool, args=parse_refs(args), for_each=parse_refs(for_each) if for_each else None)


@pytest.fixture
def book() -> LabelBook:
    return LabelBook(SOURCES.get, lambda tool: ("id",) if tool == "mail" else ())


def run(book: LabelBook, *steps: Step, effects: tuple[str, ...] = ()) -> None:
    """Runs steps as they come."""
    for each in steps:
        book.write(each)
        book.finish(each, effect=each.tool in effects)


def test_a_result_has_the_labels_of_its_tool_and_of_its_writer(book: LabelBook) -> None:
    run(book, step("a", "mail"), step("b", "own"))
    assert book["a"] == {"user", "tool:mail", "untrusted"}
    assert book["b"] == {"user", "tool:own"}
    assert book["c"] == frozenset()


def test_labels_follow_references_at_any_depth(book: LabelBook) -> None:
    run(book, step("a", "mail"), step("b", "own", x="$a"), step("c", "page"))
    call = book.call(step("d", "pay", to=["$b.x"], note={"text": "see ${c}"}, amount=5))
    assert {name: untrusted(labels) for name, labels in call.arguments.items()} == {
        "to": ["untrusted"],
        "note": ["web"],
    }
    assert call.writer == {"user"}
    assert untrusted(call.all) == ["untrusted", "web"]


def test_the_item_has_the_labels_of_its_list(book: LabelBook) -> None:
    run(book, step("a", "mail"))
    each = step("b", "pay", for_each="$a", to="$item.sender", note="x")
    assert untrusted(book.call(each).arguments["to"]) == ["untrusted"]
    run(book, step("b", "own", for_each="$a", n=1))
    assert untrusted(book["b"]) == ["untrusted"]


def test_fields_that_a_tool_makes_itself_are_its_own(book: LabelBook) -> None:
    run(book, step("a", "mail"))
    call = book.call(step("b", "drop", id="$a[0].id", sender="$a[0].sender"))
    assert call.arguments == {"id": {"tool:mail"}, "sender": {"user", "tool:mail", "untrusted"}}
    assert book.call(step("c", "drop", for_each="$a", id="$item.id")).arguments == {"id": {"tool:mail"}}


def test_a_failed_step_is_labelled_too(book: LabelBook) -> None:
    run(book, step("a", "page", url="x"))  # its message may quote the page
    assert "web" in book["a"]


def test_a_plan_that_is_written_before_its_steps_run_is_the_users_own(book: LabelBook) -> None:
    book.begin_turn()
    first, second = step("a", "page"), step("b", "pay", to="bob")
    book.write(first)
    book.finish(first, effect=False)  # it ends while the turn goes on, which does not see it
    book.write(second)
    assert book.call(second).writer == {"user", "model"}


def test_a_turn_sees_all_results_that_are_there(book: LabelBook) -> None:
    book.begin_turn()
    run(book, step("a", "page"))
    book.begin_turn()
    later = step("b", "own", x="what the page said")
    run(book, later)
    assert untrusted(book.call(later).writer) == ["web"]
    assert untrusted(book["b"]) == ["web"]  # its words were written by who had read the page


def test_a_tool_is_foreseen_only_before_something_untrusted_was_read(book: LabelBook) -> None:
    book.begin_turn()
    book.foresee(["pay"])
    run(book, step("a", "page"))
    book.begin_turn()
    book.foresee(["drop"])
    assert book.call(step("b", "pay")).foreseen
    assert not book.call(step("c", "drop")).foreseen


def test_what_is_read_after_an_effect_with_untrusted_text_may_hold_it(book: LabelBook) -> None:
    run(book, step("a", "page"), step("b", "save", text="$a"), step("c", "load"), effects=("save",))
    assert untrusted(book["c"]) == ["web"]


def test_an_effect_without_untrusted_text_changes_nothing(book: LabelBook) -> None:
    run(book, step("a", "load"), step("b", "save", text="$a"), step("c", "load"), effects=("save",))
    assert untrusted(book["c"]) == []


def test_a_part_of_a_large_result_has_its_labels(book: LabelBook) -> None:
    run(book, step("a", "page"), step("b", "read_result", handle="a"))
    assert "web" in book["b"]


def test_a_repeated_call_has_the_labels_of_the_first(book: LabelBook) -> None:
    run(book, step("a", "page"))
    again = step("b", "own")
    book.write(again)
    assert "web" in book.finish(again, effect=False, of="a")


def test_labels_that_were_recorded_are_kept(book: LabelBook) -> None:
    done = step("a", "own")
    book.write(done)
    assert "web" in book.finish(done, effect=False, known=["web"])


def test_an_earlier_conversation_may_hold_whatever_the_tools_gave(book: LabelBook) -> None:
    book.read_history([], ["page"])
    assert untrusted(book.seen) == []
    said: list[Message] = [
        User("hi"),
        ToolResult(call_id="1", name="mail", value="x", is_error=False),
        Assistant((Text("hello"),)),
    ]
    book.read_history(said, ["page", "own"])
    assert untrusted(book.seen) == ["untrusted", "web"]


@given(st.text(min_size=1, max_size=40), st.text(max_size=40), st.text(max_size=40))
def test_what_stands_between_blanks_stands_in_the_users_words(value: str, before: str, after: str) -> None:
    is_id = value.strip().casefold().isdecimal() and len(value.strip()) < 5
    assert stands_in(value, f"{before} {value} {after}") != is_id


@given(st.integers(-(10**6), 10**6), st.integers(-(10**6), 10**6))
def test_a_number_stands_where_it_is_written(number: int, other: int) -> None:
    assert stands_in(number, f"send {number} to bob")
    assert stands_in(number, f"send {other} to bob") == (number == other)


@pytest.mark.parametrize(
    ("value", "said", "expected"),
    [
        (98.7, "98.70 please", True),
        (30000, "transfer 30,000 in total", True),
        (30000, "transfer 30 000 in total", True),
        (5, "on 2024-05-05", False),
        (12, "at 12:30", False),
        (7, "file7 and 7th", False),
        ("2024-05-19 12:00", "at 12:00 on 2024-05-19", True),
        ("Bob", "write to BOB.", True),
        ("bob", "bob@example.com", False),
        ("www.x.com", "www.x.com/alice", False),
        ("www.x.com", "see www.x.com.", True),
        (["a@b.c", "d@e.f"], "a@b.c and d@e.f", True),
        (["a@b.c", "x@e.f"], "a@b.c and d@e.f", False),
        ({"to": "bob"}, "to bob", True),
        ({"cc": "bob"}, "to bob", False),
        (True, "true", False),
        (None, "null", False),
        ("", "", True),
        ("12345", "account 12345", True),
        ("1234", "account 1234", False),
    ],
)
def test_the_users_words_are_whole_words(value: Any, said: str, expected: bool) -> None:
    assert stands_in(value, said) is expected
