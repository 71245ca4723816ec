"""What only a process of its own can show: Ctrl-C, readers that go away, and what it leaves behind."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Generator
from contextlib import contextmanager

import pytest

from agentkit.trace import Trace
from tests.cli.conftest import complete, start

WriteTask = Callable[..., str]
ADD = "{id: sum, tool: add, args: {a: 1, b: 2}}"
SLOW = "{id: wait, tool: slow, args: {seconds: 60}, after: [sum]}"
ROWS = "{id: a, tool: rows, args: {count: 8000}}"


def slow_tool_is_recorded() -> bool:
    return any(s.tool == "slow" and s.attempts for s in Trace.load().steps)


@contextmanager
def slow_run(*args: str) -> Generator[subprocess.Popen[bytes]]:
    """A run whose slow tool is being called, as its file says; what is left of it is killed."""
    with start(["run", *args]) as process:
        try:
            assert process.stderr is not None
            while b"busy" not in process.stderr.readline() or not slow_tool_is_recorded():
                assert process.poll() is None
            yield process
        finally:
            process.kill()


def test_ctrl_c_ends_a_slow_tool_and_says_what_is_kept(write_task: WriteTask) -> None:
    with slow_run(write_task(ADD, SLOW)) as process:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    trace = Trace.load()
    assert (process.returncode, out) == (130, b"")
    assert err.decode().splitlines()[-3:] == [
        f"cancelled after {trace.seconds:.1f} s",
        f"interrupted; run {trace.run_id} is kept, with 1 finished call",
        f"look at it with: agentkit trace {trace.run_id} --print; go on with: agentkit resume {trace.run_id}",
    ]
    assert trace.stop_reason == "cancelled"
    assert [s.value for s in trace.steps] == [3, None]


def test_a_killed_run_keeps_what_was_done(write_task: WriteTask) -> None:
    with slow_run(write_task(ADD, SLOW)) as process:
        process.kill()
        process.communicate(timeout=20)
    trace = Trace.load()
    assert trace.stop_reason is None
    assert trace.steps[0].value == 3
    assert "step wait (slow) was called, its result is not recorded" in trace.missing


def test_a_run_can_be_looked_at_while_it_goes_on(write_task: WriteTask) -> None:
    with slow_run(write_task(ADD, SLOW)):
        looked = complete(["trace", "--json"])
    assert (looked.code, looked.err) == (0, "")
    assert looked.json["stop_reason"] is None
    assert looked.json["steps"][0]["result"] == 3


@pytest.mark.parametrize("args", [("run", "task.yaml"), ("run", "task.yaml", "--json"), ("trace", "--json")])
def test_a_reader_that_goes_away_is_no_error(args: tuple[str, ...], write_task: WriteTask) -> None:
    write_task(ROWS)
    if args[0] == "trace":
        assert complete(["run", "task.yaml"]).code == 0
    with start(args) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(1)
        process.stdout.close()
        err = process.stderr.read()
    assert process.returncode == 141
    assert b"Traceback" not in err
    assert b"BrokenPipe" not in err


def test_an_output_that_is_closed_from_the_start_is_no_traceback(write_task: WriteTask) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with start(["run", write_task(ADD)], stdout=writer) as process:
        os.close(writer)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 141
    assert b"Traceback" not in err


def test_an_encoding_without_the_characters_is_no_error(write_task: WriteTask) -> None:
    assert complete(["run", write_task(ADD)]).code == 0
    shown = complete(["trace"], env={"PYTHONIOENCODING": "ascii", "LC_ALL": "C"})
    assert (shown.code, shown.err) == (0, "")
    assert "sum  add(a=1, b=2)  ok" in shown.out
