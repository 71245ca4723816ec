"""Where agentkit keeps its files when that can't be written, or is not known."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from agentkit.trace import Trace
from tests.cli.conftest import MAIN, Cli, Outcome

WriteTask = Callable[..., str]
ADD = "{id: sum, tool: add, args: {a: 1, b: 2}}"


def unshared(options: list[str], *args: str, env: Mapping[str, str] | None = None) -> Outcome:
    """Runs the command line in namespaces of its own."""
    unshare = ["unshare", *options]
    if shutil.which("unshare") is None or subprocess.run([*unshare, "true"], capture_output=True).returncode:
        pytest.skip("no such namespace can be made here")
    command = [*unshare, sys.executable, "-c", MAIN, *args]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=env)
    return Outcome(done.returncode, done.stdout, done.stderr)


def mounted_read_only(folder: Path, *args: str) -> Outcome:
    """Runs it where a folder can't be written to, not even by root."""
    mount = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'
    return unshared(["--map-root-user", "--mount", "sh", "-c", mount, str(folder)], *args)


def as_nobody(*args: str, env: Mapping[str, str] | None = None) -> Outcome:
    """Runs it as the owner of the files here, but with no other right, and with no entry among the users."""
    return unshared(["--map-user=54321"], *args, env=env)


@pytest.fixture
def recorded(cli: Cli, write_task: WriteTask, home: Path) -> str:
    """A run that stopped before its end."""
    task = write_task(ADD, "{id: bad, tool: fail, args: {why: x}, after: [sum]}")
    assert cli("run", task).code == 1
    return Trace.load().run_id


def test_a_run_says_where_it_can_not_write_and_what_to_do(recorded: str, home: Path) -> None:
    before = sorted(home.rglob("*"))
    done = mounted_read_only(home, "run", "task.yaml")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"error: can't create the run file '{home / 'runs'}")
    assert done.err.endswith("Read-only file system; set AGENTKIT_HOME to another folder\n")
    assert done.err.count("\n") == 1
    assert sorted(home.rglob("*")) == before


def test_a_run_can_not_go_on_where_nothing_can_be_written(recorded: str, home: Path) -> None:
    done = mounted_read_only(home, "resume")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"error: can't open the run file '{home / 'runs' / recorded}.sqlite'")
    assert done.err.endswith("Read-only file system; copy it to a folder that can be written to\n")
    assert done.err.count("\n") == 1


@pytest.mark.parametrize("args", [("runs",), ("trace", "--print"), ("trace", "--json"), ("replay",), ("approve",)])
def test_what_only_reads_works_where_nothing_can_be_written(args: tuple[str, ...], recorded: str, home: Path) -> None:
    done = mounted_read_only(home, *args)
    assert done.code == 0, done.err
    assert recorded in done.out + done.err


def test_a_folder_for_which_the_user_has_no_right_is_said_too(write_task: WriteTask, home: Path) -> None:
    task = write_task(ADD)
    (home / "runs").mkdir(parents=True)
    (home / "runs").chmod(0o500)
    done = as_nobody("run", task)
    assert (done.code, done.out) == (2, "")
    assert done.err.endswith("Permission denied; set AGENTKIT_HOME to another folder\n")
    assert done.err.count("\n") == 1


def without(*names: str, **more: str) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in names} | more


def test_a_user_without_a_home_is_told_what_to_set(write_task: WriteTask, folder: Path) -> None:
    task = write_task(ADD)
    done = as_nobody("run", task, env=without("HOME", "AGENTKIT_HOME"))
    assert (done.code, done.out) == (2, "")
    assert (
        done.err == "error: this user has no home folder; set HOME, or AGENTKIT_HOME to a folder for agentkit's files\n"
    )
    assert not (folder / "~").exists()


@pytest.mark.parametrize("name", ["AGENTKIT_HOME", "XDG_DATA_HOME"])
def test_a_folder_that_is_named_is_enough_without_a_home(write_task: WriteTask, tmp_path: Path, name: str) -> None:
    task = write_task(ADD)
    env = without("HOME", "AGENTKIT_HOME", **{name: str(tmp_path / "elsewhere")})
    done = as_nobody("run", task, env=env)
    assert (done.code, done.out) == (0, "3\n")
    assert len(list((tmp_path / "elsewhere").rglob("*.sqlite"))) == 1
