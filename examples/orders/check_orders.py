"""The right answer in plain Python, without agentkit: ``python check_orders.py``."""

from __future__ import annotations

import json
import re
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def expected() -> dict[str, Any]:
    """Returns the answer that the task should give."""
    spent: Counter[str] = Counter()
    files = sorted((HERE / "orders").glob("*.txt"))
    for path in files:
        text = path.read_text(encoding="utf-8")
        amount = sum(int(n) * Decimal(price) for n, price in re.findall(r"(?m)^(\d+) x .+ at (\d+\.\d\d)$", text))
        if cut := re.search(r"(?m)^discount (\d+) %$", text):
            amount -= amount * int(cut[1]) / 100
        customer = re.search(r"Customer: (.+),", text)
        assert customer
        spent[customer[1]] += amount  # type: ignore[assignment]  # a sum of decimals
    (best, most), *_ = spent.most_common()
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
        same = abs(given - right) < 0.01 if isinstance(given, float | int) and isinstance(right, float) else given == right
        if not same:
            found.append(f"{key}: {given!r} should be {right!r}")
    return found


if __name__ == "__main__":
    print(json.dumps(expected(), indent=2))
