"""What identifies a thing: which tools give it, and when one of them has to be called first."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from agentkit.messages import JsonObject, JsonValue
from agentkit.model_backend.base import ToolSpec
from agentkit.model_backend.constraint import validate
from agentkit.planners.identities import (
    givers,
    has_opposite,
    in_order,
    is_told,
    spans,
    to_call_first,
)
from agentkit.planners.lines import PlanWriter

TEXT: JsonObject = {"type": "string"}


def spec(name: str, takes: str, gives: JsonObject | None = None, *, pure: bool = True) -> ToolSpec:
    """Returns a tool; parameters with a question mark are optional."""
    names = takes.split()
    parameters: JsonObject = {
        "type": "object",
        "properties": {name.rstrip("?"): TEXT for name in names},
        "required": [name for name in names if not name.endswith("?")],
        "additionalProperties": False,
    }
    return ToolSpec(name=name, description="", parameters=parameters, returns=gives, pure=pure)


def result(*keys: str) -> JsonObject:
    return {"type": "object", "properties": dict.fromkeys(keys, TEXT), "required": [*keys]}


def named(*tools: ToolSpec) -> dict[str, ToolSpec]:
    return {tool.name: tool for tool in tools}


FIND = spec("find_restaurants", "city cuisine?", result("restaurant_name", "city"))
BOOK = spec("book_table", "restaurant_name city", result("restaurant_name", "booking_id"), pure=False)
TOOLS = named(BOOK, FIND)


@pytest.mark.parametrize(
    ("parameter", "key"),
    [
        ("restaurant_name", "restaurant_name"),
        ("artistId", "artist_id"),
        ("originSkyId", "skyId"),
        ("username_or_id_or_url", "username"),
    ],
)
def test_a_result_gives_what_has_the_name_of_the_parameter(parameter: str, key: str) -> None:
    tools = named(spec("take", parameter), spec("give", "query", result(key, "rating")))

    assert givers(tools)["take"] == {parameter: ["give"]}


@pytest.mark.parametrize(
    ("parameter", "key"),
    [
        ("restaurant_id", "review_id"),  # of another kind
        ("city", "city"),  # identifies nothing
        ("number_of_beds", "number_of_beds"),
        ("id", "id"),  # of what, nobody says
    ],
)
def test_other_results_are_no_givers(parameter: str, key: str) -> None:
    tools = named(spec("take", parameter), spec("give", "query", result(key)))

    assert givers(tools)["take"] == {}


def test_a_tool_that_wants_the_thing_itself_does_not_give_it() -> None:
    assert givers(named(BOOK, spec("cancel", "restaurant_name")))["cancel"] == {}


def test_a_bare_id_is_of_what_its_tool_or_the_keys_around_it_say() -> None:
    users: JsonObject = {"type": "object", "properties": {"user": result("id")}, "required": ["user"]}
    tools = named(
        spec("delete_user", "user_id"),
        spec("search_users", "query", result("id")),
        spec("whoami", "", users),
        spec("search_posts", "query", result("id")),
    )

    assert givers(tools)["delete_user"] == {"user_id": ["search_users", "whoami"]}


def test_a_tool_waits_for_one_that_gives_what_it_requires() -> None:
    assert to_call_first(TOOLS, givers(TOOLS)) == {
        "book_table": frozenset({"restaurant_name"}),
        "find_restaurants": frozenset(),
    }


def test_no_tool_waits_for_one_that_may_change_something() -> None:
    tools = named(BOOK, replace(FIND, pure=False))

    assert to_call_first(tools, givers(tools))["book_table"] == frozenset()


def test_tools_that_give_to_each_other_do_not_wait() -> None:
    tools = named(spec("a", "x_id", result("y_id")), spec("b", "y_id", result("x_id")))

    assert to_call_first(tools, givers(tools)) == {"a": frozenset(), "b": frozenset()}


def test_where_nothing_is_required_what_identifies_the_thing_is() -> None:
    tools = named(spec("reviews", "shop_id? limit?"), spec("shops", "query?", result("shop_id")))

    assert to_call_first(tools, givers(tools))["reviews"] == {"shop_id"}


@pytest.mark.parametrize(
    "task",
    [
        "Delete the user with the id kim",
        "Delete user 17",
        "Delete user no. 17",
        "Delete user #17",
        "Delete 'kim'",
        "Delete u-17, please",
        "Delete kim_b2",
    ],
)
def test_a_task_tells_of_an_id(task: str) -> None:
    assert is_told(task, "user_id")


@pytest.mark.parametrize(
    "task",
    [
        "Delete the newest user",
        "Find a 3-bedroom house near Oslo and book it for 2 nights from 2024-05-20",
        "Book a table for 6 people at 9:00pm on the 20th for $100",
        "Don't delete Kim's account",
    ],
)
def test_a_task_does_not_tell_of_an_id(task: str) -> None:
    assert not is_told(task, "user_id")


def test_spans_are_what_may_be_a_name() -> None:
    found = spans("Show me what The Beatles sang, and when.")

    assert {"The Beatles", "Beatles"} <= {*found}
    assert not {"me", "and", "sang, and"} & {*found}


def head(number: int, tool: str) -> JsonObject:
    return {"id": f"s{number}", "tool": tool}


FOUND: list[JsonValue] = [head(1, "find_restaurants"), {"city": "Oslo"}]
TASK = "Book a table at an Italian restaurant in Oslo"


def fits(writer: PlanWriter, lines: list[JsonValue], line: Any) -> bool:
    schema = writer.schema(lines)
    assert schema is not None
    return not validate(schema, line)


def test_a_plan_begins_with_what_gives_the_name() -> None:
    writer = PlanWriter(TOOLS, task=TASK)

    assert not fits(writer, [], head(1, "book_table"))
    assert fits(writer, [], head(1, "find_restaurants"))
    assert fits(writer, FOUND, head(2, "book_table"))


def test_a_plan_may_begin_with_any_tool_when_the_task_gives_a_name_or_more_than_the_task_is_known() -> None:
    for writer in (PlanWriter(TOOLS, task="Book a table at 'Da Kim' in Oslo"), PlanWriter(TOOLS)):
        assert fits(writer, [], head(1, "book_table"))


def test_what_identifies_a_thing_is_a_result_of_its_name_or_stands_in_the_task() -> None:
    writer = PlanWriter(TOOLS, task="Book a table at Da Kim in Oslo")
    lines = [*FOUND, head(2, "book_table")]

    assert fits(writer, lines, {"restaurant_name": "$s1.restaurant_name", "city": "Oslo"})
    assert fits(writer, lines, {"restaurant_name": "Da Kim", "city": "Bergen"})
    assert not fits(writer, lines, {"restaurant_name": "$s1.city", "city": "Oslo"})
    assert not fits(writer, lines, {"restaurant_name": "Trattoria", "city": "Oslo"})


def test_a_bare_id_of_what_was_asked_about_a_thing_is_not_the_things() -> None:
    tools = named(
        spec("find_artist", "query", result("artist_id")),
        spec("artist_overview", "artist_id", result("id", "biography")),
        spec("artist_albums", "artist_id"),
    )
    writer = PlanWriter(tools, task="Find albums of Queen")
    lines: list[JsonValue] = [
        *(head(1, "find_artist"), {"query": "Queen"}),
        *(head(2, "artist_overview"), {"artist_id": "$s1.artist_id"}),
        head(3, "artist_albums"),
    ]

    assert fits(writer, lines, {"artist_id": "$s1.artist_id"})
    assert not fits(writer, lines, {"artist_id": "$s2.id"})


def test_tools_stand_after_those_that_have_to_be_called_first() -> None:
    assert [tool.name for tool in in_order([BOOK, FIND])] == ["find_restaurants", "book_table"]
    assert [tool.name for tool in in_order([FIND, BOOK])] == ["find_restaurants", "book_table"]


@pytest.mark.parametrize(
    ("name", "takes", "opposite"),
    [
        ("origin_airport_id", "origin_airport_id destination_airport_id", True),
        ("originSkyId", "originSkyId destinationSkyId", True),
        ("to_account_id", "from_account_id to_account_id", True),
        ("origin_airport_id", "origin_airport_id destination_station_id", False),  # not of a kind
        ("reporter_user_id", "reporter_user_id assignee_user_id", False),  # may be the same person
        ("recipient_user_id", "recipient_user_id sender_user_id?", False),  # not required
    ],
)
def test_roles_that_are_opposite_want_two_things(name: str, takes: str, opposite: bool) -> None:
    assert has_opposite(name, spec("take", takes)) == opposite
