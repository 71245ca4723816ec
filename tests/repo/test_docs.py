"""What the documentation shows is run, so that it can't go wrong unnoticed."""

import contextlib
import io
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import agentkit
from agentkit.task import load_task
from tests.repo.project import ROOT, pyproject

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(
    r"(?:<!-- (?P<mark>[^\n]*) -->\n)?^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
NOT_RUN = ("not run", "from ")

# Spelled so that this file does not hold what it looks for.
UNWANTED = {
    "a path of one developer's machine": r"/(?:home|Users|wo[r]k)/\w",
    "the host of a package registry (mirrors exist; the user's pip knows)": r"py[p]i\.org|python[h]osted\.org",
    "a note to oneself": r"\b(?:TO[D]O|FIX[M]E|XX[X]\b:)",
}


@dataclass(frozen=True)
class Block:
    language: str
    text: str
    mark: str
    gap: str
    """What stands between the block before and this one."""


def blocks(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    end = 0
    for match in BLOCK.finditer(text):
        yield Block(match["language"], match["text"], match["mark"] or "", text[end : match.start()])
        end = match.end()


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_python_in_a_page_runs_and_prints_what_the_page_says(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": page.stem}
    printed = ""
    for block in blocks(page):
        if block.language == "python":
            code = compile(block.text, name(page), "exec", dont_inherit=True)
            if not block.mark.startswith(NOT_RUN):
                with contextlib.redirect_stdout(io.StringIO()) as out:
                    exec(code, names)
                printed = out.getvalue()
        elif block.language == "text" and block.gap.strip() == "" and printed:
            assert printed == block.text
            printed = ""


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_task_files_in_a_page_are_right(page: Path, tmp_path: Path) -> None:
    for number, block in enumerate(blocks(page)):
        if block.language == "yaml" and block.text.startswith("task:") and not block.mark:
            path = tmp_path / f"task{number}.yaml"
            path.write_text(block.text, encoding="utf-8")
            assert load_task(path).task


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_an_excerpt_stands_in_its_file(page: Path) -> None:
    for block in blocks(page):
        if block.mark.startswith("from "):
            source = (ROOT / block.mark.removeprefix("from ")).read_text(encoding="utf-8")
            for part in re.split(r"^ *\.\.\.\n", block.text, flags=re.MULTILINE):
                assert part in source


def test_the_page_of_the_command_line_is_what_the_commands_say(tmp_path: Path) -> None:
    """In a process of its own, because click remembers help options from how a command was first called."""
    subprocess.run([sys.executable, ROOT / "tests" / "repo" / "cli_reference.py", tmp_path / "cli.md"], check=True)
    said = (tmp_path / "cli.md").read_text(encoding="utf-8")
    assert (ROOT / "docs" / "cli.md").read_text(encoding="utf-8") == said, "run tests/repo/cli_reference.py"


def test_the_version_is_the_newest_of_the_changelog() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## \[(.+?)\]", changelog, re.MULTILINE)
    assert newest is not None
    assert newest[1] == agentkit.__version__ == pyproject()["project"]["version"]


def test_every_verb_of_the_makefile_has_a_help_text() -> None:
    verbs = re.findall(r"^([a-z]+):(.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert [verb for verb, rest in verbs if "  ## " not in rest] == []


def test_every_link_to_a_file_leads_somewhere() -> None:
    wrong = [
        (name(page), target)
        for page in PAGES
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]
    assert wrong == []


@pytest.mark.parametrize("what", UNWANTED)
def test_no_file_holds(what: str) -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("this is not a git checkout")
    found = [
        f"{path}: {match[0]}"
        for path in filter(None, listed.stdout.split("\0"))
        if (ROOT / path).is_file() and not (ROOT / path).is_symlink()
        if (match := re.search(UNWANTED[what], (ROOT / path).read_text(encoding="utf-8", errors="ignore")))
    ]
    assert found == []
