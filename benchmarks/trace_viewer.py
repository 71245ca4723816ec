"""What the viewer costs: to open a large run, to draw after a key, and to follow a run that goes on.

``python benchmarks/trace_viewer.py [open] [keys] [follow] [--events N] [--pairs N]`` does what is named, or all of it.
Times of keys are of the processor, without a terminal; ``follow`` runs the same run in turn with and without a viewer
that draws in a terminal of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import pty
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from agentkit.events import Event, StepAdded, StepFinished, StepStarted  # noqa: E402
from tests.trace.demo import big_run, write_run  # noqa: E402

KEYS = ("j", "k", "pagedown", "pageup", "G", "g", "tab", "plus", "minus", "slash", "n", "e", "2", "3", "z", "Z")
PRESSES = 9


def with_payload(events: list[Event], step: str, size: int) -> list[Event]:
    """Returns a run in which a step has a result of so many characters, and as many as are kept in its arguments."""
    rows = [{"id": i, "text": "lorem ipsum dolor sit amet " * 3} for i in range(size // 110)]
    found: list[Event] = []
    for event in events:
        if isinstance(event, StepAdded | StepStarted) and event.id == step:
            event = replace(event, args={"rows": rows[:140]})
        elif isinstance(event, StepFinished) and event.id == step:
            event = replace(event, value=rows)
        found.append(event)
    return found


async def opened(path: Path) -> None:
    """Opens a run and says how long it took."""
    cpu, began = time.process_time(), time.perf_counter()
    from agentkit.trace.source import RunFile
    from agentkit.trace.viewer.app import TraceApp

    app = TraceApp(RunFile(path))
    read = time.perf_counter() - began
    async with app.run_test(size=(160, 50)) as pilot:
        await pilot.pause()
        took, used = time.perf_counter() - began, time.process_time() - cpu
    print(f"  read {read:.2f} s, on the screen after {took:.2f} s ({used:.2f} s of processor)")


async def keys(path: Path, row: str, *before: str) -> None:
    """Presses each key some times on a row and says what it took of the processor."""
    from agentkit.trace.source import RunFile
    from agentkit.trace.viewer.app import TraceApp

    app = TraceApp(RunFile(path))
    async with app.run_test(size=(160, 50)) as pilot:
        app.outline.query = app.outline.query.parse("status:error")
        app.outline.show(app.outline.tree.nodes[row])
        app.table.update()
        await pilot.press(*before)
        node = app.outline.cursor
        for key in KEYS:
            spent: list[float] = []
            for _ in range(PRESSES):
                app.outline.show(node)
                app.table.update()
                if app.focused is not app.table:
                    app.set_focus(app.table)
                await pilot.pause()
                at = time.process_time()
                await pilot.press(key)
                await pilot.pause()
                spent.append((time.process_time() - at) * 1000)
                if key == "slash":
                    app.action_leave_search()
                    app.outline.query = app.outline.query.parse("status:error")
            print(f"  {key:9} {statistics.median(spent):5.0f} ms, at most {max(spent):.0f} ms")


def run_child(followed: str, into: str) -> None:
    """Runs a scripted run of about 1,700 events and writes down what it took; with a viewer where that is asked for."""
    from agentkit import Agent, Limits, ScriptedModel, tool
    from agentkit.cli.display import SilentDisplay
    from agentkit.cli.viewing import ViewerDisplay
    from agentkit.messages import ToolCall

    @tool(effect="pure")
    async def look_up(number: int) -> dict[str, int]:
        """Look up a number.

        Args:
            number: Which.
        """
        await asyncio.sleep(0.02)
        return {"number": number}

    turns = [[ToolCall("look_up", {"number": 8 * t + i}) for i in range(8)] for t in range(60)]
    agent = Agent(
        ScriptedModel([*turns, "Done."], seconds=0.02, context=0),
        tools=[look_up],
        planner="loop",
        limits=Limits(calls=1000, turns=100, tokens=10_000_000),
    )
    spent = 0.0

    def show(event: Event) -> None:
        nonlocal spent
        at = time.perf_counter()
        display.show(event)
        spent += time.perf_counter() - at

    with ViewerDisplay(SilentDisplay) if followed == "yes" else SilentDisplay() as display:
        gc.collect()
        cpu, began = time.process_time(), time.perf_counter()
        result = asyncio.run(agent.run("Look everything up.", on_event=show))
        assert result.stop_reason == "answer"
        took = {"makespan": time.perf_counter() - began, "cpu": time.process_time() - cpu, "show": spent}
        Path(into).write_text(json.dumps(took))
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    Path(into).write_text(json.dumps({**took, "viewer": used.ru_utime + used.ru_stime}))


def in_terminal(followed: str, folder: Path) -> dict[str, float]:
    """Runs the child in a terminal of its own, leaves the viewer when the run has ended, and returns what it took."""
    into = folder / "took.json"
    into.unlink(missing_ok=True)
    ours, theirs = pty.openpty()
    env = os.environ | {"AGENTKIT_HOME": str(folder), "TERM": "xterm-256color", "COLUMNS": "160", "LINES": "50"}
    command = [sys.executable, __file__, "run-child", followed, str(into)]
    child = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=env, start_new_session=True)
    os.close(theirs)

    def drain() -> None:
        try:
            while os.read(ours, 65536):
                pass
        except OSError:  # the other end was closed
            pass

    reader = threading.Thread(target=drain)
    reader.start()
    while child.poll() is None:
        time.sleep(0.2)
        if into.exists():
            os.write(ours, b"q")
    reader.join()
    os.close(ours)
    took: dict[str, float] = json.loads(into.read_text())
    return took


def follow(pairs: int) -> None:
    """Runs pairs, the order changing, and prints what the run took without and with a viewer."""
    found: dict[str, list[dict[str, float]]] = {"no": [], "yes": []}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(pairs):
            for followed in ("no", "yes") if number % 2 else ("yes", "no"):
                found[followed].append(in_terminal(followed, Path(folder)))
            for name in ("makespan", "cpu"):
                print(f"  {name}: {found['no'][-1][name]:.3f} s alone, {found['yes'][-1][name]:.3f} s followed")
    for name in ("makespan", "cpu"):
        ratios = [b[name] / a[name] - 1 for a, b in zip(found["no"], found["yes"], strict=True)]
        low, middle, high = (f"{v:+.1%}" for v in (min(ratios), statistics.median(ratios), max(ratios)))
        print(f"  {name}: median of pairs {middle} ({low} to {high})")
    shown = statistics.median(v["show"] for v in found["yes"])
    print(f"  the run's own process spent {shown * 1000:.1f} ms on opening the viewer and looking after it")
    used = statistics.median(v["viewer"] for v in found["yes"])
    print(f"  the viewer's own process: {used:.2f} s of processor")


def main() -> None:
    if sys.argv[1:2] == ["run-child"]:
        run_child(*sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="*", default=["open", "keys", "follow"])
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--pairs", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = write_run(big_run(options.events), Path(folder) / "run.sqlite")
        if "open" in options.what:
            print(f"opening {options.events:,} events, {path.stat().st_size / 1e6:.1f} MB")
            for _ in range(3):
                asyncio.run(opened(path))
        if "keys" in options.what:
            print(f"processor time for a key, {options.events:,} events")
            asyncio.run(keys(path, "step:s9"))
            large = write_run(with_payload(big_run(600), "s9", 15_000), Path(folder) / "large.sqlite")
            print("the same on a step with arguments and a result of 15,000 characters")
            asyncio.run(keys(large, "step:s9"))
            opened_blob = write_run(with_payload(big_run(600), "s9", 50_000_000), Path(folder) / "opened.sqlite")
            print("the same on a step with a result of 50 MB, opened")
            asyncio.run(keys(opened_blob, "step:s9", "3", "enter"))
    if "follow" in options.what:
        print("a run of about 1,700 events, alone and with a viewer")
        follow(options.pairs)


if __name__ == "__main__":
    main()
