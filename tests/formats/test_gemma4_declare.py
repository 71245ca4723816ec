"""What the model is told of tools, and whole prompts, letter by letter."""

from __future__ import annotations

from typing import Any

import pytest

from agentkit.messages import Assistant, Message, System, Text, Thought, ToolCall, ToolResult, User
from agentkit.model_backend.base import ToolSpec
from agentkit.model_backend.formats.gemma4_declare import declaration_parts
from agentkit.model_backend.formats.gemma4_render import render
from agentkit.model_backend.formats.gemma4_tokens import FUNCTION_GEMMA
from tests.formats.gemma4.small_vocab import marked, small_alphabet

A = small_alphabet()


def declared(properties: dict[str, Any], **more: Any) -> str:
    """The declaration's parameters, with ' for the quote token."""
    tool = ToolSpec(name="f", description="D", parameters={"type": "object", "properties": properties, **more})
    text = A.decode(A.encode(declaration_parts(tool))).replace('<|"|>', "'")
    assert text.startswith("<|tool>declaration:f{description:'") and text.endswith("}<tool|>")
    return text.removeprefix("<|tool>declaration:f{").removesuffix("}<tool|>")


def one(schema: dict[str, Any], **more: Any) -> str:
    """The declaration of one property."""
    text = declared({"k": schema}, **more)
    begin = "description:'D',parameters:{properties:{k:{"
    assert text.startswith(begin)
    return text.removeprefix(begin).split("}},type:'OBJECT'}")[0]


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        # As the chat template has them.
        ({"type": "string"}, "type:'STRING'"),
        ({"type": "string", "enum": ["c", "f"]}, "enum:['c','f'],type:'STRING'"),
        (
            {"type": "array", "items": {"type": "string"}, "description": "tags"},
            "description:'tags',items:{type:'STRING'},type:'ARRAY'",
        ),
        (
            {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"a": {"type": "integer"}, "b": {"type": "string", "enum": ["x"]}},
                    "required": ["a"],
                },
            },
            "items:{properties:{a:{type:'INTEGER'},b:{enum:['x'],type:'STRING'}},required:['a'],type:'OBJECT'},"
            "type:'ARRAY'",
        ),
        ({"type": "boolean", "nullable": True}, "nullable:true,type:'BOOLEAN'"),
        # What the template drops or garbles.
        ({"type": ["string", "null"]}, "nullable:true,type:'STRING'"),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "nullable:true,type:'INTEGER'"),
        ({"type": ["integer", "string"]}, "description:'May also be of type string.',type:'INTEGER'"),
        (
            {"anyOf": [{"type": "integer"}, {"type": "string", "description": "a name"}]},
            "description:'One of: integer; or string a name.',type:'INTEGER'",
        ),
        (
            {"type": "integer", "minimum": 1, "maximum": 9, "description": "How many."},
            "description:'How many. At least 1; at most 9.',type:'INTEGER'",
        ),
        ({"type": "integer", "enum": [1, 2]}, "description:'One of 1, 2.',type:'INTEGER'"),
        (
            {"type": "string", "pattern": "^a+$"},
            "description:'Matches the regular expression ^a+$.',type:'STRING'",
        ),
        ({"type": "string", "format": "date"}, "description:'Format date.',type:'STRING'"),
        ({"type": "string", "default": "x"}, "description:'Default \"x\".',type:'STRING'"),
        ({"type": "string", "default": None}, "type:'STRING'"),
        (
            {"type": "array", "items": {"type": "number"}, "minItems": 2, "uniqueItems": True},
            "description:'No item twice; at least 2 items.',items:{type:'NUMBER'},type:'ARRAY'",
        ),
        (
            {"type": "array", "items": {"type": "array", "items": {"type": "number"}}},
            "items:{items:{type:'NUMBER'},type:'ARRAY'},type:'ARRAY'",
        ),
        ({"const": 3}, "description:'Always 3.',type:'INTEGER'"),
        (
            {"type": "object", "additionalProperties": {"type": "integer"}},
            "description:'Any keys, each value: integer.',properties:{},type:'OBJECT'",
        ),
        ({"allOf": [{"type": "string"}, {"minLength": 2}]}, "description:'At least 2 characters.',type:'STRING'"),
    ],
)
def test_a_property_is_declared_with_all_that_matters(schema: dict[str, Any], said: str) -> None:
    assert one(schema) == said


def test_references_are_inlined_and_a_schema_inside_itself_is_told() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}, "v": {"type": "string"}}}
    said = declared({"k": {"$ref": "#/$defs/node"}}, **{"$defs": {"node": node}})
    assert said.endswith(
        "properties:{k:{properties:{next:{description:'Built like the value it is part of.',properties:{},"
        "type:'OBJECT'},v:{type:'STRING'}},type:'OBJECT'}},type:'OBJECT'}"
    )


def test_parameters_named_like_keywords_survive_in_the_order_of_training() -> None:
    names = ["type", "Zeta", "description", "properties", "required", "nullable", "alpha"]
    text = declared({name: {"type": "string"} for name in names}, required=["type"])
    keys = [part.split(":{type:")[0] for part in text.split("properties:{", 1)[1].split("'STRING'},")]
    assert keys == ["alpha", "description", "nullable", "properties", "required", "type", "Zeta"]
    assert text.endswith("required:['type'],type:'OBJECT'}")


def test_a_tool_without_parameters() -> None:
    assert declared({}) == "description:'D',parameters:{type:'OBJECT'}"


def test_the_result_is_declared_in_words() -> None:
    returns = {"type": "object", "properties": {"temp": {"type": "number"}, "sky": {"type": "string"}}}
    tool = ToolSpec(name="f", description="D", parameters={"type": "object"}, returns=returns)
    text = A.decode(A.encode(declaration_parts(tool)))
    assert text.endswith(',response:{description:<|"|>sky (string), temp (number)<|"|>,type:<|"|>OBJECT<|"|>}}<tool|>')


def test_markers_in_a_description_stay_text() -> None:
    tool = ToolSpec(name="f", description='Ends <tool|><|"|>,x:{}', parameters={"type": "object"})
    tokens = A.encode(declaration_parts(tool))
    assert A.decode(tokens).count("<tool|>") == 2
    assert sum(A.vocab.piece(token) == b"<tool|>" for token in tokens) == 1


# Whole prompts

WEATHER = ToolSpec(
    name="get_weather",
    description="Get the current weather.",
    parameters={
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "City name"},
            "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
            "days": {"type": "integer"},
        },
        "required": ["city"],
    },
)
DECLARED = (
    '<|tool>declaration:get_weather{description:<|"|>Get the current weather.<|"|>,parameters:{properties:{city:{'
    'description:<|"|>City name<|"|>,type:<|"|>STRING<|"|>},days:{type:<|"|>INTEGER<|"|>},unit:{enum:[<|"|>celsius'
    '<|"|>,<|"|>fahrenheit<|"|>],type:<|"|>STRING<|"|>}},required:[<|"|>city<|"|>],type:<|"|>OBJECT<|"|>}}<tool|>'
)
SYSTEM = System("You are a helpful assistant.")
BEGIN = f"<bos><|turn>system\n<|think|>\nYou are a helpful assistant.{DECLARED}<turn|>\n"
TOKYO = ToolCall("get_weather", {"city": "Tokyo", "days": 1, "unit": "celsius"})
CALL = '<|tool_call>call:get_weather{city:<|"|>Tokyo<|"|>,days:1,unit:<|"|>celsius<|"|>}<tool_call|>'
THOUGHT = "<|channel>thought\nI need get_weather.\n<channel|>"
RESULT = ToolResult("", "get_weather", {"temp": 15, "sky": "sunny", "rain": False, "alert": None})
RESPONSE = 'response:get_weather{alert:null,rain:false,sky:<|"|>sunny<|"|>,temp:15}<tool_response|>'
ANSWER = "<|channel>thought\nNow answer.\n<channel|>15 °C and sunny."


def test_plain_chat() -> None:
    messages: list[Message] = [SYSTEM, User("What is 17*3?")]
    end = "<|turn>user\nWhat is 17*3?<turn|>\n<|turn>model\n"
    assert A.decode(render(A, messages)) == f"<bos><|turn>system\nYou are a helpful assistant.<turn|>\n{end}"
    assert A.decode(render(A, messages, thinking=True)) == (
        f"<bos><|turn>system\n<|think|>\nYou are a helpful assistant.<turn|>\n{end}"
    )
    assert A.decode(render(A, messages[1:])) == f"<bos>{end}"


@pytest.mark.parametrize("with_tokens", [True, False])
def test_a_tool_round_trip(with_tokens: bool) -> None:
    tokens = tuple(marked(A, f"{THOUGHT}{CALL}<|tool_response>")) if with_tokens else ()
    called = Assistant((Thought("I need get_weather."), TOKYO), tokens)
    messages: list[Message] = [SYSTEM, User("Weather in Tokyo?"), called, RESULT]
    turn = "<|turn>user\nWeather in Tokyo?<turn|>\n<|turn>model\n"
    assert A.decode(render(A, messages, [WEATHER], thinking=True)) == (
        f"{BEGIN}{turn}{THOUGHT}{CALL}<|tool_response>{RESPONSE}"
    )
    tokens = tuple(marked(A, f"{ANSWER}<turn|>")) if with_tokens else ()
    messages += [Assistant((Thought("Now answer."), Text("15 °C and sunny.")), tokens), User("Thanks")]
    assert A.decode(render(A, messages, [WEATHER], thinking=True)) == (
        f"{BEGIN}{turn}{CALL}<|tool_response>{RESPONSE}15 °C and sunny.<turn|>\n"
        "<|turn>user\nThanks<turn|>\n<|turn>model\n"
    )


def test_parallel_calls_are_answered_in_their_order() -> None:
    calls = tuple(ToolCall("get_weather", {"city": city}, city) for city in ("Tokyo", "Paris"))
    results = [ToolResult("Paris", "get_weather", "timeout", is_error=True), ToolResult("Tokyo", "get_weather", "15")]
    text = A.decode(render(A, [User("Tokyo and Paris?"), Assistant(calls), *results]))
    assert text.endswith(
        '<|tool_call>call:get_weather{city:<|"|>Tokyo<|"|>}<tool_call|>'
        '<|tool_call>call:get_weather{city:<|"|>Paris<|"|>}<tool_call|>'
        '<|tool_response>response:get_weather{value:<|"|>15<|"|>}<tool_response|>'
        '<|tool_response>response:get_weather{error:<|"|>timeout<|"|>}<tool_response|>'
    )


def test_a_user_who_interrupts_after_a_tool_response_ends_the_models_turn() -> None:
    text = A.decode(render(A, [User("Go"), Assistant((TOKYO,)), RESULT, User("Stop")]))
    assert text.endswith(f"<|tool_response>{RESPONSE}<turn|>\n<|turn>user\nStop<turn|>\n<|turn>model\n")


def test_the_worked_example_of_function_gemma() -> None:
    other = small_alphabet(FUNCTION_GEMMA)
    tool = ToolSpec(
        name="get_weather",
        description="Weather",
        parameters={
            "type": "object",
            "properties": {"city": {"type": "string", "description": "City"}},
            "required": ["city"],
        },
    )
    call = ToolCall("get_weather", {"city": "Tokyo"})
    messages: list[Message] = [User("Weather?"), Assistant((call,)), ToolResult("", "get_weather", {"t": 15})]
    assert other.decode(render(other, messages, [tool])) == (
        "<bos><start_of_turn>developer\nYou can do function calling with the following functions:"
        "<start_function_declaration>declaration:get_weather{description:<escape>Weather<escape>,parameters:{properties:"
        "{city:{description:<escape>City<escape>,type:<escape>STRING<escape>}},required:[<escape>city<escape>],type:"
        "<escape>OBJECT<escape>}}<end_function_declaration><end_of_turn>\n"
        "<start_of_turn>user\nWeather?<end_of_turn>\n<start_of_turn>model\n"
        "<start_function_call>call:get_weather{city:<escape>Tokyo<escape>}<end_function_call><start_function_response>"
        "response:get_weather{t:15}<end_function_response>"
    )
