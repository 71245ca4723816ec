"""Tools in a process of their own: the same results and errors, and nothing left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from agentkit import Retry, ToolContext, ToolFailed, tool
from agentkit.errors import ArgumentError, RunError, ToolDefinitionError, ToolTimeout
from tests.tools import process_tools as tools


def gone(pid: int) -> bool:
    """Whether a process is no more, within a second; one that only waits to be reaped is no more."""
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state in "ZX":
            return True
        time.sleep(0.01)
    return False


def wait_for(file: Path) -> list[int]:
    for _ in range(1000):
        if file.exists() and (text := file.read_text()):
            return [int(pid) for pid in text.split()]
        time.sleep(0.01)
    raise AssertionError(f"{file} did not come")


def test_arguments_and_results_are_the_same_as_in_this_process() -> None:
    assert tools.next_year.isolation == "process"
    result = asyncio.run(tools.next_year.invoke({"day": "2026-05-31", "point": {"x": 0, "y": "5"}}))
    assert result == {"x": 2027, "y": 5}
    with pytest.raises(ArgumentError, match="- day: missing"):
        asyncio.run(tools.next_year.invoke({"point": {"x": 0}}))


def test_it_is_another_process() -> None:
    assert asyncio.run(tools.own_pid.invoke({})) != os.getpid()


def test_progress_comes_through() -> None:
    seen: list[Any] = []
    assert asyncio.run(tools.steps.invoke({"count": 3}, ToolContext(on_progress=seen.append))) == "step 2"
    assert seen == ["step 0", "step 1", "step 2"]


def test_coroutines_run_there_too() -> None:
    assert asyncio.run(tools.in_own_loop.invoke({"a": 1})) == 2


def test_results_may_be_large() -> None:
    assert asyncio.run(tools.large.invoke({"size": 3_000_000})) == "x" * 3_000_000


def test_the_tool_has_no_input_and_its_output_is_not_taken_for_the_result(capfd: pytest.CaptureFixture[str]) -> None:
    assert asyncio.run(tools.chatty.invoke({})) == ""
    assert capfd.readouterr() == ("", "to stdout\n")


@pytest.mark.parametrize(
    ("how", "error", "message"),
    [
        ("retry", Retry, "use another city"),
        ("failed", ToolFailed, "no such city"),
        ("value", ValueError, "bad value"),
        ("key", KeyError, "missing"),
        (
            "variable",
            RunError,
            "the environment variable 'API_TOKEN' is not set .* name it under 'secrets' in the task",
        ),
        ("own", RunError, "CalledProcessError: Command 'x' returned non-zero exit status 3."),
        ("exit", RunError, r"'fails' raised SystemExit\(7\); a tool may not do so"),
        ("gone", RunError, "the process of 'fails' exited with code 7 before it gave a result"),
        ("crash", RunError, "the process of 'fails' was killed by SIGSEGV before it gave a result"),
    ],
)
def test_errors_come_through(how: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        asyncio.run(tools.fails.invoke({"how": how}))
    assert type(caught.value) is error


def test_at_its_timeout_the_process_is_killed_with_all_it_started(tmp_path: Path) -> None:
    with pytest.raises(
        ToolTimeout, match="'hangs_with_child' did not finish within its limit of 0.5 s; it was stopped"
    ):
        asyncio.run(tools.hangs_with_child.invoke({"pid_file": str(tmp_path / "pids")}))
    pids = wait_for(tmp_path / "pids")
    assert len(pids) == 2
    assert all(map(gone, pids))


def test_when_it_is_cancelled_nothing_is_left(tmp_path: Path) -> None:
    async def main() -> None:
        task = asyncio.create_task(tools.waits_with_child.invoke({"pid_file": str(tmp_path / "pids")}))
        await asyncio.to_thread(wait_for, tmp_path / "pids")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert all(map(gone, wait_for(tmp_path / "pids")))


def test_after_its_result_nothing_is_left(tmp_path: Path) -> None:
    asyncio.run(tools.leaves_a_child.invoke({"pid_file": str(tmp_path / "pids")}))
    assert all(map(gone, wait_for(tmp_path / "pids")))


SCRIPT = """
import asyncio, os, sys, time
from dataclasses import dataclass
from agentkit import tool

@dataclass
class Point:
    x: int

@tool(timeout=30)
def work(point: Point, hang: str = "") -> Point:
    if hang:
        open(hang, "w").write(str(os.getpid()))
        time.sleep(600)
    return Point(point.x + 1)

{start}
    print(asyncio.run(work.invoke({{"point": {{"x": 1}}, "hang": sys.argv[1]}})))
"""


def test_a_script_can_run_its_own_tools_in_processes(tmp_path: Path) -> None:
    script = tmp_path / "my script.py"
    script.write_text(SCRIPT.format(start='if __name__ == "__main__":'))
    done = subprocess.run([sys.executable, script, ""], capture_output=True, text=True, cwd="/", check=False)
    assert (done.stdout, done.stderr) == ("{'x': 2}\n", "")


def test_a_script_without_a_main_guard_is_told_so(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(start="if True:"))
    done = subprocess.run([sys.executable, script, ""], capture_output=True, text=True, cwd="/", check=False)
    assert "put what the script does under: if __name__ == '__main__':" in done.stderr


def test_when_the_parent_is_killed_the_child_ends(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(start='if __name__ == "__main__":'))
    parent = subprocess.Popen([sys.executable, script, tmp_path / "pid"])
    (child,) = wait_for(tmp_path / "pid")
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert gone(child)


def test_what_cant_run_in_a_process_is_refused_with_the_fix() -> None:
    def closure(a: int) -> int:
        return a

    def with_context(a: int, context: ToolContext) -> int:
        return a

    class Holder:
        def method(self, a: int) -> int:
            return a

    for function, message in [
        (closure, "'test_what_cant_run_in_a_process_is_refused_with_the_fix'"),
        (with_context, "a ToolContext does not reach there; take the parameter 'context' away, or set isolation='thr"),
        (Holder().method, "a method, partial or callable object can't be imported there; wrap it in a def, or set"),
    ]:
        with pytest.raises(ToolDefinitionError) as caught:
            tool(timeout=5)(function)  # type: ignore[arg-type]
        assert message in str(caught.value)
        assert tool(timeout=5, isolation="thread")(function).isolation == "thread"  # type: ignore[arg-type]


def test_an_async_tool_with_a_timeout_needs_no_process() -> None:
    @tool(timeout=5)
    async def here(context: ToolContext) -> None: ...

    assert here.isolation == "thread"
