"""Finds tools where a task or a caller names them: objects, modules, files, installed packages."""

from __future__ import annotations

import asyncio
import difflib
import functools
import hashlib
import importlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar, cast

from agentkit.errors import UsageError
from agentkit.tools.tool import Tool
from agentkit.tools.toolsets import BaseToolset, as_tool

__all__ = ["GROUP", "load_file", "load_tools"]

GROUP = "agentkit.tools"
"""Entry-point group under which installed packages offer tools: a tool, function, toolset or module."""

T = TypeVar("T")


def load_tools(source: Any, *, base: Path | None = None) -> list[Tool]:
    """Returns the tools that a source offers, in order.

    A module offers its `Tool` objects and those in its list (or toolset) called ``tools``.

    Args:
        source: A tool, function, toolset, module, or list of them; or text: ``"./file.py"``,
            ``"pkg.module"``, the name of an entry point in the group ``agentkit.tools``, each with
            ``:name`` for one object in it.
        base: Folder that relative file names start from; the current folder by default.

    Raises:
        agentkit.errors.UsageError: There are no tools there; the message names the file or module, the
            reason and the fix.
    """
    if isinstance(source, str):
        return _from_text(source, base or Path.cwd())
    if isinstance(source, Path):
        return _from_module(load_file(base / source if base else source, str(source)), str(source))
    if isinstance(source, ModuleType):
        return _from_module(source, source.__name__)
    if isinstance(source, BaseToolset):
        return _wait(source.get_tools)
    if isinstance(source, list | tuple):
        return [tool for item in cast("Iterable[Any]", source) for tool in load_tools(item, base=base)]
    return [as_tool(source)]


def load_file(path: Path, label: str | None = None) -> ModuleType:
    """Returns a Python file as a module; the same file always under the same name.

    Its folder is put at the end of the import path, so that it can import the files beside it.

    Args:
        path: The file.
        label: How the user named it, for messages.

    Raises:
        agentkit.errors.UsageError: It is not there, or it fails when it is imported.
    """
    file, label = path.resolve(), label or str(path)
    name = f"agentkit_file_{file.stem}_{hashlib.sha256(str(file).encode()).hexdigest()[:8]}"
    if name in sys.modules:
        return sys.modules[name]
    if not os.path.isfile(file):  # also false for names that no file can have
        near = difflib.get_close_matches(file.name, [p.name for p in file.parent.glob("*.py")], n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"looked for {str(file)!r}"
        raise UsageError(f"tool file {label!r} is not there; {hint}")
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise UsageError(f"tool file {label!r} is not a Python file; give a file that ends in .py")
    module = importlib.util.module_from_spec(spec)
    if str(file.parent) not in sys.path:
        sys.path.append(str(file.parent))
    sys.modules[name] = module  # before it runs: dataclasses and type hints look their module up
    try:
        _importing(label, str(file), functools.partial(spec.loader.exec_module, module))
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _from_text(text: str, base: Path) -> list[Tool]:
    place, _, attribute = text.partition(":") if ":" in text else (text, "", "")
    if place.endswith(".py") or "/" in place or "\\" in place:
        found: Any = load_file(base / Path(place).expanduser(), place)
    elif point := _entry_points().get(place):
        found = _importing(text, None, point.load)
    else:
        found = _module(place, base)
    for part in filter(None, attribute.split(".")):
        found = _attribute(found, part, text)
    if isinstance(found, ModuleType):
        return _from_module(found, text)
    return load_tools(found, base=base)


def _module(name: str, base: Path) -> ModuleType:
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):  # a parent is missing; not a module's name, such as '.a'
        spec = None
    if spec is not None:
        return _importing(name, spec.origin, lambda: importlib.import_module(name))
    hint = "give a file ('./my_tools.py'), a module that can be imported, or an entry point's name"
    if os.path.isfile(base / f"{name}.py"):
        hint = f"there is a file of that name: write './{name}.py'"
    elif near := difflib.get_close_matches(name, _entry_points(), n=1):
        hint = f"did you mean {near[0]!r}?"
    raise UsageError(f"there are no tools called {name!r}: no module and no entry point has that name; {hint}")


def _from_module(module: ModuleType, label: str) -> list[Tool]:
    found = [value for value in vars(module).values() if isinstance(value, Tool)]
    if isinstance(listed := getattr(module, "tools", None), list | tuple | BaseToolset):
        found += load_tools(listed)  # pyright: ignore[reportUnknownArgumentType]
    if not found:
        functions = [
            name
            for name, value in vars(module).items()
            if callable(value) and getattr(value, "__module__", "") == module.__name__ and not name.startswith("_")
        ]
        hint = f", such as {functions[0]!r}" if functions else ""
        fix = "put @tool (from agentkit import tool) above the functions that a model may call"
        raise UsageError(f"{label!r} has no tools; {fix}{hint}")
    return list({id(tool): tool for tool in found}.values())


def _attribute(found: Any, name: str, text: str) -> Any:
    try:
        return getattr(found, name)
    except AttributeError:
        near = difflib.get_close_matches(name, [n for n in dir(found) if not n.startswith("_")], n=1)
        hint = f"did you mean {near[0]!r}?" if near else "check the name after the colon"
        raise UsageError(f"{text!r}: {name!r} is not there; {hint}") from None


def _entry_points() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def _importing(label: str, file: str | None, action: Callable[[], T]) -> T:
    """Runs an import; what user code raises in it becomes one message with file and line."""
    try:
        return action()
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        if isinstance(error, SystemExit):
            why = f"it called sys.exit({error.code!r}); put what a script does under: if __name__ == '__main__':"
        elif isinstance(error, SyntaxError):
            why = f"{type(error).__name__}: {error.msg}"
        else:
            why = f"{type(error).__name__}: {error}"
        raise UsageError(f"{label!r} can't be imported: {_place(error, file)}{why}") from error


def _place(error: BaseException, file: str | None) -> str:
    """Returns ``file:line: `` of the deepest line in `file` (or anywhere, if none is in it) that led to an error."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}: "
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith("<frozen")]
    frames = [f for f in frames if f.filename == file] or frames[1:]  # the first is ours
    return f"{frames[-1].filename}:{frames[-1].lineno}: " if frames else ""


def _wait(get_tools: Callable[[], Coroutine[Any, Any, list[Tool]]]) -> list[Tool]:
    """Runs a coroutine to its end, also where an event loop is running in this thread already."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(get_tools())  # here Ctrl-C ends it
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(get_tools())).result()
