"""A real consumer of OpenTelemetry traces, Arize Phoenix, takes an export and shows it.

It is large, so it has an environment of its own: put the path of its program into AGENTKIT_PHOENIX.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from socket import socket
from typing import Any

import httpx2
import pytest

from agentkit.trace import Trace
from agentkit.trace.export import to_otlp_json
from tests.trace.demo import demo_run
from tests.trace.export.otlp_proto import parse

PROGRAM = os.environ.get("AGENTKIT_PHOENIX", "")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(
        not PROGRAM, reason="AGENTKIT_PHOENIX does not name a phoenix program (pip install arize-phoenix)"
    ),
]


def _free_port() -> int:
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture
def phoenix(tmp_path: Path) -> Iterator[str]:
    """The address of a server with nothing in it."""
    port = _free_port()
    env = {
        **os.environ,
        "PHOENIX_WORKING_DIR": str(tmp_path),
        "PHOENIX_HOST": "127.0.0.1",
        "PHOENIX_PORT": str(port),
        "PHOENIX_GRPC_PORT": str(_free_port()),
        "PHOENIX_TELEMETRY_ENABLED": "false",
    }
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([PROGRAM, "serve"], env=env, stdout=log, stderr=log)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(timeout=30)


def _ask(url: str, until: float, wanted: int) -> list[dict[str, Any]]:
    """Asks for the spans until there are as many as wanted: what was sent is taken in a moment later."""
    found: list[dict[str, Any]] = []
    while time.monotonic() < until and len(found) < wanted:
        time.sleep(1)
        answer = httpx2.get(f"{url}/v1/projects/default/spans", params={"limit": 1000})
        found = answer.json()["data"] if answer.status_code == 200 else []
    return found


def test_phoenix_takes_a_run(phoenix: str) -> None:
    request = parse(to_otlp_json(Trace(demo_run())))
    sent = request.resource_spans[0].scope_spans[0].spans
    until = time.monotonic() + 240
    while True:
        try:
            answer = httpx2.post(
                f"{phoenix}/v1/traces",
                content=request.SerializeToString(),
                headers={"content-type": "application/x-protobuf"},
            )
            break
        except httpx2.TransportError:
            assert time.monotonic() < until, "phoenix does not answer"
            time.sleep(1)
    assert answer.status_code == 200
    taken = _ask(phoenix, until, len(sent))
    assert sorted(s["name"] for s in taken) == sorted(s.name for s in sent)
    assert {s["context"]["trace_id"] for s in taken} == {sent[0].trace_id.hex()}
    assert {s["context"]["span_id"]: s["parent_id"] or "" for s in taken} == {
        s.span_id.hex(): s.parent_span_id.hex() for s in sent
    }
