"""The code stands in folders at the top and is imported as `agentkit.*`; these tests keep the two together."""

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from tests.repo.project import CODE_FOLDERS, LINKED, ROOT, modules, pyproject, python_files


def test_every_package_is_named_in_pyproject() -> None:
    packages = {name for name, path in modules().items() if path.name == "__init__.py"}
    assert set(pyproject()["tool"]["setuptools"]["packages"]) == packages


def test_every_module_is_in_a_package() -> None:
    loose = [name for name, path in modules().items() if not (path.parent / "__init__.py").exists()]
    assert loose == []


@pytest.mark.parametrize("name", LINKED)
def test_the_package_holds_a_link_to_each_folder(name: str) -> None:
    link = ROOT / "agentkit" / name
    if not link.is_symlink():
        pytest.skip("this checkout has no links (core.symlinks is false)")
    assert os.readlink(link) == f"../{name}"


@pytest.mark.parametrize("name", LINKED)
def test_no_folder_is_importable_by_its_own_name(name: str, tmp_path: Path) -> None:
    code = f"import agentkit.{name}, importlib.util, sys; sys.exit(importlib.util.find_spec({name!r}) is not None)"
    subprocess.run([sys.executable, "-I", "-c", code], cwd=tmp_path, check=True)


def test_no_file_is_imported_under_two_names() -> None:
    for name in modules():
        import_module(name)
    ours = {str(path) for path in python_files(*CODE_FOLDERS, "tests")}
    names: dict[str, list[str]] = {}
    for name, module in list(sys.modules.items()):
        path = os.path.realpath(getattr(module, "__file__", None) or "")
        if path in ours and name != "__main__":
            names.setdefault(path, []).append(name)
    assert {path: found for path, found in names.items() if len(found) > 1} == {}
