"""The view of a run apart from any screen: rows, states, bars, the longest chain, jumps and details."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agentkit.events import (
    ApprovalDecided,
    Event,
    ItemFinished,
    RunFinished,
    RunResumed,
    StepAdded,
    StepFinished,
    StepReused,
    StepStarted,
    TurnFinished,
    TurnStarted,
)
from agentkit.trace.critical import critical_path, needs
from agentkit.trace.details import TABS, Tab, details
from agentkit.trace.durability import journal_state
from agentkit.trace.entries import Block, Field
from agentkit.trace.facts import Bar, Facts, facts, run_state, seconds_text
from agentkit.trace.outline import Outline
from agentkit.trace.pretty import beginning, pretty
from agentkit.trace.query import Query, QueryError
from agentkit.trace.spans import StepSpan, TurnSpan, spans
from agentkit.trace.totals import missing, totals
from agentkit.trace.tree import Node, RunTree
from agentkit.trace.waterfall import axis, draw, lanes, parallel
from tests.trace.demo import DEMOS, big_run, demo_run, doubtful_run, failed_run, waiting_run


def outline(events: list[Event]) -> Outline:
    return Outline(RunTree(events))


def fact(view: Outline, key: str) -> Facts:
    return view.facts(view.tree.nodes[key])


def fields(view: Outline, key: str, tab: Tab) -> dict[str, str]:
    return {e.name: e.text for e in details(view.tree.nodes[key], tab, view) if isinstance(e, Field)}


def blocks(view: Outline, key: str, tab: Tab) -> dict[str, str]:
    return {e.title: e.text for e in details(view.tree.nodes[key], tab, view) if isinstance(e, Block)}


# Rows.


def test_steps_stand_below_the_turn_that_asked_for_them_and_items_below_their_step() -> None:
    tree = RunTree(demo_run())
    assert [c.key for c in tree.root.children] == ["planner:0", "turn:1", "turn:2", "turn:3", "turn:4", "end:65"]
    assert [c.kind for c in tree.nodes["turn:1"].children] == ["thought", "text", *["step"] * 8]
    assert [c.key for c in tree.nodes["step:pages"].children] == [f"item:pages:{i}" for i in range(6)]
    assert [c.key for c in tree.nodes["step:hotel"].children] == ["wait:hotel:0"]


def test_the_steps_of_a_given_plan_stand_below_the_plan() -> None:
    tree = RunTree(failed_run())
    assert [c.kind for c in tree.root.children] == ["plan", "failure"]
    assert [c.key for c in tree.nodes["plan"].children] == ["step:load", "step:convert", "step:total", "step:report"]


def test_a_call_that_became_no_step_has_a_row_of_its_own() -> None:
    calls = [{"call": "add", "args": {"a": a}, "id": f"s{a}"} for a in (1, 2)]
    tree = RunTree(
        [
            TurnFinished(turn=1, pieces=calls, stop="calls", usage={}, tokens=[], notes=[]),
            StepAdded(id="s1", tool="add", args={"a": 1}, after=[], purpose=""),
            RunFinished(stop_reason="call_limit", output=None, usage={}),
        ]
    )
    assert [c.key for c in tree.nodes["turn:1"].children] == ["step:s1", "call:1:1"]
    assert facts(tree.nodes["call:1:1"], tree).note == "add(a=2)"


@pytest.mark.parametrize("name", DEMOS)
def test_a_run_read_bit_by_bit_has_the_rows_of_a_run_read_at_once(name: str) -> None:
    events = DEMOS[name]()
    grown = RunTree()
    for event in events:
        grown.take([event])
    whole = RunTree(events)
    assert [(n.key, n.depth) for n in grown.root.walk()] == [(n.key, n.depth) for n in whole.root.walk()]
    assert [facts(n, grown) for n in grown.root.walk()] == [facts(n, whole) for n in whole.root.walk()]


# States.


def test_states_tell_what_came_of_each_row() -> None:
    view = outline(demo_run())
    assert fact(view, "run").state == "answer"
    assert fact(view, "step:w6").state == "failed"
    assert fact(view, "step:w7").state == "ok"
    assert fact(view, "item:pages:3").state == "failed"
    assert (fact(view, "step:note").retries, fact(view, "step:hotel").retries) == (1, 0)
    assert fact(outline(failed_run()), "step:total").state == "not run"


def test_a_run_that_waits_says_for_what() -> None:
    view = outline(waiting_run())
    assert (fact(view, "run").state, fact(view, "step:hotel").state) == ("approval", "approval")
    assert "depend on text from the web" in fact(view, "wait:hotel:0").note
    view = outline(doubtful_run())
    assert (fact(view, "run").state, fact(view, "step:hotel").state) == ("in doubt", "in doubt")
    assert fact(view, "wait:hotel:0").note == "allowed by terminal"


def test_a_denied_call_is_shown_as_one() -> None:
    denial = ApprovalDecided(at=12.0, id="hotel", decision="deny", by="agentkit approve", message="too dear")
    end = StepFinished(at=12.1, id="hotel", tool="book", ok=False, value="not allowed: too dear", seconds=0.0)
    view = outline([*waiting_run()[:-1], denial, end])
    assert fact(view, "step:hotel").state == "denied"
    assert "because of" not in fields(view, "step:hotel", "summary")
    assert (fact(view, "wait:hotel:0").state, fact(view, "wait:hotel:0").note) == (
        "denied",
        "denied by agentkit approve",
    )
    assert fields(view, "step:hotel", "journal")["policy"].startswith("asked; denied by agentkit approve after 980ms")


def test_what_was_going_on_when_a_run_was_killed_is_shown_as_stopped() -> None:
    events = [e for e in demo_run() if e.at <= 2.2]
    killed, going = outline(events), outline(events)
    going.now = 5.0
    assert [run_state(v.tree, v.now) for v in (killed, going)] == ["killed", "running"]
    assert [fact(v, "step:w1").state for v in (killed, going)] == ["stopped", "running"]
    assert [fact(v, "turn:1").state for v in (killed, going)] == ["stopped", "running"]
    assert fact(going, "step:w1").bars[-1] == Bar(2.01, 5.0, "step")
    assert "no end is recorded" in " ".join(missing(killed))
    assert list(missing(going)) == []


def test_a_turn_that_was_cut_off_counts_as_a_failure() -> None:
    view = outline([TurnFinished(turn=1, pieces=[], stop="length", usage={}, tokens=[], notes=[])])
    assert (fact(view, "turn:1").state, fact(view, "turn:1").failed) == ("cut off", True)


def test_a_turn_that_is_taken_again_after_a_crash_begins_anew() -> None:
    begun = TurnStarted(at=1.0, turn=1, prompt_tokens=5, context=0, messages=[])
    view = outline([begun, RunResumed(at=2.0, number=1, started=""), replace(begun, at=3.0)])
    assert fact(view, "turn:1").start == 3.0


# Times.


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0ms"), (0.0004, "0ms"), (0.9994, "999ms"), (0.9996, "1.00s"), (9.994, "9.99s"), (9.996, "10.0s")]
    + [(99.94, "99.9s"), (99.96, "1m40"), (3599.6, "60m00"), (6000, "1h40"), (360000, "100h00")],
)
def test_durations_are_short(seconds: float, text: str) -> None:
    assert seconds_text(seconds) == text


@given(st.floats(0, 3.5e6))
def test_a_duration_fits_its_column(seconds: float) -> None:
    assert len(seconds_text(seconds)) <= 6


def test_bars_lie_on_one_axis() -> None:
    bars = [Bar(0.0, 1.0, "queue"), Bar(1.0, 3.0, "step")]
    assert draw(bars, (0.0, 4.0), 8) == [("┄┄", "queue"), ("━━━━", "step"), ("  ", None)]
    assert draw([Bar(3.999, 3.999, "step")], (0.0, 4.0), 8) == [("       ", None), ("━", "step")]
    assert draw([Bar(5.0, 6.0, "step")], (0.0, 4.0), 4) == [("    ", None)]
    assert axis((0.0, 18.0), 40) == "╷0         ╷5s        ╷10s       ╷15s   "


@example([], 50.0, 1e-14, 80)  # so short a time that adding to it changes nothing
@given(
    st.lists(st.tuples(st.floats(0, 100), st.floats(0, 50)), max_size=5),
    st.floats(0, 90),
    st.floats(0, 60),
    st.integers(0, 120),
)
def test_a_row_of_the_waterfall_is_as_wide_as_it_should_be(
    spans: list[tuple[float, float]], first: float, length: float, width: int
) -> None:
    bars = [Bar(at, at + took, "step") for at, took in spans]
    window = (first, first + length)
    assert sum(len(text) for text, _ in draw(bars, window, width)) == width
    assert len(axis(window, width)) == width


def test_calls_side_by_side_have_lanes_of_their_own() -> None:
    found = spans(demo_run())
    lane = lanes(found)
    steps = [s for s in found if isinstance(s, StepSpan)]
    assert len({lane[id(s)] for s in steps if s.id.startswith("w")}) == 8
    for a in found:
        for b in found:
            if a is not b and isinstance(a, StepSpan | TurnSpan) and isinstance(b, StepSpan | TurnSpan):
                apart = (a.end or 0) <= b.at or (b.end or 0) <= a.at
                assert apart or lane[id(a)] != lane[id(b)]


def test_the_most_calls_at_once_are_counted() -> None:
    heights, most = parallel(spans(demo_run()), (0.0, 18.25), 50)
    assert most == 8
    assert (len(heights), heights[0], "█" in heights) == (50, " ", True)


# The longest chain.


def names(events: list[Event]) -> list[str]:
    return [f"turn {s.turn}" if isinstance(s, TurnSpan) else s.id for s in critical_path(spans(events))]


def test_the_longest_chain_leads_from_the_end_to_what_each_waited_for() -> None:
    assert names(demo_run()) == ["turn 1", "w3", "turn 2", "rank", "pages", "turn 3", "hotel", "note", "turn 4"]
    assert names(failed_run()) == ["load", "convert"]
    assert names([]) == []


def test_a_step_that_was_quick_is_not_on_the_longest_chain() -> None:
    def step(name: str, start: float, end: float, **args: object) -> list[Event]:
        return [
            StepAdded(id=name, tool="f", args=dict(args), after=[], purpose=""),
            StepStarted(at=start, id=name, tool="f", args={}),
            StepFinished(at=end, id=name, tool="f", ok=True, value=1, seconds=end - start),
        ]

    assert names([*step("slow", 0, 5), *step("quick", 0, 1), *step("sum", 5, 6, a="$slow", b="$quick")]) == [
        "slow",
        "sum",
    ]


@pytest.mark.parametrize(
    ("args", "for_each", "after", "found"),
    [
        ({"a": "$x.y[0]", "b": ["$z"]}, "", [], ["x", "z"]),
        ({"a": "${x.y} of ${z}"}, "", ["w"], ["w", "x", "z"]),
        ({"a": "$item.n"}, "$rows.all", [], ["rows"]),
        ({"a": "$$x"}, "", [], []),
        ({"a": "$ is no reference"}, "", ["w"], ["w"]),
    ],
)
def test_what_a_step_needs_is_read_from_its_arguments(
    args: dict[str, object], for_each: str, after: list[str], found: list[str]
) -> None:
    assert needs(StepSpan(id="s", tool="f", written=args, for_each=for_each, after=after)) == found


# Search.


def found(text: str, events: list[Event] | None = None) -> list[str]:
    view = outline(events or demo_run())
    view.query = Query.parse(text)
    return [n.key for n in view.matches]


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("oslo", ["piece:1:1", "step:w2", "step:rank", "item:pages:1"]),
        ("Lyon tool:fetch_w", ["step:w1"]),
        ("tool:fetch_w dur>2s", ["step:w3", "step:w7"]),
        ("tool:fetch_w dur>2s -porto", ["step:w7"]),
        ("status:error kind:step", ["step:w6"]),
        ("status:failed kind:item", ["item:pages:3"]),
        ("kind:turn out>=92", ["turn:1", "turn:2"]),
        ("kind:turn in<1k", ["turn:1"]),
        ("tokens>2.2k", ["turn:3", "turn:4"]),
        ("retries>0", ["step:note"]),
        ("label:untrusted kind:step", ["step:pages", "step:hotel"]),
        ("effect:once", ["step:hotel", "step:note"]),
        ("id:rank", ["step:rank"]),
        ('"sunny days"', ["piece:3:0"]),
        ("nowhere", []),
        ("", []),
    ],
)
def test_words_and_conditions_find_rows(text: str, keys: list[str]) -> None:
    assert found(text) == keys


@pytest.mark.parametrize("text", ["dur>fast", "dur:", "tokens>", "tool>x", "colour:red"])
def test_a_condition_that_means_nothing_is_refused(text: str) -> None:
    with pytest.raises(QueryError, match=r"write |conditions are about"):
        Query.parse(text)


@given(st.text(alphabet=st.sampled_from("ab:<>=-\"' dur1.5smsstatus"), max_size=20))
def test_whatever_is_typed_is_searched_or_refused(text: str) -> None:
    try:
        found(text, failed_run())
    except QueryError as error:
        assert str(error)


def test_text_in_values_that_were_left_in_the_file_is_found() -> None:
    events = [
        replace(e, value={"$blob": "d1", "size": 50_000}) if isinstance(e, StepFinished) else e for e in demo_run()
    ]
    view = outline(events)
    asked: list[str] = []

    def stored(text: str) -> list[str]:
        asked.append(text)
        return ["d1"] if text == "needle" else []

    view.stored = stored
    view.query = Query.parse("needle tool:book")
    assert [n.key for n in view.matches] == ["step:hotel"]
    assert asked == ["needle"]


# Moving.


def test_the_cursor_moves_among_rows_in_sight() -> None:
    view = outline(demo_run())
    view.move(2)
    assert view.cursor.key == "turn:1"
    view.go_out()
    view.move(1)
    assert view.cursor.key == "turn:2"
    view.move(-1)
    view.go_in()
    view.go_in()
    assert view.cursor.key == "piece:1:0"
    view.move(-100)
    assert view.cursor is view.tree.root
    view.go_to(10_000)
    assert view.cursor.key == "end:65"


def test_a_row_that_is_folded_away_gives_the_cursor_to_the_row_above_it() -> None:
    view = outline(demo_run())
    view.show(view.tree.nodes["item:pages:3"])
    assert view.cursor in view.rows
    view.fold_all(open_=False)
    assert view.rows[view.place].key == "turn:2"
    view.fold_all(open_=True)
    assert len(view.rows) == len(view.tree.nodes)


def test_the_next_failure_is_found_where_it_is_folded_away_and_around_the_end() -> None:
    view = outline(demo_run())
    seen: list[str] = []
    for _ in range(3):
        assert view.next_error()
        seen.append(view.cursor.key)
    assert seen == ["step:w6", "item:pages:3", "step:w6"]
    assert view.cursor in view.rows
    view.next_error(-1)
    assert view.cursor.key == "item:pages:3"
    assert not outline([]).next_error()


def test_the_root_cause_is_what_the_other_failures_came_from() -> None:
    view = outline(failed_run())
    assert view.root_cause() is view.tree.nodes["step:convert"]
    view.show(view.tree.nodes["step:report"])
    assert view.root_cause() is view.tree.nodes["step:convert"]
    assert fields(view, "step:report", "summary")["because of"] == "convert"
    assert outline([]).root_cause() is None


def test_the_root_cause_of_a_step_with_items_is_the_item() -> None:
    rows: list[Event] = [
        StepAdded(id="all", tool="f", args={}, after=[], purpose="", for_each="$x"),
        StepStarted(id="all", tool="f", args={}, items=2),
        ItemFinished(id="all", index=1, ok=False, error="no", seconds=0.1),
        StepFinished(id="all", tool="f", ok=False, value="item 1 failed", seconds=0.1),
    ]
    view = outline(rows)
    assert view.root_cause() is view.tree.nodes["item:all:1"]


def test_only_what_fits_is_in_sight_with_what_it_is_in() -> None:
    view = outline(demo_run())
    view.query, view.only = Query.parse("status:failed"), True
    assert [n.key for n in view.rows] == ["run", "turn:1", "step:w6", "turn:2", "step:pages", "item:pages:3"]
    view.only = False
    assert len(view.rows) > 20


def test_steps_know_what_they_need_and_what_needs_them() -> None:
    view = outline(failed_run())

    def keys(nodes: list[Node]) -> list[str]:
        return [n.key for n in nodes]

    assert keys(view.needs(view.tree.nodes["step:report"])) == ["step:load", "step:total"]
    assert keys(view.needed_by(view.tree.nodes["step:load"])) == ["step:convert", "step:report"]
    assert view.needs(view.tree.root) == []


# Details.


def test_the_run_says_what_it_came_to() -> None:
    cost = totals(outline(demo_run()))
    assert (cost.turns, cost.calls, cost.failed, cost.retries) == (4, 17, 2, 1)
    assert cost.words() == [
        "18.2s",
        "4 turns",
        "17 calls (2 failed)",
        "6,292 in (4,156 reused), 352 out (46 thought, 170 forced)",
        "59.2 tok/s",
        "first token 900ms",
        "1 retry",
    ]


def test_a_step_shows_arguments_result_times_and_where_its_data_came_from() -> None:
    view = outline(demo_run())
    assert fields(view, "step:hotel", "summary") == {
        "state": "ok",
        "tool": "book  (once)",
        "purpose": "two nights",
        "time": "1.19s, from 14.110 s to 15.300 s, waited 3.11s before, on the longest chain",
        "needed by": "note",
    }
    assert fields(view, "step:hotel", "journal") == {
        "journal": "done: the result is on disk",
        "effect": "once: never done again unasked",
        "key": "4be1f0c2a7d95e31",
        "intent": "at 14.110 s",
        "result": "at 15.300 s",
        "policy": "asked; allowed by terminal after 3.08s: policy: ask for book*; "
        "the arguments depend on text from the web",
        "data in": "model, web, untrusted",
        "data out": "tool:book",
        "sandbox": "bubblewrap",
    }
    assert blocks(view, "step:rank", "input")["as written in the plan"].startswith('{"rows": ["$w1", "$w2"')
    assert blocks(view, "step:w6", "output") == {"error": fields(view, "step:w6", "summary")["error"]}
    assert [*fields(view, "step:w6", "summary")][:2] == ["state", "error"]  # seen without scrolling


def test_a_turn_shows_what_was_new_in_its_prompt_and_what_it_cost() -> None:
    view = outline(demo_run())
    assert blocks(view, "turn:1", "input")["system"] == "You plan tool calls. Write one JSON object a line."
    assert fields(view, "turn:2", "summary")["tokens"] == "1,204 in (580 reused), 92 out (12 thought, 51 forced)"
    assert fields(view, "turn:2", "summary")["context"] == "1,296 of 8,192 tokens, 16%"
    assert fields(view, "step:w1", "prompt")["of"] == "turn 1, which this row belongs to"


def test_the_journal_tells_kept_results_from_calls_in_doubt() -> None:
    tree = RunTree(doubtful_run())
    steps = tree.builder.steps
    assert [journal_state(steps[s], tree) for s in ("w1", "w6", "hotel")] == ["kept", "kept", "in doubt"]
    assert [journal_state(s, RunTree(failed_run())) for s in RunTree(failed_run()).builder.steps.values()] == [
        "done",
        "failed",
        "not called",
        "not called",
    ]
    assert fields(outline(doubtful_run()), "run", "journal")["waits"] == "hotel (book) is in doubt"


def test_a_result_from_another_run_is_told_from_one_of_this() -> None:
    done = StepFinished(id="s", tool="f", ok=True, value=1, seconds=0.0)
    view = outline([StepReused(id="s", tool="f", args={}, run="20261128-091502-7c1e"), done])
    assert fields(view, "step:s", "journal")["journal"].startswith("reused: ")
    assert fields(view, "step:s", "journal")["taken from"] == "run 20261128-091502-7c1e"


def test_a_value_that_was_left_in_the_file_is_named_by_its_size() -> None:
    done = StepFinished(id="s", tool="f", ok=True, value={"$blob": "d", "size": 50_000_000}, seconds=1.0)
    view = outline([done])
    block = next(e for e in details(view.tree.nodes["step:s"], "output", view) if isinstance(e, Block))
    assert (block.text, block.left) == ("", {"$blob": "d", "size": 50_000_000})


@pytest.mark.parametrize("name", DEMOS)
@pytest.mark.parametrize("tab", TABS)
def test_every_row_has_every_tab(name: str, tab: Tab) -> None:
    view = outline(DEMOS[name]())
    assert all(details(node, tab, view) for node in view.tree.root.walk())


@pytest.mark.parametrize("keep", [1, 2, 3, 5, 8, 13])
def test_a_run_in_which_events_are_missing_is_shown_all_the_same(keep: int) -> None:
    view = outline([e for i, e in enumerate(demo_run()) if i % keep or keep == 1 and i > 3])
    assert len(view.rows) > 1
    for node in view.tree.root.walk():
        assert facts(node, view.tree).label
        for tab in TABS:
            details(node, tab, view)
    view.root_cause()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
)


@given(JSON, st.integers(20, 100))
def test_json_laid_out_for_people_is_the_same_json(value: object, width: int) -> None:
    assert json.loads(pretty(value, width)) == value  # type: ignore[arg-type]


def test_json_stays_on_a_line_where_it_fits() -> None:
    assert beginning({"a": [1, 2]}, 100) == json.dumps({"a": [1, 2]}, indent=2)
    assert beginning({"a": [1, 2]}, 9) == json.dumps({"a": [1, 2]}, indent=2)[:9]
    assert beginning("lorem", 2) == "lo"
    assert pretty({"a": [1, 2, 3]}, 40) == '{"a": [1, 2, 3]}'
    assert pretty({"name": "x" * 20, "list": [1, 2, 3]}, 30).splitlines() == [
        "{",
        f'  "name": "{"x" * 20}",',
        '  "list": [1, 2, 3]',
        "}",
    ]


def test_a_run_of_20_000_events_has_all_its_rows() -> None:
    events = big_run(20_000)
    view = outline(events)
    view.fold_all(open_=True)
    assert len(events) > 20_000
    assert len(view.rows) == len(view.tree.nodes) > 9_000
    view.query = Query.parse("status:error kind:item")
    assert len(view.matches) == 10


def test_text_that_a_grammar_forces_before_the_prompt_is_computed_is_not_the_first_token() -> None:
    done = TurnFinished(
        at=2.0, turn=1, pieces=[], stop="answer", usage={"prompt_seconds": 1.5}, tokens=[], notes=[], first_token=0.1
    )
    tree = RunTree([TurnStarted(at=0.0, turn=1, prompt_tokens=9, context=0, messages=[]), done])
    assert Outline(tree).facts(tree.nodes["turn:1"]).first_token == 1.5


def test_calls_that_share_a_cell_of_the_waterfall_did_not_run_side_by_side() -> None:
    events: list[Event] = []
    for number in range(3):
        events.append(StepStarted(at=number / 100, id=f"s{number}", tool="f", args={}))
        end = (number + 1) / 100
        events.append(StepFinished(at=end, id=f"s{number}", tool="f", ok=True, value=1, seconds=0.01))
    heights, most = parallel(spans(events), (0.0, 100.0), 10)
    assert (heights, most) == ("▂" + " " * 9, 1)
    events[3:3] = [StepStarted(at=0.015, id="t", tool="f", args={})]
    assert parallel(spans(events), (0.0, 100.0), 10)[1] == 2
