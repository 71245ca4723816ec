"""The right answer in plain Python, without agentkit: ``python check_travel.py``."""

from __future__ import annotations

import json
import math
import re
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
KM_PER_MILE = 1.609344


def expected() -> dict[str, Any]:
    """Returns the answer that the task should give."""
    notes = (HERE / "trip.txt").read_text(encoding="utf-8")
    distance = float(find(r"Distance +([\d,]+) miles", notes).replace(",", "")) * KM_PER_MILE
    days = math.ceil(distance / float(find(r"Daily distance +(\d+) km", notes)))
    arrival = day(find(r"Start +\w+ (\d+ \w+ \d+)", notes)) + timedelta(days=days)
    train = day(find(r"Train home +(\d+ \w+ \d+)", notes))
    return {
        "distance_km": round(distance, 2),
        "riding_days": days,
        "arrival": arrival.isoformat(),
        "weekday": f"{arrival:%A}",
        "days_until_train": (train - arrival).days,
    }


def find(pattern: str, notes: str) -> str:
    """Returns what the group of the pattern matches in the notes."""
    match = re.search(pattern, notes)
    assert match is not None, pattern
    return match[1]


def day(text: str) -> date:
    """Returns the date that is written as ``29 March 2027``."""
    return datetime.strptime(text, "%d %B %Y").date()


def problems(output: dict[str, Any]) -> list[str]:
    """Returns what is wrong with an answer; nothing when it is right."""
    right = expected()
    found = [
        f"{key}: {output.get(key)!r} should be {value!r}"
        for key, value in right.items()
        if key != "distance_km" and output.get(key) != value
    ]
    if abs(float(output.get("distance_km", 0)) - right["distance_km"]) > 0.5:
        found.append(f"distance_km: {output.get('distance_km')!r} should be {right['distance_km']}")
    return found


if __name__ == "__main__":
    print(json.dumps(expected(), indent=2))
