"""A command that a model wrote is read by no shell, and gets at nothing but its workspace."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from agentkit.errors import Retry, ToolFailed, ToolTimeout, UsageError
from agentkit.tools.access import Access
from agentkit.tools.confine import descendants, landlock_version
from agentkit.tools.context import ToolContext
from agentkit.tools.sandbox import Level, best_level, bwrap_trouble, run_confined
from agentkit.tools.shell import run_command
from tests.security.process_tools import write

PYTHON = os.path.realpath(sys.executable)
"""Not that of a virtual environment, which a confined command can't see."""
LEVELS: list[Any] = [
    pytest.param("bwrap", marks=pytest.mark.skipif(bool(bwrap_trouble()), reason=f"bubblewrap: {bwrap_trouble()}")),
    pytest.param("landlock", marks=pytest.mark.skipif(not landlock_version(), reason="this kernel has no Landlock")),
]


def run(workspace: Path, *command: str, level: Level = "limits", seconds: float = 20.0, most: int = 4000) -> Any:
    return asyncio.run(
        run_confined(command, tool="t", workspace=workspace, level=level, seconds=seconds, most_output=most)
    )


METACHARACTERS = [
    "; touch pwned", "& touch pwned", "&& touch pwned", "| touch pwned", "|| touch pwned", "$(touch pwned)",
    "`touch pwned`", "> pwned", ">> pwned", "< /etc/passwd", "$HOME", "${HOME}", "$((1+1))", "~", "*", "?",
    "[a-z]*", "{a,b}", "\n touch pwned", "\r touch pwned", "\\; touch pwned", "'; touch pwned; '",
    '"; touch pwned; "', "# touch pwned", "!touch", "%PATH%", "^touch", "<(touch pwned)", ">(touch pwned)",
    "2>pwned", "-- touch pwned", "\t;\ttouch pwned",
]  # fmt: skip


@pytest.mark.parametrize("text", METACHARACTERS)
def test_what_a_shell_would_read_is_a_word_like_any_other(tmp_path: Path, text: str) -> None:
    done = run(tmp_path, "printf", "%s", text)
    assert (done.code, done.out.decode()) == (0, text)
    assert not list(tmp_path.iterdir())


PROBE = """
import os, socket, sys, ctypes
what = sys.argv[1]
exec(what)
print("REACHED")
"""

ESCAPES = {
    "read a file of the system": "open('/etc/shadow').read()",
    "read the passwords": "open('/etc/passwd').read()",
    "read the home": "os.listdir('/root') or 1/0; open(OUTSIDE).read()",
    "read a file beside the workspace": "open(OUTSIDE).read()",
    "read it by a relative path": "open('../outside.txt').read()",
    "read it through a link": "os.symlink(OUTSIDE, 'l'); open('l').read()",
    "read it through a hard link": "os.link(OUTSIDE, 'h'); open('h').read()",
    "read it through the root of a process": "open('/proc/self/root' + OUTSIDE).read()",
    "read it through the folder of a process": "open('/proc/self/cwd/../outside.txt').read()",
    "write it": "open(OUTSIDE, 'w').write('x')",
    "write beside the workspace": "open('../new.txt', 'w').write('x')",
    "write to the system": "open('/usr/x', 'w').write('x')",
    "write to a start file": "open('/etc/profile', 'a').write('x')",
    "make a folder outside": "os.mkdir('../folder')",
    "remove a file outside": "os.remove(OUTSIDE)",
    "rename a file outside": "os.rename(OUTSIDE, 'mine')",
    "cut a file outside": "os.truncate(OUTSIDE, 0)",
    "listen": "s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen()",
    "connect": "socket.create_connection(('127.0.0.1', PORT), timeout=2)",
    "stop the parent": "os.kill(PARENT, 0)",
    "stop the first process": "os.kill(1, 0) if PARENT != 1 else 1/0; os.kill(PARENT, 0)",
    "read the memory of the parent": "open(f'/proc/{PARENT}/mem', 'rb').read(1)",
    "read the variables of the parent": "open(f'/proc/{PARENT}/environ').read()",
    "open a disk": "open('/dev/vda', 'rb').read(1)",
    "see a secret variable": "os.environ['A_TOKEN']",
    "mount": "assert ctypes.CDLL(None, use_errno=True).mount(b'none', b'/mnt', b'tmpfs', 0, None) == 0",
}


IN_ITS_OWN_SYSTEM = {
    "write it",
    "write beside the workspace",
    "write to a start file",
    "make a folder outside",
    "listen",
}
"""What bubblewrap lets a command do to things that are gone with it: its own folders, its own loopback."""


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("how", ESCAPES)
def test_a_command_does_not_get_out(tmp_path: Path, how: str, level: Level, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_TOKEN", "a secret that no command may see")
    workspace, outside = tmp_path / "workspace", tmp_path / "outside.txt"
    workspace.mkdir()
    outside.write_text("outside")
    profile = Path("/etc/profile").read_bytes()
    names = f"OUTSIDE, PARENT, PORT = {str(outside)!r}, {os.getpid()}, 22\n"
    done = run(workspace, PYTHON, "-I", "-S", "-c", PROBE, names + ESCAPES[how], level=level)
    if level != "bwrap" or how not in IN_ITS_OWN_SYSTEM:
        assert b"REACHED" not in done.out
        assert b"Error" in done.err, "it was refused, and not missing"
    assert Path("/etc/profile").read_bytes() == profile
    assert outside.read_text() == "outside"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["outside.txt", "workspace"]


@pytest.mark.parametrize("level", [*LEVELS, "limits"])
def test_a_command_works_in_its_workspace(tmp_path: Path, level: Level) -> None:
    (tmp_path / "a.log").write_text("ERROR one\nok\nERROR two\n")
    assert run(tmp_path, "grep", "-c", "ERROR", "a.log", level=level).out == b"2\n"
    code = "open('b.txt', 'w').write('made'); import tempfile; tempfile.TemporaryFile().write(b'x')"
    assert run(tmp_path, PYTHON, "-I", "-c", code, level=level).code == 0
    assert (tmp_path / "b.txt").read_text() == "made"


@pytest.mark.parametrize("level", [*LEVELS, "limits"])
def test_at_its_limit_a_command_is_stopped_with_all_that_ignores_it(tmp_path: Path, level: Level) -> None:
    script = "trap '' TERM; (setsid sh -c 'trap \"\" TERM; sleep 66' &) ; sleep 66"
    started = time.monotonic()
    with pytest.raises(ToolTimeout, match="it was stopped, with all it had started"):
        run(tmp_path, "sh", "-c", script, level=level, seconds=1.0)
    assert time.monotonic() - started < 15
    assert not [pid for pid in descendants(os.getpid()) if b"sleep\x0066" in _command(pid)]


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def test_a_command_that_writes_a_lot_is_cut_and_one_without_end_is_stopped(tmp_path: Path) -> None:
    done = run(tmp_path, PYTHON, "-c", "print('x' * 10_000)")
    assert (len(done.out), done.left_out) == (4000, 6001)
    with pytest.raises(ToolFailed, match="wrote more than 200,000 bytes and was stopped"):
        run(tmp_path, "yes")


def test_the_tool_says_how_a_command_ended_and_how_it_was_confined(tmp_path: Path) -> None:
    context = ToolContext(workspace=tmp_path)
    result = asyncio.run(run_command.invoke({"command": "ls no-such-file"}, context))
    assert isinstance(result, dict)
    assert result["exit_code"] != 0
    assert "no-such-file" in result["errors"]
    assert context.sandbox == best_level()
    assert asyncio.run(run_command.invoke({"command": ["no-such-program"]}, context))["exit_code"] != 0  # type: ignore[index,call-overload]


@pytest.mark.parametrize("command", ["", "  ", [], ["", "x"], "unclosed 'quote", ["a\0b"], ["x" * 200_000]])
def test_a_command_that_can_not_be_run_is_explained(command: Any) -> None:
    with pytest.raises(Retry):
        asyncio.run(run_command.invoke({"command": command}))


def test_a_required_sandbox_that_is_not_there_fails_closed(tmp_path: Path) -> None:
    context = ToolContext(workspace=tmp_path, access=Access(sandbox="required"))
    if not bwrap_trouble():
        assert asyncio.run(run_command.invoke({"command": "true"}, context)) == {"exit_code": 0, "output": ""}
        assert context.sandbox == "bwrap"
        return
    with pytest.raises(UsageError, match="'sandbox: required' wants bubblewrap, and"):
        asyncio.run(run_command.invoke({"command": "touch made"}, context))
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not landlock_version(), reason="this kernel has no Landlock")
def test_a_tool_in_a_process_changes_only_the_workspace_and_temporary_files(tmp_path: Path) -> None:
    context = ToolContext(workspace=tmp_path)
    assert asyncio.run(write.invoke({"path": str(tmp_path / "in.txt")}, context)) == "written"
    assert context.sandbox == "landlock"
    place = Path("/agentkit-never-written.txt")  # neither in the workspace nor among temporary files
    with pytest.raises(PermissionError):
        asyncio.run(write.invoke({"path": str(place)}, context))
    assert not place.exists()
    free = ToolContext(workspace=tmp_path, access=Access(sandbox="off"))
    assert asyncio.run(write.invoke({"path": str(tmp_path / "off.txt")}, free)) == "written"
    assert free.sandbox == "limits"
