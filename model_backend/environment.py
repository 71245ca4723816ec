"""What llama.cpp's libraries read from the environment, at the moment they are loaded."""

from __future__ import annotations

import os

__all__ = ["prepare_environment"]


def prepare_environment() -> None:
    """Sets the variables; what the user has set stays.

    OpenMP threads spin while they wait for each other. With one core taken by another process that makes decoding a
    hundred times slower, so they are told to sleep soon.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # GNU
        os.environ.setdefault("KMP_BLOCKTIME", "1")  # LLVM and Intel, in milliseconds
    # A failed assertion would start a debugger on this process to print a backtrace.
    os.environ.setdefault("GGML_NO_BACKTRACE", "1")
