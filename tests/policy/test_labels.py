"""Labels travel along references, through items and templates, through what a model has read, and through the world."""

from __future__ import annotations

from typing import Any

import pytest

from agentkit.labels import LabelBook, untrusted
from agentkit.messages import Assistant, Message, Text, ToolResult, User
from agentkit.planners.plan import Step, StepId, parse_refs

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


def test_what_strangers_nest_in_a_result_is_not_the_tools_own(book: LabelBook) -> None:
    run(book, step("a", "mail"))
    for path in ("$a[0].attached.id", "$a.id.x", "$a['x.id']"):
        assert untrusted(book.call(step("b", "drop", id=path)).arguments["id"]) == ["untrusted"]
    deep = LabelBook(SOURCES.get, lambda tool: ("found.id",))
    run(deep, step("a", "mail"))
    assert deep.call(step("b", "drop", id="$a.found[1].id")).arguments == {"id": {"tool:mail"}}
    assert untrusted(deep.call(step("b", "drop", id="$a['found.id']")).arguments["id"]) == ["untrusted"]


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


def foreseen(book: LabelBook, each: Step) -> bool:
    book.write(each)
    return book.call(each).foreseen


def test_a_call_is_foreseen_only_before_something_untrusted_was_read(book: LabelBook) -> None:
    book.begin_turn()
    book.foresee(["page", "pay"])
    run(book, step("a", "page"))
    book.begin_turn()
    book.foresee(["drop"])
    assert foreseen(book, step("b", "pay"))
    assert not foreseen(book, step("c", "drop"))


def test_as_many_calls_are_foreseen_as_were_wanted(book: LabelBook) -> None:
    book.begin_turn()
    book.foresee(["page", "pay", "pay"])
    run(book, step("a", "pay"), step("b", "page"))
    book.begin_turn()
    assert [foreseen(book, step(name, "pay")) for name in "cd"] == [True, False]


def test_a_call_that_was_made_before_anything_was_read_does_not_stand_for_another(book: LabelBook) -> None:
    run(book, step("a", "pay"), step("b", "page"), effects=("pay",))
    book.begin_turn()
    assert not foreseen(book, step("c", "pay"))


def test_a_foreseen_call_that_came_to_nothing_may_be_made_again(book: LabelBook) -> None:
    book.begin_turn()
    book.foresee(["page", "pay"])
    run(book, step("a", "page"))
    book.begin_turn()
    failed, repeated, done = step("b", "pay"), step("c", "pay"), step("d", "pay")
    assert foreseen(book, failed)
    book.finish(failed, effect=False, ok=False)
    assert foreseen(book, repeated)
    book.finish(repeated, effect=False, of="b")
    assert foreseen(book, done)
    book.finish(done, effect=True, ok=False)  # it may have paid all the same
    assert not foreseen(book, step("e", "pay"))


def test_a_call_for_each_item_is_not_foreseen(book: LabelBook) -> None:
    book.begin_turn()
    book.foresee(["page", "pay"])
    run(book, step("a", "page"))
    book.begin_turn()
    assert not foreseen(book, step("b", "pay", for_each="$a", to="bob"))


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
