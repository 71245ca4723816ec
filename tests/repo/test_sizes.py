"""A file is one idea, and a function fits on a screen."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.repo.project import CODE_FOLDERS, ROOT, python_files, tree

FILE_LINES = 400
TEST_FILE_LINES = 650  # tables of cases are long and read one line at a time
FUNCTION_LINES = 60
USUAL_FUNCTION_LINES = 40


@pytest.mark.parametrize(
    ("folders", "most"), [((*CODE_FOLDERS, "benchmarks", "examples"), FILE_LINES), (("tests",), TEST_FILE_LINES)]
)
def test_no_file_is_too_long(folders: tuple[str, ...], most: int) -> None:
    sizes = {
        path.relative_to(ROOT): len(path.read_text(encoding="utf-8").splitlines()) for path in python_files(*folders)
    }
    assert {str(path): lines for path, lines in sizes.items() if lines > most} == {}


def test_no_function_is_too_long() -> None:
    too_long = {f"{path}:{line} {name}": n for path, line, name, n in functions() if n > FUNCTION_LINES}
    assert too_long == {}


def test_nearly_all_functions_fit_on_a_screen() -> None:
    lengths = [n for *_, n in functions()]
    assert sum(n <= USUAL_FUNCTION_LINES for n in lengths) / len(lengths) >= 0.97


def functions() -> Iterator[tuple[Path, int, str, int]]:
    """Yields file, line, name and length in lines of each function, the docstring not counted."""
    for path in python_files(*CODE_FOLDERS, "benchmarks", "examples"):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
                doc = node.body[0] if ast.get_docstring(node) else None
                doc_lines = doc.end_lineno - doc.lineno + 1 if doc and doc.end_lineno else 0
                yield path.relative_to(ROOT), node.lineno, node.name, node.end_lineno - node.lineno + 1 - doc_lines
