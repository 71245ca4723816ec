"""Opens the model that a user names: a catalog id, the path of a GGUF file, or the URL of a server."""

from __future__ import annotations

import atexit
import os
import threading
from dataclasses import dataclass, fields, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentkit.errors import ModelError, UsageError
from agentkit.model_backend import catalog
from agentkit.model_backend.base import Emit, Model, ModelInfo, Sampling, Turn, TurnRequest
from agentkit.model_backend.gguf_header import GgufHeader, check_gguf

if TYPE_CHECKING:
    from agentkit.model_backend.engine.settings import EngineSettings

__all__ = ["SharedModel", "find_file", "open_model", "require_packages", "sampling_for"]

_LOCAL_PACKAGES = ("llama_cpp", "llguidance", "numpy")


def open_model(spec: str | Path, **settings: Any) -> Model:
    """Returns the model that a spec names, ready to take turns.

    A file is loaded once in a process: whoever opens it again shares the engine, and the last to close
    the model frees it.

    Args:
        spec: A catalog id such as ``"starter"``, the path of a GGUF file, or the URL of an OpenAI-compatible
            server, optionally with the model's name behind ``#``.
        settings: Fields of `agentkit.model_backend.engine.settings.EngineSettings`, for models in this process.

    Raises:
        UsageError: No such catalog id, settings that do not apply, or the packages for local models are missing.
        ModelUnavailable: The file is not there or can't be loaded; the message says which command helps.
    """
    name = str(spec)
    if isinstance(spec, str) and spec.startswith(("http://", "https://")):
        if settings:
            raise UsageError(f"{spec}: {', '.join(settings)} can't be set for a model on a server; set it there")
        from agentkit.model_backend.remote import RemoteModel

        url, _, model = spec.partition("#")
        return RemoteModel(url, model=model or None)
    path, entry = find_file(spec)
    return _share(path, entry, name, _engine_settings(settings))


def find_file(spec: str | Path) -> tuple[Path, catalog.CatalogEntry | None]:
    """Returns the path that a catalog id or a path stands for, which need not be there, and its catalog entry.

    Raises:
        UsageError: No such catalog id.
        ModelUnavailable: The file of the catalog id is not on this machine.
    """
    if isinstance(spec, Path) or spec.endswith(".gguf") or "/" in spec or _is_file(Path(spec)):
        path = Path(os.path.expanduser(spec))  # leaves the ~ of a user that is not there
        return path, _entry_with_file(path)
    entry = catalog.get(spec)
    return catalog.require(entry), entry


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False  # a name that is too long, a folder that may not be searched


class SharedModel:
    """A model that several users in one process share; the last to close it frees it."""

    def __init__(self, shared: _Loaded, name: str) -> None:
        self._shared = shared
        self._closed = False
        self.info: ModelInfo = replace(shared.model.info, name=name)

    async def turn(self, request: TurnRequest, emit: Emit | None = None) -> Turn:
        """Decodes one turn; see `agentkit.model_backend.base.Model.turn`."""
        return await self._open().turn(request, emit)

    async def count(self, request: TurnRequest) -> int:
        """Returns the exact number of prompt tokens of a request."""
        return await self._open().count(request)

    def close(self) -> None:
        """Gives the model up. Closing twice is allowed."""
        if not self._closed:
            self._closed = True
            _give_up(self._shared)

    def _open(self) -> Model:
        if self._closed:
            raise ModelError(f"the model {self.info.name!r} was closed; open it again with open_model()")
        return self._shared.model


@dataclass(slots=True, eq=False)
class _Loaded:
    path: Path
    settings: EngineSettings
    model: Model
    users: int = 0


_loaded: dict[Path, _Loaded] = {}
_lock = threading.Lock()


def _share(path: Path, entry: catalog.CatalogEntry | None, name: str, settings: EngineSettings) -> SharedModel:
    try:
        key = path.resolve()
    except (OSError, RuntimeError, ValueError):
        key = path  # links in a circle, a name that is none: check_gguf says it better
    with _lock:
        loaded = _loaded.get(key)
        if loaded is None:
            loaded = _loaded[key] = _Loaded(key, settings, _load(path, entry, name, settings))
        elif loaded.settings != settings:
            raise UsageError(
                f"{name!r} is open in this process with {_differences(loaded.settings, settings)}; "
                "close it first, or open it with the same settings"
            )
        loaded.users += 1
        return SharedModel(loaded, name)


def _differences(there: EngineSettings, wanted: EngineSettings) -> str:
    names = [field.name for field in fields(there) if getattr(there, field.name) != getattr(wanted, field.name)]
    return ", ".join(f"{name}={getattr(there, name)}, not {getattr(wanted, name)}" for name in names)


def _give_up(loaded: _Loaded) -> None:
    with _lock:
        loaded.users -= 1
        if loaded.users == 0:
            _loaded.pop(loaded.path, None)  # gone already when the process ends
            loaded.model.close()


@atexit.register
def _close_all() -> None:
    """Frees what is still open while llama.cpp can still be called."""
    while _loaded:
        _loaded.popitem()[1].model.close()


def _load(path: Path, entry: catalog.CatalogEntry | None, name: str, settings: EngineSettings) -> Model:
    header = check_gguf(path)
    catalog.refuse_known_bad(path)
    from agentkit.model_backend.engine import Engine
    from agentkit.model_backend.formats import format_for
    from agentkit.model_backend.local import LocalModel

    engine = Engine.load(path, settings)
    try:
        format = format_for(engine.vocab)
    except BaseException:
        engine.close()
        raise
    info = ModelInfo(
        name=name,
        kind="local",
        context=engine.context,
        format=format.name,
        thinks=format.thinks,
        digest=catalog.recorded_digest(path),
    )
    return LocalModel(engine, format, info, sampling_for(entry, header))


def _engine_settings(settings: dict[str, Any]) -> EngineSettings:
    require_packages()
    from agentkit.model_backend.engine.settings import EngineSettings

    try:
        return EngineSettings(**settings)
    except TypeError as error:
        raise UsageError(f"a model can't be opened with {settings}: {error}") from None


def require_packages() -> None:
    """Checks that what local models need is installed, before seconds go into loading one.

    Raises:
        UsageError: It is not; the message says how to install it.
    """
    missing = [package for package in _LOCAL_PACKAGES if find_spec(package) is None]
    if missing:
        raise UsageError(
            f"models in this process need packages that are not installed: {', '.join(missing)}. "
            "Install them with: pip install 'agentkit-gemma[local]'"
        )


def _entry_with_file(path: Path) -> catalog.CatalogEntry | None:
    """Returns the catalog entry whose file this is, by its exact size."""
    if not _is_file(path):
        return None  # check_gguf says it better
    size = path.stat().st_size
    return next((entry for entry in catalog.entries() if entry.size == size), None)


def sampling_for(entry: catalog.CatalogEntry | None, header: GgufHeader) -> Sampling:
    """Returns the sampling values that suit a file: the catalog's, or those of its family where it is not there.

    Nothing is set in them when the catalog does not know the family.
    """
    if entry:
        return entry.sampling
    family = header.metadata["general.architecture"]
    return next((entry.sampling for entry in catalog.entries() if entry.format == family), Sampling())
