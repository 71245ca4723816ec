"""Runs to look at: made of events, without a model, with everything in them that a run can have."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from agentkit.events import (
    ApprovalDecided,
    ApprovalRequested,
    Event,
    InDoubt,
    ItemFinished,
    ItemStarted,
    PlanChanged,
    PlannerChosen,
    RunFinished,
    RunPaused,
    RunResumed,
    RunStarted,
    StepAdded,
    StepFinished,
    StepProgress,
    StepStarted,
    TurnFinished,
    TurnStarted,
    Warned,
)
from agentkit.journal import SqliteJournal
from agentkit.messages import JsonObject

RUN_ID = "20261128-091502-7c1e"
CITIES = ["Lyon", "Oslo", "Porto", "Turin", "Ghent", "Split", "Bergen", "Cork"]
PROMPT = """\
<start_of_turn>system
You plan tool calls. Write one JSON object a line.
Tools: fetch_weather(city), fetch_page(url), rank(rows), book(city, nights), mail(to, text)<end_of_turn>
<start_of_turn>user
Find the best city for a walk in May, read what people say of it, and book two nights.<end_of_turn>
<start_of_turn>model
"""


def _started(**more: Any) -> RunStarted:
    tools: list[JsonObject] = [
        {"name": "fetch_weather", "description": "Get the weather.", "parameters": {}, "effect": "pure"},
        {"name": "fetch_page", "description": "Get a web page.", "parameters": {}, "effect": "pure"},
        {"name": "rank", "description": "Rank rows.", "parameters": {}, "effect": "pure"},
        {"name": "book", "description": "Book a room.", "parameters": {}, "effect": "once"},
        {"name": "mail", "description": "Send a mail.", "parameters": {}, "effect": "once"},
    ]
    return RunStarted(
        run_id=RUN_ID,
        task="Find the best city for a walk in May, read what people say of it, and book two nights.",
        started="2026-11-28T09:15:02.118+00:00",
        model={"name": "gemma-4-e4b", "kind": "local", "context": 8192, "digest": "5f1c" * 16},
        planner="auto",
        tools=tools,
        limits={"time": 120.0, "calls": 50, "tokens": 20000, "parallel": 8},
        **more,
    )


def _turn(number: int, at: float, end: float, pieces: list[dict[str, Any]], **counts: Any) -> list[Event]:
    stop = counts.pop("stop", "answer")
    notes = counts.pop("notes", [])
    messages = counts.pop("messages", [])
    usage = {"turns": 1, **counts}
    return [
        TurnStarted(at=at, turn=number, prompt_tokens=counts["prompt_tokens"], context=8192, messages=messages),
        TurnFinished(at=end, turn=number, pieces=pieces, stop=stop, usage=usage, tokens=[], notes=notes),
    ]


def _weather() -> Iterator[Event]:
    """Eight steps side by side; the one for Split fails."""
    for i, city in enumerate(CITIES):
        args = {"city": city, "month": 5}
        at = 2.0 + 0.11 * i
        step = f"w{i + 1}"
        yield StepAdded(at=at, id=step, tool="fetch_weather", args=args, after=[], purpose=f"weather of {city} in May")
        yield StepStarted(at=at + 0.01, id=step, tool="fetch_weather", args=args, effect="pure", labels=["model"])
    seconds = [1.42, 0.95, 2.31, 1.10, 1.87, 0.62, 2.02, 1.25]
    done: list[Event] = []
    for i, (city, took) in enumerate(zip(CITIES, seconds, strict=True)):
        ok = city != "Split"
        value = {"city": city, "sunny_days": 9 + i, "rain_mm": 80 - 3 * i, "high": 17.5 + i / 2} if ok else _TIMEOUT
        event = StepFinished(
            at=2.01 + 0.11 * i + took,
            id=f"w{i + 1}",
            tool="fetch_weather",
            ok=ok,
            value=value,
            seconds=took,
            labels=["model", "tool:fetch_weather", "web"],
        )
        done.append(event)
    yield from sorted(done, key=lambda e: e.at)


_TIMEOUT = "TimeoutError: the weather service did not answer within 0.6 seconds; try again later"


def _repair() -> list[Event]:
    add = StepAdded(
        at=6.3,
        id="rank",
        tool="rank",
        args={"rows": ["$w1", "$w2", "$w3", "$w4", "$w5", "$w7", "$w8"], "by": "sunny_days"},
        after=[],
        purpose="the best city",
    )
    rows = [{"city": c, "sunny_days": 9 + i} for i, c in enumerate(CITIES) if c != "Split"]
    pages = [{"url": f"https://walks.example/{c.lower()}", "title": f"Walks in {c}"} for c in CITIES[:6]]
    return [
        add,
        PlanChanged(at=6.35, reason="repair", failed=["w6"], added=["rank", "pages"]),
        StepStarted(at=6.36, id="rank", tool="rank", args={"rows": rows, "by": "sunny_days"}, effect="pure"),
        StepFinished(
            at=6.41,
            id="rank",
            tool="rank",
            ok=True,
            value={"best": "Cork", "pages": pages},
            seconds=0.05,
            labels=["tool:rank", "web"],
        ),
        StepAdded(
            at=6.4,
            id="pages",
            tool="fetch_page",
            args={"url": "$item.url"},
            after=[],
            purpose="what people say",
            for_each="$rank.pages",
            on_error="collect",
        ),
        StepStarted(
            at=6.42, id="pages", tool="fetch_page", args={"url": "$item.url"}, items=6, effect="pure", labels=["web"]
        ),
        *_pages(),
    ]


def _pages() -> list[Event]:
    events: list[Event] = []
    for i in range(6):
        at = 6.43 + 0.2 * (i // 2)
        ok = i != 3
        took = 0.4 + 0.17 * i
        events.append(ItemStarted(at=at, id="pages", index=i, key=f"{RUN_ID}:pages:{i}"))
        value = {"title": f"Walks in {CITIES[i]}", "text": "A quiet path along the river. " * 6}
        error = "" if ok else "HTTPStatusError: 404 Not Found for https://walks.example/turin"
        events.append(
            ItemFinished(
                at=at + took, id="pages", index=i, ok=ok, error=error, seconds=took, value=value if ok else None
            )
        )
    events.append(StepProgress(at=7.5, id="pages", message={"read": 4, "of": 6}, item=4))
    events.append(
        StepFinished(
            at=8.2,
            id="pages",
            tool="fetch_page",
            ok=True,
            value=[{"title": f"Walks in {c}"} for c in CITIES[:6]],
            seconds=1.78,
            handle="pages",
            labels=["tool:fetch_page", "web", "untrusted"],
        )
    )
    return sorted(events, key=lambda e: e.at)


def _booking() -> list[Event]:
    args = {"city": "Cork", "nights": 2}
    return [
        StepAdded(at=11.0, id="hotel", tool="book", args=args, after=[], purpose="two nights"),
        ApprovalRequested(
            at=11.02,
            id="hotel",
            tool="book",
            args=args,
            reason="policy: ask for book*; the arguments depend on text from the web",
            labels=["model", "web", "untrusted"],
        ),
        ApprovalDecided(at=14.1, id="hotel", decision="allow", by="terminal"),
        StepStarted(
            at=14.11,
            id="hotel",
            tool="book",
            args=args,
            effect="once",
            key="4be1f0c2a7d95e31",
            labels=["model", "web", "untrusted"],
        ),
        StepFinished(
            at=15.3,
            id="hotel",
            tool="book",
            ok=True,
            value={"booking": "CRK-2291", "price": {"amount": 184.0, "currency": "EUR"}},
            seconds=1.19,
            labels=["tool:book"],
            sandbox="bubblewrap",
        ),
    ]


def demo_run() -> list[Event]:
    """A run that comes to its answer: eight calls at once, a failure, a repair, items, an approval, a retry."""
    plan = "\n".join(
        f'{{"id": "w{i + 1}", "tool": "fetch_weather", "args": {{"city": "{c}"}}}}' for i, c in enumerate(CITIES)
    )
    mail = {"to": "me@example.com", "text": "Booked: $hotel.booking"}
    first = _turn(
        1,
        0.2,
        3.1,
        [{"thought": "I need the weather of each city first; these calls do not need each other."}, {"text": plan}],
        prompt_tokens=412,
        output_tokens=168,
        thought_tokens=34,
        forced_tokens=97,
        prompt_seconds=0.9,
        output_seconds=2.0,
        messages=[
            {"role": "system", "text": "You plan tool calls. Write one JSON object a line."},
            {"role": "user", "text": "Find the best city for a walk in May ..."},
        ],
    )
    events = [
        _started(),
        PlannerChosen(at=0.1, planner="graph", reason="eight cities can be looked up side by side"),
        *first,
        *_weather(),
        *_turn(
            2,
            4.6,
            6.38,
            [{"thought": "Split failed. The others are enough to rank."}, {"text": '{"id": "rank", ...}'}],
            prompt_tokens=1204,
            reused_tokens=580,
            output_tokens=92,
            thought_tokens=12,
            forced_tokens=51,
            prompt_seconds=0.6,
            output_seconds=1.15,
        ),
        *_repair(),
        Warned(
            at=8.25, about="large_result", message="the result of 'pages' has 4,210 tokens: the model sees a preview"
        ),
        *_turn(
            3,
            8.3,
            11.0,
            [
                {"text": "Cork has the most sunny days."},
                {"call": "book", "args": {"city": "Cork", "nights": 2}, "id": "hotel"},
            ],
            prompt_tokens=2210,
            reused_tokens=1296,
            output_tokens=61,
            forced_tokens=22,
            prompt_seconds=1.1,
            output_seconds=1.5,
            stop="calls",
        ),
        *_booking(),
        StepAdded(at=15.31, id="note", tool="mail", args=mail, after=["hotel"], purpose="tell me"),
        StepStarted(at=15.32, id="note", tool="mail", args=mail, effect="once", key="90ac11d27bb03e54"),
        StepStarted(at=15.9, id="note", tool="mail", args=mail, attempt=2, effect="once", key="90ac11d27bb03e54"),
        StepFinished(at=16.4, id="note", tool="mail", ok=True, value="sent", seconds=0.5, labels=["tool:mail"]),
        *_turn(
            4,
            16.5,
            18.2,
            [{"text": "Cork is the best city for a walk in May. Two nights are booked: CRK-2291, 184 EUR."}],
            prompt_tokens=2466,
            reused_tokens=2280,
            output_tokens=31,
            prompt_seconds=0.3,
            output_seconds=1.3,
            notes=["the thought was cut at its budget"],
        ),
        RunFinished(
            at=18.25,
            stop_reason="answer",
            output="Cork is the best city for a walk in May. Two nights are booked: CRK-2291, 184 EUR.",
            usage={
                "turns": 4,
                "prompt_tokens": 6292,
                "reused_tokens": 4156,
                "output_tokens": 352,
                "thought_tokens": 46,
                "forced_tokens": 170,
                "prompt_seconds": 2.9,
                "output_seconds": 5.95,
            },
        ),
    ]
    return sorted(events, key=lambda e: e.at)


def in_order(events: list[Event]) -> list[Event]:
    return sorted(events, key=lambda e: e.at)


def failed_run() -> list[Event]:
    """A given plan whose second step failed, so that two more were not run."""
    start = replace(_started(), run_id="20261128-093011-b0d4", planner="given", task="Convert and total the orders.")
    done = StepFinished(
        at=0.4, id="load", tool="load_orders", ok=True, value=[{"id": i} for i in range(20)], seconds=0.39
    )
    error = "ValueError: no rate for 'XAF' on 2026-05-02; give one in rates.csv"
    not_run = "not run, because step 'convert' failed"
    return [
        start,
        StepAdded(at=0.0, id="load", tool="load_orders", args={"path": "orders.csv"}, after=[], purpose=""),
        StepAdded(at=0.0, id="convert", tool="convert", args={"rows": "$load", "to": "EUR"}, after=[], purpose=""),
        StepAdded(at=0.0, id="total", tool="total", args={"rows": "$convert"}, after=[], purpose=""),
        StepAdded(at=0.0, id="report", tool="write_report", args={"total": "$total"}, after=["load"], purpose=""),
        StepStarted(at=0.01, id="load", tool="load_orders", args={"path": "orders.csv"}, effect="pure"),
        done,
        StepStarted(at=0.41, id="convert", tool="convert", args={"rows": done.value, "to": "EUR"}, effect="pure"),
        StepFinished(at=0.53, id="convert", tool="convert", ok=False, value=error, seconds=0.12),
        StepFinished(at=0.53, id="total", tool="total", ok=False, value=not_run, seconds=0.0),
        StepFinished(at=0.53, id="report", tool="write_report", ok=False, value=not_run, seconds=0.0),
        RunFinished(
            at=0.54,
            stop_reason="tool_error",
            output=None,
            usage={"turns": 0},
            message=f"step 'convert' (convert) failed: {error}",
        ),
    ]


def waiting_run() -> list[Event]:
    """The run of `demo_run` while it waits for the booking to be allowed."""
    events = [e for e in demo_run() if e.at <= 11.02]
    return [
        *events,
        RunPaused(
            at=11.05,
            stop_reason="approval",
            steps=["hotel"],
            usage={"turns": 3},
            message="1 call waits to be allowed: 'agentkit approve'",
        ),
    ]


def doubtful_run() -> list[Event]:
    """The run of `demo_run`, killed in the middle of the booking and gone on with."""
    events = [e for e in demo_run() if e.at <= 14.11]
    args = {"city": "Cork", "nights": 2}
    return [
        *events,
        RunResumed(at=14.2, number=1, started="2026-11-28T09:31:00.000+00:00"),
        InDoubt(at=14.25, id="hotel", tool="book", args=args, key="4be1f0c2a7d95e31", attempt=1),
        RunPaused(
            at=14.3,
            stop_reason="in_doubt",
            steps=["hotel"],
            usage={"turns": 3},
            message="nobody knows whether 'book' was called: say so with 'agentkit resume --assume done'",
        ),
    ]


def big_run(events: int, *, seed: int = 1) -> list[Event]:
    """A run of about so many events: turns with steps, and a step for each of many items."""
    rng = random.Random(seed)
    found: list[Event] = [replace(_started(), run_id="20261128-110000-b161")]
    at, turn, step = 0.1, 0, 0
    while len(found) < events // 2:
        turn += 1
        usage = {"prompt_tokens": 500 + turn, "output_tokens": 60, "prompt_seconds": 0.2, "output_seconds": 0.8}
        found += _turn(turn, at, at + 1.0, [{"text": f"turn {turn}"}], **usage, stop="calls")
        at += 1.0
        ends: list[Event] = []
        for _ in range(rng.randint(1, 8)):
            step += 1
            took = rng.random() * 2
            args = {"query": f"item {step}", "limit": rng.randint(1, 99)}
            found.append(StepAdded(at=at, id=f"s{step}", tool="search", args=args, after=[], purpose=""))
            found.append(StepStarted(at=at, id=f"s{step}", tool="search", args=args, effect="pure"))
            ok = rng.random() > 0.02
            value: Any = {"hits": [step, step + 1]} if ok else "ValueError: nothing found"
            ends.append(StepFinished(at=at + took, id=f"s{step}", tool="search", ok=ok, value=value, seconds=took))
        found += in_order(ends)
        at = found[-1].at + 0.05
    found += [
        StepAdded(at=at, id="all", tool="read", args={"x": "$item"}, after=[], purpose="", for_each="$s1.hits"),
        StepStarted(at=at, id="all", tool="read", args={"x": "$item"}, items=events // 4),
    ]
    for i in range(events // 4):
        found.append(ItemStarted(at=at + i / 100, id="all", index=i, key=f"k{i}"))
        ok = i % 500 != 7
        error = "" if ok else "OSError: gone"
        found.append(ItemFinished(at=at + i / 100 + 0.05, id="all", index=i, ok=ok, error=error, seconds=0.05, value=i))
    at += events // 4 / 100 + 0.1
    found.append(StepFinished(at=at, id="all", tool="read", ok=True, value=[], seconds=at))
    return [*found, RunFinished(at=at + 0.1, stop_reason="answer", output="done", usage={"turns": turn})]


DEMOS = {"demo": demo_run, "failed": failed_run, "waiting": waiting_run, "doubtful": doubtful_run}


def write_run(events: list[Event], path: Path) -> Path:
    """Writes a run's file."""
    journal = SqliteJournal(path)
    for event in events:
        journal.append(event)
    journal.close()
    return path
