"""What is wrong with a plan is said all at once, each with file, line and column, before anything is run."""

from __future__ import annotations

import random
import re
import time
from pathlib import Path

import pytest

from agentkit.cli.main import execute
from agentkit.errors import PlanFileError, TaskFileError
from agentkit.plan_check import diagnose
from agentkit.task import load_task, read_task

TOOLS = '''
from typing import Annotated, Any, Literal, TypedDict
from pydantic import Field
from agentkit import tool


class Row(TypedDict):
    name: str
    amount: float


class Table(TypedDict):
    rows: list[Row]
    total: float


class Mail(TypedDict):
    to: str
    lines: list[str]


@tool(effect="pure")
def load(path: str, limit: Annotated[int, Field(ge=1)] = 10) -> Table:
    """Load a table."""
    raise NotImplementedError


@tool(effect="pure")
def names(rows: list[Row]) -> list[str]:
    """List the names."""
    raise NotImplementedError


@tool(effect="pure")
def check(name: str, level: Literal["low", "high"] = "low") -> int:
    """Check one."""
    raise NotImplementedError


@tool(effect="pure")
def anything(value: Any):
    """Give something."""
    raise NotImplementedError


@tool
def send(mail: Mail, count: int = 1) -> str:
    """Send a mail."""
    raise NotImplementedError


@tool(effect="pure")
def nothing() -> None:
    """Do nothing."""
'''
LOAD = "{id: t, tool: load, args: {path: a.csv}}"
NAMES = "{id: n, tool: names, args: {rows: $t.rows}}"

# name: (steps, what is said without the file's name)
BROKEN: dict[str, tuple[tuple[str, ...], list[str]]] = {
    "unknown tool": (
        ("{id: t, tool: lod, args: {path: a.csv}}",),
        [
            "4:19: error: there is no tool 'lod'; did you mean 'load'? (tools: load, names, check, anything, send, "
            "nothing)"
        ],
    ),
    "unknown argument": (
        ("{id: t, tool: load, args: {path: a.csv, limt: 5}}",),
        ["4:45: error: 'load' has no argument 'limt'; did you mean 'limit'? (unused arguments: limit)"],
    ),
    "argument of a tool without any": (
        ("{id: t, tool: nothing, args: {a: 1}}",),
        ["4:35: error: 'nothing' has no argument 'a'; there are no unused arguments"],
    ),
    "missing argument": (
        ("{id: t, tool: load, args: {limit: 5}}",),
        ["4:31: error: 'load' needs the argument 'path': text"],
    ),
    "missing arguments without args": (
        ("{id: t, tool: load}",),
        ["4:5: error: 'load' needs the argument 'path': text"],
    ),
    "literal of a wrong type": (
        ("{id: t, tool: load, args: {path: a.csv, limit: many}}",),
        ["4:52: error: 'limit' does not fit 'load': got \"many\"; expected an integer of at least 1"],
    ),
    "literal out of bounds": (
        ("{id: t, tool: load, args: {path: a.csv, limit: 0}}",),
        ["4:52: error: 'limit' does not fit 'load': got 0; expected an integer of at least 1"],
    ),
    "literal that is no choice": (
        ("{id: c, tool: check, args: {name: a, level: hi}}",),
        ["4:49: error: 'level' does not fit 'check': got \"hi\"; expected one of \"low\", \"high\""],
    ),
    "literal wrong inside": (
        ("{id: s, tool: send, args: {mail: {to: a, lines: [b, true]}}}",),
        ["4:57: error: 'mail.lines[1]' does not fit 'send': got true; expected a string"],
    ),
    "literal beside a reference": (
        (LOAD, "{id: s, tool: send, args: {mail: {to: '$t.rows[0].name', lines: 5}}}"),
        [
            "5:43: note: '$t.rows[0].name' is checked when the plan runs: rows: may be empty",
            "5:69: error: this does not fit 'send': 5, where a list is expected",
        ],
    ),
    "key that is not there beside a reference": (
        (LOAD, "{id: s, tool: send, args: {mail: {to: a, lines: [], cc: $t.total}}}"),
        ["5:57: error: this does not fit 'send': 'mail' has no key 'cc'; its keys are 'to', 'lines'"],
    ),
    "key that is missing beside a reference": (
        (LOAD, "{id: s, tool: send, args: {mail: {lines: $t.rows}}}"),
        [
            "5:38: error: this does not fit 'send': the key 'to' is missing",
            "5:46: error: '$t.rows' does not fit 'send': each item: an object, where text is expected",
        ],
    ),
    "list with references for something else": (
        (LOAD, "{id: c, tool: check, args: {name: [$t.total]}}"),
        ["5:39: error: this does not fit 'check': a list, where text is expected"],
    ),
    "text with references for something else": (
        (LOAD, "{id: l, tool: names, args: {rows: 'all of ${t.rows}'}}"),
        ["5:39: error: this does not fit 'names': text, where a list is expected"],
    ),
    "reference to nobody": (
        (LOAD, "{id: n, tool: names, args: {rows: $tt.rows}}"),
        ["5:39: error: there is no step 'tt' before this one; did you mean 't'? (earlier steps: t)"],
    ),
    "reference to nobody in the first step": (
        ("{id: n, tool: names, args: {rows: $t.rows}}",),
        ["4:39: error: there is no step 't' before this one; there are no earlier steps"],
    ),
    "reference to a later step": (
        (NAMES, LOAD),
        ["4:39: error: step 't' comes later; move it before 'n'"],
    ),
    "reference to itself": (
        ("{id: a, tool: anything, args: {value: $a}}",),
        ["4:43: error: step 'a' can't need itself; refer to an earlier step"],
    ),
    "circle of two": (
        ("{id: a, tool: anything, args: {value: $b}}", "{id: b, tool: anything, args: {value: $a.x}}"),
        [
            "4:43: error: steps wait for each other in a circle: a needs b needs a; take one of these references out",
            "5:43: note: '$a.x' is checked when the plan runs: nothing is known of the result",
        ],
    ),
    "circle through for_each and after": (
        (
            LOAD,
            "{id: a, tool: check, for_each: $c, args: {name: x}}",
            "{id: b, tool: nothing, after: [t, a]}",
            "{id: c, tool: anything, args: {value: 1}, after: b}",
        ),
        [
            "4:5: note: nothing takes the result of 't', which changes nothing; 'b' only waits for it",
            "5:5: note: nothing takes the result of 'a', which changes nothing; 'b' only waits for it",
            "5:36: error: steps wait for each other in a circle: a needs c needs b needs a; "
            "take one of these references out",
            "5:36: note: whether '$c' is a list is checked when the plan runs: nothing is known of the result",
            "6:5: note: nothing takes the result of 'b', which changes nothing; 'c' only waits for it",
        ],
    ),
    "after nobody": (
        (LOAD, "{id: b, tool: nothing, after: [tea]}"),
        [
            "5:36: error: there is no step 'tea' before this one; earlier steps: t",
        ],
    ),
    "field that is not there": (
        (LOAD, "{id: n, tool: names, args: {rows: $t.row}}"),
        ["5:39: error: '$t.row' leads nowhere: the result has no key 'row'; did you mean 'rows'?"],
    ),
    "field of an item that is not there": (
        (LOAD, "{id: c, tool: check, for_each: $t.rows, args: {name: $item.nme}}"),
        ["5:58: error: '$item.nme' leads nowhere: the result has no key 'nme'; did you mean 'name'?"],
    ),
    "field of a number": (
        (LOAD, "{id: c, tool: check, args: {name: 'of ${t.total.eur}'}}"),
        [
            "5:39: error: '$t.total.eur' leads nowhere: 'total' is a number, which has no parts; "
            "refer to all of it instead of 'eur' in it"
        ],
    ),
    "index of an object": (
        (LOAD, "{id: n, tool: names, args: {rows: '$t[0]'}}"),
        [
            "5:39: error: '$t[0]' leads nowhere: the result is an object and not a list, so it has no item [0]; "
            "its keys are 'rows', 'total'"
        ],
    ),
    "result of another type": (
        (LOAD, "{id: n, tool: names, args: {rows: $t}}"),
        ["5:39: error: '$t' does not fit 'names': an object, where a list is expected"],
    ),
    "items of another type": (
        (LOAD, NAMES, "{id: m, tool: names, args: {rows: $n}}"),
        ["6:39: error: '$n' does not fit 'names': each item: text, where an object is expected"],
    ),
    "result of nothing": (
        ("{id: a, tool: nothing}", "{id: c, tool: check, args: {name: $a}}"),
        ["5:39: error: '$a' does not fit 'check': null, where text is expected"],
    ),
    "result of all items for one": (
        (
            LOAD,
            "{id: c, tool: check, for_each: $t.rows, args: {name: $item.name}}",
            "{id: s, tool: load, args: {path: a, limit: $c}}",
        ),
        ["6:48: error: '$c' does not fit 'load': a list, where a whole number is expected"],
    ),
    "for each of no list": (
        (LOAD, "{id: c, tool: check, for_each: $t, args: {name: $item}}"),
        [
            "5:36: error: '$t' can't be used here: a list is expected, and this is an object; "
            "of its parts, these are lists: 'rows'"
        ],
    ),
    "for each of a field that is not there": (
        (LOAD, "{id: c, tool: check, for_each: $t.rosw, args: {name: $item}}"),
        ["5:36: error: '$t.rosw' can't be used here: the result has no key 'rosw'; did you mean 'rows'?"],
    ),
    "item without for_each": (
        ("{id: c, tool: check, args: {name: $item.name}}",),
        ["4:39: error: '$item.name' is the item in a step with 'for_each', and this step has none; add it"],
    ),
    "for each of the item": (
        ("{id: c, tool: check, for_each: $item, args: {name: $item}}",),
        ["4:36: error: the item can't be used here; 'item' has a meaning in 'args' only"],
    ),
    "on_error without for_each": (
        ("{id: t, tool: load, args: {path: a.csv}, on_error: skip}",),
        [
            "4:56: error: 'on_error' says what becomes of an item that fails, and this step has no 'for_each'; "
            "add it, or drop 'on_error'"
        ],
    ),
    "step called item": (
        ("{id: item, tool: load, args: {path: a.csv}}",),
        ["4:10: error: a step can't be called 'item': that is the item in a step with 'for_each'; rename it"],
    ),
    "two steps with one id": (
        (LOAD, "{id: t, tool: load, args: {path: b.csv}}"),
        ["5:10: error: there is a step 't' already; give each step its own id"],
    ),
    "dollar in text": (
        (LOAD, "{id: c, tool: check, args: {name: the $t.total}}"),
        ["5:39: warning: within text, '$t' is no reference; write it '${t}', with its path inside the braces"],
    ),
    "the same call": (
        (LOAD, "{id: u, tool: load, args: {path: a.csv}}"),
        ["5:5: warning: this is the call of step 't' again, and is not made twice; use '$t' instead"],
    ),
    "unused step": (
        (LOAD, "{id: c, tool: check, args: {name: a}, after: [t]}"),
        ["4:5: note: nothing takes the result of 't', which changes nothing; 'c' only waits for it"],
    ),
    # What can't be read as a step.
    "step without tool": (
        ("{id: a}",),
        ["4:5: error: a step needs 'tool'; write {id: rows, tool: load_csv, args: {...}}"],
    ),
    "step without id": (
        ("{tool: load, args: {path: a}}", "{id: n, tool: names, args: {rows: $x}}"),
        [
            "4:5: error: a step needs 'id'; write {id: rows, tool: load_csv, args: {...}}",
            "5:39: error: there is no step 'x' before this one; there are no earlier steps",
        ],
    ),
    "step that is text": (
        ("load",),
        ["4:5: error: a step must be a mapping with the keys id, purpose, tool, for_each, on_error, args, after, "
         "not the text 'load'"],
    ),
    "unknown keys in a step": (
        ("{id: t, tool: load, arg: {path: a}, foreach: $x}", "{id: n, tool: names, args: {rows: $t.rows}}"),
        [
            "4:25: error: unknown key 'arg' in a step; did you mean 'args'? "
            "(keys: id, purpose, tool, for_each, on_error, args, after)",
            "4:41: error: unknown key 'foreach' in a step; did you mean 'for_each'? "
            "(keys: id, purpose, tool, for_each, on_error, args, after)",
        ],
    ),
    "id that can't be referred to": (
        ("{id: 'a b', tool: load, args: {path: a}}",),
        ["4:10: error: the id 'a b' can't be referred to; use letters, digits, '_' and '-', a letter first"],
    ),
    "args that are a list": (
        ("{id: t, tool: load, args: [a]}",),
        ["4:31: error: 'args' must be a mapping of parameters to values, not a list"],
    ),
    "for_each that is a list": (
        ("{id: c, tool: check, for_each: [a, b], args: {name: $item}}",),
        ["4:36: error: 'for_each' must be a reference to a list, such as $files or $files.names, not a list"],
    ),
    "for_each that is text": (
        ("{id: c, tool: check, for_each: rows, args: {name: $item}}",),
        ["4:36: error: 'for_each' must be a reference to a list, such as $files or $files.names, not the text 'rows'"],
    ),
    "on_error that is no choice": (
        (LOAD, "{id: c, tool: check, for_each: $t.rows, on_error: ignore, args: {name: $item.name}}"),
        ["5:55: error: 'on_error' must be fail, skip or collect, not the text 'ignore'"],
    ),
    "text after a reference": (
        (LOAD, "{id: c, tool: check, args: {name: $t and more, level: '${t'}}"),
        [
            "5:39: error: '$t and more' is not a reference; write '$step', '$step.field' or '$step[0].field', "
            "'${step.field}' within text, or '$$' for a literal dollar",
            "5:59: error: '${t' is not a reference; write '$step', '$step.field' or '$step[0].field', "
            "'${step.field}' within text, or '$$' for a literal dollar",
        ],
    ),
    "after that is a mapping": (
        (LOAD, "{id: c, tool: nothing, after: {t: 1}}"),
        ["5:35: error: 'after' must be a list such as [rows], not a mapping"],
    ),
    "template of no input": (
        ("{id: t, tool: load, args: {path: '{{ file }}'}}",),
        [
            "4:42: error: 'file' in '{{ }}' is not an input; there are no inputs; add it under 'inputs'",
        ],
    ),
    "many at once": (
        (
            "{id: t, tool: lod, args: {path: a.csv}}",
            "{id: n, tool: names, arg: {rows: $t.rows}}",
            "{id: c, tool: check, for_each: $n, args: {nam: $item, level: 3}}",
            "{id: s, tool: send, args: {mail: $c, count: $x}}",
        ),
        [
            "4:19: error: there is no tool 'lod'; did you mean 'load'? (tools: load, names, check, anything, send, "
            "nothing)",
            "5:26: error: unknown key 'arg' in a step; did you mean 'args'? "
            "(keys: id, purpose, tool, for_each, on_error, args, after)",
            "6:46: error: 'check' needs the argument 'name': text",
            "6:47: error: 'check' has no argument 'nam'; did you mean 'name'? (unused arguments: name)",
            "6:66: error: 'level' does not fit 'check': got 3; expected one of \"low\", \"high\"",
            "7:38: error: '$c' does not fit 'send': a list, where an object is expected",
            "7:49: error: there is no step 'x' before this one; earlier steps: t, n, c",
        ],
    ),
}  # fmt: skip
RIGHT: dict[str, tuple[str, ...]] = {
    "a chain": (LOAD, NAMES),
    "each item": (LOAD, NAMES, "{id: c, tool: check, for_each: $n, on_error: skip, args: {name: $item}}"),
    "a list of references": (
        LOAD,
        "{id: s, tool: send, args: {mail: {to: 'a$b', lines: ['${t.total}', $$t, x]}, count: '3'}}",
    ),
    "again after a change": (
        LOAD,
        "{id: s, tool: send, args: {mail: {to: a, lines: ['${t}']}}}",
        "{id: u, tool: load, args: {path: a.csv}, after: [s]}",
    ),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "tools.py").write_text(TOOLS)
    monkeypatch.setenv("AGENTKIT_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(folder: Path, steps: tuple[str, ...], more: str = "") -> None:
    listed = "".join(f"  - {step}\n" for step in steps)
    (folder / "plan.yaml").write_text(f"task: x\ntools: ./tools.py\nplanner:\n{listed}{more}")


@pytest.mark.parametrize("name", BROKEN)
def test_all_that_is_wrong_with_a_plan_is_said_at_once(
    name: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    steps, said = BROKEN[name]
    write(folder, steps)
    code = execute(["plan", "plan.yaml"])
    found = [line.removeprefix("plan.yaml:") for line in capsys.readouterr().err.splitlines() if line[:5] == "plan."]
    assert found == said
    assert code == (2 if any(": error: " in line for line in said) else 0)


@pytest.mark.parametrize("name", [n for n, (_, said) in BROKEN.items() if any(": error: " in s for s in said)])
def test_a_run_refuses_a_plan_with_errors_before_it_starts(
    name: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    steps, said = BROKEN[name]
    write(folder, steps)
    assert execute(["run", "plan.yaml"]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.splitlines() == [f"plan.yaml:{line}" for line in said if ": error: " in line]
    assert not (folder / "home" / "runs").exists()


@pytest.mark.parametrize("name", RIGHT)
def test_nothing_is_said_about_a_plan_that_is_right(
    name: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(folder, RIGHT[name])
    assert execute(["plan", "plan.yaml"]) == 0
    assert capsys.readouterr().err == ""


def test_a_tool_that_the_policy_forbids_is_not_called_unknown(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(folder, (LOAD, NAMES), "policy: {deny: [load]}\n")
    assert execute(["plan", "plan.yaml"]) == 2
    said = capsys.readouterr().err.splitlines()
    assert said == ["plan.yaml:4:19: error: the policy does not allow 'load'; allow it or drop the step", "1 error"]


def test_a_plan_with_more_calls_than_the_limit_is_wrong(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(folder, (LOAD, NAMES), "limits: {calls: 1}\n")
    assert execute(["run", "plan.yaml"]) == 2
    said = "plan.yaml:6:17: error: the plan makes 2 calls or more, but 'limits.calls' is 1; set it higher\n"
    assert capsys.readouterr().err == said


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ((LOAD,), "the answer, which is the result of t, does not fit this: an object, where text is expected"),
        ((LOAD, "{id: b, tool: nothing}"), "the answer, which is the result of t, b, does not fit this: an object, "
                                           "where text is expected"),
        ((LOAD, "{id: c, tool: anything, args: {value: $t}}"), ""),
    ],
)  # fmt: skip
def test_an_answer_that_is_not_what_the_task_asks_for_is_a_warning(
    steps: tuple[str, ...], said: str, folder: Path
) -> None:
    write(folder, steps, "output: {type: string}\n")
    task = read_task("plan.yaml")
    found = [str(d) for d in diagnose(task, task.load_tools())]
    assert found == ([f"plan.yaml:{4 + len(steps)}:9: warning: {said}"] if said else [])


def test_loading_a_task_raises_all_that_can_be_told_without_the_tools(folder: Path) -> None:
    write(folder, ("{id: a, tool: nowhere, arg: {}}", "{id: b, tool: nowhere, args: {x: $c, y: $a}, after: [d]}"))
    with pytest.raises(PlanFileError) as caught:
        load_task("plan.yaml")
    assert [(e.line, e.column) for e in caught.value.errors] == [(4, 28), (5, 38), (5, 58)]
    assert str(caught.value).splitlines()[1] == (
        "plan.yaml:5:38: error: there is no step 'c' before this one; earlier steps: a"
    )


def test_a_plan_of_thousands_of_steps_is_checked_quickly(folder: Path) -> None:
    steps = [LOAD, *(f"{{id: s{i}, tool: nothing, after: {f's{i - 1}' if i else 't'}}}" for i in range(4000))]
    write(folder, tuple(steps), "limits: {calls: 5000}\n")
    started = time.process_time()
    assert execute(["plan", "plan.yaml", "--json"]) == 0
    assert time.process_time() - started < 20


def test_mutated_plans_are_checked_without_an_exception(folder: Path) -> None:
    chance = random.Random(3)
    whole = [step for steps, _ in BROKEN.values() for step in steps]
    refused = 0
    for _ in range(300):
        text = " ".join(chance.sample(whole, 1))
        words = list(re.finditer(r"[\w$.]+", text))
        start, end = chance.choice(words).span()
        text = text[:start] + chance.choice(["$t", "$item", "5", "[]", "~", "t", "${t.rows}", "item"]) + text[end:]
        write(folder, (LOAD, text, NAMES))
        try:
            task = read_task("plan.yaml")
        except TaskFileError as error:
            assert re.match(r"plan\.yaml:\d+:\d+: \S", str(error))
            continue
        found = diagnose(task, task.load_tools())
        refused += any(d.severity == "error" for d in found)
        assert all(d.line >= 4 and d.column >= 5 for d in found)
    assert refused > 150
