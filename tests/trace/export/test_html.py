"""The page of a run: one file that needs nothing else, and in which data is never markup."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from agentkit.events import Event, RunStarted, StepAdded, StepFinished, StepStarted
from agentkit.trace import Trace
from agentkit.trace.export import to_html
from tests.trace.demo import DEMOS, big_run, demo_run

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
HOSTILE = (
    "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">&quot; \ud800 \u202e"
)


def page_data(page: str) -> Any:
    found = re.search(r'<script type="application/json" id="run">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def hostile_run() -> list[Event]:
    start = demo_run()[0]
    assert isinstance(start, RunStarted)
    return [
        replace(start, task=HOSTILE, run_id=HOSTILE, planner=HOSTILE, model={"name": HOSTILE}),
        StepAdded(id=HOSTILE, tool=HOSTILE, args={HOSTILE: HOSTILE}, after=[], purpose=HOSTILE),
        StepStarted(id=HOSTILE, tool=HOSTILE, args={HOSTILE: HOSTILE}),
        StepFinished(id=HOSTILE, tool=HOSTILE, ok=False, value=HOSTILE, seconds=1.0),
    ]


class _Tags(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.mark.parametrize("name", DEMOS)
def test_a_page_holds_every_row_and_box(name: str) -> None:
    events = DEMOS[name]()
    page = to_html(Trace(events))
    assert page.isascii()
    data = page_data(page)
    labels = [row["l"] for row in data["rows"]]
    assert {s.id for s in Trace(events).steps} <= set(labels)
    assert all(row["p"] < number for number, row in enumerate(data["rows"]))
    assert {data["rows"][number]["k"] for number, *_ in data["graph"]["boxes"]} <= {"turn", "step"}


def test_nothing_on_a_page_is_loaded_from_anywhere() -> None:
    page = to_html(Trace(demo_run()))
    for tag, attributes in _Tags(page).found:
        assert tag not in ("link", "img", "iframe", "object", "base", "form")
        assert not {"src", "href", "srcset", "style", "onclick", "onerror", "onload"} & set(attributes)
    policy = next(a["content"] or "" for _, a in _Tags(page).found if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy


def test_what_tools_and_models_say_never_becomes_markup() -> None:
    plain, hostile = (_Tags(to_html(Trace(e))).found for e in (demo_run(), hostile_run()))
    assert [tag for tag, _ in hostile] == [tag for tag, _ in plain]
    shown = json.dumps(page_data(to_html(Trace(hostile_run()))), ensure_ascii=False)
    assert not {"\ud800", "\u202e"} & set(shown)


def test_a_long_text_is_cut_with_a_note() -> None:
    events = [
        StepAdded(id="s", tool="t", args={}, after=[], purpose=""),
        StepStarted(id="s", tool="t", args={}),
        StepFinished(id="s", tool="t", ok=True, value="x" * 3_000_000, seconds=1.0),
    ]
    page = to_html(Trace(events))
    assert len(page) < 200_000
    assert "2,980,000 characters more are not on this page" in page


def test_all_texts_together_are_cut_too() -> None:
    events: list[Event] = []
    for number in range(1500):
        events.append(StepAdded(id=f"s{number}", tool="t", args={}, after=[], purpose=""))
        events.append(StepFinished(id=f"s{number}", tool="t", ok=True, value="x" * 19_000, seconds=1.0))
    assert len(to_html(Trace(events))) < 27_000_000


def run_chromium(page: Path, *options: str) -> str:
    if CHROMIUM is None:
        pytest.skip("there is no chromium (Debian: apt install chromium)")
    command = [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", *options]
    command += [f"--user-data-dir={page.parent / 'profile'}", "--virtual-time-budget=3000", page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=110, check=True).stdout


def open_page(events: Sequence[Event], folder: Path, script: str = "") -> str:
    """Returns the page as chromium made it; a script is let through the page's policy only here."""
    page = folder / "page.html"
    text = to_html(Trace(events))
    if script:
        text = re.sub(r"<meta http-equiv=[^>]*>", "", text).replace("</body>", f"<script>{script}</script></body>")
    page.write_text(text, encoding="ascii")
    return run_chromium(page, "--dump-dom")


@pytest.mark.slow
def test_a_browser_draws_the_rows_the_graph_and_the_first_error(tmp_path: Path) -> None:
    dom = open_page(demo_run(), tmp_path)
    assert dom.count('class="row') >= 10
    assert dom.count("data-row=") == len(Trace(demo_run()).steps) + len(Trace(demo_run()).turns)
    assert "the weather service did not answer" in dom.partition('id="entries"')[2].partition("<noscript>")[0]


@pytest.mark.slow
def test_a_browser_asks_nobody_for_anything_even_without_the_policy(tmp_path: Path) -> None:
    count = "document.title = 'asked for ' + performance.getEntriesByType('resource').length"
    use = "for (const key of 'jjeez/c?t') document.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true}));"
    assert "asked for 0" in open_page(demo_run(), tmp_path, use + count)
    load = "const picture = new Image(); picture.src = 'http://127.0.0.1:9/x'; document.body.append(picture);"
    later = f"{load} picture.onerror = () => {{ {count} }};"
    assert "asked for 1" in open_page(demo_run(), tmp_path, later)  # it would be seen


@pytest.mark.slow
def test_search_finds_what_stands_in_a_result(tmp_path: Path) -> None:
    script = "$('query').value='crk-2291'; search(); next(found, 1);"
    dom = open_page(demo_run(), tmp_path, script)
    assert re.search(r'id="found"[^>]*>[1-9]\d* found<', dom)
    assert 'class="row selected hit' in dom or "selected hit" in dom


@pytest.mark.slow
def test_hostile_text_runs_nothing_in_a_browser(tmp_path: Path) -> None:
    dom = open_page(hostile_run(), tmp_path)
    assert "<title>owned" not in dom
    assert "<img" not in dom
    assert dom.count('class="row') >= 3


@pytest.mark.slow
def test_a_run_of_twenty_thousand_events_opens_and_draws_only_what_is_in_sight(tmp_path: Path) -> None:
    dom = open_page(big_run(20_000), tmp_path)
    assert 10 < dom.count('class="row') < 120


@pytest.mark.slow
@pytest.mark.parametrize(("size", "dark"), [("1440,900", False), ("1440,900", True), ("560,1000", True)])
def test_a_screenshot_has_the_colours_that_were_asked_for(size: str, dark: bool, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(to_html(Trace(demo_run())), encoding="ascii")
    shot = tmp_path / "shot.png"
    scheme = f"--blink-settings=preferredColorScheme={0 if dark else 1}"
    run_chromium(page, scheme, f"--window-size={size}", f"--screenshot={shot}")
    assert shot.stat().st_size > 20_000
    dom = run_chromium(page, scheme, "--dump-dom")
    assert ('<html lang="en" class="dark">' in dom) is dark
