"""A task file, read and checked: ``load_task("task.yaml", {"currency": "EUR"})``.

Every mistake in the file is one `agentkit.errors.TaskFileError` with line, column and what to do next. Those in a plan
are collected: `load_task` raises them together, `read_task` leaves them to `agentkit.plan_check.diagnose`.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from agentkit.errors import McpToolsChanged, SchemaError, TaskFileError, UsageError
from agentkit.limits import Limits
from agentkit.messages import JsonObject, JsonValue
from agentkit.plan_check import diagnose, refuse_errors
from agentkit.planners.plan import Step
from agentkit.policy import Policy
from agentkit.task_fields import (
    mapping,
    read_limits,
    read_sandbox,
    read_schema,
    read_secrets,
    read_texts,
    read_thinking,
    text,
)
from agentkit.task_inputs import did_you_mean, read_inputs, render
from agentkit.task_policy import read_policy
from agentkit.task_steps import PlannerName, StepList, read_planner
from agentkit.task_tools import ToolSource, read_tools
from agentkit.tools.mcp.server import McpServer
from agentkit.yaml_source import Node, Source

if TYPE_CHECKING:
    from pydantic import BaseModel

    from agentkit.tools.access import SandboxMode
    from agentkit.tools.tool import Tool

__all__ = ["Task", "load_task", "read_task"]

_KEYS = (
    "task",
    "inputs",
    "model",
    "tools",
    "workspace",
    "planner",
    "thinking",
    "output",
    "limits",
    "policy",
    "secrets",
    "hosts",
    "sandbox",
)


@dataclass(frozen=True, kw_only=True)
class Task:
    """What a task file says, with inputs filled in."""

    path: Path
    """The file, as it was named."""
    task: str
    """What is to be done."""
    inputs: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    model: str | None = None
    """Catalog id, path to a ``.gguf`` (made relative to the working folder), or URL; ``None`` for the default."""
    tools: tuple[ToolSource, ...] = ()
    """Files, modules and names of tools, as written, and MCP servers."""
    workspace: Path
    """The folder that file tools may touch."""
    planner: PlannerName | tuple[Step, ...] = "auto"
    """How steps are found, or the steps."""
    thinking: int | None = None
    """Budget of each thought in tokens; 0 for none; ``None`` when the file does not say."""
    output: JsonObject | type[BaseModel] | None = None
    """JSON Schema or pydantic model of the answer; ``None`` for free text."""
    limits: Limits = field(default_factory=Limits)
    policy: Policy = field(default_factory=Policy)
    secrets: tuple[str, ...] = ()
    """Environment variables that tools may read, and nobody else gets to see."""
    hosts: tuple[str, ...] = ()
    """Patterns of hosts that may be fetched from."""
    sandbox: SandboxMode = "auto"
    """How commands and tools in processes are confined."""
    given: StepList | None = field(default=None, repr=False, compare=False)
    """The list of steps as it was read, when the file has one."""
    source: Source = field(repr=False, compare=False)
    root: Node = field(repr=False, compare=False)
    """The whole file as a tree with positions."""

    @property
    def folder(self) -> Path:
        """The folder of the file: what its paths are relative to."""
        return self.path.parent

    def error(self, message: str, *where: str | int) -> TaskFileError:
        """Returns an error at the place in the file that keys and indices lead to."""
        return self.source.error(self.root.find(where) if where else None, message)

    def error_from(self, error: SchemaError) -> UsageError:
        """Returns an error about a schema with its place in the file; as it is when the file has no schema."""
        if "output" in self._keys:
            parts = [p.replace("~1", "/").replace("~0", "~") for p in error.pointer.split("/")[1:]]
            return self.error(str(error), "output", *(int(p) if p.isdigit() else p for p in parts))
        return error

    def load_tools(self, *, hidden: bool = False) -> list[Tool]:
        """Returns the tools that the task may use.

        Args:
            hidden: Whether also those that the policy keeps away.

        Raises:
            agentkit.errors.TaskFileError: A source can't be loaded, two tools have one name, or a policy names
                a tool that is not there.
        """
        from agentkit.tools.loading import load_tools

        tools: dict[str, Tool] = {}
        for i, name in enumerate(self.tools):
            try:
                loaded = load_tools(name, base=self.folder)
            except UsageError as error:
                message = str(error) if isinstance(error, McpToolsChanged) else _one_line(error)
                raise self.error(message, "tools", i) from None
            for tool in loaded:
                if tool.name in tools:
                    raise self.error(
                        f"{name!r} has a tool {tool.name!r}, and so has a source before it; rename one", "tools", i
                    )
                tools[tool.name] = tool
        for problem in self.policy.problems(tools.values()):
            raise self.source.error(self._policy_node(problem.place), problem.message)
        return [t for t in tools.values() if hidden or self.policy.permits(t.name)]

    def _policy_node(self, place: tuple[str | int, ...]) -> Node:
        """Returns where something in the policy stands; of a condition, its argument and not its schema."""
        kind, *rest = place
        found = self.root.find(("policy", kind))
        if not isinstance(found.value, list):  # one entry alone stands for a list of one
            rest = rest[1:]
        above = found.find(tuple(rest[:-1]))
        return above.keys.get(str(rest[-1]), found.find(tuple(rest))) if "when" in place else found.find(tuple(rest))

    def accepting(self) -> Task:
        """Returns the same task, which takes the tools of its MCP servers as they are when they are loaded next."""
        return replace(self, tools=tuple(s.accepting() if isinstance(s, McpServer) else s for s in self.tools))

    @property
    def notes(self) -> list[str]:
        """What its user should know of the tools of MCP servers, after they were loaded."""
        return [note for source in self.tools if isinstance(source, McpServer) for note in source.notes]

    @property
    def _keys(self) -> Mapping[str, Node]:
        return self.root.keys


def load_task(path: Path | str, variables: Mapping[str, str] | None = None) -> Task:
    """Returns the task that a file describes.

    Args:
        path: The task file.
        variables: Inputs as text, by name; they replace the defaults in the file.

    Raises:
        agentkit.errors.TaskFileError: The file can't be read, or something in it is wrong.
    """
    task = read_task(path, variables)
    refuse_errors(diagnose(task))
    return task


def read_task(path: Path | str, variables: Mapping[str, str] | None = None) -> Task:
    """Returns the task that a file describes, also when the steps of its plan are wrong.

    Check these with `agentkit.plan_check.diagnose`, which sees all that is wrong when it knows the tools.

    Args:
        path: The task file.
        variables: Inputs as text, by name; they replace the defaults in the file.

    Raises:
        agentkit.errors.TaskFileError: The file can't be read, or something but a step is wrong.
    """
    path = Path(path)
    source = Source(path, _read(path))
    root = source.parse()
    if not isinstance(root.value, dict):
        raise source.error(root, f"a task file is a mapping that starts with 'task: ...', not {root.describe()}")
    found = mapping(source, root, "the task file", _KEYS)
    if "task" not in found:
        raise source.error(root, "the key 'task' is missing; add 'task: what is to be done'")
    text(source, found["task"], "task", "'Total the expenses by month'")
    inputs = read_inputs(source, found.get("inputs"), variables or {})
    planner = read_planner(source, found.get("planner"), inputs)
    given = planner if isinstance(planner, StepList) else None
    return Task(
        path=path,
        task=render(source, found["task"], inputs),
        inputs=inputs,
        model=_model(source, found.get("model"), path.parent),
        tools=read_tools(source, found.get("tools"), path.parent),
        workspace=_workspace(source, found.get("workspace"), path.parent),
        planner=planner.steps if isinstance(planner, StepList) else planner,
        thinking=read_thinking(source, found.get("thinking")),
        output=_output(source, found.get("output"), path.parent),
        limits=read_limits(source, found.get("limits")),
        policy=read_policy(source, found.get("policy")),
        secrets=read_secrets(source, found.get("secrets")),
        hosts=read_texts(source, found.get("hosts"), "hosts", "example.com"),
        sandbox=read_sandbox(source, found.get("sandbox")),
        given=given,
        source=source,
        root=root,
    )


def _read(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise TaskFileError("this is a folder; give the path of a task file", path=path)
        with path.open("rb") as file:
            return file.read(1 << 20)  # far above the limit that Source checks
    except FileNotFoundError:
        near = get_close_matches(path.name, [p.name for p in path.parent.glob("*.y*ml")], n=1)
        advice = f"did you mean {near[0]!r}?" if near else "give the path of a task file"
        raise TaskFileError(f"there is no such file; {advice}", path=path) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise TaskFileError(f"can't be read: {reason}; give the path of a task file", path=path) from None


def _model(source: Source, node: Node | None, folder: Path) -> str | None:
    if node is None:
        return None
    name = text(source, node, "model", "starter")
    if "://" in name or not name.endswith(".gguf"):
        return name
    file = folder / Path(name).expanduser()
    if not os.path.isfile(file):  # also false for names that no file can have
        raise source.error(node, f"there is no model file {str(file)!r}; correct the path, or name a catalog model")
    return str(file)


def _workspace(source: Source, node: Node | None, folder: Path) -> Path:
    if node is None:
        return folder
    workspace = folder / Path(text(source, node, "workspace", "../data")).expanduser()
    if not os.path.isdir(workspace):  # also false for names that no folder can have
        raise source.error(node, f"there is no folder {str(workspace)!r}; correct the path, or make the folder")
    return workspace


def _output(source: Source, node: Node | None, folder: Path) -> JsonObject | type[BaseModel] | None:
    if node is None:
        return None
    if isinstance(node.value, dict):
        return read_schema(source, node)
    if not isinstance(node.value, str):
        raise source.error(
            node, f"'output' must be a JSON Schema or text such as 'report:Report', not {node.describe()}"
        )
    module, colon, name = node.value.partition(":")
    if not (module and colon and name.isidentifier()):
        raise source.error(node, f"'output' must be written 'module:PydanticModel', not {node.value!r}")
    return _model_class(source, node, _module(source, node, module, folder), name)


def _module(source: Source, node: Node, name: str, folder: Path) -> ModuleType:
    """Imports a module: a file beside the task file first, then what is installed."""
    file = folder / (name if name.endswith(".py") else f"{name.replace('.', '/')}.py")
    try:
        if not os.path.isfile(file):
            return importlib.import_module(name)
        spec = importlib.util.spec_from_file_location(file.stem, file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    except ModuleNotFoundError as error:
        raise source.error(node, f"{error}; put {file.name!r} beside the task file or install the module") from None
    except (Exception, SystemExit) as error:  # whatever the user's module raises when it is imported
        raise source.error(
            node, f"importing {name!r} failed: {type(error).__name__}: {_one_line(error)}; correct it"
        ) from None
    return module


def _model_class(source: Source, node: Node, module: ModuleType, name: str) -> type[BaseModel]:
    from pydantic import BaseModel

    found = getattr(module, name, None)
    if isinstance(found, type) and issubclass(found, BaseModel):
        return found
    models = [n for n, v in vars(module).items() if isinstance(v, type) and issubclass(v, BaseModel) and v != BaseModel]
    what = "is not a pydantic model" if found is not None else "is not there"
    raise source.error(node, f"{name!r} {what} in {module.__name__!r}; {did_you_mean(name, models, 'pydantic models')}")


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())
