"""What a run lets its tools get at, besides its workspace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from agentkit.tools.secret import NO_SECRETS, Secrets

__all__ = ["Access", "SandboxMode"]

SandboxMode: TypeAlias = Literal["auto", "required", "off"]
"""How tools in a process of their own are confined.

- ``auto``: as well as this machine can.
- ``required``: commands run in bubblewrap, and tools in a process of their own under Landlock, or not at all.
- ``off``: they may do what the user may; they are still stopped at their limits.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What a run lets its tools get at."""

    secrets: Secrets = NO_SECRETS
    hosts: tuple[str, ...] = ()
    """Patterns of the hosts that may be fetched from, such as ``*.example.com``."""
    sandbox: SandboxMode = "auto"
