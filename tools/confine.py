"""Confines the process that it runs in, for good: resource limits, Landlock, and who is told when it ends.

The module is also a small program, the launcher of a command that a model wrote: ``python -I -S confine.py SPEC
COMMAND...`` confines itself and starts the command. (What `subprocess` offers for this, ``preexec_fn``, is unsafe where
threads are running.) It needs nothing but the standard library, and no ``site``.

Landlock is Linux's way for a process without privileges to give up rights. Which rights it knows depends on the kernel:
files since 5.13, TCP since 6.7, signals and abstract sockets since 6.12. It does not know UDP.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, NoReturn, TypeAlias

__all__ = ["LAUNCHER", "RLIMITS", "adopt_orphans", "descendants", "landlock", "landlock_version", "limit"]

LAUNCHER = __file__
"""The file of this module, to be run as a program."""

RLIMITS: Mapping[str, int] = {"CORE": 0}
"""For every tool in a process of its own: no memory of it, and no secret in that, is left in a core file."""

Limits: TypeAlias = Mapping[str, int]
"""Limits by the second half of their names in `resource`, such as ``FSIZE``."""

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every architecture
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 1, 36, 38
_BENEATH_A_PATH = 1

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_TRUNCATE, _DEVICE_IOCTL = 1 << 14, 1 << 15
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_ON_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _DEVICE_IOCTL
"""What a rule may say of a path that is no folder."""
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""How many rights each version knows; versions after the last know as many."""
_TCP = 0b11  # bind and connect
_SCOPES = 0b11  # abstract sockets and signals


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scopes", ctypes.c_uint64))


class _PathRule(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("rights", ctypes.c_uint64), ("path", ctypes.c_int32))


def landlock_version() -> int:
    """Returns the version of this kernel's Landlock; 0 when it has none."""
    if sys.platform != "linux":
        return 0
    return max(_call(_CREATE_RULESET, None, 0, 1, check=False), 0)


def landlock(*, read: Iterable[str], write: Iterable[str], network: bool) -> bool:
    """Gives up, for this thread and all it starts, what is not listed; returns whether this kernel can do that.

    Args:
        read: What may be read and run, with all below it. What is not there is left out.
        write: What may be changed too.
        network: Whether TCP may be used, and other processes be signalled.

    Raises:
        OSError: The kernel has Landlock and refuses.
    """
    version = landlock_version()
    if version == 0:
        return False
    known = (1 << _FILE_RIGHTS.get(version, _FILE_RIGHTS[5])) - 1
    rules = _Ruleset(known, 0 if network or version < 4 else _TCP, 0 if network or version < 6 else _SCOPES)
    # A kernel refuses a structure that is longer than the one it knows, unless the rest is zero.
    ruleset = _call(_CREATE_RULESET, ctypes.byref(rules), ctypes.sizeof(rules), 0)
    try:
        for path in read:
            _allow(ruleset, path, _READ)
        for path in write:
            _allow(ruleset, path, known)
        _prctl(_PR_SET_NO_NEW_PRIVS, 1)
        _call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)
    return True


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # nothing there to allow
    try:
        rule = _PathRule(rights if os.path.isdir(path) else rights & _ON_FILES, place)
        _call(_ADD_RULE, ruleset, _BENEATH_A_PATH, ctypes.byref(rule), 0)
    finally:
        os.close(place)


def limit(limits: Limits) -> None:
    """Sets resource limits, as far as they are not lower already."""
    for name, most in limits.items():
        which = getattr(resource, f"RLIMIT_{name}")
        _, hard = resource.getrlimit(which)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(which, (most, most))


def adopt_orphans() -> None:
    """Makes what this process starts stay its own: a grandchild whose parent ends becomes its child."""
    if sys.platform == "linux":
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def descendants(pid: int) -> list[int]:
    """Returns what a process has started and what these have; empty where the system does not tell."""
    found = [pid]
    for parent in found:  # it grows
        with suppress(OSError):  # it has ended
            for task in os.listdir(f"/proc/{parent}/task"):
                with open(f"/proc/{parent}/task/{task}/children", encoding="ascii") as file:
                    found += map(int, file.read().split())
    return found[1:]


def _call(number: int, *arguments: Any, check: bool = True) -> int:
    result: int = ctypes.CDLL(None, use_errno=True).syscall(number, *arguments)
    if result < 0 and check:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _main() -> int:
    """Runs a command, and ends what it leaves behind; returns its exit code, 128 and more for a signal."""
    spec: dict[str, Any] = json.loads(sys.argv[1])
    _die_with_parent()
    adopt_orphans()
    child = os.fork()  # safe: this program has one thread
    if child == 0:
        _become(sys.argv[2:], spec)
    _, status = os.waitpid(child, 0)
    with suppress(ChildProcessError):
        while True:  # orphans of what is killed become children of this process
            for left in descendants(os.getpid()):
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(left, signal.SIGKILL)
            os.waitpid(-1, 0)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _become(command: list[str], spec: Mapping[str, Any]) -> NoReturn:
    code = 125
    try:
        _die_with_parent()
        limit(spec["limits"])
        if spec["landlock"] is not None:
            landlock(**spec["landlock"])
        code = 127
        os.execvp(command[0], command)
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode())
    os._exit(code)


def _die_with_parent() -> None:
    if sys.platform == "linux":
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(_main())
