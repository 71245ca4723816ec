"""What a caller may choose about an engine and about a run, and what a run gives back."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from agentkit.messages import Usage

__all__ = ["EngineSettings", "Outcome", "ResolvedSampling", "physical_cores"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """How a model is loaded and run."""

    context: int = 0
    """Context size in tokens, shared by the runs that decode together; 0 for what the model was trained
    for, at most 8192."""
    slots: int = 4
    """The most runs that decode together; others wait."""
    threads: int = 0
    """Threads that compute; 0 for one per physical core."""
    batch: int = 256
    """The most tokens computed in one step: how long a running prompt holds up everything else."""
    full_window: bool = False
    """Keep all positions of sliding-window layers. Any prefix can then be reused, at several times the memory."""
    flash_attention: bool | None = None
    """``None`` measures at load which is faster."""
    gpu_layers: int = -1
    """Layers computed on a GPU, where llama.cpp was built for one; -1 for all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedSampling:
    """`agentkit.model_backend.base.Sampling` with every value decided."""

    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    repeat_penalty: float = 1.0
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome(Generic[T]):
    """What a run of a script gave."""

    value: T
    """The script's return value."""
    usage: Usage
    tokens: tuple[int, ...]
    """All tokens added after the prompt, in order."""


def physical_cores() -> int:
    """Returns the number of physical cores this process may use; hyperthreads slow decoding down."""
    if sys.platform == "darwin":
        return _performance_cores() or os.cpu_count() or 1
    if not hasattr(os, "sched_getaffinity"):
        return os.cpu_count() or 1
    cores: set[str] = set()
    usable = os.sched_getaffinity(0)
    for cpu in usable:
        siblings = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
        try:
            cores.add(siblings.read_text())
        except OSError:
            return len(usable)
    return len(cores)


def _performance_cores() -> int:
    try:
        out = subprocess.run(["sysctl", "-n", "hw.perflevel0.physicalcpu"], capture_output=True, text=True, check=True)
        return int(out.stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        return 0
