"""What ``agentkit doctor`` says of the machine: how well it keeps tools and commands apart from the rest."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentkit.model_backend.doctor import Finding

__all__ = ["examine_machine"]

_LEVELS = {
    "bwrap": "commands that a model writes run in bubblewrap",
    "landlock": "commands that a model writes run under Landlock, without a system of their own",
    "limits": "commands that a model writes may do what you may, until they reach a limit",
}


def examine_machine() -> Iterator[Finding]:
    """Yields what was found; a thing that works was tried out."""
    from agentkit.model_backend.doctor import Finding
    from agentkit.tools.confine import landlock_version
    from agentkit.tools.sandbox import best_level, bwrap_trouble

    if trouble := bwrap_trouble():
        advice = "install it ('apt install bubblewrap'), or let unprivileged user namespaces be made"
        yield Finding("bubblewrap", "warning", f"does not work: {trouble}", advice)
    else:
        yield Finding("bubblewrap", "ok", "works: a command gets no network and no other processes or files")
    version = landlock_version()
    if version == 0:
        yield Finding("Landlock", "warning", "this kernel has none", "use Linux 5.13 or newer with Landlock enabled")
    else:
        known = "files" + ", TCP" * (version >= 4) + ", signals" * (version >= 6)
        yield Finding("Landlock", "ok", f"version {version}: {known}", data={"version": version})
    if importlib.util.find_spec("pydantic_monty") is None:
        advice = "pip install 'agentkit-gemma[python]'"
        yield Finding("model-written Python", "note", "its interpreter is not installed", advice)
    else:
        yield Finding("model-written Python", "ok", "runs in pydantic-monty")
    level = best_level()
    advice = "" if level == "bwrap" else "'sandbox: required' in a task file refuses such commands instead"
    yield Finding("sandbox", "ok" if level == "bwrap" else "warning", _LEVELS[level], advice, data={"level": level})
