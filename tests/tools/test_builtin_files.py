"""The file tools work in the workspace and nowhere else, and say what they leave out."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agentkit.errors import Retry, ToolFailed
from agentkit.tools import workspace as workspace_module
from agentkit.tools.context import ToolContext
from agentkit.tools.files import list_files, read_file, search_files, write_file

SECRET = "the secret outside"


@pytest.fixture
def context(tmp_path: Path) -> ToolContext:
    """A workspace with files, folders and links that lead everywhere; secrets lie beside it."""
    ws = tmp_path / "ws"
    (ws / "sub/deep").mkdir(parents=True)
    (tmp_path / "ws-other").mkdir()
    for folder in (tmp_path, tmp_path / "ws-other"):
        (folder / "secret.txt").write_text(SECRET)
    (ws / "a.txt").write_text("inside\n")
    (ws / "sub/b.txt").write_text("inside sub\n")
    (ws / "üñï.txt").write_text("inside\n")
    links = {
        "link-file": tmp_path / "secret.txt",
        "link-up": Path(".."),
        "link-root": Path("/"),
        "link-proc": Path("/proc/self/root"),
        "link-other": tmp_path / "ws-other",
        "link-chain": Path("link-up"),
        "link-loop": Path("link-loop"),
        "link-dangling": tmp_path / "not-there.txt",
        "link-inside": Path("sub/b.txt"),
        "sub/link-up-twice": Path("../.."),
    }
    for name, target in links.items():
        (ws / name).symlink_to(target)
    os.mkfifo(ws / "pipe")
    return ToolContext(workspace=ws)


LEADS_OUT = [
    "../secret.txt",
    "../ws-other/secret.txt",
    "sub/../../secret.txt",
    "sub/../sub/../../secret.txt",
    "./../secret.txt",
    "sub/deep/../../../secret.txt",
    "..",
    "../",
    "/",
    "/etc/passwd",
    "//etc/passwd",
    "/proc/self/root/etc/passwd",
    "/proc/self/environ",
    "/proc/self/cwd/pyproject.toml",
    "/dev/stdin",
    "{outside}/secret.txt",
    "{outside}/ws-other/secret.txt",
    "{outside}/ws/../secret.txt",
    " ../secret.txt",
    "../secret.txt ",
    "link-file",
    "./link-file",
    "sub/../link-file",
    "link-up/secret.txt",
    "link-root/etc/passwd",
    "link-proc/etc/passwd",
    "link-other/secret.txt",
    "link-chain/secret.txt",
    "link-dangling",
    "sub/link-up-twice/secret.txt",
]
NO_FILE = [
    "",
    " ",
    ".",
    "sub",
    "sub/",
    "a.txt/../../ws/sub",
    "missing.txt",
    "A.TXT",
    "~/secret.txt",
    "$HOME/secret.txt",
    "..\\secret.txt",
    "%2e%2e/secret.txt",
    "\uff0e\uff0e/secret.txt",
    "file:///etc/passwd",
    "a.txt\0",
    "\0",
    "a.txt\0../../secret.txt",
    "\ud800",
    "link-loop",
    "a.txt/b",
    "x" * 300,
    "x/" * 3000,
]
INSIDE = ["a.txt", "./a.txt", "sub/../a.txt", "sub//b.txt", "link-inside", "{outside}/ws/a.txt", "üñï.txt", " a.txt "]


def at(path: str, context: ToolContext) -> str:
    return path.replace("{outside}", str(context.workspace.parent))


@pytest.mark.parametrize("path", LEADS_OUT)
def test_a_path_that_leads_out_is_refused_by_reading_and_writing(path: str, context: ToolContext) -> None:
    before = outside(context)
    with pytest.raises(Retry, match="outside the workspace"):
        read_file(at(path, context), context)
    with pytest.raises(Retry, match="outside the workspace"):
        write_file(at(path, context), "changed", context)
    assert outside(context) == before


def outside(context: ToolContext) -> dict[str, str]:
    """Returns all files beside the workspace with their content."""
    parent = context.workspace.parent
    return {
        str(path): path.read_text()
        for path in parent.rglob("*")
        if not path.is_relative_to(context.workspace) and path.is_file()
    }


@pytest.mark.parametrize("path", NO_FILE)
def test_a_path_to_no_file_is_answered_with_what_to_change(path: str, context: ToolContext) -> None:
    with pytest.raises(Retry) as caught:
        read_file(path, context)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("path", INSIDE)
def test_a_path_that_stays_inside_is_read(path: str, context: ToolContext) -> None:
    assert read_file(at(path, context), context)["text"].startswith("inside")


def test_a_workspace_that_is_a_link_works(context: ToolContext) -> None:
    link = context.workspace.parent / "linked"
    link.symlink_to(context.workspace)
    linked = ToolContext(workspace=link)
    assert read_file("a.txt", linked)["text"] == "inside"
    assert write_file("new.txt", "x", linked) == {"path": "new.txt", "bytes": 1, "replaced": False}
    with pytest.raises(Retry, match="outside"):
        read_file("../secret.txt", linked)


SWAPS = [("a.txt", "a.txt"), ("sub/b.txt", "sub"), ("sub/deep/b.txt", "sub/deep"), ("new/b.txt", "new")]


@pytest.fixture
def swap(context: ToolContext, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts a link that leads out in the place of a file or folder, right after its path was checked."""
    check = workspace_module.relative
    outer = context.workspace.parent
    (outer / "ws-other/b.txt").write_text(SECRET)

    def arm(name: str) -> None:
        target = context.workspace / name

        def check_then_swap(root: Path, path: str) -> Path:
            checked = check(root, path)
            if target.exists():
                target.rename(context.workspace / "moved")
            target.symlink_to(outer / ("secret.txt" if name == "a.txt" else "ws-other"))
            return checked

        monkeypatch.setattr(workspace_module, "relative", check_then_swap)

    return arm


@pytest.mark.parametrize(("path", "swapped"), SWAPS)
def test_a_link_swapped_in_after_the_check_is_not_read_through(
    path: str, swapped: str, context: ToolContext, swap: Callable[[str], None]
) -> None:
    swap(swapped)
    with pytest.raises(Retry, match="through a link"):
        read_file(path, context)


@pytest.mark.parametrize(("path", "swapped"), SWAPS)
def test_a_link_swapped_in_after_the_check_is_not_written_through(
    path: str, swapped: str, context: ToolContext, swap: Callable[[str], None]
) -> None:
    swap(swapped)
    before = outside(context)
    if swapped == path:  # the link itself is replaced
        write_file(path, "mine", context)
        assert (context.workspace / path).read_text() == "mine"
    else:
        with pytest.raises(Retry, match="through a link"):
            write_file(path, "mine", context)
    assert outside(context) == before


def test_writing_to_a_hard_link_leaves_the_file_outside_as_it_is(context: ToolContext) -> None:
    os.link(context.workspace.parent / "secret.txt", context.workspace / "hard.txt")
    write_file("hard.txt", "mine", context)
    assert (context.workspace.parent / "secret.txt").read_text() == SECRET
    assert (context.workspace / "hard.txt").read_text() == "mine"


def test_listing_and_searching_do_not_follow_links(context: ToolContext) -> None:
    listed = [f["path"] for f in list_files(context)["files"]]
    assert listed == ["a.txt", "üñï.txt", "sub/b.txt"]
    assert search_files(SECRET, context)["count"] == 0


@pytest.mark.parametrize(
    ("pattern", "paths"),
    [
        ("*", ["a.log", "logs/a.log", "logs/b.txt", "logs/old/a.log"]),
        ("*.log", ["a.log", "logs/a.log", "logs/old/a.log"]),
        ("**/*.log", ["a.log", "logs/a.log", "logs/old/a.log"]),
        ("./*.log", ["a.log", "logs/a.log", "logs/old/a.log"]),
        ("logs/*.log", ["logs/a.log", "logs/old/a.log"]),
        ("logs", ["logs/a.log", "logs/b.txt", "logs/old/a.log"]),
        ("logs/", ["logs/a.log", "logs/b.txt", "logs/old/a.log"]),
        ("logs/b.txt", ["logs/b.txt"]),
        ("", ["a.log", "logs/a.log", "logs/b.txt", "logs/old/a.log"]),
    ],
)
def test_a_pattern_fits_names_paths_and_folders(pattern: str, paths: list[str], tmp_path: Path) -> None:
    for path in ("a.log", "logs/a.log", "logs/b.txt", "logs/old/a.log"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text("x")
    assert [f["path"] for f in list_files(ToolContext(workspace=tmp_path), pattern)["files"]] == paths


def test_a_long_list_is_cut_and_says_by_how_much(tmp_path: Path) -> None:
    for number in range(60):
        (tmp_path / f"{number:02}.txt").write_text("")
    result = list_files(ToolContext(workspace=tmp_path))
    assert len(result["files"]) == 50
    assert result.get("left_out") == 10


def test_a_pattern_that_fits_nothing_is_answered_with_the_files_there_are(context: ToolContext) -> None:
    with pytest.raises(Retry, match=r"'\*.csv'; there is 'a.txt'"):
        list_files(context, "*.csv")


def test_a_missing_file_is_answered_with_the_nearest_name(context: ToolContext) -> None:
    with pytest.raises(Retry, match=r"no file 'sub/bb.txt'; there is 'sub/b.txt'"):
        read_file("sub/bb.txt", context)


class TestReading:
    def test_a_part_says_where_the_next_one_starts(self, tmp_path: Path) -> None:
        (tmp_path / "n.txt").write_text("".join(f"line {n}\n" for n in range(1, 251)))
        context = ToolContext(workspace=tmp_path)
        first = read_file("n.txt", context)
        assert (first["lines"], first.get("next_line")) == (250, 101)
        last = read_file("n.txt", context, first_line=249)
        assert last == {"text": "line 249\nline 250", "lines": 250}

    @pytest.mark.parametrize("first_line", [0, -1, 3])
    def test_a_line_that_is_not_there_is_answered_with_those_that_are(self, first_line: int, tmp_path: Path) -> None:
        (tmp_path / "n.txt").write_text("one\ntwo\n")
        with pytest.raises(Retry, match="has 2 lines; give 1 to 2"):
            read_file("n.txt", ToolContext(workspace=tmp_path), first_line=first_line)

    def test_an_empty_file_has_no_lines(self, tmp_path: Path) -> None:
        (tmp_path / "n.txt").write_text("")
        assert read_file("n.txt", ToolContext(workspace=tmp_path)) == {"text": "", "lines": 0}

    def test_long_lines_are_cut_and_the_whole_stays_small(self, tmp_path: Path) -> None:
        (tmp_path / "long.txt").write_text(f"{'x' * 100_000}\n" * 5)
        result = read_file("long.txt", ToolContext(workspace=tmp_path))
        assert "(96000 more characters)" in result["text"]
        assert len(result["text"]) < 8200
        assert result.get("next_line") is not None

    @pytest.mark.parametrize(
        ("data", "text"),
        [
            ("Käse".encode(), "Käse"),
            ("\ufeffKäse".encode(), "Käse"),
            ("Käse".encode("utf-16"), "Käse"),
            (b"a\r\nb", "a\nb"),
        ],
    )
    def test_encodings_with_a_mark_and_line_ends_are_understood(self, data: bytes, text: str, tmp_path: Path) -> None:
        (tmp_path / "t.txt").write_bytes(data)
        result = read_file("t.txt", ToolContext(workspace=tmp_path))
        assert (result["text"], "note" in result) == (text, False)

    def test_a_guessed_encoding_is_said(self, tmp_path: Path) -> None:
        (tmp_path / "t.txt").write_bytes("Käse".encode("latin-1"))
        result = read_file("t.txt", ToolContext(workspace=tmp_path))
        assert result["text"] == "Käse"
        assert "Windows-1252" in result.get("note", "")

    def test_a_binary_file_is_refused_with_its_size(self, tmp_path: Path) -> None:
        (tmp_path / "t.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
        with pytest.raises(ToolFailed, match="'t.png' is a binary file of 16 bytes"):
            read_file("t.png", ToolContext(workspace=tmp_path))

    def test_a_huge_file_is_read_in_part_and_says_so(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(workspace_module, "MAX_BYTES", 1000)
        (tmp_path / "t.txt").write_bytes("ä\n".encode() * 1000)  # the cut falls into a character
        result = read_file("t.txt", ToolContext(workspace=tmp_path))
        assert result["lines"] == 333
        assert result.get("note") == "only the first 1,000 of 3,000 bytes were read"

    def test_a_pipe_is_refused_without_waiting(self, context: ToolContext) -> None:
        with pytest.raises(ToolFailed, match="only plain files"):
            read_file("pipe", context)


class TestWriting:
    def test_folders_are_made_and_a_replaced_file_is_told(self, tmp_path: Path) -> None:
        context = ToolContext(workspace=tmp_path)
        assert write_file("out/new/r.md", "één", context) == {"path": "out/new/r.md", "bytes": 5, "replaced": False}
        assert write_file("out/new/r.md", "", context) == {"path": "out/new/r.md", "bytes": 0, "replaced": True}
        assert [p.name for p in (tmp_path / "out/new").iterdir()] == ["r.md"]

    @pytest.mark.parametrize("path", ["", ".", "sub", "sub/", "new/", "a.txt/b", "x" * 300, "a\0b"])
    def test_what_is_no_file_name_is_answered_with_what_to_change(self, path: str, context: ToolContext) -> None:
        with pytest.raises(Retry):
            write_file(path, "x", context)

    def test_a_link_is_replaced_and_what_it_points_to_inside_is_written(self, context: ToolContext) -> None:
        write_file("link-inside", "new", context)
        assert (context.workspace / "sub/b.txt").read_text() == "new"

    def test_a_write_that_fails_leaves_nothing_behind(
        self, context: ToolContext, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def no_space(*_: Any, **__: Any) -> None:
            raise OSError(28, "No space left on device")

        before = sorted(context.workspace.iterdir())
        monkeypatch.setattr(os, "replace", no_space)
        with pytest.raises(ToolFailed, match="can't write 'new.txt': no space left on device"):
            write_file("new.txt", "x", context)
        assert sorted(context.workspace.iterdir()) == before


class TestSearching:
    @pytest.fixture
    def logs(self, tmp_path: Path) -> ToolContext:
        (tmp_path / "a.log").write_text("ERROR one\nfine\n" * 2)
        (tmp_path / "b.log").write_text("  ERROR two\n" * 30)
        (tmp_path / "c.bin").write_bytes(b"\0ERROR")
        return ToolContext(workspace=tmp_path)

    def test_all_are_counted_and_the_first_shown_most_first(self, logs: ToolContext) -> None:
        result = search_files("ERROR", logs)
        assert result["count"] == 32
        assert [(f["path"], f["count"], len(f["first"])) for f in result["files"]] == [
            ("b.log", 30, 10),
            ("a.log", 2, 2),
        ]
        assert result["files"][1]["first"][1] == {"line": 3, "text": "ERROR one"}
        assert "c.bin" in result.get("note", "")

    def test_many_files_are_cut_and_the_rest_is_counted(self, tmp_path: Path) -> None:
        for number in range(30):
            (tmp_path / f"{number:02}.log").write_text("x\n")
        result = search_files("x", ToolContext(workspace=tmp_path))
        assert (result["count"], len(result["files"])) == (30, 20)
        assert result.get("note") == "10 more files have matches and are left out"

    def test_a_text_in_another_case_is_hinted_at(self, logs: ToolContext) -> None:
        result = search_files("error", logs, "*.log")
        assert result["count"] == 0
        assert "32 lines match when upper and lower case are ignored" in result.get("note", "")

    def test_a_text_is_no_pattern_unless_asked_for(self, logs: ToolContext) -> None:
        assert search_files("ERROR (one|two)", logs, "*.log")["count"] == 0
        assert search_files(r"ERROR (one|two)", logs, "*.log", regex=True)["count"] == 32

    def test_a_regular_expression_that_takes_forever_is_stopped(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "a.txt").write_text("a" * 60 + "b")
        monkeypatch.setattr("agentkit.tools.files._REGEX_SECONDS", 0.5)
        with pytest.raises(Retry, match="takes longer"):
            search_files("(a+)+$", ToolContext(workspace=tmp_path), regex=True)

    @pytest.mark.parametrize(
        ("text", "pattern", "regex", "message"),
        [
            ("", "*", False, "text is empty"),
            ("(", "*", True, "not a regular expression"),
            ("x", "*.csv", False, "no file fits"),
        ],
    )
    def test_what_can_not_be_searched_is_answered_with_what_to_change(
        self, text: str, pattern: str, regex: bool, message: str, logs: ToolContext
    ) -> None:
        with pytest.raises(Retry, match=message):
            search_files(text, logs, pattern, regex)


def test_an_empty_workspace_is_said_to_be_empty(tmp_path: Path) -> None:
    with pytest.raises(Retry, match="the workspace has no files"):
        list_files(ToolContext(workspace=tmp_path))
    with pytest.raises(Retry, match="the workspace has no files"):
        read_file("a.txt", ToolContext(workspace=tmp_path))
