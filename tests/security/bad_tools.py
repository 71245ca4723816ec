"""Tools that behave as badly as tools can, each in a process of its own."""

from __future__ import annotations

import atexit
import faulthandler
import math
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from agentkit import tool

SLEEPER = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"


def start(pid_file: str, *, session: bool = False) -> None:
    """Starts a process that ignores SIGTERM, and notes its id."""
    child = subprocess.Popen([sys.executable, "-S", "-c", SLEEPER], start_new_session=session)
    with Path(pid_file).open("a") as file:
        file.write(f"{child.pid}\n")


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


class Final(BaseException):
    pass


def crash(number: signal.Signals) -> None:
    faulthandler.disable()
    signal.signal(number, signal.SIG_DFL) if number != signal.SIGKILL else None
    os.kill(os.getpid(), number)
    time.sleep(600)


def act(how: str, pid_file: str) -> Any:  # noqa: C901 - a list of cases
    match how:
        case "hangs":
            time.sleep(600)
        case "ignores every signal":
            for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
                signal.signal(number, signal.SIG_IGN)
            time.sleep(600)
        case "blocks every signal":
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
            time.sleep(600)
        case "stops itself":
            os.kill(os.getpid(), signal.SIGSTOP)
        case "computes for ever":
            while True:
                pass
        case "hangs with a child":
            start(pid_file)
            time.sleep(600)
        case "hangs with a child in a session of its own":
            start(pid_file, session=True)
            time.sleep(600)
        case "hangs with ten children":
            for i in range(10):
                start(pid_file, session=i % 2 == 0)
            time.sleep(600)
        case "leaves a child":
            start(pid_file)
            return "done"
        case "leaves a child in a session of its own":
            start(pid_file, session=True)
            return "done"
        case "leaves a daemon":
            if os.fork() == 0:
                os.setsid()
                start(pid_file, session=True)
                os._exit(0)
            os.wait()
            return "done"
        case "leaves a thread":
            threading.Thread(target=time.sleep, args=(600,)).start()
            return "done"
        case "hangs at its exit":
            atexit.register(time.sleep, 600)
            return "done"
        case "segfaults":
            crash(signal.SIGSEGV)
        case "aborts":
            crash(signal.SIGABRT)
        case "is killed":
            crash(signal.SIGKILL)
        case "kills its group":
            os.killpg(0, signal.SIGKILL)
            time.sleep(600)
        case "leaves at once":
            os._exit(0)
        case "exits":
            sys.exit(4)
        case "is interrupted":
            raise KeyboardInterrupt
        case "raises what is no exception":
            raise Final("over")
        case "raises what can't be printed":
            raise Unprintable
        case "recurses":
            return act(how, pid_file)
        case "gives an object":
            return object()
        case "gives no number":
            return [math.nan]
        case "gives a circle":
            circle: list[Any] = []
            circle.append(circle)
            return circle
        case "gives half a character":
            return "\ud800"
        case "closes all its files":
            os.closerange(0, 4096)
        case "opens too many files":
            resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
            return [open(os.devnull) for _ in range(100)]
        case "talks without end":
            line = b"x" * 65536
            for _ in range(200):
                os.write(1, line)
            return "done"
        case "takes all memory":
            resource.setrlimit(resource.RLIMIT_AS, (1 << 29, 1 << 29))
            return len([bytearray(1 << 28) for _ in range(1000)])
        case _:
            raise ValueError(f"unknown: {how}")
    return None


@tool(effect="pure", timeout=2.0)
def misbehave(how: str, pid_file: str) -> Any:
    """Do it."""
    return act(how, pid_file)


@tool(effect="pure", timeout=2.0)
def yields_without_end() -> Iterator[int]:
    """Never ends."""
    i = 0
    while True:
        yield (i := i + 1)
        time.sleep(0.001)


def raise_unprintable() -> NoReturn:
    raise Unprintable
