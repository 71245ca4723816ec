"""A child process that dies, hangs or talks nonsense gives a finding, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agentkit.model_backend.doctor.findings import Finding
from agentkit.model_backend.doctor.watch import child_command, stage_limit, watch

PRELUDE = """
import json, os, sys, time
def say(**line): print(json.dumps(line), flush=True)
say(stage="working")
"""


def watched(code: str, limit: float = 20.0) -> list[Finding | str]:
    return list(watch([sys.executable, "-c", PRELUDE + code], lambda stage: limit))


def only_finding(code: str, limit: float = 20.0) -> Finding:
    *_, last = watched(code, limit)
    assert isinstance(last, Finding)
    assert (last.topic, last.level) == ("process", "problem")
    assert last.advice
    return last


def test_stages_and_findings_pass_through() -> None:
    finding = Finding("speed", "ok", "fast", "", ("a line",), {"n": 1})
    assert watched(f"say(finding={finding.to_json()!r}); say(end=True)") == ["working", finding]


@pytest.mark.parametrize("number", [signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE])
def test_a_signal_is_named_with_the_stage_and_the_last_line(number: signal.Signals) -> None:
    code = "print('first\\nggml.c:7: GGML_ASSERT(x) failed\\n', file=sys.stderr, flush=True);"
    message = only_finding(f"{code} os.kill(os.getpid(), {number})").message
    assert message == (
        f"the process that opened the file ended with {number.name} while working: 'ggml.c:7: GGML_ASSERT(x) failed'"
    )


def test_where_a_library_was_built_is_left_out_of_the_last_line() -> None:
    code = "print('/tmp/a/b/llama.cpp/src/model.cpp:12: GGML_ASSERT(x) failed', file=sys.stderr); sys.exit(3)"
    assert only_finding(code).data == {
        "stage": "working",
        "signal": "exit code 3",
        "last_line": "model.cpp:12: GGML_ASSERT(x) failed",
    }


def test_a_kill_from_outside_points_to_memory() -> None:
    assert "out of memory" in only_finding("os.kill(os.getpid(), 9)").advice


@pytest.mark.parametrize("code", ["", "print('{\"stage\": \"cut', end='')"])
def test_an_end_without_a_word_is_no_success(code: str) -> None:
    assert "exit code 0" in only_finding(code).message


def test_a_hanging_stage_is_ended_and_named() -> None:
    start = time.monotonic()
    finding = only_finding("time.sleep(600)", limit=1.0)
    assert finding.message == "it hung while working, and was ended after 1 s"
    assert time.monotonic() - start < 10


def test_a_flood_on_standard_error_stops_no_one_and_only_its_end_is_shown() -> None:
    code = "sys.stderr.write('x' * 5_000_000 + '\\n' + 'y' * 10_000); sys.stderr.flush(); os.abort()"
    message = only_finding(code).message
    assert len(message) < 500
    assert "yyy" in message


def test_what_the_child_has_started_ends_with_it(tmp_path: Path) -> None:
    code = (
        "import subprocess; child = subprocess.Popen([sys.executable, '-c', 'while True: pass']);"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(child.pid)); time.sleep(600)"
    )
    only_finding(code, limit=2.0)
    assert is_gone(int((tmp_path / "pid").read_text()))


def test_leaving_early_ends_the_child(tmp_path: Path) -> None:
    code = f"open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); say(stage='next'); time.sleep(600)"
    steps = watch([sys.executable, "-c", PRELUDE + code], lambda stage: 60.0)
    assert [next(steps), next(steps)] == ["working", "next"]
    steps.close()  # type: ignore[attr-defined]
    assert is_gone(int((tmp_path / "pid").read_text()))


def test_the_child_ends_when_the_one_who_watches_is_killed(tiny: Path) -> None:
    """The real child, whose standard input closes then."""
    child = subprocess.Popen(
        child_command(tiny, quick=True),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert child.stdin and child.stdout
    child.stdout.readline()
    child.stdin.close()
    assert child.wait(timeout=20) == -signal.SIGKILL
    child.stdout.close()


def test_a_large_file_may_take_longer_for_its_weights_and_not_for_its_vocabulary() -> None:
    small, large = 10**9, 20 * 10**9
    assert stage_limit("loading the weights", large) > stage_limit("loading the weights", small)
    assert stage_limit("reading the vocabulary", large) == stage_limit("reading the vocabulary", small)


def is_gone(pid: int) -> bool:
    """Whether a process that was killed ends within some seconds, which a busy machine may need for it."""
    end = time.monotonic() + 20
    while alive(pid) and time.monotonic() < end:
        time.sleep(0.05)
    return not alive(pid)


def alive(pid: int) -> bool:
    """Whether a process runs; one that is dead and was not waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, NotADirectoryError):
        if sys.platform == "linux":
            return False
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        return True
    return state != "Z"
