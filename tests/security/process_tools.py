"""Tools that run in a process of their own."""

from __future__ import annotations

import os

from agentkit import tool


@tool(effect="pure", isolation="process")
def environment() -> list[str]:
    """Names of the variables that this process has."""
    return sorted(os.environ)


@tool(isolation="process")
def write(path: str) -> str:
    """Write a file."""
    with open(path, "w") as file:
        file.write("written")
    return "written"
