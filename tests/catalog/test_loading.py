"""`open_model` finds what a user names, says clearly what is missing, and loads a file once."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from agentkit.errors import ModelError, ModelUnavailable, UsageError
from agentkit.messages import Assistant, User
from agentkit.model_backend import loading
from agentkit.model_backend.base import Model, TurnRequest
from agentkit.model_backend.catalog import entries, get, local_path
from agentkit.model_backend.loading import open_model
from tests.tiny_gguf import build_tiny_gguf

HELLO = TurnRequest(messages=[User("Hello")], max_tokens=4)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("llama_cpp")
    pytest.importorskip("llguidance")
    return build_tiny_gguf(tmp_path_factory.mktemp("tiny") / "tiny.gguf")


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("startr", "Did you mean 'starter'?"),
        ("Gemma-4-E4B", "'gemma-4-e4b'"),
        ("gemma4-31b", "'gemma-4-31b'"),
        ("xyzzy", "Known: starter, gemma-4-e2b"),
        ("", "no model ''"),
        ("a" * 300, "no model"),
        ("a\nb", r"no model 'a\nb'"),
    ],
)
def test_an_unknown_id_is_answered_with_what_may_be_meant(spec: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_model(spec)
    assert says in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("id", [entry.id for entry in entries()])
def test_a_model_that_is_not_here_names_the_command_that_gets_it(id: str) -> None:
    with pytest.raises(ModelUnavailable, match=f"agentkit models pull {id} "):
        open_model(id)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("./missing.gguf", "no such file"),
        ("missing.gguf", "no such file"),
        ("folder/missing", "no such file"),
        (Path("missing"), "no such file"),
        ("./folder", "is a folder"),
        ("notes.txt", "is not a GGUF file"),
        (Path("page.gguf"), "is a web page"),
        ("~/missing.gguf", "no such file"),
        ("~nobody/missing.gguf", "no such file"),
        ("./" + "b" * 300, "can't be read"),
        ("circle.gguf", "can't be read"),
        ("a/\0.gguf", "can't be read"),
    ],
)
def test_a_path_that_is_no_model_is_refused_in_one_line(
    spec: str | Path, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("llama_cpp")
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("circle.gguf").symlink_to("circle.gguf")
    Path("notes.txt").write_text("some notes")
    Path("page.gguf").write_text("<!DOCTYPE html>")
    with pytest.raises(ModelUnavailable, match=says) as caught:
        open_model(spec)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("package", ["llama_cpp", "llguidance", "numpy"])
def test_missing_packages_are_named_with_the_command_that_installs_them(tmp_path: Path, package: str) -> None:
    path = build_tiny_gguf(tmp_path / "tiny.gguf")
    code = f"""
import sys
sys.modules[{package!r}] = None  # as if it were not installed
from agentkit.errors import UsageError
from agentkit.model_backend.loading import open_model
try:
    open_model(sys.argv[1])
except UsageError as error:
    print(error)
"""
    run = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False)
    assert run.stderr == ""
    assert f"packages that are not installed: {package}." in run.stdout
    assert "pip install 'agentkit-gemma[local]'" in run.stdout


def test_a_url_opens_a_model_on_a_server() -> None:
    assert open_model("http://localhost:8080#tiny").info.name == "http://localhost:8080/v1#tiny"
    assert open_model("https://host.test/v1").info.kind == "remote"
    with pytest.raises(UsageError, match="context can't be set for a model on a server"):
        open_model("http://localhost:8080", context=1)


def test_a_file_is_loaded_once_and_freed_by_its_last_user(tiny: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.gguf"
    link.symlink_to(tiny)
    first = open_model(tiny, context=512)
    try:
        with ThreadPoolExecutor(4) as pool:
            others = list(pool.map(partial(open_model, context=512), [tiny, str(tiny), link]))
        assert {engine_of(model) for model in [first, *others]} == {engine_of(first)}
        assert [model.info.name for model in others] == [str(tiny), str(tiny), str(link)]
        first.close()
        first.close()
        with pytest.raises(ModelError, match="was closed; open it again"):
            asyncio.run(first.turn(HELLO))
        for model in others[:2]:
            model.close()
        turn = asyncio.run(others[2].turn(HELLO))
        assert isinstance(turn.message, Assistant)
        assert asyncio.run(others[2].count(HELLO)) == turn.usage.prompt_tokens
        others[2].close()
    finally:
        first.close()
    again = open_model(tiny, context=256)
    assert again.info.context == 256
    again.close()


def engine_of(model: Model) -> int:
    assert isinstance(model, loading.SharedModel)
    return id(model._shared)  # pyright: ignore[reportPrivateUsage]  # whether it is the same is what is tested


def test_other_settings_for_an_open_file_are_refused(tiny: Path) -> None:
    model = open_model(tiny, context=512)
    with pytest.raises(UsageError, match=r"with context=512, not 1024, slots=4, not 2; close it first"):
        open_model(tiny, context=1024, slots=2)
    model.close()


def test_settings_that_are_none_are_refused(tiny: Path) -> None:
    with pytest.raises(UsageError, match="temprature"):
        open_model(tiny, temprature=0.5)


def test_a_file_that_can_not_be_loaded_can_be_tried_again(tiny: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(tiny.read_bytes()[:5000])
    with pytest.raises(ModelUnavailable, match="truncated"):
        open_model(path)
    path.write_bytes(tiny.read_bytes())
    open_model(path, context=256).close()


def test_a_catalog_model_is_opened_by_its_id_with_the_digest_that_was_verified(tiny: Path) -> None:
    path = local_path(get("gemma-4-e2b"))
    path.parent.mkdir(parents=True)
    os.link(tiny, path)
    path.with_name(path.name + ".sha256").write_text(f"{'ab' * 32}  {path.name}\n")
    model = open_model("gemma-4-e2b", context=256)
    assert (model.info.name, model.info.kind, model.info.format) == ("gemma-4-e2b", "local", "gemma4")
    assert model.info.digest == "ab" * 32
    model.close()


def test_a_process_that_closes_nothing_ends_in_peace(tiny: Path) -> None:
    code = "import sys, atexit; from agentkit.model_backend.loading import open_model; m = open_model(sys.argv[1])"
    for rest in ("", "; atexit.register(m.close)"):
        run = subprocess.run(
            [sys.executable, "-c", code + rest, str(tiny)], capture_output=True, text=True, check=False
        )
        assert (run.returncode, run.stderr) == (0, "")
