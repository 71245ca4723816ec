"""Local models call your Python functions.

The public names load when they are used, so that ``import agentkit`` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agentkit.agent import Agent as Agent
    from agentkit.errors import AgentkitError as AgentkitError
    from agentkit.errors import Retry as Retry
    from agentkit.errors import ToolFailed as ToolFailed
    from agentkit.limits import Limits as Limits
    from agentkit.model_backend.scripted import ScriptedModel as ScriptedModel
    from agentkit.policy import Policy as Policy
    from agentkit.result import Result as Result
    from agentkit.tools.context import ToolContext as ToolContext
    from agentkit.tools.decorator import tool as tool

__version__ = "0.1.0"

_HOMES = {
    "Agent": "agentkit.agent",
    "AgentkitError": "agentkit.errors",
    "Limits": "agentkit.limits",
    "Policy": "agentkit.policy",
    "Result": "agentkit.result",
    "Retry": "agentkit.errors",
    "ScriptedModel": "agentkit.model_backend.scripted",
    "ToolContext": "agentkit.tools.context",
    "ToolFailed": "agentkit.errors",
    "tool": "agentkit.tools.decorator",
}

__all__ = [
    "Agent",
    "AgentkitError",
    "Limits",
    "Policy",
    "Result",
    "Retry",
    "ScriptedModel",
    "ToolContext",
    "ToolFailed",
    "tool",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = globals()[name] = getattr(import_module(_HOMES[name]), name)
        return value
    raise AttributeError(f"module 'agentkit' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
