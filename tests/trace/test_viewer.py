"""The viewer as its user has it: keys are pressed, and what stands on the screen is read."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from textual.events import Key

from agentkit.events import Event, RunStarted, StepFinished, StepStarted
from agentkit.journal import SqliteJournal
from agentkit.trace.source import RunFile
from agentkit.trace.viewer.app import TraceApp
from tests.trace.demo import DEMOS, big_run, demo_run, write_run
from tests.trace.screens import GOLDEN, IMAGES, PICTURES, SIZES, draw, screen_lines, self_contained

SIZE = (100, 30)

Steps = Callable[["Screen"], Awaitable[None]]


class Screen:
    """A viewer that runs, and what is on its screen."""

    def __init__(
        self, app: TraceApp, press: Callable[..., Awaitable[None]], click: Callable[..., Awaitable[bool]]
    ) -> None:
        self.app = app
        self.press = press
        self.click = click

    @property
    def lines(self) -> list[str]:
        """The screen's text, line by line."""
        return screen_lines(self.app)

    @property
    def text(self) -> str:
        """The screen's text."""
        return "\n".join(self.lines)

    @property
    def cursor(self) -> str:
        """Names the selected row."""
        return self.app.outline.cursor.key


@pytest.fixture
def view(tmp_path: Path) -> Callable[..., Path]:
    """Opens the viewer on a run, and lets steps be taken in it; returns the run's file."""

    def open_run(steps: Steps, events: list[Event] | None = None, size: tuple[int, int] = SIZE) -> Path:
        path = tmp_path / "run.sqlite"
        if events is not None or not path.exists():
            write_run(demo_run() if events is None else events, path)

        async def run() -> None:
            app = TraceApp(RunFile(path))
            async with app.run_test(size=size) as pilot:
                await pilot.pause()

                async def press(*keys: str) -> None:
                    await pilot.press(*keys)
                    await pilot.pause()

                await steps(Screen(app, press, pilot.click))

        asyncio.run(run())
        return path

    return open_run


View = Callable[..., Path]


@pytest.mark.parametrize("name", DEMOS)
@pytest.mark.parametrize("size", SIZES, ids=lambda s: f"{s[0]}x{s[1]}")
def test_the_screen_is_as_in_the_golden_file(name: str, size: tuple[int, int], view: View) -> None:
    """Golden files are read by people: look at what changed before you replace one."""

    async def steps(screen: Screen) -> None:
        golden = GOLDEN / f"screen_{name}_{size[0]}x{size[1]}.txt"
        assert screen.lines == golden.read_text(encoding="utf-8").splitlines()

    view(steps, DEMOS[name](), size)


@pytest.mark.parametrize("name", PICTURES)
def test_the_pictures_of_the_documentation_are_what_is_drawn(name: str, tmp_path: Path) -> None:
    """Colours too. ``python tests/trace/screens.py`` draws them anew: look at them before you replace them."""
    _, svg = draw(*PICTURES[name], tmp_path)
    assert self_contained(svg) == (IMAGES / f"{name}.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize("size", [(20, 6), (40, 12), (63, 10), (250, 80)], ids=lambda s: f"{s[0]}x{s[1]}")
def test_any_size_is_drawn_and_the_run_is_named(size: tuple[int, int], view: View) -> None:
    async def steps(screen: Screen) -> None:
        await screen.press("e", "question_mark", "escape", "tab", "j")
        assert "20261128" in screen.text

    view(steps, size=size)


def test_keys_of_vim_move_and_fold(view: View) -> None:
    async def steps(screen: Screen) -> None:
        await screen.press("j", "j")
        assert screen.cursor == "turn:1"
        await screen.press("h")
        assert "fetch_weather(" not in screen.text
        await screen.press("l", "l", "j")
        assert screen.cursor == "piece:1:1"
        await screen.press("G")
        assert screen.cursor == "end:65"
        await screen.press("g")
        assert screen.cursor == "run"
        await screen.press("ctrl+d", "ctrl+d", "ctrl+u")
        assert screen.cursor == "step:w3"
        await screen.press("z")
        assert [n.key for n in screen.app.outline.rows][1:3] == ["planner:0", "turn:1"]
        await screen.press("Z")
        assert len(screen.app.outline.rows) == len(screen.app.outline.tree.nodes)

    view(steps)


def test_arrows_and_page_keys_move_the_cursor_and_not_just_what_is_in_sight(view: View) -> None:
    async def steps(screen: Screen) -> None:
        await screen.press("down", "down")
        assert screen.cursor == "turn:1"
        await screen.press("up")
        assert screen.cursor == "planner:0"
        await screen.press("pagedown")
        assert screen.app.outline.place == 1 + screen.app.table.page
        await screen.press("pageup")
        assert screen.cursor == "planner:0"
        await screen.press("end")
        assert screen.cursor == "end:65"
        await screen.press("home", "2", "tab", "down", "down", "up")
        assert (screen.cursor, screen.app.pane.scroll_offset.y) == ("run", 1)

    view(steps)


def test_e_goes_to_what_failed_and_shows_why(view: View) -> None:
    async def steps(screen: Screen) -> None:
        await screen.press("e")
        assert screen.cursor == "step:w6"
        assert "TimeoutError: the weather service did not answer" in screen.text
        await screen.press("e")
        assert screen.cursor == "item:pages:3"
        assert "404 Not Found" in screen.text
        await screen.press("E")
        assert screen.cursor == "step:w6"

    view(steps)


def test_r_goes_to_where_it_began_to_go_wrong(view: View) -> None:
    async def steps(screen: Screen) -> None:
        await screen.press("G", "r")
        assert screen.cursor == "step:convert"
        assert "no rate for 'XAF'" in screen.text

    view(steps, DEMOS["failed"]())


def test_a_search_goes_through_what_fits(view: View) -> None:
    async def steps(screen: Screen) -> None:
        await screen.press("slash", *"tool:fetch_w dur>2s", "enter")
        assert (screen.cursor, len(screen.app.outline.matches)) == ("step:w3", 2)
        assert "2 rows fit" in screen.text
        await screen.press("n")
        assert screen.cursor == "step:w7"
        await screen.press("N", "o")
        assert [n.key for n in screen.app.outline.rows] == ["run", "turn:1", "step:w3", "step:w7"]
        await screen.press("escape")
        assert len(screen.app.outline.rows) > 20

    view(steps)


def test_keys_that_come_at_once_are_each_done_before_the_next(view: View) -> None:
    async def steps(screen: Screen) -> None:
        typed = {"slash": "/", "enter": "\r", "backspace": "\x7f"}
        for key in ["j", "slash", *"tool:bok", "backspace", *"ok", "enter", "n", "j", "2"]:
            screen.app.post_message(Key(key, typed.get(key, key)))
        await screen.press("escape")
        assert (screen.cursor, screen.app.tab) == ("step:note", "input")

    view(steps)


def test_a_search_that_means_nothing_says_what_was_expected(view: View) -> None:
    async def steps(screen: Screen) -> None:
        await screen.press("slash", *"dur>fast", "enter")
        assert "write dur>1.5s" in screen.text
        await screen.press("escape", "slash", *"nowhere", "enter")
        assert "nothing fits" in screen.text

    view(steps)


def test_tabs_show_arguments_results_prompt_and_journal(view: View) -> None:
    async def steps(screen: Screen) -> None:
        screen.app.outline.show(screen.app.outline.tree.nodes["step:hotel"])
        await screen.press("2")
        assert '{"city": "Cork", "nights": 2}' in screen.text
        await screen.press("right_square_bracket")
        assert "CRK-2291" in screen.text
        await screen.press("5")
        assert "once: never done again unasked" in screen.text
        assert "model, web, untrusted" in screen.text
        assert "bubblewrap" in screen.text
        await screen.press("4")
        assert "turn 3, which this row belongs to" in screen.text
        await screen.press("left_square_bracket", "left_square_bracket", "left_square_bracket")
        assert screen.app.tab == "summary"

    view(steps)


def test_tab_leads_to_the_details_which_scroll(view: View) -> None:
    async def steps(screen: Screen) -> None:
        await screen.press("2", "tab", "j", "j", "j")
        assert screen.cursor == "run"
        assert screen.app.pane.scroll_offset.y == 3
        await screen.press("G")
        assert '"mail"' in screen.text
        await screen.press("tab", "j")
        assert screen.cursor == "planner:0"

    view(steps)


def test_related_steps_are_marked_and_can_be_gone_to(view: View) -> None:
    async def steps(screen: Screen) -> None:
        screen.app.outline.show(screen.app.outline.tree.nodes["step:convert"])
        await screen.press("1")
        screen.app.table.update()
        assert [line[1] for line in screen.lines if " load  load_orders" in line] == ["↑"]
        assert [line[1] for line in screen.lines if " total  total" in line] == ["↓"]
        await screen.press("less_than_sign")
        assert screen.cursor == "step:load"
        await screen.press("greater_than_sign", "greater_than_sign")
        assert screen.cursor == "step:total"

    view(steps, DEMOS["failed"]())


def test_the_mouse_selects_folds_and_chooses_tabs(view: View) -> None:
    async def steps(screen: Screen) -> None:
        row = next(i for i, line in enumerate(screen.lines) if "turn 1 " in line)
        await screen.click(offset=(40, row))
        assert screen.cursor == "turn:1"
        await screen.click(offset=(4, row))
        assert "fetch_weather(" not in screen.text
        tabs = next(i for i, line in enumerate(screen.lines) if "1 summary" in line)
        await screen.click(offset=(screen.lines[tabs].index("journal"), tabs))
        assert screen.app.tab == "journal"

    view(steps)


def test_the_time_axis_is_zoomed_around_the_row(view: View) -> None:
    async def steps(screen: Screen) -> None:
        await screen.press("G", "plus", "plus")
        first, last = screen.app.table.seconds
        assert (round(last - first, 2), round(last, 2)) == (4.56, 18.25)
        await screen.press("0")
        assert screen.app.table.seconds == (0.0, 18.25)

    view(steps)


def test_y_copies_what_the_tab_has(view: View) -> None:
    async def steps(screen: Screen) -> None:
        await screen.press("e", "3", "y")
        assert screen.app.clipboard.startswith("TimeoutError: the weather service")

    view(steps)


def test_w_writes_all_of_it_to_a_file(view: View, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    async def steps(screen: Screen) -> None:
        await screen.press("e", "3", "w")
        assert (tmp_path / "run-step-w6-output.txt").read_text().startswith("TimeoutError")

    view(steps)


def test_the_colours_change_between_dark_and_light(view: View) -> None:
    async def steps(screen: Screen) -> None:
        before = screen.app.export_screenshot()
        await screen.press("t")
        assert screen.app.export_screenshot() != before

    view(steps)


def test_the_help_names_the_keys(view: View) -> None:
    async def steps(screen: Screen) -> None:
        await screen.press("question_mark")
        assert "where it began to go wrong" in screen.text
        await screen.press("q")
        assert "where it began to go wrong" not in screen.text

    view(steps, size=(80, 24))


def test_a_large_value_is_read_when_it_is_opened(view: View) -> None:
    value = {"text": "lorem ipsum " * 400_000}
    events = [replace(e, value=value) if isinstance(e, StepFinished) and e.id == "w1" else e for e in demo_run()]

    async def steps(screen: Screen) -> None:
        screen.app.outline.show(screen.app.outline.tree.nodes["step:w1"])
        await screen.press("3")
        assert "characters, left in the run's file; press Enter to open" in screen.text
        assert "lorem" not in screen.text
        await screen.press("enter")
        assert "lorem ipsum" in screen.text
        await screen.press("tab", "G")
        assert "the first 1,000,000 of 4,800,012 characters: w writes all of it" in screen.text
        await screen.press("2", "3")
        assert "press Enter to open" in screen.text  # what is looked away from is let go of

    view(steps, events)


def test_a_run_is_followed_while_it_goes_on(view: View, tmp_path: Path) -> None:
    path = tmp_path / "run.sqlite"
    events = demo_run()
    journal = SqliteJournal(path)

    async def steps(screen: Screen) -> None:
        assert "running  following" in screen.text
        await screen.press("f")
        assert "paused" in screen.text
        for event in events[5:]:
            journal.append(event)
        journal.close()
        screen.app.check()
        assert "running" in screen.text
        await screen.press("f")
        screen.app.check()
        assert "answer" in screen.lines[0]
        assert "turn:4" in [n.key for n in screen.app.outline.rows]

    for event in events[:5]:
        journal.append(event)
    journal.flush().result()
    view(steps)


def test_a_killed_and_damaged_run_opens_with_what_is_there(view: View, tmp_path: Path) -> None:
    path = tmp_path / "run.sqlite"
    write_run([e for e in demo_run() if e.at < 7.0], path)
    db = sqlite3.connect(path)
    db.execute("UPDATE events SET data = '{' WHERE seq = 7")
    db.execute("UPDATE events SET data = ? WHERE seq = 9", ('{"kind": "from_the_future", "at": 1.0}',))
    db.commit()
    db.close()

    async def steps(screen: Screen) -> None:
        assert "killed" in screen.lines[0]
        await screen.press("m", "tab", "G")
        assert "event 7 can't be read" in screen.text
        assert "from_the_future" in screen.text
        assert "its result is not recorded" in screen.text

    view(steps, size=(120, 40))


def test_what_tools_and_models_say_can_not_draw_on_the_screen(view: View) -> None:
    hostile = "[bold]x[/] [@click=app.quit]y[/] \x1b[31mred \x07 \u202eabc"
    start = demo_run()[0]
    assert isinstance(start, RunStarted)
    events: list[Event] = [
        replace(start, run_id=hostile, task=hostile),
        StepStarted(id=hostile, tool=hostile, args={hostile: hostile}),
        StepFinished(id=hostile, tool=hostile, ok=False, value=hostile, seconds=0.1),
    ]

    async def steps(screen: Screen) -> None:
        await screen.press("e", "y", "5", "1")
        assert "[bold]x[/] [@click=app.quit]y[/] \\x1b[31mred \\x07 \\u202eabc" in screen.text
        assert {c for c in screen.text if not c.isprintable()} == {"\n"}

    view(steps, events, size=(160, 30))


def test_only_rows_in_sight_are_drawn(view: View, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 9,000 rows: what is drawn for a key is what fits on the screen, and the bottom is as near as the top."""

    async def steps(screen: Screen) -> None:
        await screen.press("Z")
        drawn: list[str] = []
        facts = screen.app.outline.facts
        monkeypatch.setattr(screen.app.outline, "facts", lambda node: (drawn.append(node.key), facts(node))[1])  # type: ignore[func-returns-value]
        await screen.press("G", "k")
        assert screen.cursor.startswith("item:all:")
        assert len(set(drawn)) < 100

    view(steps, big_run(20_000))


def test_a_move_draws_the_rows_that_the_cursor_leaves_and_comes_to(view: View, monkeypatch: pytest.MonkeyPatch) -> None:
    async def steps(screen: Screen) -> None:
        drawn: list[int] = []
        line = screen.app.table.render_line
        monkeypatch.setattr(screen.app.table, "render_line", lambda y: (drawn.append(y), line(y))[1])  # type: ignore[func-returns-value]
        await screen.press("j")
        assert set(drawn) == {2, 3}  # below the two lines of the head
        drawn.clear()
        await screen.press("m")
        assert len(drawn) > 2

    view(steps)


def test_a_failure_is_found_without_wording_what_went_well(view: View, monkeypatch: pytest.MonkeyPatch) -> None:
    async def steps(screen: Screen) -> None:
        asked: list[str] = []
        facts = screen.app.outline.facts
        monkeypatch.setattr(screen.app.outline, "facts", lambda node: (asked.append(node.key), facts(node))[1])  # type: ignore[func-returns-value]
        assert screen.app.outline.next_error(-1)
        assert screen.cursor.startswith("item:all:")
        assert len(asked) < 100

    view(steps, big_run(20_000))


def test_every_row_is_drawn_anew_when_the_terminal_gets_another_size(tmp_path: Path) -> None:
    path = write_run(demo_run(), tmp_path / "run.sqlite")

    async def lines(first: tuple[int, int]) -> list[str]:
        app = TraceApp(RunFile(path))
        async with app.run_test(size=first) as pilot:
            await pilot.pause()
            await pilot.resize_terminal(100, 30)
            await pilot.pause()
            await pilot.press("j", "k")
            await pilot.pause()
            return screen_lines(app)

    assert asyncio.run(lines((80, 30))) == asyncio.run(lines((100, 30)))
