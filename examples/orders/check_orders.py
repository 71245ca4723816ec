"""The right answer in plain Python, without agentkit: ``python check_orders.py``."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def expected() -> dict[str, Any]:
    """Returns the answer that the task should give."""
    spent: defaultdict[str, Decimal] = defaultdict(Decimal)
    files = sorted((HERE / "orders").glob("*.txt"))
    for path in files:
        text = path.read_text(encoding="utf-8")
        items = re.findall(r"(?m)^(\d+) x .+ at (\d+\.\d\d)$", text)
        amount = sum((int(count) * Decimal(price) for count, price in items), Decimal())
        if cut := re.search(r"(?m)^discount (\d+) %$", text):
            amount -= amount * int(cut[1]) / 100
        customer = re.search(r"Customer: (.+),", text)
        assert customer
        spent[customer[1]] += amount
    best, most = max(spent.items(), key=lambda entry: entry[1])
    return {
        "orders": len(files),
        "total": float(sum(spent.values())),
        "best_customer": best,
        "best_customer_total": float(most),
    }


def problems(output: dict[str, Any]) -> list[str]:
    """Returns what is wrong with an answer; nothing when it is right."""
    found: list[str] = []
    for key, right in expected().items():
        given = output.get(key)
        is_close = isinstance(given, float | int) and isinstance(right, float) and abs(given - right) < 0.01
        if not (given == right or is_close):
            found.append(f"{key}: {given!r} should be {right!r}")
    return found


if __name__ == "__main__":
    print(json.dumps(expected(), indent=2))
