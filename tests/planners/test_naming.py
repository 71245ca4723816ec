"""What names tell of arguments: the flight of a trip has two airports, and the time of a bus is that of the bus."""

from __future__ import annotations

from typing import Any

import pytest

from agentkit.messages import JsonObject, JsonValue
from agentkit.model_backend.base import ToolSpec
from agentkit.model_backend.constraint import validate
from agentkit.planners.lines import LOOK, PlanWriter
from agentkit.planners.plan import StepId

TEXT: JsonObject = {"type": "string"}
NUMBER: JsonObject = {"type": "number"}


def record(**fields: JsonObject) -> JsonObject:
    return {"type": "object", "properties": fields, "required": [*fields], "additionalProperties": False}


def writer(task: str, **tools: tuple[JsonObject, JsonObject]) -> PlanWriter:
    """Returns a writer with tools, for each of which it is said what it takes and what it gives."""
    specs = {
        name: ToolSpec(name=name, description="", parameters=takes, returns=gives, pure=True)
        for name, (takes, gives) in tools.items()
    }
    return PlanWriter(specs, task=task)


def head(number: int, tool: str) -> JsonObject:
    return {"id": f"s{number}", "tool": tool}


def fits(plan: PlanWriter, lines: list[JsonValue], line: Any) -> bool:
    schema = plan.schema(lines)
    assert schema is not None
    return not validate(schema, line)


FLIGHTS = writer(
    "Find a flight from Oslo to Rome.",
    airports=(record(city=TEXT), record(airport_id=TEXT)),
    flights=(record(origin_airport_id=TEXT, destination_airport_id=TEXT), record(flight_id=TEXT)),
)
ONE: list[JsonValue] = [head(1, "airports"), {"city": "Oslo"}]
TWO: list[JsonValue] = [*ONE, head(2, "airports"), {"city": "Rome"}]


def test_a_call_with_two_things_of_a_kind_waits_for_both() -> None:
    assert not fits(FLIGHTS, [], head(1, "flights"))
    assert not fits(FLIGHTS, ONE, head(2, "flights"))
    assert fits(FLIGHTS, TWO, head(3, "flights"))


def test_a_list_of_things_has_two() -> None:
    plan = writer(
        "Find a flight.",
        airports=(record(), {"type": "array", "items": record(airport_id=TEXT)}),
        flights=(record(origin_airport_id=TEXT, destination_airport_id=TEXT), TEXT),
    )
    assert not fits(plan, [], head(1, "flights"))
    assert fits(plan, [head(1, "airports"), {}], head(2, "flights"))


def buses(task: str) -> PlanWriter:
    return writer(
        task,
        find=(record(city=TEXT), record(departure_time=TEXT, bus_stop=TEXT, seats=NUMBER, city=TEXT, text=TEXT)),
        book=(record(departure_time=TEXT, bus_stop=TEXT, seats=NUMBER, city=TEXT, text=TEXT), TEXT),
    )


FOUND: list[JsonValue] = [head(1, "find"), {"city": "Oslo"}, head(2, "book")]


def booking(**changed: JsonValue) -> JsonObject:
    told = {"departure_time": "$s1.departure_time", "bus_stop": "$s1.bus_stop", "seats": "$s1.seats"}
    return {**told, "city": "Oslo", "text": "Hello", **changed}


def test_what_the_task_does_not_tell_is_the_result_of_that_name() -> None:
    plan = buses("Book the bus in Oslo.")
    assert fits(plan, FOUND, booking())
    assert not fits(plan, FOUND, booking(departure_time="08:00"))
    assert not fits(plan, FOUND, booking(seats=2))


def test_what_the_task_may_tell_can_be_written_out() -> None:
    plan = buses("Book the bus for 2 people in Oslo, at half past eight in the morning.")
    assert fits(plan, FOUND, booking(departure_time="08:30", seats=2))


def test_the_result_of_the_name_is_meant_rather_than_others() -> None:
    plan = buses("Book the bus in Oslo.")
    assert fits(plan, FOUND, booking(bus_stop="Central Station"))
    for wrong in ("$s1.departure_time", "at $s1.departure_time"):
        assert not fits(plan, FOUND, booking(bus_stop=wrong))


def test_a_reference_that_is_not_meant_can_not_be_written_as_text_either() -> None:
    plan = writer(
        "Book the bus in Oslo on Monday.",
        find=(record(city=TEXT, line=TEXT), record(city=TEXT, line=TEXT, bus_stop=TEXT)),
        book=(record(city=TEXT, bus_stop=TEXT), TEXT),
    )
    lines: list[JsonValue] = [head(1, "find"), {"city": "Oslo", "line": "7"}, head(2, "book")]
    assert fits(plan, lines, {"city": "Oslo", "bus_stop": "$s1.bus_stop"})
    for wrong in ("$s1.city", "$$ s1.city", "in $s1.city", "$$s{1}.city", "$s1.lin"):
        assert not fits(plan, lines, {"city": wrong, "bus_stop": "$s1.bus_stop"}), "the step was told the city itself"
        assert not fits(plan, lines, {"city": "Oslo", "bus_stop": wrong}), "there is one of the name"


def test_text_may_be_put_together_of_anything() -> None:
    plan = buses("Book the bus in Oslo, and say hello.")
    for text in ("Hello", "$s1.text", "From $s1.bus_stop"):
        assert fits(plan, FOUND, booking(text=text))


def test_where_more_is_known_than_the_task_anything_may_be_written_out() -> None:
    assert fits(buses(""), FOUND, booking(departure_time="08:00", seats=2))


@pytest.mark.parametrize(
    "parameters",
    [
        {"type": "object", "properties": {"x": True}, "required": ["x"]},
        {"type": "object", "properties": {}, "required": ["text"]},
        {"type": "object", "properties": {"limit": {"type": ["integer", "null"]}}, "required": ["limit"]},
    ],
)
def test_parameters_of_which_little_is_said_do_no_harm(parameters: JsonObject) -> None:
    plan = writer(
        "Do it with a limit.", read=(record(), record(text=TEXT, lines=NUMBER, x=NUMBER)), do=(parameters, TEXT)
    )
    assert plan.schema([head(1, "read"), {}, head(2, "do")]) is not None


TRIP = writer(
    "Read the notes and convert the distance.\n1. Read.\n2. Convert.",
    read=(record(), record(text=TEXT, lines={"type": "integer"})),
    count=(record(text=TEXT), NUMBER),
    convert=(record(miles=NUMBER), NUMBER),
)
READ: list[JsonValue] = [head(1, "read"), {}]


def test_who_names_a_tool_for_which_a_text_has_to_be_read_wants_to_look() -> None:
    assert fits(TRIP, READ, head(2, "convert"))
    assert TRIP.schema([*READ, head(2, "convert")]) is None
    assert TRIP.ending([*READ, head(2, "convert")]) == LOOK
    (part,) = [part for part in TRIP.parts(READ) if not validate(part.schema, head(2, "convert"))]
    assert [*part.ends] == ["\n]"], "no arguments can follow"


def test_what_a_tool_says_of_what_it_did_is_not_read() -> None:
    tools = {
        "read": ToolSpec(name="read", description="", parameters=record(), returns=record(text=TEXT)),
        "pay": ToolSpec(name="pay", description="", parameters=record(), returns=TEXT),
        "convert": TRIP.tools["convert"],
    }
    plan = PlanWriter(tools, task=TRIP.task)
    assert plan.ending([head(1, "pay"), {}, head(2, "convert")]) == ""
    assert plan.ending([*READ, head(2, "convert")]) == LOOK, "a text in a field of that name is read"


def test_what_is_there_is_not_waited_for() -> None:
    assert TRIP.schema([head(1, "convert")]) is not None, "there is nothing to read yet"
    counted: list[JsonValue] = [*READ, head(2, "count"), {"text": "$s1.text"}]
    assert TRIP.ending([*counted, head(3, "convert")]) == "", "a number was found out"


NOTES: JsonObject = record(
    text=TEXT, title=TEXT, price=NUMBER, lines={"type": "integer"}, next_line={"type": "integer"}
)
CALENDAR = {
    "add_to_date": (record(date=TEXT, days=NUMBER), TEXT),
    "save": (record(letter=TEXT), TEXT),
    "read_on": (record(first_line=NUMBER), TEXT),
}


def after_reading(tool: str, *, read: bool) -> tuple[PlanWriter, list[JsonValue]]:
    """Returns a writer that knows the notes, which the model has read or not, and a step's head."""
    specs = {
        name: ToolSpec(name=name, description="", parameters=takes, returns=gives, pure=True)
        for name, (takes, gives) in CALENDAR.items()
    }
    known = {StepId("s1"): NOTES}
    return PlanWriter(specs, known=known, first=2, read=[*known] if read else []), [head(2, tool)]


def test_a_text_that_was_read_is_not_passed_on_to_what_never_wants_a_text() -> None:
    plan, lines = after_reading("add_to_date", read=True)
    assert fits(plan, lines, {"date": "2027-03-29", "days": 3})
    assert not fits(plan, lines, {"date": "$s1.text", "days": 3})
    assert not fits(plan, lines, {"date": "from $s1.text", "days": 3})
    plan, lines = after_reading("save", read=True)
    assert fits(plan, lines, {"letter": "$s1.text"})


def test_a_text_that_was_not_read_may_be_meant_anywhere() -> None:
    plan, lines = after_reading("add_to_date", read=False)
    assert fits(plan, lines, {"date": "$s1.text", "days": 3})


def test_the_length_of_a_text_is_about_the_text() -> None:
    plan, lines = after_reading("add_to_date", read=True)
    assert not fits(plan, lines, {"date": "2027-03-29", "days": "$s1.lines"})
    assert fits(plan, lines, {"date": "$s1.title", "days": "$s1.price"}), "other fields may be anything"
    plan, lines = after_reading("read_on", read=True)
    assert fits(plan, lines, {"first_line": "$s1.next_line"})
