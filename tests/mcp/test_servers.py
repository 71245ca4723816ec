"""How servers are started, shared and ended, and what of what they say is believed."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

from agentkit import Agent, ScriptedModel
from agentkit.errors import McpServerError, UsageError
from agentkit.events import StepFinished
from agentkit.messages import ToolCall, is_object
from agentkit.model_backend.scripted import ScriptedTurn
from agentkit.policy import Policy
from agentkit.result import Result
from agentkit.tools import McpServer, ToolContext
from agentkit.tools.mcp.tool import McpTool
from tests.mcp.conftest import HERE, PYTHON, BadServer, PlainServer, is_alive

pytestmark = pytest.mark.usefixtures("needs_package")

PROCESS = ToolCall("plain_process", {})
TRUSTED = Policy(trusted=["bad_*"])


def test_a_server_sees_only_the_variables_that_are_named(
    plain_server: PlainServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEEN", "1")
    monkeypatch.setenv("UNSEEN", "2")

    async def variables() -> Any:
        tool = (await plain_server(env=["SEEN"]).get_tools())[1]
        return await tool.invoke({})

    harmless = {"HOME", "LC_CTYPE", "LOGNAME", "PATH", "SHELL", "TERM", "USER"}  # LC_CTYPE: Python sets it itself
    assert set(asyncio.run(variables())["variables"]) - harmless == {"SEEN"}
    with pytest.raises(McpServerError, match="can't start: the environment variable 'MISSING' is not set"):
        asyncio.run(plain_server(env=["MISSING"]).get_tools())


def test_effects_are_once_unless_the_user_trusts_what_the_server_says(plain_server: PlainServer) -> None:
    doubted = asyncio.run(plain_server().get_tools())
    assert {tool.effect for tool in doubted} == {"once"}
    trusted = asyncio.run(plain_server(trust_hints=True).get_tools())
    assert [tool.effect for tool in trusted] == ["idempotent", "pure", "once"]


def test_results_are_labelled_with_the_server_they_come_from(plain_server: PlainServer) -> None:
    tools = asyncio.run(plain_server().get_tools())
    assert [tool.source for tool in tools if isinstance(tool, McpTool)] == ["mcp:plain"] * 3


def test_only_the_tools_that_are_named_are_offered(plain_server: PlainServer) -> None:
    chosen = asyncio.run(plain_server(tools=["read*", "wait"]).get_tools())
    assert [tool.name for tool in chosen] == ["plain_read_variables", "plain_wait"]
    with pytest.raises(McpServerError, match="no tool that can be used: none is called 'nothing'"):
        asyncio.run(plain_server(tools=["nothing"]).get_tools())


def test_a_tool_with_the_name_of_another_is_refused(plain_server: PlainServer) -> None:
    def plain_wait() -> None:
        """Look like the server's."""

    with pytest.raises(UsageError, match="two tools are called 'plain_wait': .*'wait' of MCP server 'plain'"):
        Agent(ScriptedModel([]), tools=[plain_wait, plain_server()], record=False)


def test_all_calls_of_a_run_share_one_process_which_ends_with_the_run(plain_server: PlainServer) -> None:
    turns: list[ScriptedTurn] = [[PROCESS, PROCESS], "done", [PROCESS, PROCESS], "done"]
    agent = Agent(ScriptedModel(turns), tools=[plain_server(trust_hints=True)], record=False)
    pids = [pids_of(asyncio.run(agent.run("go"))) for _ in range(2)]
    assert [len(of_run) for of_run in pids] == [1, 1]
    assert pids[0] != pids[1]
    assert not any(is_alive(pid) for of_run in pids for pid in of_run)


def test_runs_at_the_same_time_share_one_process(plain_server: PlainServer) -> None:
    server = plain_server()
    agents = [Agent(ScriptedModel([PROCESS, "done"]), tools=[server], record=False) for _ in range(2)]

    async def main() -> set[int]:
        async with (await server.get_tools())[0].held():
            results = await asyncio.gather(*(agent.run("go") for agent in agents))
        return set[int]().union(*map(pids_of, results))

    assert len(asyncio.run(main())) == 1


def pids_of(result: Result) -> set[int]:
    values = [event.value for event in result.events if isinstance(event, StepFinished)]
    return {value["pid"] for value in values if is_object(value)}


def test_a_run_that_calls_nothing_starts_no_server(plain_server: PlainServer, pids: Path) -> None:
    agent = Agent(ScriptedModel(["done"]), tools=[plain_server()], record=False)
    assert asyncio.run(agent.run("go")).output == "done"
    assert len(pids.read_text().split()) == 1  # for the list of tools


def test_a_cancelled_run_leaves_no_process_behind(plain_server: PlainServer) -> None:
    model = ScriptedModel([PROCESS, ToolCall("plain_wait", {})])
    agent = Agent(model, tools=[plain_server()], record=False)

    async def main() -> int:
        pid = 0
        async for event in agent.stream("go"):
            if isinstance(event, StepFinished):
                assert isinstance(event.value, dict)
                pid = event.value["pid"]
            if event.kind == "step_started" and pid:
                await asyncio.sleep(0.1)  # so that the server has the call
                break
        return pid

    assert not is_alive(asyncio.run(main()))


def test_after_a_result_of_a_server_was_read_a_person_is_asked_about_effects(plain_server: PlainServer) -> None:
    variables = ToolCall("plain_read_variables", {})
    agent = Agent(ScriptedModel([variables, PROCESS]), tools=[plain_server()], record=False)
    assert asyncio.run(agent.run("go")).stop_reason == "approval"


def test_a_server_that_ended_is_started_again_by_the_next_call(bad_server: BadServer) -> None:
    calls = [ToolCall("bad_work", {}), ToolCall("bad_work", {"text": "again"})]
    server = bad_server("exits in the first call")
    agent = Agent(ScriptedModel([*calls, "done"]), tools=[server], record=False, policy=TRUSTED)
    finished = [e for e in asyncio.run(agent.run("go")).events if isinstance(e, StepFinished)]
    assert [e.ok for e in finished] == [False, True]


def test_a_server_that_always_ends_is_not_started_for_ever(bad_server: BadServer, pids: Path) -> None:
    calls = [ToolCall("bad_work", {"text": str(n)}) for n in range(5)]
    agent = Agent(ScriptedModel([*calls, "done"]), tools=[bad_server("exits in a call")], record=False, policy=TRUSTED)
    finished = [e for e in asyncio.run(agent.run("go")).events if isinstance(e, StepFinished)]
    assert "ended 3 times; it is not started again in this run" in str(finished[-1].value)
    assert len(pids.read_text().split()) == 1 + 3


def test_a_tool_can_be_called_outside_of_a_run(plain_server: PlainServer) -> None:
    process = asyncio.run(plain_server().get_tools())[0].replace(name="who")
    result = asyncio.run(process.invoke({}, ToolContext()))
    assert isinstance(result, dict)
    assert not is_alive(result["pid"])


def test_tools_are_listed_also_where_an_event_loop_is_running(plain_server: PlainServer) -> None:
    async def main() -> Any:
        return Agent(ScriptedModel(["done"]), tools=[plain_server()], record=False)

    assert isinstance(asyncio.run(main()), Agent)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"name": "my server", "command": ["x"]}, "can't be called 'my server'"),
        ({"name": "s"}, "needs either a command or a url"),
        ({"name": "s", "command": ["x"], "url": "https://example.com"}, "needs either a command or a url"),
        ({"name": "s", "url": "example.com"}, "'example.com' does not start with http:// or https://"),
        ({"name": "s", "command": "npx server"}, r"the command is a list, such as \['npx'"),
    ],
)
def test_a_server_that_is_described_wrong_is_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        McpServer(**options)


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    server = McpServer("s", command=[str(tmp_path / "nothing")], pins=tmp_path / "pins.json")
    with pytest.raises(McpServerError, match="'s' can't start: .*No such file.*nothing"):
        asyncio.run(server.get_tools())


def test_without_the_package_the_message_says_how_to_get_it(
    plain_server: PlainServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "agentkit.tools.mcp.session", None)
    with pytest.raises(McpServerError, match=r"pip install 'agentkit-gemma\[mcp\]'"):
        asyncio.run(plain_server().get_tools())


def test_a_server_starts_in_the_folder_it_is_given(tmp_path: Path) -> None:
    command = [*PYTHON, str(HERE / "plain_server.py"), "started"]
    asyncio.run(McpServer("s", command=command, cwd=tmp_path, pins=tmp_path / "p.json").get_tools())
    assert (tmp_path / "started").exists()
