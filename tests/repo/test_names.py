"""What a module offers is what its `__all__` says."""

import ast
from importlib import import_module
from pathlib import Path

import pytest

import agentkit
from tests.repo.project import ROOT, modules, tree


def test_the_public_names_are_listed_once_for_people_and_once_for_type_checkers() -> None:
    homes: dict[str, str] = vars(agentkit)["_HOMES"]
    typed = {
        alias.asname: node.module
        for node in ast.walk(tree(ROOT / "agentkit" / "__init__.py"))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname
    }
    assert typed == homes
    assert agentkit.__all__ == sorted(homes)


@pytest.mark.parametrize("name", agentkit.__all__)
def test_a_public_name_loads(name: str) -> None:
    assert getattr(agentkit, name) is not None
    assert name in dir(agentkit)


@pytest.mark.parametrize("name", sorted(modules()))
def test_all_holds_names_that_are_there(name: str) -> None:
    listed = _listed(modules()[name])
    assert len(listed) == len(set(listed))
    module = import_module(name)
    assert [item for item in listed if not hasattr(module, item)] == []


@pytest.mark.parametrize("name", sorted(modules()))
def test_a_module_uses_only_what_other_modules_offer(name: str) -> None:
    used = [
        (node.module, alias.name)
        for node in ast.walk(tree(modules()[name]))
        if isinstance(node, ast.ImportFrom) and node.module in modules()
        for alias in node.names
        if f"{node.module}.{alias.name}" not in modules() and alias.name != "__version__"
    ]
    assert [(home, item) for home, item in used if item not in _listed(modules()[home])] == []


def _listed(path: Path) -> list[str]:
    for node in tree(path).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return list(ast.literal_eval(node.value))
    return []
