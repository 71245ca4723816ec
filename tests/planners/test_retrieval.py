"""Which tools are chosen for a task out of many."""

from typing import Any

import pytest

from agentkit.model_backend.base import ToolSpec
from agentkit.planners.retrieval import FEW, choose_tools, words


def tool(
    name: str,
    description: str = "",
    /,
    gives: tuple[str, ...] = (),
    optional: dict[str, str] | None = None,
    **needs: str,
) -> ToolSpec:
    """Returns a tool that requires some parameters and gives an object with some keys."""

    def properties(texts: dict[str, str]) -> dict[str, Any]:
        return {key: {"type": "string", "description": text} for key, text in texts.items()}

    return ToolSpec(
        name=name,
        description=description,
        parameters={
            "type": "object",
            "properties": properties(needs | (optional or {})),
            "required": list(needs),
        },
        returns={"type": "object", "properties": properties(dict.fromkeys(gives, ""))} if gives else None,
    )


OTHERS = [
    tool(f"{verb}_{noun}", f"{verb.title()} a {noun}.", thing=f"The {noun}.")
    for verb in ("draw", "sell", "paint", "clean")
    for noun in ("boat", "chair", "horse", "lamp", "stone")
]


def chosen(task: str, *tools: ToolSpec, limit: int = 3) -> list[str]:
    """Returns what is chosen of the tools when there are twenty others too."""
    return [found.name for found in choose_tools(task, [*OTHERS, *tools], limit=limit).tools]


def test_all_tools_are_chosen_in_their_order_when_there_are_few() -> None:
    few = OTHERS[:FEW]
    choice = choose_tools("Draw a horse.", few)
    assert choice.tools == few
    assert choice.likely == {tool.name for tool in few}


def test_the_limit_is_kept_and_no_tool_comes_twice() -> None:
    found = chosen("Draw and paint and sell and clean a boat, a chair, a horse, a lamp and a stone.", limit=7)
    assert len(found) == len(set(found)) == 7


@pytest.mark.parametrize(
    ("task", "name", "description"),
    [
        ("Convert 5 miles.", "unitConversion.convertLength", ""),
        ("Is it going to rain in Rome tomorrow?", "forecast", "Tells whether it will rain in a city."),
        ("Which movies run tonight?", "cinema", "Movie times."),
        ("Translate the letters.", "lang_v2", "Translates a letter."),
        ("List the cities.", "getCityNames", ""),
        ("Wie groß ist die Größe?", "f", "Die Größe"),
    ],
)
def test_a_tool_is_found_by_words_of_its_name_or_description_in_any_form(
    task: str, name: str, description: str
) -> None:
    assert chosen(task, tool(name, description))[0] == name


def test_a_tool_is_found_by_what_its_parameters_are_called() -> None:
    found = tool("f", "Does something.", optional={"zip_code": "", "country": "Where it is."})
    assert chosen("What is at this zip code?", found)[0] == "f"
    assert chosen("Which country?", found)[0] == "f"


def test_each_part_of_a_task_finds_its_tool_though_the_other_parts_have_more_words() -> None:
    task = (
        "Paint the horse, the boat, the stone, the chair and the lamp, then paint them all again. Finally send an SMS."
    )
    assert "send_sms" in chosen(task, tool("send_sms", "Deliver something to somebody."), limit=6)


def test_a_chosen_tool_brings_the_one_that_gives_what_it_requires() -> None:
    albums = tool("list_albums", "Lists albums.", artistId="Identifier of the artist.", gives=("title", "year"))
    lookup = tool("resolve", "Resolves a name.", name="", gives=("artist_id", "artist_url"))
    assert chosen("Which albums has Nina Simone?", lookup, albums)[:2] == ["list_albums", "resolve"]


def test_what_only_takes_the_same_thing_is_not_brought() -> None:
    albums = tool("list_albums", "Lists albums.", artistId="", gives=("title",))
    taker = tool("follow", "", artistId="", gives=("done",))
    giver = tool("resolve", "", name="", gives=("artist_id",))
    found = chosen("Which albums has Nina Simone?", taker, giver, albums, limit=2)
    assert found == ["list_albums", "resolve"]


def test_tools_of_a_family_lift_each_other() -> None:
    family = [tool("Hotels.Search", "Search."), tool("Hotels.Reserve", "Makes it yours.")]
    assert set(chosen("Search for hotels.", *family, limit=2)) == {"Hotels.Search", "Hotels.Reserve"}


def likely(task: str, *tools: ToolSpec) -> frozenset[str]:
    return choose_tools(task, [*OTHERS, *tools]).likely


def test_what_comes_far_behind_is_not_likely_and_can_be_called() -> None:
    clock = tool("world_clock", "Tells the time in a city.", city="")
    assert likely("What is the time in the city of Oslo?", clock) == {"world_clock"}
    assert len(chosen("What is the time in the city of Oslo?", clock, limit=20)) == 20


def test_what_many_tools_do_does_not_say_which_is_meant() -> None:
    tools = [tool(f"calculate_{noun}", f"Calculate the {noun}.", value="") for noun in ("tax", "age", "pace", "area")]
    found = likely("Calculate the tax for the horse.", *tools)
    assert "calculate_tax" in found
    assert "calculate_age" not in found


def test_a_tool_that_is_called_by_what_it_does_is_found_by_it() -> None:
    calculate = tool("calculate", "Work out arithmetic.", expression="")
    rivals = [tool(f"calculate_{noun}", f"Calculate the {noun}.", value="") for noun in ("tax", "age", "pace")]
    assert chosen("Calculate 3 * 4 for me.", *rivals, calculate)[0] == "calculate"


@pytest.mark.parametrize(
    ("task", "name"), [("How much is the chair in euros?", "currency_rates"), ("Say it in Spanish.", "other_language")]
)
def test_a_kind_of_thing_is_found_by_an_example_of_it(task: str, name: str) -> None:
    assert name in chosen(task, tool(name, "Does it."))


def test_a_task_without_any_word_gets_the_first_tools() -> None:
    assert chosen("?", limit=2) == ["draw_boat", "draw_chair"]


def test_tools_without_parameters_results_or_descriptions_do_no_harm() -> None:
    bare = [ToolSpec(name=f"t{i}", description="", parameters={}, returns={"type": "string"}) for i in range(5)]
    assert len(choose_tools("t3", bare, limit=2).tools) == 2


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("getUserIDs", ["user", "id"]),
        ("HTTPServer_v2", ["http", "server", "v", "2"]),
        ("The movies and a movie", ["movi", "movi"]),
        ("cities city", ["citi", "citi"]),
        ("planned planning plans", ["plan", "plan", "plan"]),
        ("calling called calls", ["call", "call", "call"]),
        ("status basis class", ["status", "basis", "class"]),
        ("prices price pricing", ["pric", "pric", "pric"]),
    ],
)
def test_words_lose_their_endings_and_identifiers_are_split(text: str, found: list[str]) -> None:
    assert words(text) == found
