"""Where agentkit keeps its files: runs, models, and the config file.

``AGENTKIT_HOME`` puts everything into one folder; without it each kind goes where the platform wants it.
Nothing is created here: whoever writes a file makes its folder.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import platformdirs

from agentkit.errors import UsageError

__all__ = ["config_file", "default_model", "models_folder", "pins_folder", "runs_folder"]

_APP = "agentkit"


def runs_folder() -> Path:
    """Returns the folder of the run files: ``$AGENTKIT_HOME/runs``, else in the user's data folder."""
    return (_home() or _of_user(platformdirs.user_data_path)) / "runs"


def models_folder() -> Path:
    """Returns the folder of the models: ``$AGENTKIT_HOME/models``, else in the user's cache folder."""
    return (_home() or _of_user(platformdirs.user_cache_path)) / "models"


def config_file() -> Path:
    """Returns the path of ``config.toml``, which need not exist."""
    return (_home() or _of_user(platformdirs.user_config_path)) / "config.toml"


def pins_folder() -> Path:
    """Returns the folder of the pins of MCP servers that no task file names: ``mcp-pins``, beside ``config.toml``."""
    return config_file().parent / "mcp-pins"


def default_model() -> str:
    """Returns the model to use when none is named: ``model`` in the config file, else ``starter``.

    Raises:
        agentkit.errors.UsageError: The config file can't be read, or its ``model`` is not text.
    """
    path = config_file()
    try:
        config = tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return "starter"
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: can't be read as TOML: {error}; correct it or delete it") from None
    model = config.get("model", "starter")
    if not isinstance(model, str):
        raise UsageError(f"{path}: 'model' must be text such as 'starter', not {model!r}")
    return model


def _home() -> Path | None:
    home = os.environ.get("AGENTKIT_HOME")
    return Path(home).expanduser() if home else None


def _of_user(find: Callable[..., Path]) -> Path:
    with suppress(RuntimeError):  # raised without a home, or there comes "~/...", a folder of that name in this one
        folder = find(_APP, appauthor=False)
        if folder.is_absolute():
            return folder
    raise UsageError("this user has no home folder; set HOME, or AGENTKIT_HOME to a folder for agentkit's files")
