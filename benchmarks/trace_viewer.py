"""How long the viewer takes to open a run of many events, and to draw after a key.

``python benchmarks/trace_viewer.py [EVENTS]`` makes a run's file, opens it three times, and prints how long each took.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.trace.demo import big_run, write_run  # noqa: E402


async def _open(path: Path) -> tuple[float, float, float, list[float], list[float]]:
    cpu, began = time.process_time(), time.perf_counter()
    from agentkit.trace.source import RunFile
    from agentkit.trace.viewer.app import TraceApp

    app = TraceApp(RunFile(path))
    read = time.perf_counter() - began
    async with app.run_test(size=(160, 50)) as pilot:
        await pilot.pause()
        opened, used = time.perf_counter() - began, time.process_time() - cpu
        keys: list[float] = []
        processor: list[float] = []
        for key in ("j", "k", "G", "g", "pagedown", "pagedown", "e", "e", "Z", "G", "k", "n"):
            at, spent = time.perf_counter(), time.process_time()
            await pilot.press(key)
            keys.append(time.perf_counter() - at)
            processor.append(time.process_time() - spent)
    return read, opened, used, keys, processor


def main() -> None:
    events = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    with tempfile.TemporaryDirectory() as folder:
        path = write_run(big_run(events), Path(folder) / "run.sqlite")
        print(f"{events:,} events, {path.stat().st_size / 1e6:.1f} MB")
        for _ in range(3):
            read, opened, used, keys, spent = asyncio.run(_open(path))
            print(
                f"read {read:.2f} s, on the screen after {opened:.2f} s ({used:.2f} s of processor); "
                f"a key: {min(keys) * 1000:.0f} to {max(keys) * 1000:.0f} ms "
                f"({max(spent) * 1000:.0f} ms of processor at most)"
            )


if __name__ == "__main__":
    main()
