"""A process that has imported everything and forks a child for each life of a run: ``python zygote.py < jobs``.

Each line of input is a job in JSON; the answer is a line in JSON: how the child ended.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from agentkit import kill_points
from tests.durability import scenarios


def live(job: dict[str, Any]) -> str:
    """Begins a run or goes on with it; returns how it ended."""
    scenarios.world, scenarios.people = Path(job["world"]), Path(job.get("people", ""))
    scenarios.pause = job.get("pause", 0.0)
    os.environ["AGENTKIT_HOME"] = job["home"]
    kill_points.arm(job.get("kill", ""))
    if "largest_file" in job:
        resource.setrlimit(resource.RLIMIT_FSIZE, (job["largest_file"], job["largest_file"]))
    time.sleep(max(0.0, job.get("begin", 0.0) - time.time()))
    agent = scenarios.SCENARIOS[job["scenario"]]()
    if job["run"]:
        if job["scenario"] == "unattended":
            scenarios.approve(job["run"])
        return asyncio.run(agent.resume(job["run"], assume=job.get("assume"))).stop_reason
    return agent.run_sync("Act").stop_reason


def child(job: dict[str, Any], out: int) -> None:
    code = 1
    try:
        os.write(out, live(job).encode())
        code = 0
    except BaseException:
        os.write(out, traceback.format_exc()[-3000:].encode())
    finally:
        os._exit(code)


def main() -> None:
    for line in sys.stdin:
        job = json.loads(line)
        into, out = os.pipe()
        pid = os.fork()
        if pid == 0:
            child(job, out)
        os.close(out)
        if "after" in job:
            time.sleep(job["after"])
            os.kill(pid, signal.SIGKILL)
        with os.fdopen(into) as pipe:
            said = pipe.read()
        _, status = os.waitpid(pid, 0)
        sys.stdout.write(json.dumps({"killed": os.WIFSIGNALED(status), "said": said}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
