"""A saved plan is a task file: it reads back as the same steps, and its paths lead where they led."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentkit.errors import UsageError
from agentkit.plan_file import plan_text, save_plan
from agentkit.planners.plan import ITEM, Plan, Ref, Step, StepId, joined
from agentkit.task import Task, load_task, read_task

Load = Callable[..., Task]

HARD = st.sampled_from(
    [
        *("1e5", "0123", "yes", "null", "~", "", "$$", "$x y", "${", "${x}", "{{ x }}", "{% raw %}", "{#x#}", "{{{"),
        *("a: b", "a #b", "# c", "- x", "?", "<<", "=", "*a", "&a", "!a", "%x", "@x", "`x", "[x]", "{x}", "...", "---"),
        *("\x85", "\u2028x", "\r\n{", "{\r", "a\tb", " before", "after ", "a\n\nb\n\n", "a\n b\n", "a \nb"),
        *("\ud800", "\x00", "\ufeff", "\u202e", "it's", "word " * 40, "x" * 300, "x\n...\n", "{{%", "x\n---\ny"),
    ]
)  # fmt: skip
texts = st.text() | HARD | st.lists(HARD, max_size=3).map("".join)
visible_texts = texts.filter(lambda text: bool(text.strip()))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
keys = st.sampled_from(["a", "b_c", "x-1", "_"]) | st.integers(0, 99)


@st.composite
def plans(draw: st.DrawFn) -> list[Step]:
    steps: list[Step] = []
    for name in draw(st.permutations(["end", "rows", "null", "y", "a-b", "_1"]))[: draw(st.integers(1, 6))]:
        earlier = [s.id for s in steps]
        values: st.SearchStrategy[Any] = json_values
        more: dict[str, Any] = {}
        if earlier:
            refs = st.builds(Ref, st.sampled_from([*earlier, ITEM]), st.lists(keys, max_size=3).map(tuple))
            templates = st.lists(refs | texts, max_size=4).map(joined)
            values = json_values | refs | templates | st.lists(json_values | refs | templates, max_size=2)
            more = {
                "for_each": draw(st.builds(Ref, st.sampled_from(earlier), st.lists(keys, max_size=2).map(tuple))),
                "after": tuple(draw(st.lists(st.sampled_from(earlier), max_size=2))),
                "on_error": draw(st.sampled_from(["fail", "skip", "collect"])),
            }
        args = draw(st.dictionaries(texts, values, max_size=3))
        purpose = draw(st.just("") | visible_texts)
        steps.append(Step(id=StepId(name), tool=draw(visible_texts), args=args, purpose=purpose, **more))
    return steps


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=plans(), text=visible_texts)
def test_a_saved_plan_reads_back_as_it_was(steps: list[Step], text: str, tmp_path: Path) -> None:
    (tmp_path / "task.yaml").write_text("task: x\n")
    task = dataclasses.replace(load_task(tmp_path / "task.yaml"), task=text)
    save_plan(task, steps, tmp_path / "plan.yaml")
    saved = load_task(tmp_path / "plan.yaml")
    assert saved.task == text
    assert saved.planner == tuple(steps)


@settings(max_examples=40)
@given(plans())
def test_what_is_written_can_be_seen(steps: list[Step]) -> None:
    """A plan is there to be reviewed; marks that turn the writing direction would hide what it does."""
    folder = Path(__file__).parents[2] / "examples" / "travel"
    written = plan_text(load_task(folder / "task.yaml"), steps, folder)
    assert all(character == "\n" or character.isprintable() for character in written)


def test_a_plan_is_written_to_be_read(load: Load) -> None:
    task = load("""
task: Send {{ what }} to everybody.
inputs: {what: a letter}
tools: [./mail.py, agentkit.tools.files]
limits: {calls: 30}
planner:
  - {id: who, tool: list_people, purpose: "who gets it"}
  - id: sent
    tool: send
    for_each: $who.people
    on_error: skip
    args: {to: $item.mail, text: "Dear ${item.name},\\nhere is {{ what }}.\\n", urgent: false, cc: []}
  - {id: log, tool: write_file, args: {path: log.txt, text: "1"}, after: [who, sent]}
""")
    assert isinstance(task.planner, tuple)
    assert plan_text(task, task.planner, task.folder) == (
        "# The steps below are run as they stand, without a model: agentkit run FILE\n"
        "task: Send a letter to everybody.\n"
        "tools:\n"
        "  - ./mail.py\n"
        "  - agentkit.tools.files\n"
        "limits:\n"
        "  calls: 30\n"
        "planner:\n"
        "  - id: who\n"
        "    purpose: who gets it\n"
        "    tool: list_people\n"
        "    args: {}\n"
        "\n"
        "  - id: sent\n"
        "    tool: send\n"
        "    for_each: $who.people\n"
        "    on_error: skip\n"
        "    args:\n"
        "      to: $item.mail\n"
        "      text: |\n"
        "        Dear ${item.name},\n"
        "        here is a letter.\n"
        "      urgent: false\n"
        "      cc: []\n"
        "\n"
        "  - id: log\n"
        "    tool: write_file\n"
        "    args:\n"
        "      path: log.txt\n"
        '      text: "1"\n'
        "    after:\n"
        "      - who\n"
        "      - sent\n"
    )


TOOLS = """
import pydantic
from agentkit import ToolContext, tool

class Report(pydantic.BaseModel):
    text: str

@tool(effect="pure")
def read(context: ToolContext) -> Report:
    return Report(text=(context.workspace / "data.txt").read_text())
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "in" / "lib").mkdir(parents=True)
    (tmp_path / "out").mkdir()
    (tmp_path / "in" / "lib" / "mine.py").write_text(TOOLS)
    (tmp_path / "in" / "weights.gguf").write_text("")
    (tmp_path / "in" / "task.yaml").write_text(
        "task: x\ntools: ['lib/mine.py:read', agentkit.tools.dates]\nmodel: weights.gguf\noutput: lib.mine:Report\n"
        "planner: [{id: a, tool: read}]\n"
    )
    return tmp_path


def written_keys(path: Path) -> dict[str, Any]:
    found = read_task(path).root.plain()
    assert isinstance(found, dict)
    return {key: found[key] for key in ("tools", "model", "output", "workspace") if key in found}


def test_paths_lead_where_they_led_from_another_folder(project: Path) -> None:
    task = load_task(project / "in" / "task.yaml")
    assert isinstance(task.planner, tuple)
    save_plan(task, task.planner, project / "out" / "plan.yaml")
    assert written_keys(project / "out" / "plan.yaml") == {
        "tools": ["../in/lib/mine.py:read", "agentkit.tools.dates"],
        "model": "../in/weights.gguf",
        "output": "../in/lib/mine.py:Report",
        "workspace": "../in",
    }
    moved = load_task(project / "out" / "plan.yaml")
    assert moved.workspace.resolve() == project / "in"
    assert [tool.name for tool in moved.load_tools()] == [tool.name for tool in task.load_tools()]
    assert isinstance(moved.output, type)
    save_plan(moved, task.planner, project / "in" / "plan.yaml")
    assert written_keys(project / "in" / "plan.yaml")["tools"] == ["./lib/mine.py:read", "agentkit.tools.dates"]


def test_paths_stay_as_they_are_written_in_the_same_folder(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project / "in")
    task = load_task("task.yaml")
    assert isinstance(task.planner, tuple)
    save_plan(task, task.planner, Path("plan.yaml"))
    assert written_keys(Path("plan.yaml")) == {
        "tools": ["lib/mine.py:read", "agentkit.tools.dates"],
        "model": "weights.gguf",
        "output": "lib.mine:Report",
    }


def test_a_plan_replaces_an_older_one_and_leaves_nothing_beside_it(project: Path) -> None:
    task = load_task(project / "in" / "task.yaml")
    assert isinstance(task.planner, tuple)
    for steps in (task.planner, [Step(id=StepId("b"), tool="read")]):
        save_plan(task, steps, project / "out" / "plan.yaml")
    assert [path.name for path in (project / "out").iterdir()] == ["plan.yaml"]
    assert load_task(project / "out" / "plan.yaml").planner == (Step(id=StepId("b"), tool="read"),)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("in/task.yaml", "is the task file itself; save the plan under another name"),
        ("in/link.yaml", "is the task file itself; save the plan under another name"),
        ("out", "is a folder; name a file in it, such as "),
        ("nowhere/plan.yaml", "No such file or directory; name another file"),
        ("a" * 300, "File name too long; name another file"),
        ("a\0b", "can't be saved"),
    ],
)
def test_a_plan_that_can_not_be_saved_says_why(name: str, says: str, project: Path) -> None:
    (project / "in" / "link.yaml").symlink_to(project / "in" / "task.yaml")
    before = (project / "in" / "task.yaml").read_text()
    task = load_task(project / "in" / "task.yaml")
    assert isinstance(task.planner, tuple)
    with pytest.raises(UsageError) as caught:
        save_plan(task, task.planner, project / name)
    assert says in str(caught.value)
    assert (project / "in" / "task.yaml").read_text() == before


def test_steps_as_json_hold_all_of_a_plan(load: Load) -> None:
    task = load("task: x\nplanner: [{id: a, tool: t}, {id: b, tool: u, for_each: $a, args: {x: $item}, after: a}]")
    assert isinstance(task.planner, tuple)
    plan = Plan()
    for step in task.planner:
        plan.add(step)
    assert plan.to_list() == [
        {"id": "a", "tool": "t", "args": {}},
        {"id": "b", "tool": "u", "for_each": "$a", "args": {"x": "$item"}, "after": ["a"]},
    ]
