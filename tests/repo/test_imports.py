"""Which part may know which: arrows go one way, and heavy libraries load when they are used."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.repo.project import imports, modules, within

LEAVES = ("agentkit.errors", "agentkit.messages", "agentkit.paths")
MAY_IMPORT = {
    "agentkit.errors": (),
    "agentkit.messages": (),
    "agentkit.events": ("agentkit.messages", "agentkit.stop_reason"),
    "agentkit.paths": ("agentkit.errors",),
    "agentkit.tools": (*LEAVES, "agentkit.tools"),
    "agentkit.model_backend": (*LEAVES, "agentkit.model_backend"),
    "agentkit.planners": (*LEAVES, "agentkit.planners", "agentkit.tools", "agentkit.model_backend"),
    "agentkit.trace": (
        *LEAVES,
        "agentkit.events",
        "agentkit.event_json",
        "agentkit.trace",
        "agentkit.planners",
        "agentkit.journal",
    ),
}
OWNERS = {
    "llama_cpp": ("agentkit.model_backend.engine",),
    "llguidance": ("agentkit.model_backend.constraint",),
    "rich": ("agentkit.cli", "agentkit.trace"),
    "textual": ("agentkit.trace.viewer",),
    "mcp": ("agentkit.tools.mcp",),
    "click": ("agentkit.cli",),
    "networkx": ("agentkit.planners",),
}
HEAVY = {
    "pydantic",
    "networkx",
    "mcp",
    "rich",
    "textual",
    "numpy",
    "llama_cpp",
    "llguidance",
    "jinja2",
    "httpx2",
    "jsonschema_rs",
    "ruamel",
}


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_part_imports_only_what_stands_below_it(package: str) -> None:
    wrong = [
        f"{name} imports {imported}"
        for name, path in modules().items()
        if within(name, (package,))
        for imported in imports(path)
        if within(imported, ("agentkit",)) and not within(imported, MAY_IMPORT[package])
    ]
    assert wrong == []


def test_only_the_command_line_imports_the_command_line() -> None:
    wrong = [
        name for name, path in modules().items() if not within(name, ("agentkit.cli",)) and imports_cli(imports(path))
    ]
    assert wrong == []


def imports_cli(imported: set[str]) -> bool:
    return any(within(name, ("agentkit.cli",)) for name in imported)


@pytest.mark.parametrize("library", OWNERS)
def test_a_library_is_imported_only_by_its_owner(library: str) -> None:
    wrong = [
        name
        for name, path in modules().items()
        if not within(name, OWNERS[library]) and any(within(imported, (library,)) for imported in imports(path))
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("code", "most"),
    [
        ("import agentkit", 60),
        ("from agentkit import AgentkitError, Retry, ToolFailed", 60),
        ("from agentkit.cli.main import main; main(['--help'])", 200),
    ],
)
def test_starting_loads_no_heavy_library(code: str, most: int, tmp_path: Path) -> None:
    """Modules are counted because seconds depend on the machine."""
    program = (
        "import atexit, json, sys; before = set(sys.modules)\n"
        "atexit.register(lambda: print(json.dumps(sorted(set(sys.modules) - before)), file=sys.stderr))\n" + code
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    loaded: list[str] = json.loads(done.stderr.splitlines()[-1])
    assert HEAVY & {name.partition(".")[0] for name in loaded} == set()
    assert len(loaded) <= most
