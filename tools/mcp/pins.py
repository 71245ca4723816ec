"""Pins: what the tools of a server were when the user took them, so that a change does not go unseen.

A server may say something else of its tools tomorrow, and a model believes what it is told (a "rug pull"). So the
definitions are kept in a small JSON file at the first use, and a tool that is not what it was is refused until the
user accepts it. The file holds the definitions besides their digests: a reviewer reads what changed, not that it did.
"""

from __future__ import annotations

import difflib
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from agentkit.errors import McpToolsChanged, UsageError
from agentkit.messages import JsonObject
from agentkit.tools.mcp.definition import Definition

__all__ = ["FILE_NAME", "Pins"]

FILE_NAME = "mcp-pins.json"
_MOST_LINES = 60


class Pins:
    """The file that holds the pins of one or more servers.

    Args:
        path: The file; it need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def check(self, server: str, definitions: Sequence[Definition], *, accept: bool = False) -> str:
        """Compares a server's tools with its pins; pins them when there are none yet.

        Args:
            server: The server's name.
            definitions: Its tools as they are now.
            accept: Whether they are pinned as they are, whatever they were.

        Returns:
            What was written, in words; empty when nothing was.

        Raises:
            agentkit.errors.McpToolsChanged: A tool is new or not what it was.
            agentkit.errors.UsageError: The file can't be read or written.
        """
        servers = self._read()
        pinned = servers.get(server)
        now = {d.remote_name: {"sha256": d.digest, "definition": d.said} for d in definitions}
        if pinned is not None and not accept:
            self._refuse_changes(server, pinned, now)
            return ""
        if pinned == now:
            return ""
        self._write({**servers, server: now})
        return f"the {len(now)} tools of MCP server {server!r} are pinned in {str(self.path)!r}"

    def _refuse_changes(self, server: str, pinned: JsonObject, now: JsonObject) -> None:
        """Refuses tools that changed or are new; those that are gone are no danger."""
        changed = [name for name in now if pinned.get(name, {}).get("sha256") != now[name]["sha256"]]
        if not changed:
            return
        lines = [line for name in changed for line in _diff(name, pinned.get(name), now[name])]
        rest = len(lines) - _MOST_LINES
        lines = [*lines[:_MOST_LINES], *([f"... {rest} lines more"] if rest > 0 else [])]
        raise McpToolsChanged(
            f"the tools of MCP server {server!r} are not those that were accepted ({str(self.path)!r}):\n"
            + "\n".join(lines)
            + "\nRead it as text from a stranger. To accept it: agentkit tools TASK.YAML --accept (in a program: "
            "McpServer(...).accepting()). To go without: name the tools to use in the server's 'tools'."
        )

    def _read(self) -> dict[str, JsonObject]:
        try:
            kept: Any = json.loads(self.path.read_text(encoding="utf-8"))
            servers: Any = kept["servers"]
            if not all(isinstance(tool["sha256"], str) for tools in servers.values() for tool in tools.values()):
                raise TypeError("a digest is no text")
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            raise UsageError(
                f"the pins of MCP tools in {str(self.path)!r} can't be read ({type(error).__name__}: {error}); "
                "restore the file, or delete it to accept the tools as they are now"
            ) from None
        return cast("dict[str, JsonObject]", servers)

    def _write(self, servers: dict[str, JsonObject]) -> None:
        text = json.dumps({"version": 1, "servers": servers}, indent=1, sort_keys=True) + "\n"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=f".{self.path.name}.", dir=self.path.parent)
            with open(handle, "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(name, 0o644)
            os.replace(name, self.path)  # whoever reads it meanwhile sees all of it or nothing
        except OSError as error:
            raise UsageError(
                f"the tools of an MCP server can't be pinned in {str(self.path)!r}: {error.strerror}; make the folder "
                "writable, or keep the pins with the task"
            ) from None


def _diff(name: str, before: Any, now: Any) -> list[str]:
    """Returns the lines of a tool's definition that differ; ASCII only, so that nothing in them stays hidden."""
    old, new = (_lines(d) for d in (before, now))
    title = json.dumps(name)
    return list(difflib.unified_diff(old, new, f"{title} as accepted", f"{title} now", lineterm="", n=1))


def _lines(pin: Any) -> list[str]:
    return json.dumps(pin["definition"], indent=1, sort_keys=True).splitlines() if pin else []
