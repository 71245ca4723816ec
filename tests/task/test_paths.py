"""Where files are kept, and which model is the default."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentkit.errors import UsageError
from agentkit.paths import config_file, default_model, models_folder, runs_folder


def test_one_variable_moves_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTKIT_HOME", str(tmp_path))
    assert (runs_folder(), models_folder()) == (tmp_path / "runs", tmp_path / "models")
    assert config_file() == tmp_path / "config.toml"
    monkeypatch.setenv("AGENTKIT_HOME", "~/kit")
    assert runs_folder() == Path.home() / "kit" / "runs"
    assert list(tmp_path.iterdir()) == [], "asking for a folder does not make it"


def test_without_it_each_kind_is_where_the_platform_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AGENTKIT_HOME")
    folders = {runs_folder().parent, models_folder().parent, config_file().parent}
    assert all(folder.is_absolute() and "agentkit" in folder.parts for folder in folders)


@pytest.mark.parametrize(
    ("config", "model"), [("", "starter"), ('model = "gemma-4-e4b"\n', "gemma-4-e4b"), (None, "starter")]
)
def test_the_default_model_is_that_of_the_config_file(config: str | None, model: str) -> None:
    config_file().parent.mkdir(parents=True)
    if config is not None:
        config_file().write_text(config)
    assert default_model() == model


@pytest.mark.parametrize(
    ("config", "part"),
    [(b"model = 5", "must be text"), (b"model", "can't be read as TOML"), (b"\xff", "can't be read")],
)
def test_a_config_file_that_is_wrong_is_named(config: bytes, part: str) -> None:
    config_file().parent.mkdir(parents=True)
    config_file().write_bytes(config)
    with pytest.raises(UsageError, match=part) as caught:
        default_model()
    assert str(config_file()) in str(caught.value)
