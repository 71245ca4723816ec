"""The viewer in a real terminal, drawn by tmux."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.trace.demo import demo_run, write_run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed"),
]


class Terminal:
    """A window of tmux, on a server of its own."""

    def __init__(self, socket: Path, command: str) -> None:
        self._tmux = ["tmux", "-S", str(socket), "-f", "/dev/null"]
        env = {k: v for k, v in os.environ.items() if k not in ("TMUX", "NO_COLOR", "TERM")} | {
            "TERM": "xterm-256color"
        }
        subprocess.run([*self._tmux, "new-session", "-d", "-x", "80", "-y", "24", command], check=True, env=env)

    def press(self, *keys: str) -> None:
        """Sends keys at once, as if they were typed ahead or pasted."""
        subprocess.run([*self._tmux, "send-keys", *keys], check=True)

    @property
    def text(self) -> str:
        return subprocess.run([*self._tmux, "capture-pane", "-p"], check=True, capture_output=True, text=True).stdout

    def wait_for(self, text: str) -> None:
        end = time.monotonic() + 60
        while text not in self.text:
            assert time.monotonic() < end, self.text
            time.sleep(0.1)

    def close(self) -> None:
        subprocess.run([*self._tmux, "kill-server"], check=False)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    path = write_run(demo_run(), tmp_path / "run.sqlite")
    code = "from agentkit.cli.main import main; main()"
    command = shlex.join([sys.executable, "-c", code, "trace", str(path)])
    shown = Terminal(tmp_path / "tmux", f"{command}; echo left with $?; sleep 60")
    yield shown
    shown.close()


def test_a_run_is_looked_at_and_left(terminal: Terminal) -> None:
    terminal.wait_for("1 summary")
    terminal.press("e")
    terminal.wait_for("TimeoutError: the weather service")
    terminal.press("/")
    terminal.wait_for("kind:turn label:web")
    terminal.press("tool:book")
    terminal.wait_for(" tool:book")
    terminal.press("Enter")
    terminal.wait_for("book  (once)")
    terminal.press("q")
    terminal.wait_for("left with 0")
    assert "summary" not in terminal.text  # the screen is as it was


def test_keys_that_come_at_once_are_each_done_before_the_next(terminal: Terminal) -> None:
    terminal.wait_for("1 summary")
    terminal.press("/tool:bok", "BSpace", "ok", "Enter", "3")
    terminal.wait_for("2 rows fit")
    terminal.wait_for("CRK-2291")  # what the first of them gave, in the tab of the last key
    terminal.press("Escape")
    terminal.wait_for("? keys")
    terminal.press("x", "{", '"city": "Rome", "was":')
    terminal.wait_for('{"city": "Rome", "was":{')


def test_a_window_stands_over_the_run_and_not_in_its_place(terminal: Terminal) -> None:
    terminal.wait_for("1 summary")
    terminal.press("e", "x")
    terminal.wait_for("A new run that begins at w6")
    assert "Find the best" in terminal.text
