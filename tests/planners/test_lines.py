"""Lines of a plan: what the next one may be, and what steps they make."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from agentkit.messages import JsonObject, JsonValue
from agentkit.model_backend.base import Part, ToolSpec
from agentkit.model_backend.constraint import validate
from agentkit.model_backend.part_text import ends_before, part_text
from agentkit.planners.lines import ANSWER, LOOK, MAX_REPETITIONS, PlanWriter
from agentkit.planners.plan import ITEM, Ref, Step, StepId, Template


def spec(name: str, returns: JsonObject | None, /, **parameters: JsonObject) -> ToolSpec:
    schema = {
        "type": "object",
        "properties": parameters,
        "required": list(parameters),
        "additionalProperties": False,
    }
    return ToolSpec(name=name, description="", parameters=schema, returns=returns)


TEXT: JsonObject = {"type": "string"}
NUMBER: JsonObject = {"type": "number"}
ORDER: JsonObject = {
    "type": "object",
    "properties": {"city": TEXT, "price": {"type": "integer"}, "items": {"type": "array", "items": {"type": "object",
        "properties": {"name": TEXT, "grams": NUMBER}, "required": ["name", "grams"]}}},
    "required": ["city", "price", "items"],
}  # fmt: skip
TOOLS = {
    tool.name: tool
    for tool in (
        spec("order", ORDER, number={"type": "integer"}),
        spec("weather", {"enum": ["sun", "rain"]}, city=TEXT),
        spec("add", NUMBER, numbers={"type": "array", "items": NUMBER}),
        spec("day", TEXT, date={"type": "string", "format": "date"}),
        spec("now", TEXT),
    )
}
WRITER = PlanWriter(TOOLS)


def head(number: int, tool: str, **more: Any) -> JsonObject:
    return {"id": f"s{number}", "tool": tool, **more}


def fits(lines: Sequence[JsonValue], line: JsonValue) -> bool:
    schema = WRITER.schema(lines)
    return schema is not None and not validate(schema, line)


FIRST: list[JsonValue] = [head(1, "order"), {"number": 7}]


def test_a_head_names_a_tool_that_there_is_and_the_next_id() -> None:
    assert fits([], head(1, "order"))
    assert not fits([], head(1, "delete"))
    assert not fits([], head(2, "order"))


def test_a_plan_ends_with_a_terminal_and_with_nothing_after_it() -> None:
    for terminal in (ANSWER, LOOK):
        assert fits(FIRST, head(2, terminal))
        assert WRITER.schema([*FIRST, head(2, terminal)]) is None
        assert WRITER.ending([*FIRST, head(2, terminal)]) == terminal
    assert WRITER.ending(FIRST) == ""


def written(writer: PlanWriter, lines: Sequence[JsonValue]) -> str:
    """Returns the text of a plan, which has to be one that the choices for its parts give."""
    text, done = "", 0
    while choices := writer.parts(lines[:done]):
        part = next(part for part in choices if not validate(part.schema, lines[done]))
        end, more = next(iter(ends_before(part, lines[done + 1 :]).items()))
        text += part_text(part, lines[done], end)
        done += 1 + len(more)
    assert done == len(lines)
    return text


def test_a_plan_is_written_as_a_list_of_steps() -> None:
    lines = [*FIRST, head(2, "weather"), {"city": "$s1.city"}]
    assert json.loads(written(WRITER, [*lines, head(3, ANSWER)])) == [
        {"id": "s1", "tool": "order", "args": {"number": 7}},
        {"id": "s2", "tool": "weather", "args": {"city": "$s1.city"}},
    ]
    assert json.loads(written(WRITER, [*lines, head(3, LOOK)]))[-1] == {"id": "s3", "tool": LOOK}
    assert json.loads(written(WRITER, [head(1, ANSWER)])) == [{"id": "s1", "tool": ANSWER}]


def test_the_end_of_the_list_is_the_end_of_the_plan_where_it_may_end() -> None:
    def ends(writer: PlanWriter) -> list[str]:
        (part,) = writer.parts([head(1, "order")])
        return [*part.ends]

    assert ends(WRITER) == ["},\n", "}\n]"]
    assert ends(PlanWriter(TOOLS, least=2)) == ["},\n"]
    assert ends(PlanWriter(TOOLS, max_steps=1)) == ["}\n]"]
    assert {ANSWER, LOOK}.isdisjoint(tools(PlanWriter(TOOLS, least=1).parts([])))
    assert ANSWER in tools(WRITER.parts([]))
    assert {ANSWER, LOOK} & {*tools(WRITER.parts(FIRST))} == {LOOK}


def tools(choices: Sequence[Part]) -> list[str]:
    forms = [form for part in choices for form in part.schema.get("anyOf", [part.schema])]
    return [name for form in forms for name in form["properties"]["tool"]["enum"]]


def test_a_plan_that_has_to_have_a_step_can_not_end_before_it() -> None:
    writer = PlanWriter(TOOLS, least=1)
    schema = writer.schema([])
    assert schema is not None
    assert ANSWER not in schema["properties"]["tool"]["enum"]


def test_a_plan_that_is_as_long_as_it_may_be_has_to_end() -> None:
    schema = PlanWriter(TOOLS, max_steps=1).schema(FIRST)
    assert schema is not None
    assert schema["properties"]["tool"] == {"enum": [ANSWER, LOOK]}


def test_an_argument_is_a_literal_that_fits() -> None:
    assert fits([head(1, "order")], {"number": 7})
    assert not fits([head(1, "order")], {"number": "seven"})
    assert not fits([head(1, "order")], {})


@pytest.mark.parametrize(
    ("tool", "argument", "right"),
    [
        ("weather", {"city": "$s1.city"}, True),
        ("weather", {"city": "$s1.items[0].name"}, True),
        ("weather", {"city": "$s1"}, False),  # an object
        ("weather", {"city": "$s1.land"}, False),  # not a field
        ("weather", {"city": "$s2.city"}, False),  # not an earlier step
        ("weather", {"city": "Rome, $s1.city"}, True),
        ("weather", {"city": "Rome, $s1.land"}, False),
        ("weather", {"city": "costs $5 or $$home"}, True),
        ("weather", {"city": "$$home"}, True),
        ("weather", {"city": "$$s1"}, False),  # what looks like a reference is not passed as text
        ("weather", {"city": "$s1.items"}, True),  # a list, as its JSON
        ("add", {"numbers": ["$s1.price", 2, "$s1.items[0].grams"]}, True),  # an integer is a number
        ("add", {"numbers": ["$s1.city"]}, False),
        ("add", {"numbers": "$s1.items"}, False),  # objects, not numbers
        ("day", {"date": "2027-01-01"}, True),
        ("day", {"date": "the day of $s1.city"}, False),  # no date, whatever the city
    ],
)  # fmt: skip
def test_a_reference_leads_to_an_earlier_step_and_has_a_fitting_type(
    tool: str, argument: JsonObject, right: bool
) -> None:
    assert fits([*FIRST, head(2, tool)], argument) is right


def last_step(*lines: JsonValue) -> Step:
    return WRITER.steps([*FIRST, *lines])[-1]


def test_references_are_read_as_values_and_text_around_them_as_a_template() -> None:
    assert last_step(head(2, "weather"), {"city": "$s1.city"}).args == {"city": Ref(StepId("s1"), ("city",))}
    template = Template(("In ", Ref(StepId("s1"), ("city",)), " for $", Ref(StepId("s1"), ("price",))))
    assert last_step(head(2, "weather"), {"city": "In $s1.city for $$$s1.price"}).args == {"city": template}
    assert last_step(head(2, "weather"), {"city": "$$home"}).args == {"city": "$home"}
    items = Template((Ref(StepId("s1"), ("items",)),))
    assert last_step(head(2, "weather"), {"city": "$s1.items"}).args == {"city": items}


def test_a_step_for_each_item_may_use_the_item_and_gives_a_list() -> None:
    each = head(2, "weather", for_each="$s1.items")
    assert fits(FIRST, each)
    assert not fits(FIRST, head(2, "weather", for_each="$s1.city"))
    assert fits([*FIRST, each], {"city": "$item.name"})
    assert not fits([*FIRST, head(2, "weather")], {"city": "$item.name"})
    step = last_step(each, {"city": "$item.name"})
    assert step.for_each == Ref(StepId("s1"), ("items",))
    assert step.args == {"city": Ref(ITEM, ("name",))}
    later = [*FIRST, each, {"city": "$item.name"}, head(3, "day", for_each="$s2")]
    assert fits(later[:-1], later[-1])


def test_a_step_for_each_item_that_does_not_use_it_runs_once() -> None:
    assert last_step(head(2, "weather", for_each="$s1.items"), {"city": "Rome"}).for_each is None


def test_the_same_call_twice_is_one_step_and_references_lead_to_it() -> None:
    lines = [*FIRST, head(2, "order"), {"number": 7}, head(3, "weather"), {"city": "$s1.city"}]
    assert [s.id for s in WRITER.steps(lines)] == ["s1", "s3"]
    assert not fits(lines[:-1], {"city": "$s2.city"})


def test_a_plan_that_goes_in_circles_has_to_end() -> None:
    again = [line for n in range(MAX_REPETITIONS) for line in (head(n + 2, "order"), {"number": 7})]
    schema = WRITER.schema([*FIRST, *again])
    assert schema is not None
    assert schema["properties"]["tool"] == {"enum": [ANSWER, LOOK]}


def test_steps_that_are_done_can_be_referred_to() -> None:
    writer = PlanWriter(TOOLS, {StepId("s1"): ORDER}, first=4)
    schema = writer.schema([head(4, "weather")])
    assert schema is not None
    assert validate(schema, {"city": "$s1.city"}) == []


def test_a_recursive_parameter_can_be_written_and_referred_to() -> None:
    tree: JsonObject = {
        "type": "object",
        "properties": {"name": TEXT, "parts": {"type": "array", "items": {"$ref": "#/$defs/Tree"}}},
        "required": ["name"],
    }
    root = {
        "type": "object",
        "properties": {"tree": {"$ref": "#/$defs/Tree"}},
        "required": ["tree"],
        "$defs": {"Tree": tree},
    }
    tool = ToolSpec(name="grow", description="", parameters=root, returns=TEXT)
    schema = PlanWriter({"grow": tool}).schema([head(1, "grow")])
    assert schema is not None
    assert validate(schema, {"tree": {"name": "a", "parts": [{"name": "b"}]}}) == []
    assert validate(schema, {"tree": {"parts": []}})


@pytest.mark.parametrize(
    ("schema", "written", "read"),
    [
        ({"enum": ["a$$b", "$c", "x"]}, "a$$b", "a$$b"),
        ({"enum": ["a$$b", "$c", "x"]}, "$$c", "$c"),
        ({"type": "string", "maxLength": 9}, "a$$b", "a$$b"),
        ({"type": "string", "maxLength": 9}, "$$b", "$b"),
        (TEXT, "a$$b", "a$b"),  # results may stand in it, so a dollar is doubled
        ({"anyOf": [TEXT, NUMBER]}, "in $s1.city", Template(("in ", Ref(StepId("s1"), ("city",))))),
    ],
)
def test_dollars_in_an_argument_are_read_as_they_were_meant(schema: JsonObject, written: str, read: Any) -> None:
    writer = PlanWriter({**TOOLS, "say": spec("say", TEXT, word=schema)})
    lines = [*FIRST, head(2, "say")]
    allowed = writer.schema(lines)
    assert allowed is not None
    assert validate(allowed, {"word": written}) == []
    assert writer.steps([*lines, {"word": written}])[-1].args == {"word": read}


def test_a_number_may_be_passed_as_text_alone_and_within_it() -> None:
    lines = [head(1, "add"), {"numbers": [1, 2]}, head(2, "weather")]
    assert fits(lines, {"city": "$s1"})
    assert WRITER.steps([*lines, {"city": "$s1"}])[1].args == {"city": Ref(StepId("s1"))}
    assert fits(lines, {"city": "$s1 miles from here"})


def test_a_key_that_is_no_plain_word_is_referred_to_in_quotes() -> None:
    returns: JsonObject = {"type": "object", "properties": {"Ask Price": TEXT}, "required": ["Ask Price"]}
    tools = {tool.name: tool for tool in (spec("rate", returns), spec("sum", NUMBER, formula=TEXT))}
    writer = PlanWriter(tools)
    lines: list[JsonValue] = [head(1, "rate"), {}, head(2, "sum")]
    schema = writer.schema(lines)
    assert schema is not None
    for text in ("$s1['Ask Price']", "3 * $s1['Ask Price']"):
        assert not validate(schema, {"formula": text})
    (_, step) = writer.steps([*lines, {"formula": "3 * $s1['Ask Price']"}])
    assert step.args == {"formula": Template(("3 * ", Ref(StepId("s1"), ("Ask Price",))))}


def test_an_optional_argument_that_was_said_before_is_said_again_or_left_out() -> None:
    song: JsonObject = {"type": "object", "properties": {"song": TEXT, "artist": TEXT}, "required": ["song", "artist"]}
    play = spec("play", None, song=TEXT, artist=TEXT)
    tools = {
        "find": spec("find", song, artist=TEXT),
        "play": replace(play, parameters=play.parameters | {"required": ["song"]}),
    }
    writer = PlanWriter(tools)
    lines: list[JsonValue] = [head(1, "find"), {"artist": "Queen"}, head(2, "play")]
    schema = writer.schema(lines)
    assert schema is not None
    assert not validate(schema, {"song": "$s1.song"})
    assert not validate(schema, {"song": "$s1.song", "artist": "Queen"})
    assert validate(schema, {"song": "$s1.song", "artist": "$s1.artist"})


def test_what_a_thing_was_found_by_is_said_again_where_the_thing_is_passed_on() -> None:
    keys = {"name": TEXT, "city": TEXT, "cuisine": TEXT}
    place: JsonObject = {"type": "object", "properties": keys, "required": [*keys]}
    tools = {
        "find": spec("find", place, city=TEXT, cuisine=TEXT),
        "book": spec("book", None, name=TEXT, city=TEXT),
        "map": spec("map", None, city=TEXT),
    }
    writer = PlanWriter(tools)
    found: list[JsonValue] = [head(1, "find"), {"city": "Oslo", "cuisine": "Thai"}]
    (book, map_) = (writer.schema([*found, head(2, name)]) for name in ("book", "map"))
    assert book is not None and map_ is not None
    assert not validate(book, {"name": "$s1.name", "city": "Oslo"})
    assert validate(book, {"name": "$s1.name", "city": "$s1.city"})
    assert not validate(map_, {"city": "$s1.city"})


def test_what_was_made_of_an_argument_is_passed_on_under_its_name() -> None:
    text: JsonObject = {"type": "object", "properties": {"text": TEXT, "language": TEXT}, "required": ["text"]}
    tools = {
        "translate": spec("translate", text, text=TEXT, to=TEXT),
        "send": spec("send", None, text=TEXT, language=TEXT),
    }
    schema = PlanWriter(tools).schema([head(1, "translate"), {"text": "Hi", "to": "fr"}, head(2, "send")])
    assert schema is not None
    assert not validate(schema, {"text": "$s1.text", "language": "$s1.language"})


def test_no_index_follows_a_reference_within_text_that_has_none() -> None:
    schema = WRITER.schema([*FIRST, head(2, "weather")])
    assert schema is not None
    for text in ("$s1.city [1]", "[$s1.city] and $s1.price$s1.city", "$s1.items[0].name", "see $s1.items."):
        assert not validate(schema, {"city": text}), text
    for text in ("$s1.city[0]", "a $s1.items[9].name of them", "$s1.price$s1.city[1]"):
        assert validate(schema, {"city": text}), text


def test_text_begins_with_a_dollar_only_where_the_task_has_one() -> None:
    for task, allowed in (("Look up $HOME", True), ("Look up Rome", False), ("", True)):
        schema = PlanWriter(TOOLS, task=task).schema([head(1, "weather")])
        assert schema is not None
        assert (not validate(schema, {"city": "$$HOME"})) == allowed
