"""Python that a model wrote computes, and reaches nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agentkit.errors import Retry, ToolFailed
from agentkit.tools.context import ToolContext
from agentkit.tools.python import run_python

pytest.importorskip("pydantic_monty", reason="the extra 'python' is not installed")


def run(code: str) -> Any:
    return asyncio.run(run_python.invoke({"code": code}, ToolContext()))


def test_it_gives_the_value_of_the_last_line_and_what_was_printed() -> None:
    assert run("x = [n * n for n in range(4)]\nprint('hi')\nsum(x)") == {"value": 14, "printed": "hi\n"}


def test_values_of_other_types_become_json() -> None:
    assert run("{'a': (1, 2), 'b': None}") == {"value": {"a": [1, 2], "b": None}}


@pytest.mark.parametrize(
    "code",
    [
        "open('/etc/passwd').read()",
        "import os; os.system('id')",
        "import os; os.listdir('/')",
        "import subprocess; subprocess.run(['id'])",
        "import socket; socket.socket()",
        "import ctypes",
        "__import__('os').system('id')",
        "().__class__.__base__.__subclasses__()",
        "(lambda: 0).__globals__",
        "eval(\"open('/etc/passwd').read()\")",
        "exec(\"import os; os.system('id')\")",
        "import sys; sys.modules['os']",
        "import numpy",
        "from pathlib import Path; Path('/etc/passwd').read_text()",
        "from pathlib import Path; Path('pwned').write_text('x')",
        "import os; os.environ['PATH']",
        "import os; os.getenv('PATH')",
        "import shutil; shutil.rmtree('/tmp')",
        "import importlib; importlib.import_module('os')",
        "import pickle; pickle.loads(b'cos\\nsystem\\n(S\"id\"\\ntR.')",
        "import multiprocessing",
        "[].__class__.__mro__[1].__subclasses__()",
        "(lambda: 0).__code__.replace()",
        "try:\n    1 / 0\nexcept Exception as e:\n    e.__traceback__.tb_frame.f_globals",
        "'{0.__class__.__init__.__globals__}'.format(1)",
        "globals()['__builtins__']['open']('/etc/passwd')",
        "1 / 0",
        "def f(): return f()\nf()",
        "not python",
    ],
)
def test_what_it_may_not_do_is_an_error_that_the_model_can_read(code: str) -> None:
    with pytest.raises((Retry, ToolFailed)) as caught:
        run(code)
    assert str(caught.value)


def test_a_program_without_end_and_one_that_takes_all_memory_are_stopped() -> None:
    with pytest.raises((Retry, ToolFailed), match="(?i)time"):
        run("while True: pass")
    with pytest.raises((Retry, ToolFailed), match="(?i)memory"):
        run("x = 'a' * 10_000_000\ny = [x + str(i) for i in range(1000)]")
