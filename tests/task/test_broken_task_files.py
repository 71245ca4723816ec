"""Every mistake in a task file is one message: path, line, column, what is wrong, what to do; exit code 2."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from agentkit.cli.main import execute
from agentkit.errors import TaskFileError
from agentkit.task import load_task

BOMB = "task: x\ninputs:\n  a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"  {n}: &{n} [{', '.join([f'*{m}'] * 10)}]\n" for m, n in zip("abcdef", "bcdefg", strict=True)
)
RAISES = "x = 1\nraise ValueError('bad\\nnews')\n"
TOOL = "from agentkit import tool\n@tool\ndef add(a: int, b: int) -> int:\n    'Add.'\n    return a + b\n"
FILES = {
    "raises.py": RAISES,
    "good.py": TOOL,
    "syntax.py": "def f(:\n",
    "missing_import.py": "import not_there_at_all\n",
    "exits.py": "import sys\nsys.exit(3)\n",
    "empty.py": "",
}

# name: (content, line, column, part of the message)
BROKEN: dict[str, tuple[str | bytes, int, int, str]] = {
    "empty": ("", 1, 1, "empty"),
    "only a comment": ("# later\n", 1, 1, "empty"),
    "binary": (b"\x7fELF\0\0\0", 1, 1, "binary"),
    "utf-16": ("task: x".encode("utf-16"), 1, 1, "save it as UTF-8"),
    "latin-1": (b"model: a\ntask: caf\xe9\n", 2, 10, "save the file as UTF-8"),
    "control character": ("task: a\x07b", 1, 8, "U+0007"),
    "huge": (b"task: " + b"x" * 300_000, 1, 1, "the most is"),
    "many values": ("task: x\ninputs:\n  a:\n" + "  - 1\n" * 30_000, 20003, 5, "more than 20,000 values"),
    "3000 brackets": ("task: x\ninputs: " + "[" * 3000, 2, 48, "nested more than 40"),
    "aliases that explode": (BOMB, 7, 14, "aliases"),
    "nesting through aliases": (
        "task: x\ninputs:\n  a: &a " + "[" * 30 + "]" * 30 + "\n  b: " + "[" * 30 + "*a" + "]" * 30,
        4,
        36,
        "nested",
    ),
    "alias inside itself": ("task: x\ninputs: &a\n  b: *a\n", 3, 6, "inside itself"),
    "unknown alias": ("task: x\nmodel: *nope\n", 2, 8, "no anchor"),
    "tab": ("task: x\nlimits:\n\ttime: 3s\n", 3, 1, "spaces"),
    "colon in text": ("task: total: all\n", 1, 12, "quote text"),
    "open quote": ("task: 'x\n", 1, 7, "close it"),
    "open bracket": ("task: x\ntools: [a, b\n", 2, 8, "close it"),
    "at sign": ("task: @x\n", 1, 7, "quote text"),
    "bad escape": ('task: "\\q"\n', 1, 9, "backslash"),
    "impossible character": ('task: "\\UFFFFFFFF"\n', 1, 5, "can't be read as YAML"),
    "bad indentation": ("task: x\n model: y\n", 2, 7, "indentation"),
    "tag": ("task: !!python/object:os.system x\n", 1, 7, "tag"),
    "yaml 1.1": ("%YAML 1.1\n---\ntask: x\n", 2, 1, "YAML 1.2"),
    "two documents": ("task: x\n---\ntask: y\n", 2, 1, "second document"),
    "duplicate key": ("task: x\nmodel: a\ntask: y\n", 3, 1, "first on line 1"),
    "duplicate nested key": ("task: x\nlimits: {calls: 1, calls: 2}\n", 2, 20, "twice"),
    "key that is a list": ("? [a]\n: x\n", 1, 3, "key must be text"),
    "key that is a number": ("task: x\n5: y\n", 2, 1, "key must be text"),
    "template without quotes": ("task: {{ x }}\n", 1, 8, "quoted"),
    "a list": ("- task: x\n", 1, 1, "mapping"),
    "a text": ("Total the expenses\n", 1, 1, "mapping"),
    "no task": ("model: x\n", 1, 1, "'task' is missing"),
    "blank task": ("task: ' '\n", 1, 7, "blank"),
    "task is nothing": ("task: ~\n", 1, 7, "not nothing"),
    "task is a number": ("task: 5\n", 1, 7, "not the number 5"),
    "unknown key": ("task: x\nmodle: y\n", 2, 1, "did you mean 'model'?"),
    "unknown limit": ("task: x\nlimits: {tme: 3s}\n", 2, 10, "did you mean 'time'?"),
    "model is a list": ("task: x\nmodel: [a]\n", 2, 8, "not a list"),
    "model file missing": ("task: x\nmodel: ./no.gguf\n", 2, 8, "no model file"),
    "tools is a mapping": ("task: x\ntools: {a: b}\n", 2, 8, "must be a list"),
    "tool is a number": ("task: x\ntools: [good, 5]\n", 2, 15, "the number 5"),
    "tool file missing": ("task: x\ntools: [./gud.py]\n", 2, 9, "good.py"),
    "tool file raises": ("task: x\ntools:\n  - ./raises.py\n", 3, 5, "raises.py:2: ValueError: bad news"),
    "tool file is not Python": ("task: x\ntools: ./syntax.py\n", 2, 8, "syntax.py:1"),
    "tool file misses a module": ("task: x\ntools: ./missing_import.py\n", 2, 8, "not_there_at_all"),
    "tool file exits": ("task: x\ntools: ./exits.py\n", 2, 8, "sys.exit"),
    "tool file without tools": ("task: x\ntools: ./empty.py\n", 2, 8, "@tool"),
    "tool module missing": ("task: x\ntools: no.such.module\n", 2, 8, "no.such.module"),
    "tool name too long": (f"task: x\ntools: ./{'a' * 300}.py\n", 2, 8, "is not there"),
    "model name too long": (f"task: x\nmodel: ./{'a' * 300}.gguf\n", 2, 8, "no model file"),
    "output name too long": (f"task: x\noutput: {'a' * 300}:Report\n", 2, 9, "beside the task file"),
    "relative module": ("task: x\ntools: .a\n", 2, 8, "'.a'"),
    "same tool twice": ("task: x\ntools: [./good.py, ./good.py]\n", 2, 20, "'add'"),
    "unknown planner": ("task: x\nplanner: lop\n", 2, 10, "did you mean 'loop'?"),
    "workspace missing": ("task: x\nworkspace: ./no\n", 2, 12, "no folder 'no'"),
    "no steps": ("task: x\nplanner: []\n", 2, 10, "empty list"),
    "thinking is a number": ("task: x\nthinking: 5\n", 2, 11, "{budget: 1024} or false"),
    "thinking without budget": ("task: x\nthinking: {}\n", 2, 11, "needs a budget"),
    "negative budget": ("task: x\nthinking: {budget: -1}\n", 2, 20, "at least 1"),
    "bad duration": ("task: x\nlimits: {time: soon}\n", 2, 16, "120s"),
    "no time": ("task: x\nlimits: {time: 0s}\n", 2, 16, "more than 0"),
    "calls is text": ("task: x\nlimits: {calls: many}\n", 2, 17, "the text 'many'"),
    "calls is true": ("task: x\nlimits: {calls: true}\n", 2, 17, "not true"),
    "infinite": ("task: x\nlimits: {calls: .inf}\n", 2, 17, "not a finite number"),
    "number too long": ("task: x\nlimits: {calls: " + "9" * 5000 + "}\n", 2, 17, "too long"),
    "policy asks about nobody": ("task: x\ntools: ./good.py\npolicy: {ask: [ad]}\n", 3, 16, "did you mean 'add'?"),
    "policy key": ("task: x\npolicy: {aks: [a]}\n", 2, 10, "did you mean 'ask'?"),
    "policy is a list": ("task: x\npolicy: [a]\n", 2, 9, "mapping"),
    "policy list is a number": ("task: x\npolicy: {ask: 5}\n", 2, 15, "such as [{tool: send_money"),
    "rule without a tool": ("task: x\npolicy: {ask: [{when: {a: {const: 1}}}]}\n", 2, 16, "needs 'tool'"),
    "rule with an unknown key": ("task: x\npolicy: {ask: [{tool: a, wen: {}}]}\n", 2, 26, "did you mean 'when'?"),
    "rule of a number": ("task: x\npolicy: {deny: [5]}\n", 2, 17, "not the number 5"),
    "condition that is text": ("task: x\npolicy: {ask: [{tool: a, when: a > 1}]}\n", 2, 32, "{exclusiveMinimum: 100}"),
    "condition that is no schema": ("task: x\npolicy: {ask: [{tool: a, when: {a: 5}}]}\n", 2, 36, "JSON Schema"),
    "condition with a misspelled keyword": (
        "task: x\npolicy: {ask: [{tool: a, when: {a: {maximun: 5}}}]}\n",
        2,
        36,
        "did you mean 'maximum'?",
    ),
    "condition with a wrong value": (
        "task: x\npolicy: {ask: [{tool: a, when: {a: {maximum: x}}}]}\n",
        2,
        36,
        "maximum",
    ),
    "condition on no argument": (
        "task: x\ntools: ./good.py\npolicy: {ask: [{tool: add, when: {aa: {const: 1}}}]}\n",
        3,
        35,
        "did you mean 'a'?",
    ),
    "sink argument that is not there": (
        "task: x\ntools: ./good.py\npolicy: {sinks: [{tool: add, arguments: [c]}]}\n",
        3,
        42,
        "'add' has no argument 'c'",
    ),
    "untrusted is a mapping": ("task: x\npolicy: {untrusted: {a: b}}\n", 2, 21, "must be a list"),
    "policy of nobody": ("task: x\ntools: ./good.py\npolicy: {deny: [sub]}\n", 3, 17, "no tool is called 'sub'"),
    "output is a number": ("task: x\noutput: 5\n", 2, 9, "JSON Schema"),
    "output is no schema": ("task: x\noutput:\n  type: objekt\n", 3, 9, "not a JSON Schema"),
    "output class missing": ("task: x\noutput: good:Report\n", 2, 9, "'Report' is not there"),
    "output module missing": ("task: x\noutput: no_such:Report\n", 2, 9, "no_such"),
    "output module raises": ("task: x\noutput: raises:Report\n", 2, 9, "bad news"),
    "unknown variable": ("task: |\n  in\n  {{ curency }}\ninputs: {currency: EUR}\n", 3, 6, "did you mean 'currency'?"),
    "template syntax": ("task: '{{ x'\ninputs: {x: 1}\n", 1, 7, "template is wrong"),
    "template calculates": ("task: 'a {{ x * 10**9 }}'\ninputs: {x: a}\n", 1, 10, "only '{{ name }}'"),
    "template has attributes": (
        "task: '{{ x }} {{ x.__class__.mro() }}'\ninputs: {x: a}\n",
        1,
        16,
        "only '{{ name }}'",
    ),
    "template loops": (
        "task: |\n  {{ x }}\n  {% for a in x %}{% for b in x %}{{ b }}{% endfor %}{% endfor %}\ninputs: {x: a}\n",
        3,
        3,
        "only '{{ name }}'",
    ),
    "template calls": ("task: '{{ range(9) }}'\ninputs: {range: a}\n", 1, 8, "only '{{ name }}'"),
    "template grows": (
        f"task: '{'{{ x }}' * 9000}'\ninputs: {{x: {'a' * 9000}}}\n",
        1,
        7,
        "more than 1,000,000 characters",
    ),
    "no Jinja name": ("task: '{{ range }}'\ninputs: {x: a}\n", 1, 11, "'range' in '{{ }}' is not an input"),
    "inputs is a list": ("task: x\ninputs: [a]\n", 2, 9, "mapping of names"),
    "input without value": ("task: x\ninputs: {file: }\n", 2, 15, "--set file=VALUE"),
    "input name": ("task: x\ninputs: {a-b: 1}\n", 2, 10, "rename it"),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, content in FILES.items():
        (tmp_path / name).write_text(content)
    monkeypatch.setenv("AGENTKIT_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def one_message(capsys: pytest.CaptureFixture[str]) -> str:
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1, shown.err
    assert "Traceback" not in shown.err
    return shown.err


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_gives_one_message_with_its_place(
    name: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content, line, column, part = BROKEN[name]
    (folder / "task.yaml").write_bytes(content.encode() if isinstance(content, str) else content)
    started = time.process_time()
    assert execute(["run", "task.yaml"]) == 2
    assert time.process_time() - started < 5
    message = one_message(capsys)
    assert message.startswith(f"task.yaml:{line}:{column}: "), message
    assert part in message


@pytest.mark.parametrize(
    ("given", "start", "part"),
    [
        ("curency=USD", "task.yaml:2:9: ", "did you mean 'currency'?"),
        ("n=many", "task.yaml:2:28: ", "a whole number"),
        ("currency", "error: ", "KEY=VALUE"),
    ],
)
def test_a_wrong_set_option_says_what_is_expected(
    given: str, start: str, part: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "task.yaml").write_text("task: x\ninputs: {currency: EUR, n: 5}\n")
    assert execute(["run", "task.yaml", "--set", given]) == 2
    message = capsys.readouterr().err
    assert message.startswith(start)
    assert part in message


@pytest.mark.parametrize(
    ("path", "part"), [("taks.yaml", "did you mean 'task.yaml'?"), (".", "folder"), ("a\nb.yaml", "no such file")]
)
def test_a_file_that_is_not_there_gives_one_message(
    path: str, part: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "task.yaml").write_text("task: x\n")
    assert execute(["run", path]) == 2
    assert part in capsys.readouterr().err


WHOLE = b"""task: Total {{ file }} in {{ currency }}.
inputs: {currency: EUR, file: "expenses.csv", months: [1, 2], top: 2.5, all: true}
model: starter
planner:
  - {id: rows, tool: load_csv, args: {path: "{{ file }}", price: $$5}}
  - {id: sum, tool: total, args: {rows: "$rows[0].x"}, after: [rows]}
thinking: {budget: 1024}
output: {type: object, properties: {total: {type: number}}}
limits: {time: 120s, calls: 50}
policy: {allow: [read_*], deny: &d [x]}
"""


def mutate_bytes(chance: random.Random, data: bytearray) -> None:
    at = chance.randrange(len(data))
    match chance.randrange(4):
        case 0:
            data[at] = chance.randrange(256)
        case 1:
            signs = [b"{", b"[", b":", b"\t", b"*d", b"&d ", b"!!x ", b"'", b'"', b"- ", b"\n"]
            data[at:at] = chance.choice(signs)
        case 2:
            del data[at : at + chance.randrange(1, 9)]
        case _:
            data[at:at] = data[chance.randrange(len(data)) :][: chance.randrange(30)]


def mutate_words(chance: random.Random, data: bytearray) -> None:
    """Leaves most files valid YAML, so that their fields are looked at."""
    words = list(re.finditer(rb"\[[^][]*\]|[\w$.*-]+", data))
    values = [b"5", b"-1", b"2.5", b"true", b"~", b"x", b"''", b"[a]", b"{a: b}", b"$rows", b"'{{ x }}'"]
    new = chance.choice([*values, chance.choice(words)[0]])
    start, end = chance.choice(words).span()
    data[start:end] = new


@pytest.mark.parametrize("mutate", [mutate_bytes, mutate_words])
def test_mutated_files_are_read_or_refused_with_a_place(
    mutate: Callable[[random.Random, bytearray], None], tmp_path: Path
) -> None:
    chance = random.Random(7)
    path = tmp_path / "task.yaml"
    outcomes = {"read": 0, "syntax": 0, "fields": 0}
    for _ in range(300):
        data = bytearray(WHOLE)
        for _ in range(chance.randint(1, 2)):
            mutate(chance, data)
        path.write_bytes(data)
        try:
            load_task(path)
            outcomes["read"] += 1
        except TaskFileError as error:
            outcomes["syntax" if "not valid YAML" in str(error) else "fields"] += 1
            assert re.match(r".*task\.yaml:\d+:\d+: \S", str(error)), data
    assert min(outcomes["read"], outcomes["fields"]) > 20, outcomes
