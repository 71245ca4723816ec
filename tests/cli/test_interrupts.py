"""SIGINT and SIGTERM: the first stops a run in order, the second ends the process at once; the run goes on later."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agentkit.trace import Trace
from tests.cli.conftest import Outcome, complete, start

WriteTask = Callable[..., str]

TOOLS = '''
import asyncio
import time
from pathlib import Path

from agentkit import ToolContext, tool


def act(context: ToolContext) -> None:
    """Leaves a line, and takes long as long as a file is there."""
    with open("world.txt", "a") as world:
        world.write("acted\\n")
    context.progress("busy")


@tool(effect="pure")
def add(a: int, b: int) -> int:
    """Add."""
    return a + b


@tool(effect="idempotent")
def deaf(context: ToolContext) -> str:
    """Do not look whether it is to stop."""
    act(context)
    while Path("slow").exists():
        time.sleep(0.01)
    return "done"


@tool(effect="idempotent")
async def stubborn(context: ToolContext) -> str:
    """Go on when it is to stop."""
    act(context)
    while Path("slow").exists():
        try:
            await asyncio.sleep(0.01)
        except asyncio.CancelledError:
            context.progress("not yet")
    return "done"


@tool(effect="idempotent")
async def blocking(context: ToolContext) -> str:
    """Keep the event loop from everything else."""
    act(context)
    await asyncio.sleep(0.1)  # progress is shown
    Path("blocked").touch()
    while Path("slow").exists():
        time.sleep(0.01)
    return "done"


@tool
def paid(context: ToolContext) -> str:
    """Must not be done twice."""
    act(context)
    while Path("slow").exists():
        time.sleep(0.01)
    return "done"
'''

SIGNALS = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])


@pytest.fixture
def task(folder: Path, write_task: WriteTask) -> Callable[[str], str]:
    """Writes a task whose second step calls a tool that is slow while the file ``slow`` is there."""

    def write(tool: str) -> str:
        (folder / "tools.py").write_text(TOOLS, encoding="utf-8")
        (folder / "slow").touch()
        return write_task("{id: sum, tool: add, args: {a: 1, b: 2}}", f"{{id: wait, tool: {tool}, after: [sum]}}")

    return write


@contextmanager
def busy(*args: str) -> Generator[subprocess.Popen[bytes]]:
    """A command whose slow tool has begun; what is left of it is killed."""
    with start(args) as process:
        try:
            assert process.stderr is not None
            while b"busy" not in process.stderr.readline():
                assert process.poll() is None
            yield process
        finally:
            process.kill()


def ended(process: subprocess.Popen[bytes]) -> Outcome:
    out, err = process.communicate(timeout=20)
    return Outcome(process.returncode, out.decode(), err.decode())


def goes_on(folder: Path, *options: str) -> Outcome:
    (folder / "slow").unlink()
    return complete(["resume", *options])


def what_now(run: str) -> str:
    return f"look at it with: agentkit trace {run} --print; go on with: agentkit resume {run}"


@SIGNALS
def test_the_first_signal_stops_the_run_in_order(
    number: signal.Signals, task: Callable[[str], str], folder: Path
) -> None:
    with busy("run", task("deaf")) as process:
        process.send_signal(number)
        outcome = ended(process)
    trace = Trace.load()
    assert (outcome.code, outcome.out) == (128 + number, "")
    assert outcome.err.splitlines()[-2:] == [
        f"interrupted; run {trace.run_id} is kept, with 1 finished call",
        what_now(trace.run_id),
    ]
    assert "Traceback" not in outcome.err
    assert trace.stop_reason == "cancelled"
    again = goes_on(folder)
    assert (again.code, again.out) == (0, "done\n")
    assert Trace.load().run_id == trace.run_id


@SIGNALS
@pytest.mark.parametrize("tool", ["stubborn", "blocking"])
def test_the_second_signal_ends_a_run_at_once_that_does_not_stop(
    number: signal.Signals, tool: str, task: Callable[[str], str], folder: Path
) -> None:
    with busy("run", task(tool)) as process:
        while tool == "blocking" and not (folder / "blocked").exists():
            assert process.poll() is None
        process.send_signal(number)
        wait_until_taken(process, number)
        process.send_signal(number)
        outcome = ended(process)
    trace = Trace.load()
    assert (outcome.code, outcome.out) == (128 + number, "")
    assert outcome.err.splitlines()[-2:] == [
        f"interrupted; run {trace.run_id} is kept, with 1 finished call",
        what_now(trace.run_id),
    ]
    assert trace.stop_reason is None, "nothing more was written"
    again = goes_on(folder)
    assert (again.code, again.out) == (0, "done\n")


def wait_until_taken(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Waits until a signal that was sent is taken: two of a kind that wait would be one."""
    if sys.platform != "linux":
        pytest.skip("only /proc tells which signals wait")
    status, bit = Path(f"/proc/{process.pid}/status"), 1 << (number - 1)
    while any(int(line.split()[1], 16) & bit for line in status.read_text().splitlines() if "Pnd:" in line):
        assert process.poll() is None


def test_who_waits_for_a_run_to_stop_is_told_how_it_ends_at_once(task: Callable[[str], str], folder: Path) -> None:
    with busy("run", task("stubborn")) as process:
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        while b"stopping; a second Ctrl-C ends it at once" not in process.stderr.readline():
            assert process.poll() is None
        (folder / "slow").unlink()
        assert ended(process).code == 130


def test_a_call_that_must_not_be_made_twice_is_in_doubt_then(task: Callable[[str], str], folder: Path) -> None:
    with busy("run", task("paid")) as process:
        process.send_signal(signal.SIGTERM)
        ended(process)
    asked = goes_on(folder)
    assert asked.code == 3
    assert "--assume done" in asked.err
    assert complete(["resume", "--assume", "done"]).code == 0
    assert (folder / "world.txt").read_text() == "acted\n"


def test_a_run_that_is_gone_on_with_is_stopped_like_any_other(task: Callable[[str], str], folder: Path) -> None:
    for command in (["run", task("deaf")], ["resume"]):
        with busy(*command) as process:
            process.send_signal(signal.SIGINT)
            outcome = ended(process)
        assert outcome.code == 130
        assert "go on with: agentkit resume" in outcome.err
    assert goes_on(folder).code == 0
