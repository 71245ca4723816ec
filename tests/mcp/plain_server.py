"""An MCP server that behaves, written by hand so that it starts at once: ``plain_server.py PIDS``."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

NOTHING: dict[str, Any] = {"type": "object", "properties": {}}
TOOLS: list[dict[str, Any]] = [
    {"name": "process", "inputSchema": NOTHING, "annotations": {"idempotentHint": True}},
    {"name": "read-variables", "inputSchema": NOTHING, "annotations": {"readOnlyHint": True}},
    {"name": "wait", "inputSchema": NOTHING, "annotations": {"destructiveHint": False}},
]


def main() -> None:
    with Path(sys.argv[1]).open("a") as file:
        file.write(f"{os.getpid()}\n")
    for line in sys.stdin:
        message = json.loads(line)
        if "method" in message and "id" in message:
            answer = {"jsonrpc": "2.0", "id": message["id"]} | reply(message["method"], message.get("params", {}))
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()


def reply(method: str, params: dict[str, Any]) -> dict[str, Any]:
    match method:
        case "initialize":
            info = {"name": "plain", "version": "1"}
            version = params["protocolVersion"]
            return {"result": {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": info}}
        case "tools/list":
            return {"result": {"tools": TOOLS}}
        case "tools/call":
            return {"result": {"content": [], "structuredContent": call(params["name"])}}
        case _:
            return {"error": {"code": -32601, "message": "unknown method"}}


def call(tool: str) -> dict[str, Any]:
    if tool == "wait":
        time.sleep(600)
    return {"pid": os.getpid(), "variables": sorted(os.environ)}


if __name__ == "__main__":
    main()
