"""No secret is in anything that a run says or leaves behind, however a tool lets it slip."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from rich.console import Console

from agentkit import Agent, Retry, ScriptedModel, ToolContext, ToolFailed, tool
from agentkit.errors import UsageError
from agentkit.messages import Assistant, ToolCall, ToolResult
from agentkit.model_backend.base import TurnRequest
from agentkit.paths import runs_folder
from agentkit.planners.plan import Step, StepId, parse_refs
from agentkit.tools.secret import Secret, Secrets

CANARY = 'kR7/"+q&ä Zx9$canary'
FORMS = {
    CANARY,
    CANARY.lower(),
    quote(CANARY, safe=""),
    quote_plus(CANARY),
    base64.b64encode(CANARY.encode()).decode().rstrip("="),
    base64.urlsafe_b64encode(CANARY.encode()).decode().rstrip("="),
    CANARY.encode().hex(),
    json.dumps(CANARY)[1:-1],
    json.dumps(json.dumps(CANARY))[1:-1],
}

Leak = Callable[[str, ToolContext], Any]


def _raise(error: Exception) -> Any:
    raise error


def _state(value: str, context: ToolContext) -> str:
    context.state["kept"] = {"token": value}
    return "kept"


def _progress(value: str, context: ToolContext) -> str:
    context.progress({"sending": [value]})
    return "sent"


LEAKS: dict[str, Leak] = {
    "text": lambda v, c: v,
    "within text": lambda v, c: f"Authorization: Bearer {v}; ok",
    "twice": lambda v, c: f"{v} {v}",
    "list": lambda v, c: [1, [v], {"a": v}],
    "deep": lambda v, c: {"a": {"b": {"c": [{"d": v}]}}},
    "key": lambda v, c: {v: 1},
    "json in text": lambda v, c: json.dumps({"token": v}),
    "json in json": lambda v, c: json.dumps({"body": json.dumps({"token": v})}),
    "ascii json": lambda v, c: json.dumps(v, ensure_ascii=True),
    "repr": lambda v, c: repr({"token": v}),
    "url": lambda v, c: f"https://x.example/?t={quote(v, safe='')}",
    "form": lambda v, c: f"t={quote_plus(v)}&u=1",
    "base64": lambda v, c: base64.b64encode(v.encode()).decode(),
    "basic auth": lambda v, c: base64.b64encode(b"user:" + v.encode()).decode(),
    "base64 in the middle": lambda v, c: base64.b64encode(b"ab" + v.encode() + b"xyz").decode(),
    "base64 for urls": lambda v, c: base64.urlsafe_b64encode(v.encode()).decode(),
    "hex": lambda v, c: v.encode().hex(),
    "upper hex": lambda v, c: v.encode().hex().upper(),
    "other case": lambda v, c: v.lower(),
    "large": lambda v, c: ["x" * 50, v] * 2000,
    "value error": lambda v, c: _raise(ValueError(f"bad token {v}")),
    "key error": lambda v, c: _raise(KeyError(v)),
    "os error": lambda v, c: _raise(FileNotFoundError(2, "no such file", f"/x/{v}")),
    "retry": lambda v, c: _raise(Retry(f"not {v}")),
    "failed": lambda v, c: _raise(ToolFailed(f"refused {v}")),
    "progress": _progress,
    "state": _state,
    "number in text": lambda v, c: f"n=1,{v},2",
    "lines": lambda v, c: f"a\n{v}\nb",
    "bytes": lambda v, c: {"body": f"{v.encode()!r}"} and {"body": v},
}


def everything_left(request: TurnRequest | None, printed: str) -> str:
    """All that a run leaves: its files, what is printed of it, and what the model was shown."""
    files = [f.read_bytes().decode(errors="replace") for f in runs_folder().rglob("*") if f.is_file()]
    shown = [
        json.dumps(m.value) if isinstance(m, ToolResult) else repr(m) for m in (request.messages if request else ())
    ]
    return "\n".join([printed, *files, *shown])


def assert_clean(text: str) -> None:
    found = [form for form in FORMS if form.casefold() in text.casefold()]
    assert not found


@pytest.mark.parametrize("how", LEAKS)
def test_what_a_tool_lets_slip_is_in_nothing_that_is_left(how: str) -> None:
    @tool(name="leak")
    def leak(context: ToolContext) -> Any:
        """Use the token."""
        return LEAKS[how](context.secret("TOKEN").reveal(), context)

    model = ScriptedModel([ToolCall("leak", {}), "Done."])
    result = Agent(model, [leak], secrets={"TOKEN": CANARY}).run_sync("Use it")
    console = Console(file=StringIO(), width=200)
    console.print(result.trace)
    assert isinstance(console.file, StringIO)
    printed = console.file.getvalue() + json.dumps(result.trace.to_json()) + repr(result.events)
    left = everything_left(model.requests[1], printed)
    assert_clean(left)
    assert result.ok
    if how not in ("state",):
        assert "[secret TOKEN]" in left


def test_items_of_a_list_and_what_is_passed_on_are_clean() -> None:
    @tool(effect="pure")
    def tokens(context: ToolContext) -> list[str]:
        """Give tokens."""
        return [context.secret("TOKEN").reveal(), "x"]

    @tool(effect="pure")
    def echo(text: str) -> str:
        """Say it again."""
        return text

    steps = [
        Step(id=StepId("a"), tool="tokens"),
        Step(id=StepId("b"), tool="echo", for_each=parse_refs("$a"), args=parse_refs({"text": "got ${item}"})),
    ]
    result = Agent(None, [tokens, echo], planner=steps, secrets={"TOKEN": CANARY}).run_sync("Go")
    assert result.output == ["got [secret TOKEN]", "got x"]
    assert_clean(everything_left(None, repr(result.events)))


def test_a_secret_in_the_task_does_not_reach_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", CANARY)
    model = ScriptedModel(["Done."])
    agent = Agent(model, instructions=f"Use {CANARY}.", secrets=["TOKEN"])
    asyncio.run(agent.run(f"Log in with {CANARY}"))
    assert_clean(everything_left(model.requests[0], ""))
    assert not any(isinstance(m, Assistant) for m in model.requests[0].messages)


def test_a_tool_in_a_process_has_the_named_variables_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.security.process_tools import environment

    monkeypatch.setenv("TOKEN", CANARY)
    monkeypatch.setenv("OTHER_TOKEN", "not for tools")
    steps = [Step(id=StepId("a"), tool="environment")]
    result = Agent(None, [environment], planner=steps, secrets=["TOKEN"]).run_sync("Look")
    assert "TOKEN" in result.output
    assert "OTHER_TOKEN" not in result.output
    assert "PATH" in result.output


def test_a_secret_is_not_shown_by_itself() -> None:
    secret = Secrets({"TOKEN": CANARY})["TOKEN"]
    assert f"{secret} {secret!r} {[secret]}" == "[secret TOKEN] [secret TOKEN] [[secret TOKEN]]"
    with pytest.raises(TypeError, match="can't be copied into a file"):
        __import__("pickle").dumps(secret)
    assert isinstance(secret, Secret)


def test_secrets_that_are_not_there_or_too_short_are_misuse() -> None:
    with pytest.raises(UsageError, match="the secret 'NOWHERE' is not set; set the environment variable"):
        Agent(ScriptedModel([]), secrets=["NOWHERE"])
    with pytest.raises(UsageError, match="has 3 characters and can't be told from other text"):
        Agent(ScriptedModel([]), secrets={"PIN": "123"})
    with pytest.raises(UsageError, match=re.escape("there is no secret 'B'; there are: A;")):
        _ = Secrets({"A": "abcdefgh"})["B"]


def test_text_without_secrets_stays_the_object_that_it_is() -> None:
    value = {"a": [1, "two", {"three": None}]}
    assert Secrets({"A": "abcdefgh"}).without(value) is value


def test_secrets_of_a_task_file_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from agentkit.errors import TaskFileError
    from agentkit.task import load_task

    file = tmp_path / "task.yaml"
    file.write_text("task: Log in.\nsecrets: [A_TOKEN, B_TOKEN]\nhosts: [example.com]\nsandbox: required\n")
    monkeypatch.setenv("A_TOKEN", CANARY)
    with pytest.raises(TaskFileError, match=r"task.yaml:2:20: the environment variable 'B_TOKEN' is not set"):
        load_task(file)
    monkeypatch.setenv("B_TOKEN", CANARY)
    task = load_task(file)
    assert (task.secrets, task.hosts, task.sandbox) == (("A_TOKEN", "B_TOKEN"), ("example.com",), "required")
    file.write_text("task: Log in.\nsandbox: strong\n")
    with pytest.raises(TaskFileError, match=r"task.yaml:2:10: 'sandbox' must be auto, required or off, not"):
        load_task(file)
