"""However badly a tool behaves, its call ends with words about it, the run goes on, and nothing is left of the tool."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from agentkit import Agent, ScriptedModel, tool
from agentkit.messages import ToolCall, ToolResult
from agentkit.tools.sandbox import run_confined
from tests.security import bad_tools

STOPPED = "did not finish within its limit of 2 s; it was stopped, with all it had started"
DIES = "before it gave a result"

CASES = {
    "hangs": STOPPED,
    "ignores every signal": STOPPED,
    "blocks every signal": STOPPED,
    "stops itself": STOPPED,
    "computes for ever": STOPPED,
    "hangs with a child": STOPPED,
    "hangs with a child in a session of its own": STOPPED,
    "hangs with ten children": STOPPED,
    "leaves a child": "done",
    "leaves a child in a session of its own": "done",
    "leaves a daemon": "done",
    "leaves a thread": "done",
    "hangs at its exit": "done",
    "segfaults": "was killed by SIGSEGV before it gave a result",
    "aborts": "was killed by SIGABRT before it gave a result",
    "is killed": "was killed by SIGKILL before it gave a result",
    "kills its group": "was killed by SIGKILL before it gave a result",
    "leaves at once": "exited with code 0 before it gave a result",
    "exits": "raised SystemExit(4); a tool may not do so",
    "is interrupted": "raised KeyboardInterrupt(); a tool may not do so",
    "raises what is no exception": "raised Final('over'); a tool may not do so",
    "raises what can't be printed": "Unprintable",
    "recurses": "RecursionError",
    "gives an object": "can't be JSON",
    "gives no number": "NaN or Infinity",
    "gives a circle": "can't be JSON",
    "gives half a character": "",
    "closes all its files": DIES,
    "opens too many files": "Too many open files",
    "talks without end": "done",
    "takes all memory": "MemoryError",
}


def is_gone(pid: int) -> bool:
    for _ in range(100):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.01)
    return False


def told(tools: list[Any], name: str, arguments: dict[str, Any], limit: float = 20.0) -> str:
    """Has a model make a call, and returns what the model is told about it."""
    model = ScriptedModel([ToolCall(name, arguments), "Sorry."])

    async def main() -> Any:
        async with asyncio.timeout(limit):
            return await Agent(model, tools, planner="loop").run("Do it")

    result = asyncio.run(main())
    assert (result.output, result.stop_reason) == ("Sorry.", "answer"), "the run goes on"
    (message,) = [m for m in model.requests[-1].messages if isinstance(m, ToolResult)]
    return str(message.value)


@pytest.mark.parametrize("how", CASES)
def test_a_call_ends_and_leaves_nothing(how: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    pids = tmp_path / "pids"
    assert CASES[how] in told([bad_tools.misbehave], "misbehave", {"how": how, "pid_file": str(pids)})
    assert ("child" in how or "daemon" in how) == pids.exists()
    if pids.exists():
        assert all(is_gone(int(pid)) for pid in pids.read_text().split())


def test_a_generator_without_end_is_stopped() -> None:
    assert STOPPED in told([bad_tools.yields_without_end], "yields_without_end", {})


def test_an_error_without_words_in_this_process_ends_only_its_call() -> None:
    @tool
    def speechless() -> str:
        """Fail."""
        bad_tools.raise_unprintable()

    assert "Unprintable" in told([speechless], "speechless", {})


def test_a_tool_that_blocks_the_loop_only_takes_its_time() -> None:
    @tool
    async def blocks() -> str:
        """Block."""
        time.sleep(0.2)  # noqa: ASYNC251 - that is what is bad about it
        return "late"

    assert told([blocks], "blocks", {}) == "late"


def test_a_command_that_is_stopped_with_a_full_pipe_does_not_hang(tmp_path: Path) -> None:
    """More is left in its pipe than asyncio takes unread, so that its end is not seen."""
    script = "import fcntl, os, time; fcntl.fcntl(1, 1031, 1 << 20); [os.write(1, bytes(1 << 18)) for _ in range(9)]"

    async def main() -> None:
        async with asyncio.timeout(20):
            command = [sys.executable, "-I", "-S", "-c", script]
            await run_confined(command, tool="t", workspace=tmp_path, level="limits", seconds=10, most_output=100)

    with pytest.raises(Exception, match="wrote more than 5,000 bytes and was stopped"):
        asyncio.run(main())
