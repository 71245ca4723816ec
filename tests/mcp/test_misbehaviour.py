"""Servers that misbehave: a task is refused with a message, or the run goes on with what can be used.

Each row starts a server of its own, up to three times, and calls its tool in a run. The fixture sees to it that no
process is left.
"""

from __future__ import annotations

import asyncio
import re
import time
from typing import NamedTuple

import pytest

from agentkit import Agent, ScriptedModel
from agentkit.errors import McpServerError
from agentkit.events import StepFinished
from agentkit.messages import ToolCall
from tests.mcp.conftest import BadServer

LIMIT = 60.0
"""Seconds that a server may hold anything up, on a machine that does many other things; the idle one takes 1 to 3."""
SOON = 0.8
"""The timeout of servers that never start, in seconds."""
LATER = 3.0
"""The timeout of servers that start, and then never answer, in seconds."""


class Row(NamedTuple):
    """How a server behaves, and what becomes of it."""

    how: str
    says: str
    """A pattern: of the error that refuses the server, of the failure of the call, or of its result."""
    timeout: float = 10.0


REFUSED = [
    Row("never answers", r"did not start within [\d.]+ s", SOON),
    Row("never reads", r"did not start within [\d.]+ s", SOON),
    Row("is slow", r"did not list its tools within [\d.]+ s", LATER),
    Row("exits at once", r"ended with exit code 3; .*stderr: 'the configuration is missing'"),
    Row("closes its stdout", r"it closed its stdout"),
    Row("writes only garbage", r"within [\d.]+ s; it wrote '\{\[garbage\]\}', which is no MCP message", LATER),
    Row("writes a line without an end", r"it sent a message of more than 8 MB"),
    Row("speaks an unknown version", r"can't start: .*1999-01-01"),
    Row("lists 10,000 tools", r"can't list its tools: there are more than 200"),
    Row("lists pages without end", r"the list does not end; it has 100 pages so far"),
    Row("lists the same page again and again", r"the list does not end; it has 2 pages so far"),
    Row("has a schema that is no object", r"can't list its tools: its answer is not as MCP has it"),
    Row("has a schema of text", r"not as MCP has it: .* at tools\.1\.inputSchema\.type"),
    Row("has a schema that is wrong", r"not as MCP has it: .* at tools\.1\.inputSchema\.properties"),
    Row("names a tool twice", r"no tool that can be used: the tools that are called 'bad_work' here were left out"),
]
FAILS = [
    Row("never answers a call", r"did not answer the call of 'work' within [\d.]+ s", LATER),
    Row("answers with another id", r"did not answer the call of 'work' within [\d.]+ s", LATER),
    Row("answers with an error without a message", r"within [\d.]+ s; it wrote .*, which is no MCP message", LATER),
    Row("answers with an error", r"refused to answer the call of 'work': 'no"),
    Row("exits in a call", r"ended with exit code 7; the end of its stderr: 'out of luck'; whether .* not known"),
    Row("forks a child and exits", r"ended with exit code 0"),
    Row("gives 100 MB", r"it sent a message of more than 8 MB"),
    Row("gives no result", r"its answer is not as MCP has it"),
    Row("gives something nested deeply", r"did not answer .* within [\d.]+ s; it wrote", LATER),
    Row("promises a number", r"not what its outputSchema says:\n- n: \"one\" is not of type"),
    Row("has a pattern that never ends", r"not what its outputSchema says"),
    Row("says that it failed", r"^the disk is full$"),
    Row("floods with notifications", r"it sent more than 10,000 messages that nobody asked for"),
    Row("asks the user", r"asks the user for input|is not as MCP has it"),
    Row("changes a tool", r"says something else of 'work' than when the run began"),
]
WORKS = [
    Row("behaves", r"worked"),
    Row("writes a banner first", r"worked"),
    Row("floods stderr", r"worked"),
    Row("asks for sampling, elicitation and roots", r"worked"),
    Row("leaves a child behind", r"worked"),
    Row("ignores SIGTERM and the end of its input", r"worked"),
    Row("gives an image", r"\[image of type image/png, 3 bytes, left out\]\nworked"),
    Row("gives orders in a description", r"worked"),
    Row("hides something in a description", r"worked"),
    Row("hides something in a name", r"worked"),
    Row("has a name that breaks lines", r"worked"),
    Row("has a name that is too long", r"worked"),
    Row("refers to a schema elsewhere", r"worked"),
    Row("has a schema that grows", r"worked"),
    Row("hides something in a schema", r"worked"),
    Row("has a huge schema", r"worked"),
]


@pytest.mark.parametrize("row", REFUSED, ids=lambda row: row.how)
def test_a_server_that_can_not_be_used_is_refused_with_a_message(row: Row, bad_server: BadServer) -> None:
    began = time.monotonic()
    with pytest.raises(McpServerError) as caught:
        Agent(ScriptedModel([]), tools=[bad_server(row.how, timeout=row.timeout)], record=False)
    assert re.search(row.says, str(caught.value))
    assert len(str(caught.value)) < 1500
    assert time.monotonic() - began < LIMIT


@pytest.mark.parametrize("row", FAILS, ids=lambda row: row.how)
def test_a_call_that_goes_wrong_is_told_to_the_model_and_the_run_goes_on(row: Row, bad_server: BadServer) -> None:
    finished = finish_a_run(row, bad_server)
    assert not finished.ok
    assert isinstance(finished.value, str)
    assert re.search(row.says, finished.value)
    assert len(finished.value) < 5000


@pytest.mark.parametrize("row", WORKS, ids=lambda row: row.how)
def test_what_can_be_used_is_used(row: Row, bad_server: BadServer) -> None:
    finished = finish_a_run(row, bad_server)
    assert finished.ok, finished.value
    assert isinstance(finished.value, str)
    assert re.search(row.says, finished.value)


def finish_a_run(row: Row, bad_server: BadServer) -> StepFinished:
    """Runs a task whose model calls the tool once, and returns how the call ended."""
    began = time.monotonic()
    model = ScriptedModel([ToolCall("bad_work", {}), "done"])
    agent = Agent(model, tools=[bad_server(row.how, timeout=row.timeout)], record=False)
    result = asyncio.run(agent.run("work"))
    assert result.output == "done", result.message
    assert time.monotonic() - began < LIMIT
    return next(event for event in result.events if isinstance(event, StepFinished))
