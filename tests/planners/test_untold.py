"""Numbers and dates that a task does not tell."""

from __future__ import annotations

import pytest

from agentkit.messages import JsonObject
from agentkit.planners.offers import Offer
from agentkit.planners.plan import Ref, StepId
from agentkit.planners.untold import is_to_be_read, is_untold

NUMBER: JsonObject = {"type": "number"}
DATE: JsonObject = {"type": "string", "format": "date"}


@pytest.mark.parametrize(
    "task", ["Convert the distance to km.", "Do it:\n1. Read the file.\n2. Convert it.", "a) Read"]
)
def test_a_task_without_a_number_tells_none(task: str) -> None:
    assert is_untold(task, "x", NUMBER)


@pytest.mark.parametrize("task", ["Convert 5 miles.", "Convert twelve miles.", "Do it twice.", "Half of it, please."])
def test_a_task_with_any_number_may_tell_the_one_that_is_wanted(task: str) -> None:
    assert not is_untold(task, "x", NUMBER)


@pytest.mark.parametrize("task", ["What day is it tomorrow?", "Add a week.", "From May on.", "On 2027-03-29."])
def test_a_task_may_tell_a_date_in_words(task: str) -> None:
    assert not is_untold(task, "x", DATE)
    assert is_untold("Add the days to the start.", "x", DATE)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string"},
        {"type": "integer", "default": 10},
        {"enum": [1, 2]},
        {"anyOf": [NUMBER]},
        {"type": ["integer", "null"]},
        {},
    ],
)
def test_what_can_be_had_without_a_task_is_never_untold(schema: JsonObject) -> None:
    assert not is_untold("Read it.", "x", schema)


def test_names_tell_of_dates_and_times() -> None:
    text: JsonObject = {"type": "string"}
    assert is_untold("Book the bus.", "departure_time", text)
    assert is_untold("Book the bus on 2027-03-29.", "departure_time", text)
    assert not is_untold("Book the bus at 8.", "departure_time", text)
    assert is_untold("Book the bus.", "travel_date", text)
    assert not is_untold("Book the bus for Monday.", "travel_date", text)


@pytest.mark.parametrize(
    ("path", "schema", "is_read"),
    [
        ((), {"type": "string"}, True),
        ((), None, True),  # nobody knows what it is
        (("text",), {"type": "string"}, True),
        (("name",), {"type": "string"}, False),  # a field of a record
        ((), {"type": "string", "format": "date"}, False),
        ((), {"enum": ["sun", "rain"]}, False),
        ((), {"type": "object"}, False),
    ],
)
def test_texts_are_read_and_records_are_not(path: tuple[str, ...], schema: JsonObject | None, is_read: bool) -> None:
    assert is_to_be_read(Offer(Ref(StepId("s1"), path), schema)) == is_read
