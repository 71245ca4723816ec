"""Draws the viewer's screens: pictures for the documentation, and the golden files of the tests.

``python tests/trace/screens.py`` writes ``docs/images/trace-*.svg`` and ``tests/trace/golden/screen_*.txt``.
"""

from __future__ import annotations

import asyncio
import io
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from agentkit.trace.source import RunFile  # noqa: E402
from agentkit.trace.viewer.app import TraceApp  # noqa: E402
from tests.trace.demo import DEMOS, write_run  # noqa: E402

SIZES = ((80, 24), (160, 50))
IMAGES = ROOT / "docs" / "images"
GOLDEN = Path(__file__).parent / "golden"

PICTURES: dict[str, tuple[str, tuple[int, int], bool, Sequence[str]]] = {
    "trace-dark": ("demo", (130, 40), False, ("e",)),
    "trace-light": ("demo", (130, 40), True, ("e", "e", "5")),
    "trace-failed": ("failed", (100, 24), False, ("r",)),
    "trace-doubt": ("doubtful", (100, 28), False, ("e", "e", "e", "5")),
    "trace-help": ("demo", (80, 24), False, ("question_mark",)),
}
"""Run, size, whether light, and keys of each picture."""


def screen_lines(app: TraceApp) -> list[str]:
    """Returns the text on a viewer's screen, line by line."""
    width, height = app.size
    console = Console(width=width, height=height, file=io.StringIO(), force_terminal=True, record=True)
    drawn = app.screen._compositor.render_update(full=True)  # pyright: ignore[reportPrivateUsage, reportUnknownMemberType]
    console.print(drawn)
    return [line.rstrip() for line in console.export_text().splitlines()][:height]


def draw(run: str, size: tuple[int, int], light: bool, keys: Sequence[str], folder: Path) -> tuple[list[str], str]:
    """Returns a screen as lines of text and as SVG."""
    path = folder / f"{run}.sqlite"
    if not path.exists():
        write_run(DEMOS[run](), path)

    async def look() -> tuple[list[str], str]:
        app = TraceApp(RunFile(path), light=light)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await pilot.press(*keys)
            await pilot.pause()
            svg = app.export_screenshot(title=f"agentkit trace {'' if run == 'demo' else run}".strip())
            return screen_lines(app), svg

    return asyncio.run(look())


def self_contained(svg: str) -> str:
    """Returns an SVG that asks for no font from anywhere: a monospaced one of the reader's machine will do."""
    return re.sub(r"@font-face\s*\{[^}]*\}", "", svg)


def main() -> None:
    """Writes everything."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for name, (run, size, light, keys) in PICTURES.items():
            _, svg = draw(run, size, light, keys, Path(folder))
            (IMAGES / f"{name}.svg").write_text(self_contained(svg), encoding="utf-8")
        for run in DEMOS:
            for width, height in SIZES:
                lines, _ = draw(run, (width, height), False, (), Path(folder))
                golden = GOLDEN / f"screen_{run}_{width}x{height}.txt"
                golden.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
