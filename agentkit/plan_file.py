"""A plan as a file: the task file with its inputs filled in and its steps fixed, so that `agentkit run` takes it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentkit.errors import UsageError
from agentkit.messages import JsonObject, is_array, is_object
from agentkit.planners.plan import Plan, Ref, Step, Template
from agentkit.task_inputs import escape
from agentkit.tools.mcp.pins import FILE_NAME
from agentkit.yaml_writer import yaml_text

if TYPE_CHECKING:
    from agentkit.task import Task

__all__ = ["plan_text", "save_plan"]

_HEAD = "# The steps below are run as they stand, without a model: agentkit run FILE\n"


def save_plan(task: Task, steps: Sequence[Step], path: Path) -> None:
    """Writes a plan as a task file. A file that is there is replaced, but not the task's own.

    Args:
        task: What the plan is for.
        steps: The plan.
        path: The file.

    Raises:
        agentkit.errors.UsageError: The file can't be written.
    """
    text = plan_text(task, steps, path.parent)
    try:
        if path.is_dir():
            raise UsageError(f"{str(path)!r} is a folder; name a file in it, such as {str(path / 'plan.yaml')!r}")
        if path.exists() and path.samefile(task.path):
            raise UsageError(f"{str(path)!r} is the task file itself; save the plan under another name")
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            beside.write_text(text, encoding="utf-8")
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(f"the plan can't be saved as {str(path)!r}: {reason}; name another file") from None


def plan_text(task: Task, steps: Sequence[Step], folder: Path) -> str:
    """Returns a plan as the text of a task file.

    The keys of the task file are kept, but the inputs are filled in, and the steps take the planner's place. Paths
    lead where they led, also from another folder.

    Args:
        task: What the plan is for.
        steps: The plan.
        folder: The folder of the file to be.

    Raises:
        agentkit.errors.PlanError: The steps do not make an acyclic graph.
    """
    plan = Plan()
    for step in steps:
        plan.add(replace(step, args=_escape_all(step.args)))
    written = task.root.plain()
    assert is_object(written)
    written = {key: value for key, value in written.items() if key not in ("inputs", "planner")}
    written["task"] = escape(task.task)
    if not _is_same(task.folder, folder):
        _move(written, task, folder)
    return "\n".join([_HEAD + yaml_text(written) + "planner:", *_step_texts(plan)])


def _step_texts(plan: Plan) -> Iterator[str]:
    """Yields the steps as items of a list."""
    for step in plan.to_list():
        if "purpose" in step and not step["purpose"].strip():
            del step["purpose"]
        yield yaml_text([step])


def _escape_all(value: Any) -> Any:
    """Returns arguments with each text escaped, so that nothing in it is taken for an input."""
    if isinstance(value, str):
        return escape(value)
    if isinstance(value, Template):
        return Template(tuple(part if isinstance(part, Ref) else escape(part) for part in value.parts))
    if is_object(value):
        return {key: _escape_all(part) for key, part in value.items()}
    return [_escape_all(part) for part in value] if is_array(value) else value


def _move(written: JsonObject, task: Task, folder: Path) -> None:
    """Changes the paths of a task file that is to stand in another folder."""
    if task.tools:
        listed: Any = written["tools"] if is_array(written["tools"]) else [written["tools"]]
        written["tools"] = [_moved_tool(tool, task.folder, folder) for tool in listed]
    model = written.get("model")
    if model is not None and "://" not in model and model.endswith(".gguf"):
        written["model"] = _moved(model, task.folder, folder)
    if isinstance(output := written.get("output"), str):
        module, _, name = output.partition(":")
        file = module if module.endswith(".py") else f"{module.replace('.', '/')}.py"
        if os.path.isfile(task.folder / file):
            written["output"] = f"{_moved(file, task.folder, folder)}:{name}"
    written["workspace"] = _moved(written.get("workspace", "."), task.folder, folder)


def _moved_tool(tool: str | JsonObject, old: Path, new: Path) -> str | JsonObject:
    if is_object(tool):
        server = {"cwd": ".", "pins": FILE_NAME} | tool["mcp"]
        return {"mcp": server | {key: _moved(server[key], old, new) for key in ("cwd", "pins")}}
    name = str(tool)
    place, colon, rest = name.partition(":")
    is_file = place.endswith(".py") or "/" in place or "\\" in place
    return f"{_moved(place, old, new)}{colon}{rest}" if is_file else name


def _moved(path: str, old: Path, new: Path) -> str:
    """Returns a path from the folder `old` as it is written in the folder `new`."""
    if Path(path).expanduser().is_absolute():
        return path
    target = old.resolve() / path
    try:
        moved = Path(os.path.relpath(target, new.resolve())).as_posix()
    except ValueError:  # another drive
        return str(target)
    return moved if moved.startswith(".") else f"./{moved}"


def _is_same(a: Path, b: Path) -> bool:
    return a.resolve() == b.resolve()
